# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The request of a task of ipsec_connection, and the states of its tunnels."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._diagnose.explain import Finding
from .._errors import ModelError
from .._host.files.read_back import loaded_sections
from .._host.host import Host
from .._host.tunnels.initiate import live_tunnels
from .._host.tunnels.outdated_sas import follow
from .._model import checks
from .._model.gateway import Gateway
from .._plan.connect import Key, Live, Tunnel
from .._plan.in_force import NOTHING
from .._plan.standing import Standing, child_standing
from .edit import Params
from .selection import selected
from .standing import shortcoming
from .status import DOWN, UP, standing_state

CONNECTED, DISCONNECTED = "connected", "disconnected"

# In seconds. The shorter values end before a message is retransmitted.
TIMEOUTS = (1, 600)


@dataclass(frozen=True)
class ConnectionRequest:
    """The checked options, and the selected tunnels. ``timeout`` is in seconds."""

    params: Params
    tunnels: tuple[Tunnel, ...]
    timeout: int
    peer_log: tuple[str, ...] | None

    @property
    def state(self) -> str:
        return str(self.params["state"])

    @property
    def one_child(self) -> bool:
        """Return whether the task names one phase 2."""
        return self.params["phase2"] is not None

    @property
    def required(self) -> tuple[Tunnel, ...]:
        """Return the tunnels that must be up, or the task fails.

        A tunnel that only the peer initiates is required if the task names its phase 1.
        """
        named = self.params["phase1"] is not None
        initiated = [item for item in self.tunnels if item.initiates]
        awaited = [item for item in self.tunnels if not item.initiates and named]
        return (*initiated, *awaited)


@dataclass(frozen=True)
class TunnelStates:
    """The live tunnels, and the comparison of their SAs with the configuration."""

    live: Live
    standings: t.Mapping[Key, Standing] = field(default_factory=dict)

    def state(self, tunnel: Tunnel) -> str:
        """Return ``up``, ``outdated``, ``partial`` or ``down``."""
        if tunnel.key not in self.live.up:
            return DOWN
        standing = self.standings.get(tunnel.key)
        return standing_state(standing) if standing else UP

    def shortcoming(self, tunnel: Tunnel) -> Finding | None:
        """Return the deviation of a tunnel that carries traffic, or None without one."""
        standing = self.standings.get(tunnel.key)
        if tunnel.key not in self.live.up or standing is None:
            return None
        return shortcoming(tunnel.connection, tunnel.child, standing)

    def shortcomings(self, tunnels: t.Iterable[Tunnel]) -> tuple[Finding, ...]:
        """Return the deviations of the tunnels that carry traffic."""
        found = map(self.shortcoming, tunnels)
        return tuple(item for item in found if item is not None)


def connection_request(host: Host, gateway: Gateway, params: Params) -> ConnectionRequest:
    """Return the request of a task. Raises ModelError."""
    timeout = checks.number("timeout", params["timeout"], *TIMEOUTS)
    if params["state"] == DISCONNECTED:
        _refuse_without_effect(params, "probe", "check_rekey")
    tunnels = _with_sections(host, gateway, selected(gateway, params))
    _check_loaded(host, tunnels)
    log = None if params["peer_log"] is None else tuple(params["peer_log"])
    return ConnectionRequest(params, tunnels, timeout, log)


def _refuse_without_effect(params: Params, *options: str) -> None:
    for option in options:
        if params[option]:
            raise ModelError(
                option,
                params[option],
                f"has no effect with state {params['state']}",
                f"Remove {option}, or set state to connected or reconnected.",
            )


def _with_sections(host: Host, gateway: Gateway, tunnels: t.Sequence[Tunnel]) -> tuple[Tunnel, ...]:
    connections = {item.connection.name: item.connection for item in tunnels}
    sections = loaded_sections(host.files, gateway, connections.values())
    return tuple(replace(item, section=sections[item.connection.name]) for item in tunnels)


def _check_loaded(host: Host, tunnels: t.Iterable[Tunnel]) -> None:
    """Raise ModelError for a connection that the daemon does not have."""
    loaded = host.vici.connection_names()
    for tunnel in tunnels:
        if tunnel.connection.name not in loaded:
            raise ModelError(
                "phase1",
                tunnel.connection.name,
                "is not loaded in the IKE daemon",
                "Run the task of this phase 1 again, which loads it.",
            )


def tunnel_states(host: Host, tunnels: t.Sequence[Tunnel]) -> TunnelStates:
    """Return the states of the tunnels. Raises HostError."""
    live = live_tunnels(host, tunnels)
    if not live.up:
        return TunnelStates(live)
    names = {item.connection.name for item in tunnels}
    sas = [item for item in host.vici.sa_sections() if item[0] in names]
    unit, vici = host.platform.daemon_unit, host.vici
    notes = follow(host.pending, host.run, unit, vici.pid, vici.sas())
    standings = {}
    for item in tunnels:
        name = item.connection.name
        own = [section for connection, section in sas if connection == name]
        standing = child_standing(item.section, item.child.name, own, notes.get(name, NOTHING))
        if standing is not None:
            standings[item.key] = standing
    return TunnelStates(live, standings)
