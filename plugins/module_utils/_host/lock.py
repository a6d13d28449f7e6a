# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One run at a time on a host, check mode included: it must not look at a run half done.

flock(2) is the kernel's: the lock of a process that was killed is free at once. The file stays; it
says who holds the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
import typing as t

from .._errors import HostError

PATH = "/run/tunnelwright.lock"
# Seconds that a run waits for another.
PATIENCE = 120.0
# What an operator would not notice is not worth a warning.
_NOTICEABLE = 1.0
_PAUSE = 0.1


@contextlib.contextmanager
def exclusive(what: str, *, path: str = PATH, patience: float = PATIENCE) -> t.Iterator[str]:
    """Nobody else is in here, on this host. ``what`` is shown to those who wait meanwhile.

    Yields what the operator should know of a wait, empty where there was hardly any. Raises
    HostError with the name of the holder after ``patience`` seconds.
    """
    operation = f"take {path}"
    try:
        descriptor, waited = _locked(operation, path, patience)
    except OSError as error:
        raise HostError(operation, f"{error.strerror or error}; does this run as root?") from None
    try:
        _sign(descriptor, what)
        yield waited
    finally:
        os.close(descriptor)


def _locked(operation: str, path: str, patience: float) -> tuple[int, str]:
    """The file, locked, and the note of a wait. Opened anew each time: it may have been deleted."""
    start = time.monotonic()
    holder: dict[str, t.Any] = {}
    while True:
        descriptor = _opened(operation, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor, _note(time.monotonic() - start, holder)
        except BlockingIOError:
            holder = _holder(descriptor) or holder
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() - start >= patience:
            since = f"{_named(holder)}, since {holder['since']})" if holder else "another run"
            why = f"held for {patience:.0f} s and more by {since}; nothing was changed"
            raise HostError(operation, why)
        time.sleep(_PAUSE)


def _opened(operation: str, path: str) -> int:
    """Never what a symbolic link points at, and never anything but a plain file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HostError(operation, "it is not a plain file")
    return descriptor


def _sign(descriptor: int, what: str) -> None:
    """For those who wait. What can't be written, on a full disk, is no reason to fail."""
    since = time.strftime("%H:%M:%S")
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(
            descriptor,
            json.dumps({"module": what, "pid": os.getpid(), "since": since}).encode(),
            0,
        )


def _holder(descriptor: int) -> dict[str, t.Any]:
    """Who signed; empty where that can't be told, as in the moment before they do."""
    try:
        found = json.loads(os.pread(descriptor, 1000, 0))
    except ValueError:
        return {}
    known = isinstance(found, dict) and {"module", "pid", "since"} <= found.keys()
    return found if known else {}


def _named(holder: t.Mapping[str, t.Any]) -> str:
    return f"{holder['module']} (process {holder['pid']}"


def _note(seconds: float, holder: t.Mapping[str, t.Any]) -> str:
    if seconds < _NOTICEABLE:
        return ""
    who = f"{_named(holder)})" if holder else "another run"
    return f"waited {seconds:.0f} s for {who} to finish"
