# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rollback where there can be no plan, or where it failed: the files, and what reads them.

It asks nothing and goes on after whatever fails. Tunnels may be interrupted.
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
    """What went wrong, one text each."""
    attempts = _Attempts()
    with attempts:
        # The session may have broken off, which is why this is needed.
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
    """A network that gives none leaves its interface with the one that it has."""
    if device in other_mtus(host, kept):
        host.link.set_mtu(device, kept.mtus[device])


class _Attempts:
    """A context that an error leaves, but that goes no further."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> bool:
        if isinstance(error, TunnelwrightError):
            self.failures.append(str(error))
        return isinstance(error, TunnelwrightError)


def _power_down(host: Host, attempts: _Attempts, kept: Checkpoint) -> None:
    """Units that were not there, or not on, while their scripts are the ones to do it."""
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
    """Rules and interfaces of ours, and addresses on other interfaces, that were not there.

    All routes go. Those that were there come back with their networks.
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
    """The blocks of now go, because nothing tells which were there. The scripts make theirs."""
    with attempts:
        host.blocks.delete(sorted(host.blocks.present()), ())


def _power_up(host: Host, attempts: _Attempts, kept: Checkpoint) -> None:
    """The script brings up what it finds, so that it runs where the unit is on already, too."""
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
    """Restarted only if it does not answer, or has the wrong plugins: it loads them then."""
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
        # They outlive the connection that they came from.
        with attempts:
            host.vici.terminate_ike(name)
