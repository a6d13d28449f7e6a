# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Files of ours: read whole, written atomically, never half there.

What is to be written is first staged beside its place, and what it replaces is kept there until all
is done: a full disk is noticed before anything is touched, and taking back needs no room.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import typing as t

from .._errors import HostError
from .._render.artefacts import OWN_DIRECTORIES, RECORD_DIR, SWANCTL_DIR, File

# Directories that we make are for root to write and for everybody to see.
_DIRECTORY_MODE = 0o755

# Names beside a file, hidden from whatever looks for *.conf, *.pem or *.service.
_NEW, _OLD = ".{}.new", ".{}.old"
# swanctl loads whatever file lies among its certificates and keys, hidden or not, and charon does
# not start where one can't be loaded; directories it passes over.
_CREDENTIALS = tuple(f"{SWANCTL_DIR}/{name}" for name in ("x509", "private", "x509ca"))
_APART = ".tunnelwright"


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

    def stage(self, files: t.Iterable[File]) -> None:
        """Put files ready beside their places. Raises HostError when nothing has been touched."""
        for file in files:
            try:
                self._stage(file)
            except OSError as error:
                self.clean()
                reason = f"{_reason(error)}; nothing was changed"
                raise HostError(f"write {file.path}", reason) from None

    def write(self, file: File) -> None:
        """Replace a file in one step, with its mode from the first moment on."""
        target = self._root + file.path
        new, old = _beside(target, _NEW), _beside(target, _OLD)
        try:
            if _holds(old, file):
                os.replace(old, target)
            else:
                if not _holds(new, file):
                    self._stage(file)
                _keep(target, old)
                os.replace(new, target)
            _sync_directory(os.path.dirname(target))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(new)
            with contextlib.suppress(OSError):
                if os.path.samefile(old, target):
                    os.unlink(old)
            raise HostError(f"write {file.path}", _reason(error)) from None

    def remove(self, path: str) -> None:
        """A file that is gone already is no error."""
        target = self._root + path
        try:
            if os.path.isdir(target) and not os.path.islink(target):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            _make_apart(_beside(target, _OLD))
            os.replace(target, _beside(target, _OLD))
            _sync_directory(os.path.dirname(target))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise HostError(f"remove {path}", _reason(error)) from None

    def clean(self) -> None:
        """Remove what stands beside files of ours, and the directory of records if it is empty.

        Nothing can be wrong with that: what can't be removed now is in nobody's way.
        """
        for directory in OWN_DIRECTORIES:
            # Hidden from glob's "*".
            ours = "" if directory == RECORD_DIR else "tunnelwright"
            for ending in ("new", "old"):
                for path in glob.glob(f"{self._root}{directory}/.{ours}*.{ending}"):
                    with contextlib.suppress(OSError):
                        os.unlink(path)
        for directory in _CREDENTIALS:
            apart = f"{self._root}{directory}/{_APART}"
            for path in glob.glob(f"{apart}/.*"):
                with contextlib.suppress(OSError):
                    os.unlink(path)
            with contextlib.suppress(OSError):
                os.rmdir(apart)
        with contextlib.suppress(OSError):
            os.rmdir(self._root + RECORD_DIR)

    def _stage(self, file: File) -> None:
        target = self._root + file.path
        temporary = _beside(target, _NEW)
        os.makedirs(os.path.dirname(target), _DIRECTORY_MODE, exist_ok=True)
        _make_apart(temporary)
        # Not what somebody may have put there.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.data)
            os.fchmod(stream.fileno(), file.mode)
            stream.flush()
            os.fsync(stream.fileno())


def _keep(target: str, old: str) -> None:
    """A second name for what is about to be replaced."""
    _make_apart(old)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(old)
    with contextlib.suppress(FileNotFoundError):
        os.link(target, old, follow_symlinks=False)


def _beside(target: str, form: str) -> str:
    directory, name = os.path.split(target)
    if directory.endswith(_CREDENTIALS):
        directory = os.path.join(directory, _APART)
    return os.path.join(directory, form.format(name))


def _make_apart(path: str) -> None:
    directory = os.path.dirname(path)
    if os.path.basename(directory) == _APART and os.path.isdir(os.path.dirname(directory)):
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o700)


def _holds(path: str, file: File) -> bool:
    """Whether the regular file at ``path`` is ``file``, whole."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode & 0o7777
            return (stream.read(), mode) == (file.data, file.mode)
    except OSError:
        return False


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
