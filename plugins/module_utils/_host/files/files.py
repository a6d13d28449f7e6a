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
import stat
import typing as t

from ..._errors import HostError
from ..._render.artefacts import OURS_ALONE, READ_WHOLE, ROOT, SHARED, Directory, File

# Directories that we make are for root to write and for everybody to see.
_DIRECTORY_MODE = 0o755

# More than any file that is read here has, in bytes.
LARGEST = 64 * 2**20

# Names beside a file, hidden from whatever looks for *.conf, *.pem or *.service.
_NEW, _OLD = ".{}.new", ".{}.old"


class Files:
    """``root`` is prepended to every path: the empty string on a host, a directory in tests."""

    def __init__(self, root: str = "") -> None:
        self._root = root

    def read(self, path: str, largest: int = LARGEST) -> File | None:
        """The file with its mode and owner, None where there is none.

        It has ``largest`` bytes at most.
        """
        try:
            with open(regular(self._root + path), "rb") as stream:
                found = os.fstat(stream.fileno())
                # A file of /proc that is without end has a size of 0.
                data = stream.read(min(found.st_size, largest + 1))
                if len(data) > largest:
                    raise OSError(errno.EFBIG, f"it is larger than {largest // 2**20} MiB")
                link = _link(self._root + path)
                return File(path, data, _mode(found), _owner(found), link)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"read {path}", _reason(error)) from None

    def look(self, path: str) -> File | None:
        """The same; what can't be read, as a pipe in its place, is an empty file of mode 0."""
        try:
            return self.read(path)
        except HostError:
            return File(path, b"", 0)

    def kind(self, path: str) -> str:
        """``file``, ``directory``, ``other`` (pipe, device), or empty where there is nothing."""
        try:
            mode = os.stat(self._root + path).st_mode
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise HostError(f"read {path}", _reason(error)) from None
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory"}
        return kinds.get(stat.S_IFMT(mode), "other")

    def directories(self) -> tuple[Directory, ...]:
        """Those of ours that are there."""
        found = []
        for path in OURS_ALONE:
            with contextlib.suppress(OSError):
                status = os.stat(self._root + path)
                if stat.S_ISDIR(status.st_mode):
                    found.append(Directory(path, _mode(status), _owner(status)))
        return tuple(found)

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

    def write(self, file: File, *, keep: bool = False) -> None:
        """Replace a file in one step, with its mode from the first moment on.

        ``keep`` leaves what it replaces beside it until ``clean``: writing that needs no room.
        """
        target = self._root + file.path
        new, old = _beside(target, _NEW), _beside(target, _OLD)
        try:
            if _holds(old, file):
                os.replace(old, target)
            else:
                if not _holds(new, file):
                    self._stage(file)
                if keep:
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

    def remove(self, path: str, *, keep: bool = False) -> None:
        """A file that is gone already is no error. ``keep`` is that of ``write``."""
        target = self._root + path
        try:
            if os.path.isdir(target) and not os.path.islink(target):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if keep:
                os.replace(target, _beside(target, _OLD))
            else:
                os.unlink(target)
            _sync_directory(os.path.dirname(target))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise HostError(f"remove {path}", _reason(error)) from None

    def clean(self) -> None:
        """Remove what stands beside files of ours, and directories of ours that are empty.

        Nothing can be wrong with that: what can't be removed now is in nobody's way.
        """
        ours = [f"{directory}/*" for directory in OURS_ALONE]
        ours += [f"{directory}/tunnelwright*" for directory in SHARED]
        for pattern in ours:
            for form in (_NEW, _OLD):
                for path in glob.glob(_beside(self._root + pattern, form)):
                    with contextlib.suppress(OSError):
                        os.unlink(path)
        for directory in OURS_ALONE:
            self.remove_directory(directory)

    def make_private_directory(self, path: str) -> None:
        """For root alone; one that is there already is made so."""
        try:
            os.makedirs(self._root + path, exist_ok=True)
        except OSError as error:
            raise HostError(f"make directory {path}", _reason(error)) from None
        self.secure(Directory(path, 0o700))

    def secure(self, directory: Directory) -> None:
        """Give a directory that is there its owner and its mode."""
        descriptor = -1
        try:
            descriptor = os.open(self._root + directory.path, os.O_RDONLY | os.O_DIRECTORY)
            _give(descriptor, directory.owner)
            os.fchmod(descriptor, directory.mode)
        except OSError as error:
            raise HostError(f"secure directory {directory.path}", _reason(error)) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def remove_directory(self, path: str) -> None:
        """Unless something is left in it."""
        with contextlib.suppress(OSError):
            os.rmdir(self._root + path)

    def _stage(self, file: File) -> None:
        target = self._root + file.path
        temporary = _beside(target, _NEW)
        os.makedirs(os.path.dirname(target), _DIRECTORY_MODE, exist_ok=True)
        # Not what somebody may have put there.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if file.link:
            os.symlink(file.link, temporary)
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.data)
            _give(stream.fileno(), file.owner)
            os.fchmod(stream.fileno(), file.mode)
            stream.flush()
            os.fsync(stream.fileno())


def regular(path: str, flags: int = 0) -> int:
    """A descriptor of a regular file, to read it. Raises OSError for anything else at once.

    A pipe would be waited for without end, and to open a device may do something.
    """
    _check_regular(os.lstat(path) if flags & os.O_NOFOLLOW else os.stat(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags)
    try:
        # It may be another one by now.
        _check_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")


_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
}


def _keep(target: str, old: str) -> None:
    """A second name for what is about to be replaced."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(old)
    with contextlib.suppress(FileNotFoundError):
        os.link(target, old, follow_symlinks=False)


def _beside(target: str, form: str) -> str:
    directory, name = os.path.split(target)
    if directory.endswith(READ_WHOLE):
        # swanctl loads whatever lies there, hidden or not.
        directory, kind = os.path.split(directory)
        name = f"{kind}.{name}"
    return os.path.join(directory, form.format(name))


def _holds(path: str, file: File) -> bool:
    """Whether ``file`` is at ``path``, whole."""
    try:
        if file.link:
            return os.readlink(path) == file.link
        with open(regular(path, os.O_NOFOLLOW), "rb") as stream:
            found = os.fstat(stream.fileno())
            known = stream.read(), _mode(found), _owner(found)
            return known == (file.data, file.mode, file.owner)
    except OSError:
        return False


def _link(path: str) -> str:
    """Where a symbolic link leads, empty where there is none."""
    return os.readlink(path) if os.path.islink(path) else ""


def _mode(status: os.stat_result) -> int:
    return stat.S_IMODE(status.st_mode)


def _owner(status: os.stat_result) -> tuple[int, int]:
    """User and group. In a test that does not run as root, its user stands for root."""
    owner, own = (status.st_uid, status.st_gid), (os.geteuid(), os.getegid())
    return ROOT if os.geteuid() != 0 and owner == own else owner


def _give(descriptor: int, owner: tuple[int, int]) -> None:
    """Set user and group: a directory may pass on its group to new files. Root alone can."""
    if os.geteuid() == 0:
        os.fchown(descriptor, *owner)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
