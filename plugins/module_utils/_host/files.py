# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Files of ours: read whole, written atomically, never half there."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile

from .._errors import HostError
from .._render.artefacts import RECORD_DIR, File

# Directories that we make are for root to write and for everybody to see.
_DIRECTORY_MODE = 0o755


class Files:
    """``root`` is prepended to every path: the empty string on a host, a directory in tests."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def read(self, path: str) -> File | None:
        """The file with its mode, None where there is none."""
        try:
            with open(self._root + path, "rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode & 0o7777
                return File(path, stream.read(), mode)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"read {path}", _reason(error)) from None

    def find(self, pattern: str) -> tuple[str, ...]:
        """The paths that match a shell pattern, sorted; dotfiles are left out."""
        found = glob.glob(self._root + pattern)
        return tuple(sorted(path[len(self._root) :] for path in found))

    def write(self, file: File) -> None:
        """Replace a file in one step, with its mode from the first moment on.

        The temporary name starts with a dot, so that no ``*.conf`` of strongSwan matches it.
        """
        target = self._root + file.path
        directory, name = os.path.split(target)
        temporary = ""
        try:
            os.makedirs(directory, _DIRECTORY_MODE, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(file.data)
                os.fchmod(stream.fileno(), file.mode)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
            _sync_directory(directory)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise HostError(f"write {file.path}", _reason(error)) from None

    def remove(self, path: str) -> None:
        """A file that is gone already is no error."""
        directory = os.path.dirname(path)
        try:
            os.unlink(self._root + path)
            _sync_directory(self._root + directory)
            if directory == RECORD_DIR:
                # Ours alone, so gone with the last file in it.
                with contextlib.suppress(OSError):
                    os.rmdir(self._root + directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise HostError(f"remove {path}", _reason(error)) from None

    def make_private_directory(self, path: str) -> None:
        """For root alone; one that is there already is made so."""
        try:
            os.makedirs(self._root + path, exist_ok=True)
            os.chmod(self._root + path, 0o700)
        except OSError as error:
            raise HostError(f"make directory {path}", _reason(error)) from None

    def remove_directory(self, path: str) -> None:
        """Unless something is left in it."""
        with contextlib.suppress(OSError):
            os.rmdir(self._root + path)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
