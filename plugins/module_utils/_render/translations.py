# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The translations of a network: each ``vpn_rule`` with the action ``translate``, by tunnel."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from .._model.checks import IPNetwork
from .._model.rule import VpnRule
from .._model.selector import ALL_PORTS, Service, overlap
from .nft_match import RulesetInput, Services, TunnelMatch


@dataclass(frozen=True)
class Translation:
    """A rule as it applies to one tunnel.

    ``through`` are the selectors of the phase 2. ``inside`` is the traffic with the addresses of
    the local side. ``outside`` is the same traffic with the addresses that it has in the tunnel.
    """

    rule: VpnRule
    through: TunnelMatch
    inside: TunnelMatch
    outside: TunnelMatch

    @property
    def of_source(self) -> bool:
        """Return whether connections that go out are translated."""
        return self.rule.direction == "outgoing"

    @property
    def of_destination(self) -> bool:
        """Return whether connections that come in are translated."""
        return self.rule.direction == "incoming" or self.rule.one_to_one


def translations(
    rules: RulesetInput, tunnels: t.Iterable[TunnelMatch] | None = None
) -> tuple[Translation, ...]:
    """Return the translations in ``tunnels``, by default in the tunnels that are on."""
    through = rules.tunnels if tunnels is None else tuple(tunnels)
    return tuple(
        translation
        for rule in rules.vpn_rules
        if rule.action == "translate"
        for tunnel in through
        for translation in _in_tunnel(rule, tunnel)
    )


def _in_tunnel(rule: VpnRule, tunnel: TunnelMatch) -> t.Iterator[Translation]:
    """Yield the translations of a rule in one tunnel."""
    if not tunnel.services.may_be(rule.protocol):
        return
    services = _inside(rule, tunnel.services)
    for remote in _remote_networks(rule, tunnel):
        for inside, outside in _local_networks(rule, tunnel):
            yield Translation(
                rule,
                tunnel,
                TunnelMatch(rule.name, inside, remote, (tunnel.local,), services),
                TunnelMatch(rule.name, outside, remote, (), tunnel.services),
            )


def _remote_networks(rule: VpnRule, tunnel: TunnelMatch) -> list[IPNetwork]:
    """Return the remote networks that a rule names, within the remote network of a tunnel."""
    named = rule.destination if rule.direction == "outgoing" else rule.source
    return common(tunnel.remote, named) if named else [tunnel.remote]


def _local_networks(rule: VpnRule, tunnel: TunnelMatch) -> list[tuple[IPNetwork, IPNetwork]]:
    """Return pairs of local networks: as the hosts have them, and as the tunnel has them."""
    target = ipaddress.ip_network(str(rule.target))
    if rule.direction == "incoming":
        return [(target, shared) for shared in common(tunnel.local, rule.destination)]
    if common(tunnel.local, [target]) != [target]:
        # The tunnel does not carry the translated addresses.
        return []
    return [(source, target) for source in rule.source]


def _inside(rule: VpnRule, services: Services) -> Services:
    """Return the services with the port that hosts of the local side know."""
    if rule.target_port is None or services.local.ports == ALL_PORTS:
        return services
    ports = rule.target_port, rule.target_port
    return replace(services, local=Service(services.protocol, ports))


def common(network: IPNetwork, others: t.Iterable[IPNetwork]) -> list[IPNetwork]:
    """Return the parts of a network that others contain, and the others that it contains."""
    return [
        max(network, other, key=lambda item: item.prefixlen)
        for other in others
        if overlap(network, other)
    ]
