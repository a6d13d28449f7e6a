# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which tunnels the options of ipsec_connection mean. Pure."""

from __future__ import annotations

from .._errors import ModelError
from .._model import checks
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._plan.connect import Tunnel
from .._render.advanced_tunnels import advanced_tunnels
from .edit import Params


def selected(gateway: Gateway, params: Params) -> tuple[Tunnel, ...]:
    """The tunnels that the options mean. Raises ModelError where there is none, and why."""
    network = checks.network_name("network", params["network"])
    name, child = params["phase1"], params["phase2"]
    if network not in gateway.networks:
        known = ", ".join(sorted(gateway.networks)) or "none yet: make one with vpn_network"
        raise ModelError("network", network, "does not exist on this host", known)
    if not gateway.networks[network].started:
        raise ModelError(
            "network", network, "is stopped: it has no tunnels", "a network that is started"
        )
    if child is not None and name is None:
        raise ModelError("phase2", child, "is named without its phase 1", "phase1 with it")
    advanced = {
        item.name: item for item in advanced_tunnels(gateway).values() if item.network == network
    }
    if name is None:
        connections = (*gateway.connections_of(network), *advanced.values())
        enabled = [item for item in connections if item.enabled]
    elif name in advanced:
        enabled = [advanced[name]]
    else:
        named = gateway.connection_of_child(name, network, "")
        enabled = [_enabled(named, "phase1", name)]
    tunnels = tuple(
        Tunnel(item, part, advanced=item.name in advanced)
        for item in enabled
        for part in item.children
        if part.enabled
    )
    return _the_one(tunnels, enabled[0], child) if child is not None else _any(tunnels, name)


def _enabled(connection: IkeConnection, option: str, name: str) -> IkeConnection:
    if not connection.enabled:
        raise ModelError(option, name, "is disabled", "one with state: present")
    return connection


def _the_one(
    tunnels: tuple[Tunnel, ...], connection: IkeConnection, name: str
) -> tuple[Tunnel, ...]:
    found = tuple(item for item in tunnels if item.child.name == name)
    if found:
        return found
    why = "is disabled" if connection.child(name) else f"is no phase 2 of {connection.name}"
    known = ", ".join(sorted(item.child.name for item in tunnels))
    raise ModelError("phase2", name, why, known or "none yet: make one with ipsec_phase2")


def _any(tunnels: tuple[Tunnel, ...], name: str | None) -> tuple[Tunnel, ...]:
    if not tunnels and name is not None:
        raise ModelError(
            "phase1", name, "has no phase 2, so that it carries nothing", "one with a phase 2"
        )
    return tunnels
