# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Properties of the IKE daemon that its control socket does not report."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")

# In the path of a line of /proc/<pid>/maps.
_LIBCHARON = "/libcharon.so"
# Follows a path whose file was replaced, as an upgrade of the package does.
_DELETED = " (deleted)"
# The files of strongSwan that a process has mapped, and whether they were replaced meanwhile.
_REPLACED = re.compile(
    r" /\S*/(?:libcharon|libstrongswan)[-\w.]*\.so\S* \(deleted\)$", re.MULTILINE
)
# Exported functions of libcharon, in the form of its table of dynamic names: the task of Main Mode,
# and a task of IKEv2 that proves that the table exists.
_MAIN_MODE = b"\0main_mode_create\0"
_IKEV2 = b"\0ike_init_create\0"


def speaks_ikev1(pid: int, proc: Path = PROC) -> bool:
    """Return whether the daemon ``pid`` was built with IKEv1. True if this is unknown.

    IKEv1 is an option of ``configure``, and off by default from strongSwan 6.1 on. vici does not
    report it, so the library that the process has mapped is searched.
    """
    for path in _libraries(proc / str(pid)):
        try:
            library = path.read_bytes()
        except OSError:
            continue
        return _MAIN_MODE in library or _IKEV2 not in library
    return True


def _libraries(process: Path) -> tuple[Path, ...]:
    """Return the mapped library, then the file of its name, which an upgrade may have replaced.

    Some containers do not let their root open the first one.
    """
    try:
        maps = (process / "maps").read_text()
    except OSError:
        return ()
    place = maps.find(_LIBCHARON)
    if place < 0:
        return ()
    line = maps[maps.rfind("\n", 0, place) + 1 :].partition("\n")[0]
    # Addresses, permissions, offset, device, inode, path. See proc_pid_maps(5).
    addresses, *_others, path = line.split(None, 5)
    begin, end = (text.lstrip("0") for text in addresses.split("-"))
    name = path[: -len(_DELETED)] if path.endswith(_DELETED) else path
    return process / "map_files" / f"{begin}-{end}", process / "root" / name.lstrip("/")


def runs_replaced_files(pid: int, proc: Path = PROC) -> bool | None:
    """Return whether files of the daemon ``pid`` were replaced since it started. None if unknown.

    An upgrade of a package replaces the files on the disk. The daemon runs the earlier files until
    it restarts.
    """
    try:
        maps = (proc / str(pid) / "maps").read_text()
    except OSError:
        return None
    if _LIBCHARON not in maps:
        return None
    return _REPLACED.search(maps) is not None
