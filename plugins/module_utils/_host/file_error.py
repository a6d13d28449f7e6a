# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The error of an operation on a file, with the next step of the operator."""

from __future__ import annotations

import errno

from .._errors import HostError

# The next step of the operator, by the answer of the operating system.
_NEXT_STEPS = {
    errno.ENOSPC: "Free space on that file system, and run the task again.",
    errno.EDQUOT: "Free space on that file system, and run the task again.",
    errno.EROFS: "Mount that file system for writing, and run the task again.",
    errno.EACCES: "Run the task as root, with become.",
    errno.EPERM: "Run the task as root, with become.",
    errno.EISDIR: "Move that directory away, and run the task again.",
    errno.ENOTDIR: "Move the file in place of the directory away, and run the task again.",
    errno.EIO: "Check the disk with dmesg.",
}


def file_error(operation: str, error: OSError, state: str = "") -> HostError:
    """Return the error of an operation on a file. ``state`` is a sentence about the host."""
    step = _NEXT_STEPS.get(error.errno or 0, "")
    return HostError(operation, error.strerror or str(error), f"{state} {step}".strip())
