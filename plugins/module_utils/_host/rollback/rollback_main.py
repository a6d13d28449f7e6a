# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The program that the timer starts on the managed host."""

from __future__ import annotations

import sys
import typing as t

from ..._errors import TunnelwrightError
from ..command import execute
from ..host import Host
from ..vici import client as vici
from . import checkpoint
from .rollback import REQUESTED, TIMEOUT, roll_back
from .timer import TIMER, disarm

# ``ready`` checks the requirements. ``now`` is for an administrator on the console.
VERBS = ("ready", "timeout", "now")


def main(arguments: t.Sequence[str]) -> int:
    """Run the program and return its exit status. systemd restarts it after any other than 0."""
    verb = arguments[1] if len(arguments) == 2 else ""
    if verb not in VERBS:
        _say(f"usage: {arguments[0]} {' | '.join(VERBS)}")
        return 2
    if verb == "ready":
        return _ready()
    try:
        with Host(execute) as host:
            if verb == "timeout" and host.systemd.is_waiting(TIMER):
                # The run that made the checkpoint has started this, and holds the lock.
                return _ready()
            with host.seized("the rollback") as note:
                return _roll_back(host, note, in_time=verb == "now")
    except TunnelwrightError as error:
        _say(str(error))
        return 1


def _say(text: str) -> None:
    """Write a text for the journal."""
    sys.stderr.write(f"{text}\n")


def _ready() -> int:
    if not vici.available():
        _say(f"the Python library vici is not installed for {sys.executable}")
        return 1
    return 0


def _roll_back(host: Host, note: str, *, in_time: bool) -> int:
    """Roll back if it is due. Return the exit status. ``note`` is about an ended run."""
    if note:
        _say(note)
    if not in_time and host.systemd.is_waiting(TIMER):
        # The controller contacted the host during the wait for the lock.
        return 0
    kept = checkpoint.load(host.files)
    if kept is None:
        disarm(host, from_within=not in_time)
        return 0
    reason = REQUESTED if in_time else TIMEOUT
    roll_back(host, kept, reason, notes=[note] if note else [], from_within=not in_time)
    return 1 if checkpoint.exists(host.files) else 0
