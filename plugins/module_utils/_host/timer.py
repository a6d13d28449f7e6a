# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The timer that rolls back by itself when nothing is heard of the controller any more."""

from __future__ import annotations

import contextlib
import sys
import typing as t

from .._errors import HostError
from .._render.artefacts import CHECKPOINT_DIR, PRIVATE, UNIT_DIR, File
from .._render.records import MANAGED
from . import checkpoint
from .command import last_words
from .daemon import DAEMON_UNIT
from .host import Host

PROGRAM = f"{CHECKPOINT_DIR}/rollback.pyz"
# With a dot after the first word, where the unit of a network has a dash.
TIMER = "tunnelwright.rollback.timer"
SERVICE = "tunnelwright.rollback.service"

_UNITS = tuple(f"{UNIT_DIR}/{unit}" for unit in (TIMER, SERVICE))


def timer_unit(timeout: int) -> File:
    """Enabled, so that after a reboot it counts from the beginning."""
    text = f"""{MANAGED}
[Unit]
Description=Roll back changes to the VPN that the controller does not confirm
# Every module starts it anew.
StartLimitIntervalSec=0

[Timer]
OnActiveSec={timeout}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
    return File(f"{UNIT_DIR}/{TIMER}", text.encode())


def service_unit(python: str) -> File:
    text = f"""{MANAGED}
[Unit]
Description=Roll back changes to the VPN that the controller did not confirm
After=network.target nftables.service {DAEMON_UNIT}
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart="{python.replace("%", "%%")}" {PROGRAM} timeout
# Stopped while it waits for a module to end.
SuccessExitStatus=SIGTERM
# Busy, or not everything could be restored.
Restart=on-failure
RestartSec=15
"""
    return File(f"{UNIT_DIR}/{SERVICE}", text.encode())


def arm(host: Host, timeout: int, program: bytes) -> None:
    """Have it count from now on; ``program`` is what it runs then."""
    files = (
        File(PROGRAM, program, PRIVATE),
        service_unit(sys.executable),
        timer_unit(timeout),
    )
    for file in files:
        if host.files.read(file.path) != file:
            host.files.write(file)
    status, said, errors = host.run([sys.executable, PROGRAM, "ready"], "")
    if status != 0:
        raise HostError("try the program of the rollback", last_words(errors or said, status))
    host.systemd.daemon_reload()
    if not host.systemd.is_enabled(TIMER):
        host.systemd.enable(TIMER)
    host.systemd.restart(TIMER)


def disarm(host: Host, *, from_within: bool = False) -> None:
    """Stop it and remove its units.

    ``from_within`` the service it stops the timer alone, and the service ends by itself.
    """
    there = [path for path in _UNITS if host.files.find(path)]
    for path in there:
        unit = path[len(UNIT_DIR) + 1 :]
        if unit == TIMER and host.systemd.is_enabled(unit):
            host.systemd.disable(unit)
        if unit == TIMER or not from_within:
            host.systemd.stop(unit)
        host.files.remove(path)
    if there:
        host.systemd.daemon_reload()


def traces(host: Host) -> bool:
    """Whether there is anything of a checkpoint or its timer."""
    places = (*_UNITS, f"{CHECKPOINT_DIR}/*")
    return any(host.files.find(place) for place in places)


def forget(host: Host, *, from_within: bool = False) -> None:
    """Remove the checkpoint and its timer."""
    disarm(host, from_within=from_within)
    checkpoint.remove(host.files)


@contextlib.contextmanager
def signs_of_life(host: Host, *, check: bool) -> t.Iterator[None]:
    """The controller is heard of before and after what is done inside: the timer starts anew.

    So the time that it counts is not that of a whole play. Without a checkpoint it does nothing.
    """
    _sign_of_life(host, check=check)
    try:
        yield
    except HostError:
        # The failure that is to be told is this one.
        with contextlib.suppress(HostError):
            _sign_of_life(host, check=check)
        raise
    _sign_of_life(host, check=check)


def _sign_of_life(host: Host, *, check: bool) -> None:
    """Raises HostError where the timer does not start: nobody would roll back."""
    if not check and checkpoint.exists(host.files):
        host.systemd.restart(TIMER)
