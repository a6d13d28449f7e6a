# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The lock that permits one run at a time on a host, also in check mode.

Without the lock, a run could observe an incomplete change. The kernel releases a flock(2) at once
when its process is killed. The file stays. It names the holder of the lock, and the time until
which the holder counts as alive (``seize.py``).
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

# Seconds that a run waits for another run.
PATIENCE = 120.0
# Seconds without an update after which a run counts as hanging.
SILENCE = 15.0
# A shorter wait, in seconds, is not worth a warning.
_NOTICEABLE = 1.0
_PAUSE = 0.1
# An update that extends the time by less than this number of seconds is not written.
_WORTH = 1.0

PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """The process that signed the lock file.

    ``began`` is the start of the process, in ticks since the boot. It distinguishes the process
    from another process with the same id. ``until`` is a time of the monotonic clock, in seconds.
    """

    module: str
    pid: int
    since: str
    began: int = 0
    until: float = 0.0

    def __str__(self) -> str:
        return f"{self.module} (process {self.pid}"

    def is_same(self, other: Holder) -> bool:
        """Return whether both are the same process."""
        return (self.pid, self.began) == (other.pid, other.began)


class Held:
    """A held lock. ``waited`` is a warning about a wait, or an empty text."""

    def __init__(self, descriptor: int, what: str, waited: str) -> None:
        self.waited = waited
        self._descriptor = descriptor
        pid = os.getpid()
        since = time.strftime("%H:%M:%S")
        self._holder = Holder(what, pid, since, started(pid) or 0)
        self.alive(SILENCE)

    def alive(self, seconds: float) -> None:
        """Note that this run is alive, and that its next update may take ``seconds``."""
        until = time.monotonic() + seconds
        if abs(until - self._holder.until) < _WORTH:
            return
        self._holder = replace(self._holder, until=until)
        # Only waiting processes read it. A full disk is no reason to fail.
        with contextlib.suppress(OSError):
            written = json.dumps(asdict(self._holder)).encode()
            os.pwrite(self._descriptor, written, 0)
            os.ftruncate(self._descriptor, len(written))


@contextlib.contextmanager
def exclusive(what: str, *, path: str, patience: float = PATIENCE) -> t.Iterator[Held]:
    """Hold the lock, so that no other run works on this host. Waiting runs show ``what``.

    Raises HostError with the name of the holder after ``patience`` seconds.
    """
    start = time.monotonic()

    def give_up(holder: Holder | None) -> None:
        if time.monotonic() - start >= patience:
            since = f"{holder}, since {holder.since})" if holder else "another run"
            why = f"it has been held for {patience:.0f} s and more by {since}"
            advice = "Nothing was changed. Run the task again when that run has ended."
            raise HostError(f"get the lock {path}", why, advice)

    with locked(what, path, give_up) as held:
        yield held


@contextlib.contextmanager
def locked(what: str, path: str, between: t.Callable[[Holder | None], None]) -> t.Iterator[Held]:
    """Wait for the lock and hold it. ``between`` receives the holder repeatedly, and may raise."""
    operation = f"get the lock {path}"
    try:
        descriptor, waited = _taken(operation, path, between)
    except OSError as error:
        advice = "Run the task as root, with become."
        raise HostError(operation, error.strerror or str(error), advice) from None
    try:
        yield Held(descriptor, what, waited)
    finally:
        os.close(descriptor)


def _taken(
    operation: str, path: str, between: t.Callable[[Holder | None], None]
) -> tuple[int, str]:
    """Return the locked file and the warning about a wait.

    Each try opens the file again, because it may have been deleted.
    """
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
    """Return a descriptor of the file. It refuses a symbolic link and every special file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HostError(operation, "it is not a regular file", f"Remove {path}.")
    return descriptor


def _holder(descriptor: int) -> Holder | None:
    """Return the process that signed the file, or None if there is no valid signature."""
    try:
        note = json.loads(os.pread(descriptor, 1000, 0))
        # A signature of version 0.1.0 lacks the last two.
        began, until = note.get("began", 0), note.get("until", 0)
        return Holder(
            str(note["module"]), int(note["pid"]), str(note["since"]), int(began), float(until)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def started(pid: int, proc: Path = PROC) -> int | None:
    """Return the start of a process, in ticks since the boot. None if it does not exist."""
    try:
        # The name of the program, in parentheses, may hold any character.
        words = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return int(words[19])
    except (OSError, ValueError, IndexError):
        return None


def _note(seconds: float, holder: Holder | None) -> str:
    if seconds < _NOTICEABLE:
        return ""
    who = f"{holder})" if holder else "another run"
    return f"waited {seconds:.0f} s for {who} to finish"
