# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run modules inside a test host, all in one process, and report state and events of the host.

A request is a line of JSON, ``{"do": SERVICE, ...}``, and its answer is a line of JSON too. The
modules work on the real host. One process for all runs saves the start of a process for each run.
``host.py`` sends the requests.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from typing import Any, ClassVar

import faults
import gateway_state
import observed
import vici
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel import link
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.lock import exclusive
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici import (
    client as vici_adapter,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.client import Vici
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import (
    checkpoint,
    connect,
    diagnostics,
    flow,
    gateway,
    info,
    network,
    phase1,
    phase2,
    rule,
    settings,
)

RESOURCES = {
    resource.key: resource
    for resource in (
        network.NetworkResource(),
        settings.SettingsResource(),
        phase1.Phase1Resource(),
        phase2.Phase2Resource(),
        rule.RuleResource(),
    )
}
# The modules that do not edit one object.
OTHERS = {
    "ipsec_gateway": gateway.run,
    "ipsec_checkpoint": checkpoint.run,
    "ipsec_connection": connect.run,
    "ipsec_info": info.run,
    "ipsec_diagnostics": diagnostics.run,
}

Answer = dict[str, Any]


class Spy(vici.Session):
    """A vici session that records the commands to the IKE daemon, and the subject of each."""

    sent: ClassVar[list[str]] = []

    def request(self, command: str, message: Any = None) -> Any:
        self.sent.append(_told(command, message))
        answered = faults.requested(self.sent[-1])
        answer = super().request(command, message)
        answered()
        return answer

    def streamed_request(self, command: str, event: str, message: Any = None) -> Any:
        self.sent.append(_told(command, message))
        return super().streamed_request(command, event, message)


def _told(command: str, message: Any) -> str:
    """Return a command with its subject, such as ``load-conn site-b``, and without secrets."""
    message = message or {}
    about = [message[key] for key in ("ike", "child", "name", "id") if key in message]
    if command == "load-conn":
        about = list(message)
    words = [item.decode() if isinstance(item, bytes) else str(item) for item in about]
    return " ".join([command, *words])


def run(module: str, options: Answer, check: bool = False, diff: bool = True) -> Answer:
    """Return the output of a module, its commands to the IKE daemon, and its time in seconds."""
    # Garbage, warnings and commands would accumulate, because this process runs many modules. Some
    # modules disable the garbage collection.
    gc.enable()
    warnings._global_warnings.clear()
    warnings._global_deprecations.clear()
    Spy.sent.clear()
    given = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    printed = io.StringIO()
    started = time.monotonic()
    silent, at_its_end = contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit)
    with patch_module_args(given), silent, at_its_end:
        OTHERS[module]() if module in OTHERS else flow.run(RESOURCES[module])
    seconds = time.monotonic() - started
    return {
        "result": json.loads(printed.getvalue()),
        "commands": list(Spy.sent),
        "seconds": seconds,
    }


def befall(module: str, options: Answer, mishap: Answer) -> Answer:
    """Run a module in its own process, count its effects, and cause a mishap at one of them."""
    return faults.carried_out(lambda: run(module, options), mishap)


def bounds(answer: float, lookup: float, patience: float) -> Answer:
    """Set how long the next runs wait for the IKE daemon and for another run, in seconds."""
    Vici.__init__.__kwdefaults__["timeout"] = answer
    vici_adapter.LOOKUP_TIMEOUT = lookup
    # The type of a context manager hides the wrapped function.
    exclusive.__wrapped__.__kwdefaults__["patience"] = patience  # type: ignore[attr-defined]
    return {}


def shell(script: str, stdin: str = "") -> Answer:
    done = subprocess.run(
        ["sh", "-euc", script], input=stdin, capture_output=True, text=True, check=False
    )
    return {"status": done.returncode, "output": done.stdout, "errors": done.stderr}


def ping(source: str, target: str, count: int, seconds: float) -> Answer:
    """Return the number of missing replies to ``count`` echoes after ``seconds``.

    A lost echo is sent again.
    """
    family, kind = (socket.AF_INET6, 128) if ":" in target else (socket.AF_INET, 8)
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    deadline = time.monotonic() + seconds
    # The kernel sets the checksum, and delivers only the replies for this socket.
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as echo:
        echo.bind((source, 0))
        echo.settimeout(0.1)
        while count and time.monotonic() < deadline:
            echo.sendto(bytes([kind, *bytes(63)]), (target, 0))
            with contextlib.suppress(TimeoutError):
                echo.recv(128)
                count -= 1
    return {"lost": count}


def request(command: str, message: Answer | None = None) -> Answer:
    """Send a vici command of the test itself, and return the answer or the refusal."""
    try:
        return {"answer": observed.text(observed.session().request(command, message or {}))}
    except vici.exception.CommandException as error:
        return {"refused": str(error)}


def initiate(child: str, ike: str, seconds: float) -> Answer:
    """Initiate a Child SA, and return the daemon's log lines and the reason of a failure."""
    message = {"child": child, "ike": ike, "timeout": str(int(seconds * 1000))}
    answer: Answer = {"log": []}
    try:
        for line in observed.session().streamed_request("initiate", "control-log", message):
            answer["log"].append(observed.text(line)["msg"])
    except vici.exception.CommandException as error:
        answer["refused"] = str(error)
    return answer


_listener: Any = None


def events(listen: bool) -> Answer:
    """Begin to record the events of the IKE daemon, or return the recorded events and stop."""
    global _listener
    if listen:
        _listener = observed.Listener()
        return {}
    recorded, _listener = _listener.stop(), None
    return {"events": recorded}


def kernel(esp: bool) -> Answer:
    """Make the modules assume ESP in the kernel. A kernel without ESP still accepts policies."""
    link.Link.kernel_has_esp = (lambda self: True) if esp else _KERNEL_HAS_ESP
    return {}


_KERNEL_HAS_ESP = link.Link.kernel_has_esp

SERVICES = {
    "run": run,
    "befall": befall,
    "bounds": bounds,
    "settled": faults.settled,
    "shell": shell,
    "initiate": initiate,
    "ping": ping,
    "request": request,
    "events": events,
    "kernel": kernel,
    "state": observed.state,
    "gateway_state": gateway_state.gateway_state,
    "sas": observed.sas,
}


def main() -> None:
    # The programs of a module must not read requests, or write between the answers.
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    vici.Session = Spy
    for line in requests:
        wanted = json.loads(line)
        try:
            answer = SERVICES[wanted.pop("do")](**wanted)
        except Exception:
            answer = {"crash": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
