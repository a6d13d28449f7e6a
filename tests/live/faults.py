# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does to the host, effect by effect, and its death, or another mishap, at any of them.

Runs beside the driver, which stays: the run that may die is a process of its own. The
interpreter's audit events tell of files and programs before anything is done, wherever in the code
that is; requests to the IKE daemon are told by the driver.
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

# Requests that do nothing but look.
READING = (
    *("version", "stats", "get-algorithms", "get-conns", "get-shared", "get-keys"),
    *("list-conns", "list-sas", "list-policies", "list-certs", "list-authorities"),
)
# So do these programs. What unshare runs is done in a network namespace that ends with it.
_LOOKING = re.compile(
    r"unshare |sh -c listed=|cat |journalctl |systemctl (--quiet )?show |nft .*\blist "
    r"|ip .*\b(show|list)\b"
)

# Where files of ours are; the lock stays for ever and holds nothing.
_OURS = re.compile(r"/etc/|/run/tunnelwright(?!\.lock)")

# Right before an effect, or right after: when a request is answered, or a program has just begun.
BEFORE, AFTER = "before", "after"

Answer = dict[str, Any]


class _Run:
    """The run that is going on in this process, and what is to happen to it."""

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
    """A request is about to be sent; what is returned is to be called when it is answered."""
    if _run is None or told.split()[0] in READING:
        return lambda: None
    _run.begin(f"vici {told}")
    return _run.befall


def carried_out(work: Callable[[], Answer], mishap: Answer) -> Answer:
    """``work`` in a process of its own, and its effects.

    ``mishap`` may hold the ``number`` of the effect at which the process is to be killed, counted
    from 0, and ``when``; or a ``script`` that is to be run instead.
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
    """Wait until no program goes on that a killed run has begun."""
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

    # To be counted in every caller, whatever name it has imported, so in the class itself.
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
    """What is done to a file of ours; empty where it is another, or nothing comes of it."""
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
