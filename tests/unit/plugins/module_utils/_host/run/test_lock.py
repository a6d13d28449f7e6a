# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs on the same host, as real processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.lock import exclusive

PLUGINS = Path(__file__).resolve().parents[6] / "plugins"
# This script holds the lock at argv[2] until its standard input ends. The child of the script
# outlives the script, like the program of an interrupted module.
HOLDER = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from module_utils._host.run.lock import exclusive
with exclusive("ipsec_phase1", path=sys.argv[2]):
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False)
    print(child.pid, flush=True)
    sys.stdin.read()
child.kill()
"""


class Holder:
    """Another run that holds the lock until the input ``finish``, or until it is killed."""

    def __init__(self, path: Path) -> None:
        argv = [sys.executable, "-c", HOLDER, str(PLUGINS), str(path)]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self._child = int(self.process.stdout.readline())

    def finish(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()

    def close(self) -> None:
        self.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture(name="holder")
def _holder(path: Path) -> t.Iterator[Holder]:
    holder = Holder(path)
    yield holder
    holder.close()


def test_alone(path: Path) -> None:
    for _run in range(2):
        with exclusive("vpn_network", path=str(path), patience=0) as held:
            assert held.waited == ""
        assert path.stat().st_mode & 0o7777 == 0o600


def test_a_holder_that_does_not_finish_is_named(path: Path, holder: Holder) -> None:
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(HostError) as caught, exclusive("x", path=str(path), patience=0.3):
        pytest.fail("two runs held the lock")
    assert os.listdir("/proc/self/fd") == descriptors
    expected = (
        rf"could not get the lock {path}: it has been held for 0 s and more by ipsec_phase1 "
        rf"\(process {holder.process.pid}, since \d\d:\d\d:\d\d\)\. Nothing was changed\. "
        r"Run the task again when that run has ended\."
    )
    assert re.fullmatch(expected, str(caught.value))


@pytest.mark.parametrize("end", [Holder.finish, Holder.kill])
def test_waits_for_one_that_ends(
    path: Path, holder: Holder, end: t.Callable[[Holder], None]
) -> None:
    """The wait ends when the other run is killed or ends. The note names the other run."""
    timer = threading.Timer(1.2, end, [holder])
    timer.start()
    with exclusive("x", path=str(path), patience=30) as held:
        expected = rf"waited \d s for ipsec_phase1 \(process {holder.process.pid}\) to finish"
        assert re.fullmatch(expected, held.waited)
    timer.join()


def test_a_short_wait_is_not_worth_a_word(path: Path, holder: Holder) -> None:
    timer = threading.Timer(0.2, holder.finish)
    timer.start()
    with exclusive("x", path=str(path), patience=30) as held:
        assert held.waited == ""
    timer.join()


def test_released_by_an_error(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive("x", path=str(path)):
        raise ZeroDivisionError
    with exclusive("x", path=str(path), patience=0):
        pass


def test_a_deleted_file_keeps_nobody_out_and_lets_nobody_in_twice(path: Path) -> None:
    """A run that waited for the deleted file must not run beside a run that locked the new file."""
    first = Holder(path)
    late: list[float] = []

    def come_late() -> None:
        with exclusive("late", path=str(path), patience=30):
            late.append(time.monotonic())
            time.sleep(0.2)
            late.append(time.monotonic())

    waiting = threading.Thread(target=come_late)
    waiting.start()
    time.sleep(0.3)
    path.unlink()
    with exclusive("second", path=str(path), patience=5):
        came = time.monotonic()
        first.finish()
        time.sleep(0.5)
        went = time.monotonic()
    waiting.join()
    first.close()
    # Either run may be the first to lock the new file.
    assert late[1] <= came or late[0] >= went


@pytest.mark.parametrize("content", [b"", b"\xff\0garbage", b"[]", b'{"pid": 1}'])
def test_a_holder_without_a_name(path: Path, holder: Holder, content: bytes) -> None:
    path.write_bytes(content)
    nameless = pytest.raises(HostError, match=r"more by another run\. Nothing")
    with nameless, exclusive("x", path=str(path), patience=0):
        pytest.fail(f"this run and process {holder.process.pid} held the lock")


def test_no_symbolic_link_is_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o644)
    path.symlink_to(victim)
    with pytest.raises(HostError, match="symbolic links"), exclusive("x", path=str(path)):
        pass
    assert victim.read_text() == "precious"
    assert victim.stat().st_mode & 0o7777 == 0o644


def test_no_pipe_is_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(HostError, match="not a regular file"), exclusive("x", path=str(path)):
        pass


def test_no_place_for_it(path: Path) -> None:
    nowhere = path / "in" / "nowhere"
    reason = "No such file or directory. Run the task as root"
    with pytest.raises(HostError, match=reason), exclusive("x", path=str(nowhere)):
        pass
