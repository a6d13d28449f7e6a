# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rollback without a plan: restore the files, and make each program load them.

It is used if no plan can be made or the plan failed. It continues after each failure, and may
interrupt tunnels.
"""

from __future__ import annotations

import typing as t

from ..._errors import HostError, TunnelwrightError
from ..._model.network import VpnNetwork
from ..._render.file import File
from ..._render.network_files import alias
from ..command import output
from ..host import Host
from ..kernel.dataplane import chose_userspace
from .checkpoint import Checkpoint, KeptFiles, matches, networks_in, other_mtus, ours, unit_states

_Files = t.Mapping[str, File]


def put_back(host: Host, kept: Checkpoint) -> list[str]:
    """Restore the kept state. Return one text for each failure."""
    attempts = _Attempts()
    with attempts:
        # The daemon may have closed the session, which is one reason for this rollback.
        host.hang_up()
    now: _Files = {}
    with attempts:
        now = ours(host.files)
    _power_down(host, attempts, kept)
    there = networks_in(now, host.platform)
    _withdraw(host, attempts, there, networks_in(kept.files, host.platform))
    _files(host, attempts, now, kept.files)
    _block(host, attempts)
    _power_up(host, attempts, kept)
    for device in kept.mtus:
        with attempts:
            restore_mtu(host, kept, device)
    _daemon(host, attempts, now, kept)
    return attempts.failures


def restore_mtu(host: Host, kept: Checkpoint, device: str) -> None:
    """Restore the MTU of an interface whose network has no option mtu."""
    if device in other_mtus(host, kept):
        host.link.set_mtu(device, kept.mtus[device])


class _Attempts:
    """A context that records an error of its block and continues."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> bool:
        if isinstance(error, TunnelwrightError):
            self.failures.append(str(error))
        return isinstance(error, TunnelwrightError)


def _power_down(host: Host, attempts: _Attempts, kept: Checkpoint) -> None:
    """Stop and disable units that were not active or enabled, while their own scripts exist."""
    states: t.Mapping[str, str] = {}
    with attempts:
        states = unit_states(host, ours(host.files))
    for unit, state in states.items():
        was = kept.units.get(unit, "disabled, inactive")
        if unit == host.platform.daemon_unit or state == was:
            continue
        with attempts:
            if was.endswith(" inactive"):
                host.systemd.stop(unit)
        with attempts:
            if was.startswith("disabled"):
                host.systemd.disable(unit)


def _withdraw(
    host: Host,
    attempts: _Attempts,
    now: t.Mapping[str, VpnNetwork],
    kept: t.Mapping[str, VpnNetwork],
) -> None:
    """Remove rules, interfaces and addresses of the collection that did not exist before.

    All routes are removed. The start of the networks restores the routes that existed.
    """
    with attempts:
        for route in host.link.routes():
            host.link.delete_route(route)
    for name, network in now.items():
        old = kept.get(name)
        if old is None:
            with attempts:
                _script(host, name, "stop")
        stays = old is not None and old.started and old.device == network.device
        router = old.router if old is not None and stays else ""
        with attempts:
            link = host.link.get(network.device)
            if link is None:
                continue
            if not stays and link.alias == alias(network):
                host.link.delete(network.device)
            elif network.router != router and network.router in link.addresses:
                host.link.delete_address(network.device, network.router)


def _files(host: Host, attempts: _Attempts, now: _Files, kept: _Files) -> None:
    for path, file in kept.items():
        if now.get(path) != file:
            with attempts:
                host.files.write(file)
    for path in now.keys() - kept.keys():
        with attempts:
            host.files.remove(path)
    with attempts:
        host.systemd.daemon_reload()


def _block(host: Host, attempts: _Attempts) -> None:
    """Remove all blocks, because the checkpoint does not hold them. The scripts add theirs."""
    with attempts:
        host.blocks.delete(sorted(host.blocks.present()), ())


def _power_up(host: Host, attempts: _Attempts, kept: Checkpoint) -> None:
    """Start the units that were active. The script of an active unit runs again."""
    for unit, state in sorted(kept.units.items(), key=_rules_first):
        if unit == host.platform.daemon_unit:
            continue
        if state.endswith(" active"):
            with attempts:
                if host.systemd.is_active(unit):
                    name, _guard, of_guard = (
                        unit.partition("-")[2].rpartition(".")[0].partition(".")
                    )
                    _script(host, name, "rules" if of_guard else "start")
                else:
                    host.systemd.start(unit)
        with attempts:
            if state.startswith("enabled") and not host.systemd.is_enabled(unit):
                host.systemd.enable(unit)


def _rules_first(unit: tuple[str, str]) -> bool:
    return not unit[0].endswith(".guard.service")


def _script(host: Host, network: str, verb: str) -> None:
    script = host.platform.script_path(network)
    output(host.run, f"{verb} {script}", ["/bin/sh", script, verb])


def _daemon(host: Host, attempts: _Attempts, now: _Files, kept: Checkpoint) -> None:
    """Make the daemon load the files, with a restart only without an answer or other plugins."""
    platform = host.platform
    sides = (KeptFiles(files, platform) for files in (now, kept.files))
    wrong = len(set(map(chose_userspace, sides))) > 1
    try:
        host.vici.version()
    except HostError:
        wrong = True
    if wrong:
        if kept.units.get(host.platform.daemon_unit, "").endswith(" active"):
            with attempts:
                host.restart_daemon()
        return
    pattern = platform.connection_path("*")
    beginning, end = pattern.split("*")
    changed = [
        path[len(beginning) : -len(end)]
        for path, file in now.items()
        if matches(path, pattern) and kept.files.get(path) != file
    ]
    with attempts:
        host.vici.reload_settings()
    with attempts:
        argv = ["swanctl", "--load-all", "--noprompt"]
        output(host.run, "load everything into the IKE daemon", argv)
    for name in changed:
        # The SAs outlive their connection.
        with attempts:
            host.vici.terminate_ike(name)
