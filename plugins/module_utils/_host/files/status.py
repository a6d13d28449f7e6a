# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Mode, owner and identity of a file."""

from __future__ import annotations

import os
import stat
import typing as t

from ..._render.file import ROOT, File
from .regular import regular


class Mark(t.NamedTuple):
    """The identity, the size in bytes and the times of a file in nanoseconds.

    The kernel sets ``changed`` at each change of content, mode or owner. No program can set it.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def holds(path: str, file: File) -> bool:
    """Return whether ``path`` has exactly the content, mode and owner of ``file``."""
    try:
        if file.link:
            return os.readlink(path) == file.link
        with open(regular(path, os.O_NOFOLLOW), "rb") as stream:
            found = os.fstat(stream.fileno())
            known = stream.read(), mode_of(found), owner_of(found)
            return known == (file.data, file.mode, file.owner)
    except OSError:
        return False


def link_of(path: str) -> str:
    """Return the target of a symbolic link, or an empty text for another file."""
    return os.readlink(path) if os.path.islink(path) else ""


def mode_of(status: os.stat_result) -> int:
    """Return the permissions."""
    return stat.S_IMODE(status.st_mode)


def owner_of(status: os.stat_result) -> tuple[int, int]:
    """Return user and group. In a test without root, the user of the test counts as root."""
    owner, own = (status.st_uid, status.st_gid), (os.geteuid(), os.getegid())
    return ROOT if os.geteuid() != 0 and owner == own else owner


def give(descriptor: int, owner: tuple[int, int]) -> None:
    """Set user and group, because new files may inherit the group of a directory.

    Only root can do this.
    """
    if os.geteuid() == 0:
        os.fchown(descriptor, *owner)
