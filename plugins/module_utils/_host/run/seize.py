# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The lock for a due rollback, which a hanging run cannot prevent.

The rollback waits as long as the holder of the lock counts as alive. Then it ends the holder. If
the holder cannot be ended, for example in an uninterruptible sleep, the rollback proceeds without
the lock.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import typing as t

from ..._errors import HostError
from .lock import PROC, SILENCE, Held, Holder, locked, started

# The longest time in seconds that one update may cover.
LONGEST = 150.0
# Seconds that a holder has to end after each signal.
LAST_WORDS = 5.0
# Number of tries with an absent or unknown holder before the rollback proceeds without the lock.
_MISSES = 10


@contextlib.contextmanager
def seized(
    what: str, *, path: str, silence: float = SILENCE
) -> t.Iterator[tuple[Held | None, str]]:
    """Yield the lock, or None without it, and a text about the ended holders, mostly empty."""
    waiting = _Waiting(path, silence)
    with contextlib.ExitStack() as stack:
        held, lacking = None, []
        try:
            held = stack.enter_context(locked(what, path, waiting))
        except HostError as error:
            lacking = [f"{error} It continued without the lock."]
        waiting.end_children()
        yield held, "; ".join([*waiting.ended, *lacking])


class _Waiting:
    """The wait for the holder of the lock. ``ended`` has a text for each ended holder."""

    def __init__(self, path: str, silence: float) -> None:
        self.ended: list[str] = []
        self._path = os.path.realpath(path)
        self._silence = silence
        self._deadline = self._least = time.monotonic() + silence
        self._holder: Holder | None = None
        self._signals: list[signal.Signals] = []
        self._misses = 0
        self._children: list[tuple[int, int]] = []

    def __call__(self, holder: Holder | None) -> None:
        """Handle a lock that ``holder`` holds. Raise HostError if the holder cannot be ended."""
        # The file may have the signature of an ended run while another program holds the lock.
        if holder is not None and holder != self._holder and _holds(holder, self._path):
            self._watch(holder)
        if time.monotonic() < self._deadline:
            return
        if self._end():
            self._deadline = time.monotonic() + LAST_WORDS
            return
        self._misses += 1
        if not self._signals and self._holder is not None:
            self._refuse(f"{self._holder}), which does not end")
        # The holder may have ended just now.
        if self._misses > _MISSES:
            self._refuse("a program that is no run of this collection")

    def _watch(self, holder: Holder) -> None:
        """Note another holder, or an update of the same holder, except after a signal."""
        if self._holder is None or not holder.is_same(self._holder):
            self._signals = [signal.SIGTERM, signal.SIGKILL]
            self._misses = 0
        self._holder = holder
        if len(self._signals) == 2:
            until = min(holder.until, time.monotonic() + LONGEST)
            self._deadline = max(self._least, until)

    def _end(self) -> bool:
        """Send a signal to the holder, and to no other process. Return whether it was sent."""
        if self._holder is None or not self._signals:
            return False
        try:
            process = os.pidfd_open(self._holder.pid)
        except OSError:
            return False
        try:
            if not _holds(self._holder, self._path):
                return False
            if len(self._signals) == 2:
                self._children += _descendants(self._holder.pid)
                self.ended.append(
                    f"{self._holder}, since {self._holder.since}) held {self._path} and showed "
                    f"no progress for {self._silence:.0f} s or more: it was ended"
                )
            signal.pidfd_send_signal(process, self._signals.pop(0))
        except ProcessLookupError:
            return False
        finally:
            os.close(process)
        return True

    def end_children(self) -> None:
        """End the programs of the ended holders, which would continue otherwise."""
        for pid, began in self._children:
            if started(pid) == began:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _refuse(self, who: str) -> t.NoReturn:
        raise HostError(f"get the lock {self._path}", f"it is held by {who}")


def _holds(holder: Holder, path: str) -> bool:
    """Return whether the process that signed the file at ``path`` exists and holds its lock."""
    if holder.began and started(holder.pid) != holder.began:
        return False
    process = PROC / str(holder.pid)
    with contextlib.suppress(OSError):
        for name in os.listdir(process / "fd"):
            with contextlib.suppress(OSError):
                # No call here touches a file system, which may hang.
                named = os.readlink(process / "fd" / name)
                if named == path and "FLOCK" in (process / "fdinfo" / name).read_text():
                    return True
    return False


def _descendants(pid: int) -> list[tuple[int, int]]:
    """Return the id and the start of every direct and indirect child process."""
    parents: dict[int, list[int]] = {}
    for path in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = path.read_text().rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(path.parent.name))
    found, open_ = [], [pid]
    while open_:
        children = parents.get(open_.pop(), [])
        found += children
        open_ += children
    return [(child, began) for child in found if (began := started(child)) is not None]
