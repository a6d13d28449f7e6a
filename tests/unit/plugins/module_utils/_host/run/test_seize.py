# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollback that is due while real processes hold the lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run import lock, seize
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.lock import exclusive
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.seize import seized
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.holder import (
    DEAF,
    HANGS,
    PATIENT,
    STOPPED,
    WORKS,
    Run,
)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture(autouse=True)
def _in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SILENCE", 0.5)
    monkeypatch.setattr(seize, "LAST_WORDS", 0.5)
    monkeypatch.setattr(seize, "_MISSES", 2)


def due(path: Path) -> tuple[bool, str, float]:
    """Return whether a rollback that is due got the lock, its note, and the time in seconds."""
    begun = time.monotonic()
    with seized("the rollback", path=str(path), silence=0.2) as (held, note):
        return held is not None, note, time.monotonic() - begun


def free(path: Path) -> bool:
    with contextlib.suppress(HostError), exclusive("x", path=str(path), patience=0):
        return True
    return False


def test_a_free_lock(path: Path) -> None:
    taken, note, seconds = due(path)
    assert (taken, note) == (True, "")
    assert seconds < 0.3
    with seized("the rollback", path=str(path)):
        assert not free(path)
    assert free(path)


@pytest.mark.parametrize(
    ("does", "number", "least", "most"),
    [
        (HANGS, signal.SIGTERM, 0.2, 1.5),
        (PATIENT, signal.SIGTERM, 1.2, 3),
        (DEAF, signal.SIGKILL, 0.7, 2),
        (STOPPED, signal.SIGKILL, 0.7, 2),
    ],
    ids=["hangs", "patient", "deaf", "stopped"],
)
def test_a_holder_that_hangs_is_ended(
    path: Path, does: str, number: int, least: float, most: float
) -> None:
    """A hanging run and its child processes are ended, by force when it is necessary."""
    with Run(path, does).wait_until_in() as run:
        taken, note, seconds = due(path)
        assert taken
        expected = (
            rf"ipsec_phase1 \(process {run.process.pid}, since \d\d:\d\d:\d\d\) held {path} and "
            r"showed no progress for 0 s or more: it was ended"
        )
        assert re.fullmatch(expected, note)
        assert least <= seconds < most
        assert run.process.wait(1) == -number
        assert run.child_is_gone()


def test_a_holder_at_work_is_waited_for(path: Path) -> None:
    """The rollback waits as long as the run reports progress."""
    with Run(path, WORKS).wait_until_in() as run:
        taken, note, seconds = due(path)
        assert (taken, note) == (True, "")
        assert 1.2 < seconds < 4
        assert run.process.wait(1) == 0


def test_the_last_word_counts(path: Path) -> None:
    """Only the newest report counts when a long step is complete and the next step hangs."""
    does = f"held.alive(100); time.sleep(0.5); {HANGS}"
    with Run(path, does).wait_until_in():
        taken, note, seconds = due(path)
    assert taken
    assert "was ended" in note
    assert seconds < 3


def test_no_sign_of_life_holds_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seize, "LONGEST", 1.0)
    with Run(path, "held.alive(1e9); time.sleep(60)").wait_until_in():
        taken, note, seconds = due(path)
    assert taken
    assert "was ended" in note
    assert seconds < 3


class TestNotOurs:
    """Processes that are not ended, because they have no signature or do not hold the lock."""

    @contextlib.contextmanager
    def held(self, path: Path, signature: bytes) -> t.Iterator[None]:
        """Hold the lock in the process of the test, which a mistake would end."""
        path.write_bytes(signature)
        with path.open("r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def signed(self, pid: int, began: int | None) -> bytes:
        # The promise of a run that has ended does not count.
        promised = {"began": began, "until": time.monotonic() + 100}
        note = {"module": "ipsec_phase1", "pid": pid, "since": "now", **promised}
        return json.dumps(note).encode()

    def gone_past(self, path: Path) -> None:
        taken, note, seconds = due(path)
        assert not taken
        assert note == (
            f"could not get the lock {path}: it is held by a program that is no run of this "
            "collection. It continued without the lock."
        )
        assert seconds < 4

    @pytest.mark.parametrize("signature", [b"", b"{", b"[]", b'{"pid": 1}', b'{"until": "x"}'])
    def test_without_a_name(self, path: Path, signature: bytes) -> None:
        with self.held(path, signature):
            self.gone_past(path)

    def test_signed_by_a_process_that_is_gone(self, path: Path) -> None:
        gone = subprocess.Popen(["true"])
        gone.wait()
        with self.held(path, self.signed(gone.pid, 1)):
            self.gone_past(path)

    def test_signed_by_another_process_of_that_number(self, path: Path) -> None:
        with self.held(path, self.signed(os.getpid(), 1)):
            self.gone_past(path)

    def test_signed_by_a_process_that_does_not_hold_it(self, path: Path) -> None:
        other = subprocess.Popen(["sleep", "60"])
        try:
            with self.held(path, self.signed(other.pid, lock.started(other.pid))):
                self.gone_past(path)
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()


def test_one_that_does_not_end_is_gone_past(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rollback continues without the lock when a signal does not end the holder.

    A process in an uninterruptible sleep receives no signal.
    """
    sent: list[int] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda _process, number: sent.append(number))
    with Run(path, HANGS).wait_until_in() as run:
        taken, note, seconds = due(path)
    assert not taken
    who = f"ipsec_phase1 (process {run.process.pid}), which does not end"
    assert note.endswith(
        f"get the lock {path}: it is held by {who}. It continued without the lock."
    )
    assert sent == [signal.SIGTERM, signal.SIGKILL]
    assert seconds < 5


def test_one_that_comes_between_is_not_ended_for_the_first(path: Path) -> None:
    """A second run that waited for the lock, and gets the lock first, is not ended."""
    with Run(path, HANGS).wait_until_in() as first, Run(path, WORKS) as second:
        taken, note, _seconds = due(path)
        assert taken
        assert str(first.process.pid) in note
        assert str(second.process.pid) not in note
        if second.process.poll() is None:
            second.wait_until_in()
        assert second.process.wait(10) == 0


def test_a_process_with_the_id_of_an_ended_run_is_another_holder() -> None:
    """The start of a process distinguishes it, because the kernel assigns an id again.

    Another holder has its own time, and its own SIGTERM before a SIGKILL.
    """
    first = lock.Holder("vpn_network", 7, "12:00:00", began=1, until=5.0)
    assert first.is_same(replace(first, until=9.0))
    assert not first.is_same(replace(first, began=2))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("x", path)])
def test_a_lock_that_can_not_be_taken_is_gone_past(
    path: Path, make: t.Callable[[Path], None]
) -> None:
    make(path)
    taken, note, seconds = due(path)
    assert not taken
    assert note.startswith(f"could not get the lock {path}: ")
    assert note.endswith(". It continued without the lock.")
    assert seconds < 0.3


def test_an_error_within_is_not_one_of_the_lock(path: Path) -> None:
    mine = HostError("a", "b")
    with pytest.raises(HostError) as raised, seized("the rollback", path=str(path)):
        raise mine
    assert raised.value is mine
    assert free(path)


def test_signs_of_life_are_written_when_they_say_more(path: Path) -> None:
    with exclusive("x", path=str(path)) as held:
        first = path.read_bytes()
        for _again in range(3):
            held.alive(lock.SILENCE)
        assert path.read_bytes() == first
        held.alive(100)
        note = json.loads(path.read_bytes())
        assert 99 < note["until"] - time.monotonic() <= 100
        held.alive(1)
        assert json.loads(path.read_bytes())["until"] < note["until"]
