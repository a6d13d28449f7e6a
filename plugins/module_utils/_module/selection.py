# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The tunnels that the options of ipsec_connection select. Pure."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._model import checks
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._plan.connect import Tunnel
from .._render.advanced_tunnels import advanced_tunnels
from .edit import Params


def not_on_this_host(option: str, name: str, existing: t.Iterable[str]) -> ModelError:
    """Return the error for a name that does not exist on the host. It lists those that do."""
    names = ", ".join(sorted(existing))
    module = {"network": "vpn_network", "phase1": "ipsec_phase1"}[option]
    fix = f"Use one of: {names}." if names else f"Create it first with {module}."
    return ModelError(option, name, "does not exist on this host", fix)


def selected(gateway: Gateway, params: Params) -> tuple[Tunnel, ...]:
    """Return the selected tunnels. Raises ModelError if no tunnel is selected."""
    network = checks.network_name("network", params["network"])
    name, child = params["phase1"], params["phase2"]
    if network not in gateway.networks:
        raise not_on_this_host("network", network, gateway.networks)
    if not gateway.networks[network].started:
        problem = "is stopped, so that it has no tunnels"
        fix = "Name a network that is started, or start it with vpn_network."
        raise ModelError("network", network, problem, fix)
    if child is not None and name is None:
        raise ModelError("phase2", child, "is named without its phase 1", "Give phase1 too.")
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
        fix = "Name an enabled phase 1, or enable it with state present in ipsec_phase1."
        raise ModelError(option, name, "is disabled", fix)
    return connection


def _the_one(
    tunnels: tuple[Tunnel, ...], connection: IkeConnection, name: str
) -> tuple[Tunnel, ...]:
    found = tuple(item for item in tunnels if item.child.name == name)
    if found:
        return found
    exists = connection.child(name) is not None
    problem = "is disabled" if exists else f"is not a phase 2 of {connection.subject}"
    names = ", ".join(sorted(item.child.name for item in tunnels))
    fix = f"Use one of: {names}." if names else "Define an enabled one with ipsec_phase2."
    raise ModelError("phase2", name, problem, fix)


def _any(tunnels: tuple[Tunnel, ...], name: str | None) -> tuple[Tunnel, ...]:
    if not tunnels and name is not None:
        problem = "has no enabled phase 2, so that it carries no traffic"
        raise ModelError("phase1", name, problem, "Define an enabled phase 2 with ipsec_phase2.")
    return tunnels
