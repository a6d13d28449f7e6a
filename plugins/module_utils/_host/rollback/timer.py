# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The timer that rolls back if the controller does not contact the host in time."""

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

# A dot follows the first word. The unit of a network has a dash there.
TIMER = "tunnelwright.rollback.timer"
SERVICE = "tunnelwright.rollback.service"


def _unit_paths(platform: Platform) -> tuple[str, ...]:
    return tuple(platform.unit_path(unit) for unit in (TIMER, SERVICE))


def timer_unit(timeout: int, platform: Platform) -> File:
    """Return the unit of the timer. It is enabled, so the time starts again after a reboot."""
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


# The program, and the scripts of networks that it runs, work with these limits. They write /etc,
# /run, /var/lib and /proc/sys, load rules, and try rules in a network namespace. They also reach
# charon, systemd and the journal, see other processes, and end a hanging run of root.
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
# These need a mount namespace, which some containers do not allow. The Python interpreter may be
# below /home.
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
    """Return the unit of the service. With ``apart`` it has its own mount namespace."""
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
    """Start the timer, which runs ``program`` after ``timeout`` seconds."""
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
        # A missing mount namespace must not prevent the rollback.
        _put(host, service_unit(sys.executable, platform, apart=False))
        host.systemd.daemon_reload()
        _try_out(host)


def _put(host: Host, *files: File) -> None:
    for file in files:
        if host.files.look(file.path) != file:
            host.files.write(file)


def _try_out(host: Host) -> None:
    """Start the service as the timer will. It does nothing, because the timer still runs.

    Raises HostError with the missing part that the program reports.
    """
    try:
        # A service that the timer has just started waits for the lock, and ends here.
        host.systemd.restart(SERVICE)
    except HostError as error:
        # Otherwise systemd would restart it without end.
        host.systemd.stop(SERVICE)
        raise HostError("try the rollback program", error.detail, error.advice) from None


def disarm(host: Host, *, from_within: bool = False) -> None:
    """Stop the timer and remove its units.

    ``from_within`` the service, only the timer is stopped, because the service is about to end.
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
    """Return whether any file of a checkpoint or its timer exists."""
    places = (*_unit_paths(host.platform), f"{host.platform.checkpoint_dir}/*")
    return any(host.files.find(place) for place in places)


def forget(host: Host, *, from_within: bool = False) -> None:
    """Remove the checkpoint and its timer."""
    disarm(host, from_within=from_within)
    checkpoint.remove(host.files)


@contextlib.contextmanager
def signs_of_life(host: Host, *, check: bool) -> t.Iterator[None]:
    """Restart the timer before and after the block, because the run proves contact.

    Thus the time of the timer need not cover a whole play. Without a checkpoint nothing happens.
    """
    _sign_of_life(host, check=check)
    try:
        yield
    except HostError:
        # The first failure is reported.
        with contextlib.suppress(HostError):
            _sign_of_life(host, check=check)
        raise
    _sign_of_life(host, check=check)


def _sign_of_life(host: Host, *, check: bool) -> None:
    """Restart the timer. Raise HostError if it does not start, because nothing would roll back."""
    if not check and checkpoint.exists(host.files):
        host.systemd.restart(TIMER)
