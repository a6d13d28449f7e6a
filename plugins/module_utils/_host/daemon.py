# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What the IKE daemon does not tell over its control socket."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")

# A line of /proc/<pid>/maps; " (deleted)" follows when the package was upgraded meanwhile.
_LIBCHARON = re.compile(r" (/\S*/libcharon\.so\S*)(?: \(deleted\))?$", re.MULTILINE)
# Functions that libcharon exports, as its table of dynamic names has them: Main Mode's task, and
# one of IKEv2 from which it can be seen that the table is there.
_MAIN_MODE = b"\0main_mode_create\0"
_IKEV2 = b"\0ike_init_create\0"


def speaks_ikev1(pid: int, proc: Path = PROC) -> bool:
    """Whether the daemon ``pid`` was built with IKEv1; True where this cannot be told.

    A choice of ``configure``, and no longer its default from strongSwan 6.1 on. vici doesn't tell
    which was taken, so the library that the process has mapped is looked at.
    """
    try:
        found = _LIBCHARON.search((proc / str(pid) / "maps").read_text())
        if found is None:
            return True
        library = (proc / str(pid) / "root" / found[1].lstrip("/")).read_bytes()
    except OSError:
        return True
    return _MAIN_MODE in library or _IKEV2 not in library
