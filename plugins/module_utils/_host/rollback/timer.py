# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The timer that rolls back by itself when nothing is heard of the controller any more."""

from __future__ import annotations

import contextlib
import sys
import typing as t

from ..._errors import HostError
from ..._model.platform import Platform
from ..._render.file import PRIVATE, File
from ..._render.records import MANAGED
from ..host import Host
from . import checkpoint

# With a dot after the first word, where the unit of a network has a dash.
TIMER = "tunnelwright.rollback.timer"
SERVICE = "tunnelwright.rollback.service"


def _unit_paths(platform: Platform) -> tuple[str, ...]:
    return tuple(platform.unit_path(unit) for unit in (TIMER, SERVICE))


def timer_unit(timeout: int, platform: Platform) -> File:
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
    return File(platform.unit_path(TIMER), text.encode())


# What the program, and the scripts of networks that it runs, can do without. It must write /etc,
# /run, /var/lib and /proc/sys, load rules, try some of them in a network namespace, reach charon,
# systemd and the journal, see other processes, and end a run that hangs, which is one of root, too.
_HARDENED = """\
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=net
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID
CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_ADMIN CAP_SYS_PTRACE
KeyringMode=private
"""
# What takes a mount namespace, which some containers do not allow. The interpreter may lie below
# /home.
_APART = """\
PrivateTmp=yes
ProtectHome=read-only
ProtectSystem=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
"""


def service_unit(python: str, platform: Platform, *, apart: bool = True) -> File:
    """``apart``: in a mount namespace of its own."""
    text = f"""{MANAGED}
[Unit]
Description=Roll back changes to the VPN that the controller did not confirm
After=network.target {platform.firewall_unit} {platform.daemon_unit}
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart="{python.replace("%", "%%")}" {platform.rollback_program} timeout
# Stopped while it waits for a module to end.
SuccessExitStatus=SIGTERM
# Busy, or not everything could be restored.
Restart=on-failure
RestartSec=15
{_HARDENED}{_APART if apart else ""}"""
    return File(platform.unit_path(SERVICE), text.encode())


def arm(host: Host, timeout: int, program: bytes) -> None:
    """Have it count from now on; ``program`` is what it runs then."""
    platform = host.platform
    program_file = File(platform.rollback_program, program, PRIVATE)
    _put(host, program_file, timer_unit(timeout, platform))
    _put(host, service_unit(sys.executable, platform))
    host.systemd.daemon_reload()
    if not host.systemd.is_enabled(TIMER):
        host.systemd.enable(TIMER)
    host.systemd.restart(TIMER)
    try:
        _try_out(host)
    except HostError:
        # What it may not do without must not be what keeps the host from rolling back.
        _put(host, service_unit(sys.executable, platform, apart=False))
        host.systemd.daemon_reload()
        _try_out(host)


def _put(host: Host, *files: File) -> None:
    for file in files:
        if host.files.look(file.path) != file:
            host.files.write(file)


def _try_out(host: Host) -> None:
    """Start the service as the timer will. It does nothing, because the timer still counts.

    Raises HostError with what the program says that it lacks.
    """
    try:
        # One that the timer has started meanwhile waits for the lock, and ends here.
        host.systemd.restart(SERVICE)
    except HostError as error:
        # Else systemd would start it again and again.
        host.systemd.stop(SERVICE)
        raise HostError("try the rollback program", error.detail, error.advice) from None


def disarm(host: Host, *, from_within: bool = False) -> None:
    """Stop it and remove its units.

    ``from_within`` the service it stops the timer alone, and the service ends by itself.
    """
    there = [path for path in _unit_paths(host.platform) if host.files.find(path)]
    for path in there:
        unit = path.rpartition("/")[2]
        if unit == TIMER and host.systemd.is_enabled(unit):
            host.systemd.disable(unit)
        if unit == TIMER or not from_within:
            host.systemd.stop(unit)
        host.files.remove(path)
    if there:
        host.systemd.daemon_reload()


def traces(host: Host) -> bool:
    """Whether there is anything of a checkpoint or its timer."""
    places = (*_unit_paths(host.platform), f"{host.platform.checkpoint_dir}/*")
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
