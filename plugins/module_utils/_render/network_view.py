# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A network with its settings, connections and rules: looked up once, then handed around."""

from __future__ import annotations

from dataclasses import dataclass

from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.network import VpnNetwork
from .._model.rule import VpnRule
from .._model.settings import IpsecSettings


@dataclass(frozen=True)
class NetworkView:
    """A network of a Gateway, and the objects that belong to it, in the order of the Gateway."""

    network: VpnNetwork
    settings: IpsecSettings
    connections: tuple[IkeConnection, ...] = ()
    rules: tuple[VpnRule, ...] = ()

    @property
    def name(self) -> str:
        return self.network.name

    def is_active(self, connection: IkeConnection) -> bool:
        """Return whether the daemon is to load a connection of this network."""
        return connection.enabled and self.network.started


def network_views(gateway: Gateway) -> dict[str, NetworkView]:
    """Return the view of each network, by name."""
    connections: dict[str, list[IkeConnection]] = {name: [] for name in gateway.networks}
    for connection in gateway.connections.values():
        if connection.network in connections:
            connections[connection.network].append(connection)
    return {
        name: NetworkView(
            network,
            gateway.settings_of(name),
            tuple(connections[name]),
            gateway.rules.get(name, ()),
        )
        for name, network in gateway.networks.items()
    }
