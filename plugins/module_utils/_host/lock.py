# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One run at a time on a host."""

from __future__ import annotations

import contextlib
import fcntl
import typing as t

from .._errors import HostError

LOCK = "/run/tunnelwright.lock"


@contextlib.contextmanager
def exclusive(what: str) -> t.Iterator[None]:
    """Hold the lock of the collection while ``what`` goes on inside."""
    try:
        stream = open(LOCK, "a")  # noqa: SIM115
    except OSError as error:
        raise HostError(what, f"lock {LOCK}: {error.strerror or error}") from None
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
