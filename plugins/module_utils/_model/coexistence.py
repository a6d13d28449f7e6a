# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Rules between two objects of one kind on one host: networks, rules and connections."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .connection import IkeConnection
from .keys import intrusion
from .network import VpnNetwork
from .ppk import check_ppks
from .rule import VpnRule
from .secret import MASK
from .selector import overlap, overlapping_numbers
from .traffic import check_no_overlap


def check_networks(network: VpnNetwork, other: VpnNetwork) -> None:
    """Raise ModelError if the two networks cannot be on one host."""
    _check_devices(network, other)
    _check_tags(network, other)
    _check_dataplanes(network, other)
    _check_addresses(network, other)


def check_connections(connection: IkeConnection, other: IkeConnection) -> None:
    """Raise ModelError if charon would confuse the two connections, or their peers."""
    _check_distinct(connection, other)
    _check_keys(connection, other)
    check_ppks(connection, other)


class Neighbors:
    """Connections by their identities and keys, to find those that affect one another.

    The search for the neighbors of one connection does not compare it with all connections.
    """

    def __init__(self, connections: t.Iterable[IkeConnection]) -> None:
        self._all = [item for item in connections if item.enabled]
        self._by_look: dict[tuple[object, ...], list[int]] = {}
        self._by_mark: dict[str, list[int]] = {}
        self._by_own_mark: dict[str, list[int]] = {}
        self._by_ppk: dict[str | None, list[int]] = {}
        self._open: list[int] = []
        for number, connection in enumerate(self._all):
            self._by_look.setdefault(_look(connection), []).append(number)
            self._by_ppk.setdefault(connection.ppk_mark, []).append(number)
            if connection.key is None:
                continue
            for mark in connection.key.marks:
                self._by_mark.setdefault(mark, []).append(number)
            self._by_own_mark.setdefault(connection.key.own_mark, []).append(number)
            if connection.key.is_open:
                self._open.append(number)

    def of(self, connection: IkeConnection) -> list[IkeConnection]:
        """Return the connections for which ``check_connections`` may fail, in their order."""
        if not connection.enabled:
            return []
        key = connection.key
        if key is not None and key.is_open:
            return list(self._all)
        found = {*self._by_look.get(_look(connection), ())}
        if connection.ppk_id is not None:
            found.update(self._by_ppk[connection.ppk_mark])
        if key is not None:
            found.update(self._open)
            found.update(self._by_mark.get(key.own_mark, ()))
            for mark in key.marks:
                found.update(self._by_mark.get(mark, ()))
                found.update(self._by_own_mark.get(mark, ()))
        return [self._all[number] for number in sorted(found)]


def _look(item: IkeConnection) -> tuple[object, ...]:
    """Return the part of a connection by which a responder selects it."""
    return item.local_address, item.remote_gateway, item.identifier, item.peer_identity


def _check_devices(network: VpnNetwork, other: VpnNetwork) -> None:
    if not network.attached and not other.attached and network.device == other.device:
        raise ModelError(
            "interface",
            network.device,
            f"is the interface of network {other.name}",
            "Use another name.",
            network.subject,
        )


def _check_addresses(network: VpnNetwork, other: VpnNetwork) -> None:
    """Refuse that one address leads to two interfaces."""
    if not (network.started and other.started) or network.device == other.device:
        return
    mine, theirs = network.on_link, other.on_link
    if mine and theirs and overlap(mine, theirs):
        raise ModelError(
            "network_address",
            str(mine),
            f"overlaps {theirs} of network {other.name}, which is on {other.device}",
            "Use a network that no other network of this host overlaps.",
            network.subject,
        )


def _check_tags(network: VpnNetwork, other: VpnNetwork) -> None:
    """Refuse one tag twice on an interface: Linux makes one VLAN of it."""

    def tag(item: VpnNetwork) -> tuple[object, ...]:
        return item.layer2_type, item.layer2_id, item.interface_network

    if network.layer2_type == "vlan" and tag(network) == tag(other):
        raise ModelError(
            "layer2_id",
            network.layer2_id,
            f"is the tag of network {other.name} on interface {network.interface_network}",
            f"Use another tag. To share the interface {other.device}, set interface_network to it "
            "and layer2_type to none.",
            network.subject,
        )


def check_carried_once(
    connections: t.Iterable[IkeConnection], checked: t.Container[tuple[str, str]]
) -> None:
    """Refuse that a checked child carries traffic of another child of these connections.

    ``checked`` are names of connections and children. A disabled phase 1 carries nothing.
    """
    places = [(connection, child) for connection in connections for child in connection.children]
    networks = (
        (selector.network, number)
        for number, (_connection, child) in enumerate(places)
        for selector in child.remote_network
    )
    pairs = {pair for one, other in overlapping_numbers(networks) for pair in _turned(one, other)}
    for number, other_number in sorted(pairs):
        (connection, child), (other, item) = places[number], places[other_number]
        if (connection.name, child.name) not in checked:
            continue
        if connection is other or (connection.enabled and other.enabled):
            check_no_overlap(child, item)


def _turned(one: int, other: int) -> tuple[tuple[int, int], ...]:
    return ((one, other), (other, one)) if one != other else ()


def check_routes(rule: VpnRule, other: VpnRule) -> None:
    """Refuse two routes to one destination: the second would replace the first."""
    if not (rule.enabled and other.enabled and rule.action == other.action == "route"):
        return
    others = {*other.destination}
    shared = [item for item in rule.destination if item in others]
    if shared:
        raise ModelError(
            "destination",
            str(shared[0]),
            f"has a route by {other.subject}",
            "Use another destination, or remove that rule.",
            rule.subject,
        )


def _check_dataplanes(network: VpnNetwork, other: VpnNetwork) -> None:
    # One daemon serves all networks, and its plugin kernel-libipsec takes over every SA.
    chosen = {network.dataplane, other.dataplane}
    if chosen == {"kernel", "userspace"}:
        raise ModelError(
            "dataplane",
            network.dataplane,
            f"contradicts dataplane {other.dataplane} of network {other.name}, because one IKE "
            "daemon serves both networks",
            f"Set dataplane to {other.dataplane} or auto.",
            network.subject,
        )


def _check_distinct(connection: IkeConnection, other: IkeConnection) -> None:
    """Refuse two connections that look alike to a responder: it would always use the first."""
    if connection.enabled and other.enabled and _look(connection) == _look(other):
        raise ModelError(
            "remote_gateway",
            connection.remote_gateway,
            f"is the peer of {other.subject}, with the same local_address and identities",
            "Set another remote_gateway, local_address, identifier or peer_identifier, or define a "
            f"further phase 2 of {other.subject}.",
            connection.subject,
        )


def _check_keys(connection: IkeConnection, other: IkeConnection) -> None:
    """Refuse that the holder of one key can pass for the peer of the other."""
    if not connection.enabled or not other.enabled:
        return
    way = intrusion(connection.key, other.key)
    if way:
        option = way.option_of(connection.subject)
        value = MASK if option == "psk" else getattr(connection, option)
        raise ModelError(option, value, str(way), way.fix, connection.subject)
