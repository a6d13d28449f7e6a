# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What a ``vpn_rule`` becomes in nftables.

A filter sees the addresses of the local side, before a source is translated and after a destination
was: its chains are at the hooks forward, input and output. A translation applies to what goes
through a tunnel whose local network has the translated address, and to nothing else.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from .._model.checks import IPNetwork
from .._model.rule import Ports, VpnRule
from .._model.rule_checks import FILTERS
from .._model.selector import ALL_PORTS, Service, overlap
from .nft_match import IP, RulesetInput, Services, TunnelMatch, protected, selector, traffic
from .nft_text import Chain, Rule, base, one_of, rule_with_comment

_HOOKS = ("forward", "input", "output")
# The hooks that a packet passes on its way out of a tunnel, and into one.
_PASSED = {"incoming": ("forward", "input"), "outgoing": ("forward", "output")}


@dataclass(frozen=True)
class Translation:
    """A rule as it applies to one tunnel.

    ``through`` is what the phase 2 says of this tunnel, ``inside`` the traffic with the addresses
    of the local side, and ``outside`` the same with those that it has in the tunnel.
    """

    rule: VpnRule
    through: TunnelMatch
    inside: TunnelMatch
    outside: TunnelMatch

    @property
    def of_source(self) -> bool:
        """Connections that go out are translated."""
        return self.rule.direction == "outgoing"

    @property
    def of_destination(self) -> bool:
        """Connections that come in are translated."""
        return self.rule.direction == "incoming" or self.rule.one_to_one


def translations(
    rules: RulesetInput, tunnels: t.Iterable[TunnelMatch] | None = None
) -> tuple[Translation, ...]:
    """The translations in ``tunnels``; in those that carry traffic where none are given."""
    through = rules.tunnels if tunnels is None else tuple(tunnels)
    return tuple(
        found
        for rule in rules.vpn_rules
        if rule.action == "translate"
        for tunnel in through
        for found in _in_tunnel(rule, tunnel)
    )


def _in_tunnel(rule: VpnRule, tunnel: TunnelMatch) -> t.Iterator[Translation]:
    if not tunnel.services.may_be(rule.protocol):
        return
    target = ipaddress.ip_network(str(rule.target))
    far = rule.destination if rule.direction == "outgoing" else rule.source
    ends = [(target, shared) for shared in common(tunnel.local, rule.destination)]
    if rule.direction == "outgoing":
        within = common(tunnel.local, [target]) == [target]
        ends = [(source, target) for source in rule.source if within]
    for remote in common(tunnel.remote, far) if far else [tunnel.remote]:
        for inside, outside in ends:
            yield Translation(
                rule,
                tunnel,
                TunnelMatch(
                    rule.name, inside, remote, (tunnel.local,), _inside(rule, tunnel.services)
                ),
                TunnelMatch(rule.name, outside, remote, (), tunnel.services),
            )


def _inside(rule: VpnRule, services: Services) -> Services:
    """The services with the port that hosts of the local side know."""
    if rule.target_port is None or services.local.ports == ALL_PORTS:
        return services
    ports = rule.target_port, rule.target_port
    return replace(services, local=Service(services.protocol, ports))


def common(network: IPNetwork, others: t.Iterable[IPNetwork]) -> list[IPNetwork]:
    """What a network has in common with others. Of two that overlap, one contains the other."""
    return [
        max(network, other, key=lambda item: item.prefixlen)
        for other in others
        if overlap(network, other)
    ]


def translating(rules: RulesetInput) -> tuple[Chain, ...]:
    """The first to be asked at their hooks: what they translate is settled for others."""
    found = translations(rules)
    return (
        Chain(
            "translate_source",
            base("nat", "postrouting", "srcnat - 20"),
            tuple(line for item in found if item.of_source for line in _source(rules, item)),
        ),
        Chain(
            "translate_destination",
            base("nat", "prerouting", "dstnat - 20"),
            tuple(
                line for item in found if item.of_destination for line in _destination(rules, item)
            ),
        ),
    )


def _source(rules: RulesetInput, item: Translation) -> tuple[Rule, ...]:
    ip = IP[item.inside.local.version]
    prefix = " prefix" if item.rule.one_to_one else ""
    match = going_out(rules, item)
    return _logged(rules, item.rule, match, f"snat {ip}{prefix} to {item.rule.target}")


def going_out(rules: RulesetInput, item: Translation) -> str:
    """The match of what a translation of sources is for, before it is translated."""
    return f"{traffic(rules, item.inside, inwards=False)}{_service(item.rule)}"


def _destination(rules: RulesetInput, item: Translation) -> tuple[Rule, ...]:
    ip = IP[item.inside.local.version]
    to = f"dnat {ip} to {_target(item.rule)}"
    if item.rule.one_to_one:
        to = f"dnat {ip} prefix to {item.inside.local}"
    arrived = f"{selector(item.outside, inwards=True)} {protected(rules, inwards=True)}"
    return _logged(rules, item.rule, f"{arrived}{_service(item.rule)}", to)


def _target(rule: VpnRule) -> str:
    if rule.target_port is None:
        return str(rule.target)
    host = f"[{rule.target}]" if rule.target and rule.target.version == 6 else str(rule.target)
    return f"{host}:{rule.target_port}"


def filtering(rules: RulesetInput) -> tuple[Chain, ...]:
    """A chain for each direction, and the jumps to them from the hooks."""
    judged = [direction for direction in _PASSED if _filters(rules, direction)]
    chains = [Chain(direction, "", _verdicts(rules, direction)) for direction in judged]
    for hook in _HOOKS:
        jumps = tuple(
            rule_with_comment(f"{way.match} jump {direction}", way.label)
            for direction in judged
            if hook in _PASSED[direction]
            for way in _ways(rules, direction)
        )
        chains.append(Chain(f"rules_{hook}", base("filter", hook, "filter - 5"), jumps))
    return tuple(chains)


def accepted(rules: RulesetInput, hook: str) -> tuple[tuple[int, Rule], ...]:
    """What the host's own chain at hook input or output must not drop, by IP version."""
    direction = {"input": "incoming", "output": "outgoing"}[hook]
    return tuple(
        (way.version, Rule(f"{way.match}{match} counter accept", rule.name))
        for rule in _filters(rules, direction)
        if rule.action == "accept"
        for way in _ways(rules, direction)
        # nft refuses what contradicts itself.
        if "any" in (rule.protocol, way.protocol) or rule.protocol == way.protocol
        if way.services.may_be(rule.protocol)
        for match in _match(rule, way.version)
    )


def _filters(rules: RulesetInput, direction: str) -> tuple[VpnRule, ...]:
    return tuple(
        rule
        for rule in rules.vpn_rules
        if rule.action in FILTERS and rule.direction == direction and not rule.cleartext
    )


def admitted(rules: RulesetInput) -> tuple[Rule, ...]:
    """The accepts for connections that may pass in cleartext, by their first packet.

    The match is the same for both directions of a connection and before and after a translation.
    """
    return tuple(
        Rule(line.expression.lstrip(), line.comment)
        for rule in rules.vpn_rules
        if rule.cleartext
        for match in _connections(rule)
        for line in _logged(rules, rule, match, "counter accept")
    )


def _connections(rule: VpnRule) -> tuple[str, ...]:
    """The match of the connections that a rule names, one for each IP version."""
    found = []
    for version in (4, 6):
        ends = (("saddr", rule.source), ("daddr", rule.destination))
        own = {end: [item for item in side if item.version == version] for end, side in ends}
        if all(own[end] for end, side in ends if side):
            addresses = "".join(
                f" ct original {IP[version]} {end} {one_of(items)}"
                for end, items in own.items()
                if items
            )
            found.append(f"{addresses}{_original_service(rule)}")
    return tuple(found)


def _original_service(rule: VpnRule) -> str:
    """The protocol and the ports of the first packet; a blank is in front."""
    if rule.protocol == "any":
        return ""
    ends = (("proto-src", rule.source_ports), ("proto-dst", rule.destination_ports))
    ports = "".join(f" ct original {end} {one_of(items)}" for end, items in ends if items)
    return f" meta l4proto {_NUMBERS[rule.protocol]}{ports}"


@dataclass(frozen=True)
class _Way:
    """Traffic of a tunnel in one direction, as the local side sees it."""

    match: str
    label: str
    version: int
    services: Services
    protocol: str = "any"


def _ways(rules: RulesetInput, direction: str) -> list[_Way]:
    found = translations(rules)
    if direction == "incoming":
        arrived = protected(rules, inwards=True)
        return [
            _Way(
                f"{selector(item, inwards=True)} {arrived}",
                item.label,
                item.local.version,
                item.services,
            )
            for item in (*rules.tunnels, *(item.inside for item in found))
        ]
    return [
        _Way(traffic(rules, item, inwards=False), item.label, item.local.version, item.services)
        for item in rules.tunnels
    ] + [
        _Way(
            going_out(rules, item),
            item.rule.name,
            item.inside.local.version,
            item.inside.services,
            item.rule.protocol,
        )
        for item in found
        if item.of_source
    ]


def _verdicts(rules: RulesetInput, direction: str) -> tuple[Rule, ...]:
    """A rule is about who opens a connection: what answers passes."""
    lines = [Rule("ct direction reply accept", "replies")]
    for rule in _filters(rules, direction):
        for match in _matches(rule):
            for statement in _statements(rule):
                lines += _logged(rules, rule, match, statement)
    return tuple(Rule(line.expression.lstrip(), line.comment) for line in lines)


def _statements(rule: VpnRule) -> tuple[str, ...]:
    if rule.action != "reject":
        return (f"counter {rule.action}",)
    reset, unreachable = (
        "counter reject with tcp reset",
        "counter reject with icmpx admin-prohibited",
    )
    either = (f"meta l4proto 6 {reset}", unreachable)
    return {"any": either, "tcp": (reset,)}.get(rule.protocol, (unreachable,))


def _logged(rules: RulesetInput, rule: VpnRule, match: str, statement: str) -> tuple[Rule, ...]:
    """The rule; before it one that logs new connections, not so many as to fill a disk."""
    line = Rule(f"{match} {statement}", rule.name)
    if not rule.log:
        return (line,)
    prefix = f'log prefix "tunnelwright-{rules.network} {rule.name}: "'
    return Rule(f"{match} ct state new limit rate 10/second {prefix}", rule.name), line


def _matches(rule: VpnRule) -> tuple[str, ...]:
    """One for each IP version that the addresses of a rule are of; a blank is in front."""
    if not rule.source and not rule.destination:
        return _match(rule, 4)
    return _match(rule, 4) + _match(rule, 6)


def _match(rule: VpnRule, version: int) -> tuple[str, ...]:
    """The one for an IP version; none where the rule has addresses of the other alone."""
    ends = [("saddr", rule.source), ("daddr", rule.destination)]
    addresses = ""
    for end, side in ends:
        own = [item for item in side if item.version == version]
        if side and not own:
            return ()
        addresses += f" {IP[version]} {end} {one_of(own)}" if own else ""
    return (f"{addresses}{_service(rule)}",)


_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "{ 1, 58 }"}


def _service(rule: VpnRule) -> str:
    """Protocol and ports; a blank is in front."""
    if rule.protocol == "any":
        return ""
    ports = _ports(rule, "sport", rule.source_ports) + _ports(rule, "dport", rule.destination_ports)
    return f" meta l4proto {_NUMBERS[rule.protocol]}{ports}"


def _ports(rule: VpnRule, end: str, ports: tuple[Ports, ...]) -> str:
    return f" {rule.protocol} {end} {one_of(ports)}" if ports else ""
