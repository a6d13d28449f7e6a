# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Count the effects of a run on the host, and kill the run or cause another mishap at an effect.

The run has its own process beside the driver. Audit events of the interpreter report files and
programs before each effect, anywhere in the code. The driver reports requests to the IKE daemon.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Requests that only read.
READING = (
    *("version", "stats", "get-algorithms", "get-conns", "get-shared", "get-keys"),
    *("list-conns", "list-sas", "list-policies", "list-certs", "list-authorities"),
)
# These programs only read too. unshare runs its command in a separate network namespace.
_LOOKING = re.compile(
    r"unshare |sh -c listed=|cat |journalctl |systemctl (--quiet )?show |nft .*\blist "
    r"|ip .*\b(show|list)\b"
)

# The directories of the collection. The lock file stays and is empty.
_OURS = re.compile(r"/etc/|/run/tunnelwright(?!\.lock)")

# Right before an effect, or right after it: after the answer to a request, or after the start of a
# program.
BEFORE, AFTER = "before", "after"

Answer = dict[str, Any]


class _Run:
    """The run in this process, and the mishap that will happen to it."""

    def __init__(self, report: int, mishap: Answer) -> None:
        self.report = report
        self.number, self.when = mishap.get("number"), mishap.get("when", BEFORE)
        self.script = mishap.get("script", "")
        self.count = 0
        self.due = False

    def begin(self, effect: str) -> None:
        self.due = self.count == self.number
        if self.when == BEFORE:
            self.befall()
        self.count += 1
        self.tell({"effect": effect})

    def befall(self) -> None:
        if not self.due:
            return
        self.due = False
        if not self.script:
            os.kill(os.getpid(), signal.SIGKILL)
        with _unnoticed():
            subprocess.run(["sh", "-euc", self.script], check=True)

    def tell(self, what: Answer) -> None:
        os.write(self.report, (json.dumps(what) + "\n").encode())


_run: _Run | None = None


@contextlib.contextmanager
def _unnoticed() -> Iterator[None]:
    global _run
    run, _run = _run, None
    yield
    _run = run


def requested(told: str) -> Callable[[], None]:
    """Note a request before it is sent, and return a function to call after its answer."""
    if _run is None or told.split()[0] in READING:
        return lambda: None
    _run.begin(f"vici {told}")
    return _run.befall


def carried_out(work: Callable[[], Answer], mishap: Answer) -> Answer:
    """Run ``work`` in its own process, and return its result and its effects.

    ``mishap`` may hold the ``number`` of an effect, counted from 0, and ``when``. The process is
    killed there. A ``script`` runs there instead of the kill.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _begin(_Run(writing, mishap))
            answer = _answer(work)
            if _run is not None:
                _run.tell({"answer": answer})
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as report:
        told = [json.loads(line) for line in report]
    os.waitpid(child, 0)
    effects = [item["effect"] for item in told if "effect" in item]
    answers = [item["answer"] for item in told if "answer" in item]
    return {**(answers[0] if answers else {"killed": True}), "effects": effects}


def _answer(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except Exception:
        return {"crash": traceback.format_exc()}


def settled() -> Answer:
    """Wait until every program of an interrupted run has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(
        _goes_on(path) for path in Path("/proc").glob("[0-9]*")
    ):
        time.sleep(0.02)
    return {}


def _goes_on(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    ours = any(word.startswith(b"/etc/tunnelwright/") for word in words)
    return ours or (
        words[0].endswith(b"systemctl") and any(b"tunnelwright" in item for item in words)
    )


def _begin(run: _Run) -> None:
    global _run
    _run = run
    sys.addaudithook(_audited)
    started = subprocess.Popen.__init__

    def start(self: Any, *arguments: Any, **more: Any) -> None:
        started(self, *arguments, **more)
        if _run is not None:
            _run.befall()

    # Patch the class itself, so that the count includes every importer.
    subprocess.Popen.__init__ = start  # type: ignore[method-assign]


def _audited(event: str, arguments: tuple[Any, ...]) -> None:
    if _run is None:
        return
    effect = ""
    if event == "subprocess.Popen":
        program = " ".join(map(_path, arguments[1]))
        effect = "" if _LOOKING.match(program) else f"run {program}"
    elif event in _FILE_EVENTS:
        effect = _on_file(event, arguments)
    if effect:
        _run.begin(effect)


_FILE_EVENTS = {
    "open": "open",
    "os.rename": "rename",
    "os.link": "link",
    "os.remove": "unlink",
    "os.mkdir": "mkdir",
    "os.rmdir": "rmdir",
    "os.chmod": "chmod",
}


def _on_file(event: str, arguments: tuple[Any, ...]) -> str:
    """Return the effect on a file of the collection, or an empty string."""
    if event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        return ""
    if event == "open" and isinstance(arguments[0], int):
        return ""
    path = _path(arguments[0])
    if not _OURS.match(path) or (event in ("os.remove", "os.rename") and not os.path.lexists(path)):
        return ""
    if event == "os.rmdir" and (not os.path.isdir(path) or os.listdir(path)):
        return ""
    if event == "os.mkdir" and os.path.isdir(path):
        return ""
    second = f" {_path(arguments[1])}" if event in ("os.rename", "os.link") else ""
    return f"{_FILE_EVENTS[event]} {path}{second}"


def _path(given: Any) -> str:
    if isinstance(given, int):
        return os.readlink(f"/proc/self/fd/{given}")
    return os.fsdecode(given)
