# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs never use a test bed at the same time, and do not wait for an ended run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import machine
import pytest

ROOT = Path(__file__).resolve().parents[3]

# This script holds the test beds in its arguments until the end of its input.
HOLDER = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import machine
machine.LOCKS = pathlib.Path(sys.argv[2])
with machine.hold(*sys.argv[3:]) as killed:
    print("holding", *killed, flush=True)
    sys.stdin.read()
"""
# The child of this script holds the test beds, and outlives the script.
PARENT = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import machine
machine.LOCKS = pathlib.Path(sys.argv[2])
child = "import sys; print('holding', flush=True); sys.stdin.read()"
sys.exit(machine.run_holding(sys.argv[3:], [sys.executable, "-c", child]))
"""

Start = t.Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOCKS", tmp_path)
    monkeypatch.delenv(machine.HELD, raising=False)


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> t.Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(*beds: str, code: str = HOLDER) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, str(ROOT / "tools"), str(tmp_path), *beds],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_run_waits_and_says_for_whom(start: Start) -> None:
    first = start("live")
    assert said(first) == "holding"
    second = start("live")
    assert said(second).startswith(
        f"testbed: waiting for the test bed live, in use by process {first.pid} ("
    )
    first.communicate("")
    assert said(second) == "holding"


def test_other_beds_are_free(start: Start) -> None:
    assert said(start("live")) == "holding"
    assert said(start("default")) == "holding"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_is_not_waited_for_and_known(start: Start, how: signal.Signals) -> None:
    first = start("live", "default")
    assert said(first) == "holding"
    first.send_signal(how)
    first.wait()
    second = start("live")
    assert said(second) == "holding live"
    second.communicate("")
    assert said(start("live")) == "holding"


def test_beds_are_taken_in_one_order(start: Start) -> None:
    """Every run takes test beds in one order. Otherwise two runs could wait for each other."""
    assert said(start("a")) == "holding"
    second = start("b", "a")
    assert "waiting for the test bed a" in said(second)
    assert said(start("b")) == "holding"


def test_what_a_run_starts_does_not_wait_for_it() -> None:
    with machine.hold("live"):
        assert os.environ[machine.HELD] == "live"
        with machine.hold("live", "default") as killed:
            assert not killed
            assert os.environ[machine.HELD].split() == ["live", "default"]
    assert not os.environ[machine.HELD]


def test_a_command_holds_the_bed_if_its_parent_is_killed(start: Start, tmp_path: Path) -> None:
    parent = start("live", code=PARENT)
    assert said(parent) == "holding"
    parent.kill()
    parent.wait()
    waiting = start("live")
    assert "waiting for the test bed live" in said(waiting)
    assert parent.stdin is not None
    parent.stdin.close()
    assert said(waiting) == "holding live"


def test_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(machine.Failure, match="needs root"), machine.hold("live"):
        pass
