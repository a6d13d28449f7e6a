# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Properties of the IKE daemon that its control socket does not report."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")

# A line of /proc/<pid>/maps; " (deleted)" follows when the package was upgraded meanwhile.
_LIBCHARON = re.compile(r" (/\S*/libcharon\.so\S*)(?: \(deleted\))?$", re.MULTILINE)
# Exported functions of libcharon, in the form of its table of dynamic names: the task of Main Mode,
# and a task of IKEv2 that proves that the table exists.
_MAIN_MODE = b"\0main_mode_create\0"
_IKEV2 = b"\0ike_init_create\0"


def speaks_ikev1(pid: int, proc: Path = PROC) -> bool:
    """Return whether the daemon ``pid`` was built with IKEv1. True if this is unknown.

    IKEv1 is an option of ``configure``, and off by default from strongSwan 6.1 on. vici does not
    report it, so the library that the process has mapped is searched.
    """
    try:
        mapped = _LIBCHARON.search((proc / str(pid) / "maps").read_text())
        if mapped is None:
            return True
        library = (proc / str(pid) / "root" / mapped[1].lstrip("/")).read_bytes()
    except OSError:
        return True
    return _MAIN_MODE in library or _IKEV2 not in library
