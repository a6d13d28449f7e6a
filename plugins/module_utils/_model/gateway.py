# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""All that the collection owns on one host, and the rules that hold between its objects.

Every module is an edit of this model: the state before and the state after it are both rendered,
and what differs is what the module has to do.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import ModelError
from .child import ChildSa, overlap
from .connection import IkeConnection
from .keys import intrusion
from .network import VpnNetwork
from .rule import VpnRule, subject_of
from .secret import MASK
from .settings import IpsecSettings
from .traffic import check_meaning, check_no_overlap, check_own_network


@dataclass(frozen=True)
class Gateway:
    """Networks, settings and connections by name; that of a connection is unique on the host.

    The name of a rule is unique in its network.
    """

    networks: t.Mapping[str, VpnNetwork] = field(default_factory=dict)
    settings: t.Mapping[str, IpsecSettings] = field(default_factory=dict)
    connections: t.Mapping[str, IkeConnection] = field(default_factory=dict)
    # By network, in their order.
    rules: t.Mapping[str, tuple[VpnRule, ...]] = field(default_factory=dict)

    def settings_of(self, network: str) -> IpsecSettings:
        """The settings of a network, the defaults where none were made."""
        return self.settings.get(network) or IpsecSettings(network)

    def connections_of(self, network: str) -> tuple[IkeConnection, ...]:
        return tuple(item for item in self.connections.values() if item.network == network)

    def _children_of(self, network: str) -> t.Iterator[ChildSa]:
        return (child for item in self.connections_of(network) for child in item.children)

    def is_active(self, connection: IkeConnection) -> bool:
        """Return whether the daemon is to load a connection: it and its network are on."""
        network = self.networks.get(connection.network)
        return connection.enabled and network is not None and network.started

    def with_network(self, network: VpnNetwork) -> Gateway:
        for other in self.networks.values():
            if other.name == network.name:
                continue
            _check_devices(network, other)
            _check_tags(network, other)
            _check_dataplanes(network, other)
            _check_addresses(network, other)
        self._check_guests(network.name, network)
        self._check_start(network)
        known = self.networks.get(network.name)
        if known is None or known.network_address != network.network_address:
            children = self._children_of(network.name)
            check_own_network(network, self.settings_of(network.name), children)
        return replace(self, networks={**self.networks, network.name: network})

    def without_network(self, name: str, *, force: bool) -> Gateway:
        """Refuses a network that still has phase 1 objects, unless they are to go with it."""
        carried = sorted(item.name for item in self.connections_of(name))
        if carried and not force:
            raise ModelError(
                "state",
                "absent",
                f"would orphan its phase 1 objects {', '.join(carried)}",
                "remove these first, or force: true to remove them with the network",
                f"network {name}",
            )
        self._check_guests(name, None)
        return Gateway(
            _without(self.networks, name),
            _without(self.settings, name),
            {key: item for key, item in self.connections.items() if item.network != name},
            _without(self.rules, name),
        )

    def _check_guests(self, name: str, after: VpnNetwork | None) -> None:
        """Refuse to take away an interface that another network is attached to."""
        before = self.networks.get(name)
        if before is None or before.attached or not before.started:
            return
        if after is not None and after.started and after.device == before.device:
            return
        guests = sorted(
            item.name
            for item in self.networks.values()
            if item.started and item.interface_network == before.device
        )
        if guests:
            raise ModelError(
                "interface",
                before.device,
                f"would be taken away from network {', '.join(guests)}",
                "stop or remove that network first",
                f"network {name}",
            )

    def with_settings(self, settings: IpsecSettings) -> Gateway:
        self._require_network(settings.network, f"IPsec settings of network {settings.network}")
        before = self.settings_of(settings.network)
        if before.exclude_my_network != settings.exclude_my_network:
            network = self.networks[settings.network]
            check_own_network(network, settings, self._children_of(settings.network))
        return replace(self, settings={**self.settings, settings.network: settings})

    def rule(self, network: str, name: str) -> VpnRule | None:
        known = (item for item in self.rules.get(network, ()) if item.name == name)
        return next(known, None)

    def with_rule(self, rule: VpnRule) -> Gateway:
        self._require_network(rule.network, subject_of(rule.name, rule.network))
        for others in self.rules.values():
            for other in others:
                if (other.network, other.name) != (rule.network, rule.name):
                    _check_routes(rule, other)
        rest = self.without_rule(rule.network, rule.name).rules.get(rule.network, ())
        ordered = sorted((*rest, rule), key=lambda item: (item.order, item.name))
        return replace(self, rules={**self.rules, rule.network: tuple(ordered)})

    def without_rule(self, network: str, name: str) -> Gateway:
        rest = tuple(item for item in self.rules.get(network, ()) if item.name != name)
        rules = {**self.rules, network: rest} if rest else _without(self.rules, network)
        return replace(self, rules=rules)

    def with_connection(self, connection: IkeConnection) -> Gateway:
        subject = f"phase 1 {connection.name}"
        self._require_network(connection.network, subject)
        known = self.connections.get(connection.name)
        if known is not None and known.network != connection.network:
            raise ModelError(
                "name",
                connection.name,
                f"is taken by a phase 1 of network {known.network}",
                "a name that is unique on the host",
                subject,
            )
        for other in self.connections.values():
            if other.name != connection.name:
                _check_distinct(connection, other)
                _check_keys(connection, other)
        for child in connection.children:
            self._check_carried_once(child, connection)
        return self._with(connection)

    def _with(self, connection: IkeConnection) -> Gateway:
        return replace(self, connections={**self.connections, connection.name: connection})

    def without_connection(self, name: str) -> Gateway:
        return replace(self, connections=_without(self.connections, name))

    def with_child(self, child: ChildSa) -> Gateway:
        subject = f"phase 2 {child.name} of phase 1 {child.phase1}"
        connection = self.connection_of_child(child.phase1, child.network, subject)
        check_meaning(child)
        check_own_network(self.networks[child.network], self.settings_of(child.network), [child])
        connection = connection.with_child(child)
        self._check_carried_once(child, connection)
        return self._with(connection)

    def without_child(self, phase1: str, name: str) -> Gateway:
        return self._with(self.connections[phase1].without_child(name))

    def connection_of_child(self, phase1: str, network: str, subject: str) -> IkeConnection:
        """The phase 1 named by a phase 2; the error lists those that exist."""
        connection = self.connections.get(phase1)
        if connection is None or connection.network != network:
            known = sorted(item.name for item in self.connections_of(network))
            raise ModelError(
                "phase1",
                phase1,
                f"does not exist in network {network}",
                ", ".join(known) or "none yet: make one with ipsec_phase1",
                subject,
            )
        return connection

    def _check_carried_once(self, child: ChildSa, connection: IkeConnection) -> None:
        """No two tunnels carry the same; a phase 1 that is disabled carries nothing."""
        for other in {**self.connections, connection.name: connection}.values():
            if other.name == connection.name or (other.enabled and connection.enabled):
                for item in other.children:
                    if (other.name, item.name) != (connection.name, child.name):
                        check_no_overlap(child, item)

    def _check_start(self, network: VpnNetwork) -> None:
        """Refuse to load phase 1 objects that an earlier version has let stand side by side."""
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
                    subject = f"network {network.name}"
                    raise ModelError("state", "started", str(found), found.cure, subject)

    def _require_network(self, name: str, subject: str) -> None:
        if name not in self.networks:
            known = ", ".join(sorted(self.networks))
            raise ModelError(
                "network",
                name,
                "does not exist on this host",
                known or "none yet: make one with vpn_network",
                subject,
            )


def _without(items: t.Mapping[str, t.Any], name: str) -> dict[str, t.Any]:
    return {key: item for key, item in items.items() if key != name}


def _check_devices(network: VpnNetwork, other: VpnNetwork) -> None:
    if not network.attached and not other.attached and network.device == other.device:
        raise ModelError(
            "interface",
            network.device,
            f"is the interface of network {other.name} already",
            "another name",
            f"network {network.name}",
        )


def _check_addresses(network: VpnNetwork, other: VpnNetwork) -> None:
    """One address leads to one interface."""
    if not (network.started and other.started) or network.device == other.device:
        return
    mine, theirs = network.on_link, other.on_link
    if mine and theirs and overlap(mine, theirs):
        raise ModelError(
            "network_address",
            str(mine),
            f"overlaps {theirs} of network {other.name}, which is on {other.device}",
            "addresses that no other network of this host has",
            f"network {network.name}",
        )


def _check_tags(network: VpnNetwork, other: VpnNetwork) -> None:
    """Linux makes one VLAN of a tag on an interface."""

    def tag(item: VpnNetwork) -> tuple[object, ...]:
        return item.layer2_type, item.layer2_id, item.interface_network

    if network.layer2_type == "vlan" and tag(network) == tag(other):
        raise ModelError(
            "layer2_id",
            network.layer2_id,
            f"is the tag of network {other.name} on {network.interface_network} already",
            "another tag, or interface_network to attach the network to that interface",
            f"network {network.name}",
        )


def _check_routes(rule: VpnRule, other: VpnRule) -> None:
    """One of two routes to the same place would replace the other."""
    if not (rule.enabled and other.enabled and rule.action == other.action == "route"):
        return
    known = {*other.destination}
    shared = [item for item in rule.destination if item in known]
    if shared:
        raise ModelError(
            "destination",
            str(shared[0]),
            f"has a route already, by rule {other.name} of network {other.network}",
            "another destination",
            subject_of(rule.name, rule.network),
        )


def _check_dataplanes(network: VpnNetwork, other: VpnNetwork) -> None:
    # One daemon serves all networks, and kernel-libipsec takes all of its SAs.
    chosen = {network.dataplane, other.dataplane}
    if chosen == {"kernel", "userspace"}:
        raise ModelError(
            "dataplane",
            network.dataplane,
            f"contradicts network {other.name}, which is served by the same daemon",
            f"{other.dataplane}, or auto",
            f"network {network.name}",
        )


def _check_distinct(connection: IkeConnection, other: IkeConnection) -> None:
    """Two configurations alike to the responder: it would always take the first of them."""

    def seen(item: IkeConnection) -> tuple[object, ...]:
        return item.local_address, item.remote_gateway, item.identifier, item.peer_identity

    if connection.enabled and other.enabled and seen(connection) == seen(other):
        raise ModelError(
            "remote_gateway",
            connection.remote_gateway,
            f"with the same identities is the peer of phase 1 {other.name} already",
            "another peer, identifier or peer_identifier, or a further phase 2 of that phase 1",
            f"phase 1 {connection.name}",
        )


def _check_keys(connection: IkeConnection, other: IkeConnection) -> None:
    """Refuse that the holder of the one key can pass for the peer of the other."""
    if not connection.enabled or not other.enabled:
        return
    found = intrusion(connection.key, other.key)
    if found:
        subject = f"phase 1 {connection.name}"
        option = found.option_of(subject)
        value = MASK if option == "psk" else getattr(connection, option)
        raise ModelError(option, value, str(found), found.cure, subject)
