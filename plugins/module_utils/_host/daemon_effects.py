# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The effects of the steps that act on an IKE daemon."""

from __future__ import annotations

import typing as t

from .._errors import HostError
from .._plan import steps
from .._plan.children import with_parked_children
from .host import Daemon, Host
from .tunnels.hand_over import hand_over, swap_back


def _daemon(host: Host, step: steps.DaemonStep) -> Daemon:
    return host.daemon(step.daemon)


def _load_connection(host: Host, step: steps.LoadConnection) -> None:
    _daemon(host, step).vici.load_conn(step.name, step.section)


def _swap_in(host: Host, step: steps.SwapIn) -> None:
    _daemon(host, step).vici.load_conn(step.name, step.section)
    _note(host, step)


def _note(host: Host, step: steps.SwapIn | steps.SwapBack) -> None:
    if step.in_force is not None:
        pid = _daemon(host, step).vici.pid
        host.pending.put(pid, step.name, step.in_force.unlike(step.section))


def _park_children(host: Host, step: steps.ParkChildren) -> None:
    host.pending.put(_daemon(host, step).vici.pid, step.name, step.in_force)
    _daemon(host, step).vici.load_conn(step.name, with_parked_children(step.section))


def _swap_back(host: Host, step: steps.SwapBack) -> None:
    swap_back(_daemon(host, step).vici, step)
    _note(host, step)


def _unload_connection(host: Host, step: steps.UnloadConnection) -> None:
    _daemon(host, step).vici.unload_conn(step.name)


def _load_secret(host: Host, step: steps.LoadSecret) -> None:
    shared = step.shared
    if step.before is not None:
        for name, ikes in step.ikes.items():
            host.pending.put_key(_daemon(host, step).vici.pid, name, ikes, step.before)
    vici = _daemon(host, step).vici
    vici.load_shared(shared.id, shared.owners, shared.secret.reveal(), kind=shared.kind)


def _unload_secret(host: Host, step: steps.UnloadSecret) -> None:
    _daemon(host, step).vici.unload_shared(step.id)


def _load_key(host: Host, step: steps.LoadKey) -> None:
    _daemon(host, step).vici.load_key(step.file.data)


def _unload_key(host: Host, step: steps.UnloadKey) -> None:
    # Loading is the way to learn the id of a key; it changes nothing where the key is known.
    key = _daemon(host, step).vici.load_key(step.file.data)
    others = (
        host.files.look(path)
        for path in host.files.find(f"{host.platform.key_dir}/*")
        if path != step.file.path
    )
    if not any(other is not None and other.data == step.file.data for other in others):
        _daemon(host, step).vici.unload_key(key)


def _terminate(host: Host, step: steps.TerminateConnection) -> None:
    _daemon(host, step).vici.terminate_ike(step.name)


def _terminate_child(host: Host, step: steps.TerminateChild) -> None:
    _daemon(host, step).vici.terminate_child(step.connection, step.child)


def _initiate(host: Host, step: steps.Initiate) -> None:
    _daemon(host, step).vici.initiate(step.connection, step.child)


def _hand_over(host: Host, step: steps.HandOver) -> str | None:
    return hand_over(_daemon(host, step).vici, step, host.negotiating_since)


def _install(host: Host, step: steps.InstallTrap) -> str | None:
    try:
        _daemon(host, step).vici.install(step.connection, step.child)
    except HostError as error:
        # There may be no route to the peer. Nothing is worse than it was.
        return str(error)
    return None


def _uninstall(host: Host, step: steps.UninstallTrap) -> None:
    _daemon(host, step).vici.uninstall(step.connection, step.child)


def _reload_settings(host: Host, step: steps.ReloadSettings) -> None:
    _daemon(host, step).vici.reload_settings()


def _restart(host: Host, step: steps.RestartDaemon) -> None:
    _daemon(host, step).restart()


DAEMON_EFFECTS: dict[type[steps.Step], t.Callable[[Host, t.Any], str | None]] = {
    steps.LoadConnection: _load_connection,
    steps.ParkChildren: _park_children,
    steps.SwapIn: _swap_in,
    steps.SwapBack: _swap_back,
    steps.UnloadConnection: _unload_connection,
    steps.LoadSecret: _load_secret,
    steps.UnloadSecret: _unload_secret,
    steps.LoadKey: _load_key,
    steps.UnloadKey: _unload_key,
    steps.TerminateConnection: _terminate,
    steps.TerminateChild: _terminate_child,
    steps.Initiate: _initiate,
    steps.HandOver: _hand_over,
    steps.InstallTrap: _install,
    steps.UninstallTrap: _uninstall,
    steps.ReloadSettings: _reload_settings,
    steps.RestartDaemon: _restart,
}
