# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The input of the nftables rules of a network, from the objects of the network."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from ipaddress import ip_network

from .._model.checks import IPAddress
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.rule import VpnRule
from .._model.selector import ANY_SERVICE, TrafficSelector
from .network_view import NetworkView
from .nft_match import HostPair, RulesetInput, Services, TunnelMatch

_Child = tuple[IkeConnection, ChildSa]


def ruleset_input(view: NetworkView, *, userspace: bool) -> RulesetInput:
    """Return the tunnels, peers, settings and rules of a network.

    A network that is switched off accepts no peer, and keeps the guard against cleartext.
    """
    network, settings = view.network, view.settings
    enabled_rules = tuple(rule for rule in view.rules if rule.enabled)
    children = [
        (connection, child) for connection in view.connections for child in connection.children
    ]
    on: list[_Child] = []
    off: list[_Child] = []
    for connection, child in children:
        active = view.is_active(connection) and child.enabled
        (on if active else off).append((connection, child))
    guard = RulesetInput(
        network=view.name,
        peers=(),
        own=network.network_address,
        excludes_own=settings.exclude_my_network,
        dormant=_selectors(off),
        hosts=_host_pairs(children),
        userspace=userspace,
        vpn_rules=tuple(rule for rule in enabled_rules if _is_of_guard(rule)),
    )
    if not network.started:
        return guard
    return replace(
        guard,
        ike_interfaces=network.ike_interfaces,
        # The peers of a conf text are not known.
        peers=None if settings.swanctl_conf else _peers(view.connections),
        tunnels=_selectors(on),
        mss_clamp=settings.mss_clamp,
        ipcomp=settings.ipcomp,
        chains=network.firewall_chains,
        vpn_rules=enabled_rules,
    )


def _is_of_guard(rule: VpnRule) -> bool:
    """Return whether the guard depends on a rule."""
    return rule.cleartext or rule.action == "translate"


def _selectors(children: t.Iterable[_Child]) -> tuple[TunnelMatch, ...]:
    """Return the selectors of phase 2 objects in tunnel mode."""
    return tuple(
        TunnelMatch(
            f"{connection.name}/{child.name}",
            local.network,
            remote.network,
            services=Services(local.service, remote.service),
            peer=connection.peer_address,
        )
        for connection, child in children
        if child.mode == "tunnel"
        for local, remote in child.selector_pairs
    )


def _host_pairs(children: t.Iterable[_Child]) -> tuple[HostPair, ...]:
    """Return the selectors of phase 2 objects in transport mode, if the peer has an address."""
    return tuple(
        HostPair(
            f"{connection.name}/{child.name}",
            local.network if local else None,
            remote.network,
            Services(local.service if local else ANY_SERVICE, remote.service),
        )
        for connection, child in children
        if child.mode == "transport"
        for remote in child.remote_network or _host(connection.peer_address)
        for local in child.local_network or _host(connection.local_address) or (None,)
        if local is None or local.fits(remote)
    )


def _host(address: IPAddress | str | None) -> tuple[TrafficSelector, ...]:
    """Return the selector of all traffic of an address; none without an address."""
    return () if address is None else (TrafficSelector(ip_network(address)),)


def _peers(connections: t.Sequence[IkeConnection]) -> tuple[IPAddress, ...] | None:
    """Return the addresses to which the IKE rules can be narrowed; None for any address.

    A network without an enabled phase 1 has no peer. The address of a mobile peer (RFC 4555) and
    of one behind a name or ``%any`` is not known beforehand.
    """
    addresses = []
    for connection in connections:
        if not connection.enabled:
            continue
        address = connection.peer_address
        if address is None or connection.mobike:
            return None
        addresses.append(address)
    return tuple(sorted(set(addresses), key=lambda item: (item.version, int(item))))
