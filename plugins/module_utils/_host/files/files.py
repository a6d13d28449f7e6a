# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Reading and atomic writing of the files of the collection.

A new file is first staged beside its target, and the replaced file is kept there until the run is
complete. Thus a full disk is noticed before any change, and an undo needs no space.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
import typing as t

from ..._errors import HostError
from ..._model.platform import Platform
from ..._render.file import Directory, File
from ..file_error import file_error
from .regular import regular
from .status import Mark, give, holds, link_of, mode_of, owner_of

# The mode of directories that the collection makes: only root writes, every user reads.
_DIRECTORY_MODE = 0o755

# In bytes, larger than every file that is read here.
LARGEST = 64 * 2**20

# Names beside a file, which no pattern such as *.conf, *.pem or *.service matches.
_NEW, _OLD = ".{}.new", ".{}.old"


class Files:
    """The files of a host of the kind ``platform``.

    ``root`` is prepended to every path: the empty string on a host, a directory in tests.
    """

    def __init__(self, platform: Platform, root: str = "") -> None:
        self.platform = platform
        self._root = root
        # The directories whose changes ``clean`` takes to the disk.
        self._unsynced: set[str] = set()

    def read(self, path: str, largest: int = LARGEST) -> File | None:
        """Return the file with its mode and owner, or None if it does not exist.

        Raises HostError for a file with more than ``largest`` bytes.
        """
        try:
            with open(regular(self._root + path), "rb") as stream:
                found = os.fstat(stream.fileno())
                # An endless file of /proc has the size 0.
                data = stream.read(min(found.st_size, largest + 1))
                if len(data) > largest:
                    raise OSError(errno.EFBIG, f"it is larger than {largest // 2**20} MiB")
                link = link_of(self._root + path)
                return File(path, data, mode_of(found), owner_of(found), link)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_error(f"read {path}", error) from None

    def mark(self, path: str) -> Mark | None:
        """Return what changes with each change of a file, or None if it is no regular file."""
        try:
            found = os.lstat(self._root + path)
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        times = found.st_mtime_ns, found.st_ctime_ns
        return Mark(found.st_dev, found.st_ino, found.st_size, *times)

    def look(self, path: str) -> File | None:
        """Return the file, or an empty file of mode 0 if it cannot be read, such as a pipe."""
        try:
            return self.read(path)
        except HostError:
            return File(path, b"", 0)

    def kind(self, path: str) -> str:
        """Return ``file``, ``directory``, ``other`` (pipe, device), or "" if nothing exists."""
        try:
            mode = os.stat(self._root + path).st_mode
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise file_error(f"read {path}", error) from None
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory"}
        return kinds.get(stat.S_IFMT(mode), "other")

    def directories(self) -> tuple[Directory, ...]:
        """Return the existing directories of the collection."""
        found = []
        for path in self.platform.own_dirs:
            with contextlib.suppress(OSError):
                status = os.stat(self._root + path)
                if stat.S_ISDIR(status.st_mode):
                    found.append(Directory(path, mode_of(status), owner_of(status)))
        return tuple(found)

    def find(self, pattern: str) -> tuple[str, ...]:
        """Return the paths that match a shell pattern, sorted, without hidden files."""
        found = glob.glob(self._root + pattern)
        return tuple(sorted(path[len(self._root) :] for path in found))

    def stage(self, files: t.Iterable[File]) -> None:
        """Write files beside their targets. On HostError no target was changed."""
        staged = tuple(files)
        # The first of many files takes all of them to the disk, so that the others take no time.
        for act in (self._stage, self._sync):
            for file in staged:
                try:
                    act(file)
                except OSError as error:
                    self.clean()
                    state = "Nothing was changed."
                    raise file_error(f"write {file.path}", error, state) from None

    def write(self, file: File, *, keep: bool = False) -> None:
        """Replace a file in one step, with its final mode from the start.

        ``keep`` keeps the former file beside the target until ``clean``, so an undo needs no space.
        Then ``clean`` takes the new name to the disk.
        """
        target = self._root + file.path
        new, old = self._beside(target, _NEW), self._beside(target, _OLD)
        try:
            if holds(old, file):
                os.replace(old, target)
            else:
                if not holds(new, file):
                    self._stage(file)
                    self._sync(file)
                if keep:
                    _keep(target, old)
                os.replace(new, target)
            self._changed(target, later=keep)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(new)
            with contextlib.suppress(OSError):
                if os.path.samefile(old, target):
                    os.unlink(old)
            raise file_error(f"write {file.path}", error) from None

    def remove(self, path: str, *, keep: bool = False) -> None:
        """Remove a file, if it exists. ``keep`` has the same meaning as for ``write``."""
        target = self._root + path
        try:
            if os.path.isdir(target) and not os.path.islink(target):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if keep:
                os.replace(target, self._beside(target, _OLD))
            else:
                os.unlink(target)
            self._changed(target, later=keep)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise file_error(f"remove {path}", error) from None

    def clean(self) -> None:
        """Remove the temporary and former files, and empty directories of the collection.

        It raises no error, because a remaining file does no harm.
        """
        for directory in sorted(self._unsynced):
            with contextlib.suppress(OSError):
                _sync_directory(directory)
        self._unsynced.clear()
        ours = [f"{directory}/*" for directory in self.platform.own_dirs]
        ours += [f"{directory}/tunnelwright*" for directory in self.platform.shared_dirs]
        for pattern in ours:
            for form in (_NEW, _OLD):
                for path in glob.glob(self._beside(self._root + pattern, form)):
                    with contextlib.suppress(OSError):
                        os.unlink(path)
        for directory in self.platform.own_dirs:
            self.remove_directory(directory)

    def make_private_directory(self, path: str) -> None:
        """Make a directory that only root can read, or change an existing directory to it."""
        try:
            os.makedirs(self._root + path, exist_ok=True)
        except OSError as error:
            raise file_error(f"make directory {path}", error) from None
        self.secure(Directory(path, 0o700))

    def secure(self, directory: Directory) -> None:
        """Set owner and mode of an existing directory."""
        descriptor = -1
        try:
            descriptor = os.open(self._root + directory.path, os.O_RDONLY | os.O_DIRECTORY)
            give(descriptor, directory.owner)
            os.fchmod(descriptor, directory.mode)
        except OSError as error:
            raise file_error(f"secure directory {directory.path}", error) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def remove_directory(self, path: str) -> None:
        """Remove a directory if it is empty."""
        with contextlib.suppress(OSError):
            os.rmdir(self._root + path)

    def _beside(self, target: str, form: str) -> str:
        """Return the path of a file that stands beside ``target`` while a run is at work."""
        directory, name = os.path.split(target)
        if directory[len(self._root) :] in self.platform.read_whole:
            # swanctl loads every file of these directories, hidden or not.
            directory, kind = os.path.split(directory)
            name = f"{kind}.{name}"
        return os.path.join(directory, form.format(name))

    def _stage(self, file: File) -> None:
        target = self._root + file.path
        temporary = self._beside(target, _NEW)
        os.makedirs(os.path.dirname(target), _DIRECTORY_MODE, exist_ok=True)
        # Another program may have put a link or a pipe there.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if file.link:
            os.symlink(file.link, temporary)
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.data)
            give(stream.fileno(), file.owner)
            os.fchmod(stream.fileno(), file.mode)

    def _sync(self, file: File) -> None:
        """Take a staged file to the disk."""
        if not file.link:
            _sync(self._beside(self._root + file.path, _NEW), os.O_NOFOLLOW)

    def _changed(self, target: str, *, later: bool) -> None:
        directory = os.path.dirname(target)
        if later:
            self._unsynced.add(directory)
        else:
            _sync_directory(directory)


def _keep(target: str, old: str) -> None:
    """Give the target a second name before it is replaced."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(old)
    with contextlib.suppress(FileNotFoundError):
        os.link(target, old, follow_symlinks=False)


def _sync_directory(directory: str) -> None:
    _sync(directory, os.O_DIRECTORY)


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
