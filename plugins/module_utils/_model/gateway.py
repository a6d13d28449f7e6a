# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Every object of the collection on one host, and the rules between these objects.

Every module edits this model. The states before and after the edit are both rendered, and the
module applies the difference.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field, replace
from functools import cached_property

from .._errors import ModelError
from .child import ChildSa
from .coexistence import (
    Neighbors,
    check_carried_once,
    check_connections,
    check_networks,
    check_routes,
)
from .connection import IkeConnection
from .keys import intrusion
from .network import VpnNetwork
from .rule import VpnRule
from .secret import Secret
from .settings import IpsecSettings
from .subject import network_subject
from .traffic import check_meaning, check_own_network


@dataclass(frozen=True)
class Gateway:
    """Networks, settings and connections by name. Rules by network, in their order.

    The name of a connection is unique on the host. The name of a rule is unique in its network.
    """

    networks: t.Mapping[str, VpnNetwork] = field(default_factory=dict)
    settings: t.Mapping[str, IpsecSettings] = field(default_factory=dict)
    connections: t.Mapping[str, IkeConnection] = field(default_factory=dict)
    rules: t.Mapping[str, tuple[VpnRule, ...]] = field(default_factory=dict)

    def in_file_order(self) -> Gateway:
        """Return the gateway with its objects in the order in which their files are found.

        The order decides about the order of rules, elements and settings in other files.
        """

        def ordered(items: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
            return {name: items[name] for name in sorted(items, key=lambda name: f"{name}.")}

        return replace(
            self,
            networks=ordered(self.networks),
            settings=ordered(self.settings),
            connections=ordered(self.connections),
        )

    def settings_of(self, network: str) -> IpsecSettings:
        """Return the settings of a network, by default the default settings."""
        return self.settings.get(network) or IpsecSettings(network)

    @property
    def special_settings(self) -> tuple[IpsecSettings, ...]:
        """Return the settings of networks that are not the default settings."""
        return tuple(item for item in self.settings.values() if item != IpsecSettings(item.network))

    def connections_of(self, network: str) -> tuple[IkeConnection, ...]:
        return tuple(item for item in self.connections.values() if item.network == network)

    def _children_of(self, network: str) -> t.Iterator[ChildSa]:
        return (child for item in self.connections_of(network) for child in item.children)

    def is_active(self, connection: IkeConnection) -> bool:
        """Return whether the daemon is to load a connection: it and its network are on."""
        network = self.networks.get(connection.network)
        return connection.enabled and network is not None and network.started

    @cached_property
    def names_by_psk(self) -> dict[Secret, list[str]]:
        """Return the names of the enabled connections with a PSK, by their PSK."""
        found: dict[Secret, list[str]] = {}
        for item in self.connections.values():
            if item.enabled and item.psk is not None:
                found.setdefault(item.psk, []).append(item.name)
        return found

    @cached_property
    def names_by_ppk(self) -> dict[Secret, list[str]]:
        """Return the names of the enabled connections with a PPK, by their PPK."""
        found: dict[Secret, list[str]] = {}
        for item in self.connections.values():
            if item.enabled and item.ppk is not None:
                found.setdefault(item.ppk, []).append(item.name)
        return found

    @property
    def devices(self) -> frozenset[str]:
        """Return the interfaces that the networks make while they are on."""
        started = (item for item in self.networks.values() if item.started)
        return frozenset(item.device for item in started if not item.attached)

    def with_network(self, network: VpnNetwork) -> Gateway:
        return self.with_networks((network,))

    def with_networks(self, networks: t.Iterable[VpnNetwork]) -> Gateway:
        """Return the gateway with these networks. Networks may exchange their addresses."""
        added = {item.name: item for item in networks}
        after = replace(self, networks={**self.networks, **added})
        for network in added.values():
            for other in after.networks.values():
                if other.name != network.name:
                    check_networks(network, other)
            self._check_start(network)
            known = self.networks.get(network.name)
            if known is None or known.network_address != network.network_address:
                children = self._children_of(network.name)
                check_own_network(network, self.settings_of(network.name), children)
        return after

    def without_network(self, name: str, *, force: bool) -> Gateway:
        """Return the gateway without a network. ``force`` removes its phase 1 objects too."""
        carried = sorted(item.name for item in self.connections_of(name))
        if carried and not force:
            raise ModelError(
                "state",
                "absent",
                f"is refused while the network has phase 1 {', '.join(carried)}",
                "Remove each phase 1 first, or set force to true to remove them with the network.",
                network_subject(name),
            )
        return Gateway(
            _without(self.networks, name),
            _without(self.settings, name),
            {key: item for key, item in self.connections.items() if item.network != name},
            _without(self.rules, name),
        )

    def with_settings(self, settings: IpsecSettings) -> Gateway:
        self._require_network(settings.network, settings.subject)
        before = self.settings_of(settings.network)
        if before.exclude_my_network != settings.exclude_my_network:
            network = self.networks[settings.network]
            check_own_network(network, settings, self._children_of(settings.network))
        return replace(self, settings={**self.settings, settings.network: settings})

    def without_settings(self, network: str) -> Gateway:
        """Return the gateway with the default settings for a network."""
        return replace(self, settings=_without(self.settings, network))

    def rule(self, network: str, name: str) -> VpnRule | None:
        known = (item for item in self.rules.get(network, ()) if item.name == name)
        return next(known, None)

    def with_rule(self, rule: VpnRule) -> Gateway:
        self._require_network(rule.network, rule.subject)
        for others in self.rules.values():
            for other in others:
                if (other.network, other.name) != (rule.network, rule.name):
                    check_routes(rule, other)
        rest = self.without_rule(rule.network, rule.name).rules.get(rule.network, ())
        ordered = sorted((*rest, rule), key=lambda item: (item.order, item.name))
        return replace(self, rules={**self.rules, rule.network: tuple(ordered)})

    def without_rule(self, network: str, name: str) -> Gateway:
        rest = tuple(item for item in self.rules.get(network, ()) if item.name != name)
        rules = {**self.rules, network: rest} if rest else _without(self.rules, network)
        return replace(self, rules=rules)

    def with_connection(self, connection: IkeConnection) -> Gateway:
        return self.with_connections((connection,))

    def with_connections(self, connections: t.Iterable[IkeConnection]) -> Gateway:
        """Return the gateway with these connections. Each two objects are checked once."""
        added = {item.name: item for item in connections}
        merged = {**self.connections, **added}
        for connection in added.values():
            self._require_network(connection.network, connection.subject)
            known = self.connections.get(connection.name)
            if known is not None and known.network != connection.network:
                raise ModelError(
                    "name",
                    connection.name,
                    f"is the name of a phase 1 of network {known.network}",
                    "Use a name that no other phase 1 of this host has.",
                    connection.subject,
                )
        done: set[str] = set()
        neighbors = Neighbors(merged.values())
        for connection in added.values():
            done.add(connection.name)
            for other in neighbors.of(connection):
                if other.name not in done:
                    check_connections(connection, other)
        children = {(name, child.name) for name, item in added.items() for child in item.children}
        check_carried_once(merged.values(), children)
        return replace(self, connections=merged)

    def with_tunnels(self, connections: t.Iterable[IkeConnection]) -> Gateway:
        """Return the gateway with these connections and their children, each checked once."""
        added = tuple(connections)
        gateway = self.with_connections(added)
        for connection in added:
            network = self.networks[connection.network]
            settings = self.settings_of(connection.network)
            for child in connection.children:
                check_meaning(child)
            check_own_network(network, settings, connection.children)
        return gateway

    def _with(self, connection: IkeConnection) -> Gateway:
        return replace(self, connections={**self.connections, connection.name: connection})

    def without_connection(self, name: str) -> Gateway:
        return replace(self, connections=_without(self.connections, name))

    def with_child(self, child: ChildSa) -> Gateway:
        connection = self.connection_of_child(child.phase1, child.network, child.subject)
        check_meaning(child)
        check_own_network(self.networks[child.network], self.settings_of(child.network), [child])
        gateway = self._with(connection.with_child(child))
        check_carried_once(gateway.connections.values(), {(connection.name, child.name)})
        return gateway

    def without_child(self, phase1: str, name: str) -> Gateway:
        return self._with(self.connections[phase1].without_child(name))

    def connection_of_child(self, phase1: str, network: str, subject: str) -> IkeConnection:
        """Return the phase 1 of a phase 2. The error lists the existing ones."""
        connection = self.connections.get(phase1)
        if connection is None or connection.network != network:
            known = sorted(item.name for item in self.connections_of(network))
            raise ModelError(
                "phase1",
                phase1,
                f"does not exist in network {network}",
                _one_of(known, "ipsec_phase1"),
                subject,
            )
        return connection

    def _check_start(self, network: VpnNetwork) -> None:
        """Refuse to load phase 1 objects that an earlier version accepted beside each other."""
        known = self.networks.get(network.name)
        if known is None or known.started or not network.started:
            return
        loaded = [
            item
            for item in self.connections.values()
            if self.is_active(item) or (item.enabled and item.network == network.name)
        ]
        for one, other in itertools.combinations(loaded, 2):
            if network.name in (one.network, other.network):
                found = intrusion(one.key, other.key)
                if found:
                    raise ModelError("state", "started", str(found), found.fix, network.subject)

    def _require_network(self, name: str, subject: str) -> None:
        if name not in self.networks:
            fix = _one_of(sorted(self.networks), "vpn_network")
            raise ModelError("network", name, "does not exist on this host", fix, subject)


def _one_of(names: t.Sequence[str], module: str) -> str:
    """Return the fix for a name that does not exist: the names that do, or how to create one."""
    known = f"Use one of: {', '.join(names)}; or create" if names else "Create"
    together = "to predict both, describe both in one task of ipsec_gateway."
    return f"{known} it first with {module}. Check mode creates nothing: {together}"


def _without(items: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    return {key: item for key, item in items.items() if key != name}
