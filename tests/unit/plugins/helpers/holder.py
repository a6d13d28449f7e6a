# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another run as a real process that holds the lock, and then hangs or works."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
# The process starts a program like a module, takes the lock at argv[2], and runs argv[3].
HOLDER = """
import os, signal, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from module_utils._host.run.lock import exclusive
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
with exclusive("ipsec_phase1", path=sys.argv[2]) as held:
    print("in", flush=True)
    exec(sys.argv[3])
"""
HANGS = "held.alive(0); time.sleep(60)"
DEAF = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {HANGS}"
STOPPED = "held.alive(0); os.kill(os.getpid(), signal.SIGSTOP)"
PATIENT = "held.alive(1.5); time.sleep(60)"
WORKS = "for _ in range(30): time.sleep(0.05); held.alive(1.2)"


class Run:
    """A process that holds the lock, and the program that the process started."""

    def __init__(self, path: Path, does: str) -> None:
        argv = [sys.executable, "-c", HOLDER, str(PLUGINS), str(path), does]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self._child = int(self.process.stdout.readline())

    def wait_until_in(self) -> Run:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "in\n"
        return self

    def child_is_gone(self) -> bool:
        """Return whether the program ends within one second. A zombie counts as ended."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            try:
                status = Path(f"/proc/{self._child}/stat").read_text()
            except OSError:
                return True
            if status.rpartition(")")[2].split()[0] == "Z":
                return True
            time.sleep(0.02)
        return False

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert self._child > 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)
