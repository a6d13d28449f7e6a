# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The lock of the host around the run of a module. A run also restarts a running timer."""

from __future__ import annotations

import contextlib
import typing as t

from .._host.host import Host
from .._host.rollback.timer import signs_of_life


@contextlib.contextmanager
def at_work(host: Host, key: str, *, check: bool) -> t.Iterator[str]:
    """Hold the lock of the host, and yield the note of a wait for the lock, or an empty text.

    Check mode without the rights of root does without the lock.
    """
    lock = host.exclusive(key) if host.may_lock or not check else contextlib.nullcontext("")
    with lock as waited, signs_of_life(host, check=check):
        yield waited
