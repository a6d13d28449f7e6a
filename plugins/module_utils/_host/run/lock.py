# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One run at a time on a host, check mode included: it must not look at a run half done.

flock(2) is the kernel's: the lock of a process that was killed is free at once. The file stays; it
says who holds the lock, and until when the holder is to be taken for alive (``seize.py``).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
import typing as t
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..._errors import HostError

PATH = "/run/tunnelwright.lock"
# Seconds that a run waits for another.
PATIENCE = 120.0
# Seconds without a sign of life after which a run is taken for one that hangs.
SILENCE = 15.0
# What an operator would not notice is not worth a warning.
_NOTICEABLE = 1.0
_PAUSE = 0.1
# A sign of life that says no more than the last one, but for so many seconds, is not written.
_WORTH = 1.0

PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """Who signed the lock file.

    ``began`` is when the process was started, in ticks since the boot, which tells it from another
    one of the same number. ``until`` is a time of the monotonic clock, in seconds.
    """

    module: str
    pid: int
    since: str
    began: int = 0
    until: float = 0.0

    def __str__(self) -> str:
        return f"{self.module} (process {self.pid}"

    def is_same(self, other: Holder) -> bool:
        """Whether both are of one process."""
        return (self.pid, self.began) == (other.pid, other.began)


class Held:
    """The lock, taken. ``waited`` is what the operator should know of a wait; mostly empty."""

    def __init__(self, descriptor: int, what: str, waited: str) -> None:
        self.waited = waited
        self._descriptor = descriptor
        pid = os.getpid()
        since = time.strftime("%H:%M:%S")
        self._holder = Holder(what, pid, since, started(pid) or 0)
        self.alive(SILENCE)

    def alive(self, seconds: float) -> None:
        """Note that this run is at work, and may give no further sign for so long."""
        until = time.monotonic() + seconds
        if abs(until - self._holder.until) < _WORTH:
            return
        self._holder = replace(self._holder, until=until)
        # For those who wait. What can't be written, on a full disk, is no reason to fail.
        with contextlib.suppress(OSError):
            written = json.dumps(asdict(self._holder)).encode()
            os.pwrite(self._descriptor, written, 0)
            os.ftruncate(self._descriptor, len(written))


@contextlib.contextmanager
def exclusive(what: str, *, path: str = PATH, patience: float = PATIENCE) -> t.Iterator[Held]:
    """The lock, held: no other run is at work on this host. ``what`` is shown to those who wait.

    Raises HostError with the name of the holder after ``patience`` seconds.
    """
    start = time.monotonic()

    def give_up(holder: Holder | None) -> None:
        if time.monotonic() - start >= patience:
            since = f"{holder}, since {holder.since})" if holder else "another run"
            why = f"held for {patience:.0f} s and more by {since}; nothing was changed"
            raise HostError(f"take {path}", why)

    with locked(what, path, give_up) as held:
        yield held


@contextlib.contextmanager
def locked(what: str, path: str, between: t.Callable[[Holder | None], None]) -> t.Iterator[Held]:
    """The lock, waited for. ``between`` gets the holder, again and again, and may raise."""
    operation = f"take {path}"
    try:
        descriptor, waited = _taken(operation, path, between)
    except OSError as error:
        raise HostError(operation, f"{error.strerror or error}; does this run as root?") from None
    try:
        yield Held(descriptor, what, waited)
    finally:
        os.close(descriptor)


def _taken(
    operation: str, path: str, between: t.Callable[[Holder | None], None]
) -> tuple[int, str]:
    """The file, locked, and the note of a wait. Opened anew each time: it may have been deleted."""
    start = time.monotonic()
    holder: Holder | None = None
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
        between(holder)
        time.sleep(_PAUSE)


def _opened(operation: str, path: str) -> int:
    """Never what a symbolic link points at, and never anything but a plain file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HostError(operation, "it is not a plain file")
    return descriptor


def _holder(descriptor: int) -> Holder | None:
    """Who has signed; None where nothing can be read, as before the signature."""
    try:
        note = json.loads(os.pread(descriptor, 1000, 0))
        # The last two are lacking where version 0.1.0 has signed.
        began, until = note.get("began", 0), note.get("until", 0)
        return Holder(
            str(note["module"]), int(note["pid"]), str(note["since"]), int(began), float(until)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def started(pid: int, proc: Path = PROC) -> int | None:
    """When a process was started, in ticks since the boot; None where there is none."""
    try:
        # The name of the program, in parentheses, may hold anything.
        words = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return int(words[19])
    except (OSError, ValueError, IndexError):
        return None


def _note(seconds: float, holder: Holder | None) -> str:
    if seconds < _NOTICEABLE:
        return ""
    who = f"{holder})" if holder else "another run"
    return f"waited {seconds:.0f} s for {who} to finish"
