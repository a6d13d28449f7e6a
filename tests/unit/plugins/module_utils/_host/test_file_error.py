# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error of an operation on a file names the next step of the operator."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.file_error import file_error


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "Free space on that file system, and run the task again."),
        (errno.EROFS, "Mount that file system for writing, and run the task again."),
        (errno.EACCES, "Run the task as root, with become."),
    ],
)
def test_the_state_of_the_host_comes_before_the_next_step(number: int, step: str) -> None:
    reason = os.strerror(number)
    error = file_error("write /etc/x", OSError(number, reason), "Nothing was changed.")
    assert str(error) == f"could not write /etc/x: {reason}. Nothing was changed. {step}"


def test_an_error_without_a_known_step() -> None:
    assert str(file_error("read /etc/x", OSError("odd"))) == "could not read /etc/x: odd."
