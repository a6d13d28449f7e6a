# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The nftables rules of a ``vpn_rule``.

A filter sees the addresses of the local side: before a source is translated, and after a
destination was. Its chains are at the hooks forward, input and output. A translation applies only
to packets through a tunnel whose local network has the translated address.
"""

from __future__ import annotations

from dataclasses import replace

from .._model.rule import Ports, VpnRule
from .._model.rule_checks import FILTERS
from .nft_match import IP, RulesetInput, protected, selector, traffic
from .nft_sets import TunnelSets, TunnelTraffic, tunnel_sets
from .nft_text import Chain, Rule, base, one_of, rule_with_comment
from .translations import Translation, translations

_HOOKS = ("forward", "input", "output")
# The hooks that a packet passes on its way out of a tunnel, and into one.
_PASSED = {"incoming": ("forward", "input"), "outgoing": ("forward", "output")}


def translating(rules: RulesetInput) -> tuple[Chain, ...]:
    """Return the chains of the translations.

    They are the first at their hooks. So no other table translates their connections.
    """
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
    """Return the match of the packets whose source is to be translated, before that."""
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


def filtering(rules: RulesetInput, tunnels: TunnelSets) -> tuple[Chain, ...]:
    """Return a chain for each direction, and the chains at the hooks that jump to them."""
    filtered = [direction for direction in _PASSED if _filters(rules, direction)]
    chains = [Chain(direction, "", _verdicts(rules, direction)) for direction in filtered]
    for hook in _HOOKS:
        jumps = tuple(
            rule_with_comment(f"{tunnel.match} jump {direction}", tunnel.label)
            for direction in filtered
            if hook in _PASSED[direction]
            for tunnel in _tunnel_traffic(rules, tunnels, direction)
        )
        chains.append(Chain(f"rules_{hook}", base("filter", hook, "filter - 5"), jumps))
    return tuple(chains)


def accepted(rules: RulesetInput, hook: str) -> tuple[tuple[int, Rule], ...]:
    """Return the accepts for a chain of the host at hook input or output, by IP version."""
    direction = {"input": "incoming", "output": "outgoing"}[hook]
    filters = [rule for rule in _filters(rules, direction) if rule.action == "accept"]
    if not filters:
        return ()
    found = _tunnel_traffic(rules, tunnel_sets(rules), direction, inline=True)
    return tuple(
        (tunnel.version, Rule(f"{tunnel.match}{match} counter accept", rule.name))
        for rule in filters
        for tunnel in found
        # nft refuses a match that contradicts itself.
        if "any" in (rule.protocol, tunnel.protocol) or rule.protocol == tunnel.protocol
        if tunnel.services.may_be(rule.protocol)
        for match in _match(rule, tunnel.version)
    )


def _filters(rules: RulesetInput, direction: str) -> tuple[VpnRule, ...]:
    return tuple(
        rule
        for rule in rules.vpn_rules
        if rule.action in FILTERS and rule.direction == direction and not rule.cleartext
    )


def admitted(rules: RulesetInput) -> tuple[Rule, ...]:
    """Return the accepts for connections that may pass in cleartext, by their first packet.

    The match is the same in both directions of a connection, and before and after a translation.
    """
    return tuple(
        Rule(line.expression.lstrip(), line.comment)
        for rule in rules.vpn_rules
        if rule.cleartext
        for match in _connections(rule)
        for line in _logged(rules, rule, match, "counter accept")
    )


def _connections(rule: VpnRule) -> tuple[str, ...]:
    """Return the matches of the connections that a rule names, one for each IP version."""
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
    """Return the match of protocol and ports of the first packet, with a blank in front."""
    if rule.protocol == "any":
        return ""
    ends = (("proto-src", rule.source_ports), ("proto-dst", rule.destination_ports))
    ports = "".join(f" ct original {end} {one_of(items)}" for end, items in ends if items)
    return f" meta l4proto {_NUMBERS[rule.protocol]}{ports}"


def _tunnel_traffic(
    rules: RulesetInput, tunnels: TunnelSets, direction: str, *, inline: bool = False
) -> list[TunnelTraffic]:
    """Return the traffic of the tunnels in one direction, translated traffic last.

    Packets that arrive have come out of a tunnel.
    """
    translated = translations(rules)
    if direction == "outgoing":
        return [
            *tunnels.traffic(rules, inwards=False, apart=True, inline=inline),
            *(_before_translation(rules, item) for item in translated if item.of_source),
        ]
    arriving = tunnels.traffic(rules, inwards=True, inline=inline)
    for tunnel in (item.inside for item in translated):
        match = selector(tunnel, inwards=True)
        arriving.append(TunnelTraffic(match, tunnel.label, tunnel.local.version, tunnel.services))
    protection = protected(rules, inwards=True)
    return [replace(item, match=f"{item.match} {protection}") for item in arriving]


def _before_translation(rules: RulesetInput, item: Translation) -> TunnelTraffic:
    inside, rule = item.inside, item.rule
    match = going_out(rules, item)
    return TunnelTraffic(match, rule.name, inside.local.version, inside.services, rule.protocol)


def _verdicts(rules: RulesetInput, direction: str) -> tuple[Rule, ...]:
    """Return the rules of a direction. They match new connections, and replies always pass."""
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
    """Return the rule, after a rule that logs new connections if the rule logs.

    The rate of the log is limited, so that it does not fill a disk.
    """
    line = Rule(f"{match} {statement}", rule.name)
    if not rule.log:
        return (line,)
    prefix = f'log prefix "tunnelwright-{rules.network} {rule.name}: "'
    return Rule(f"{match} ct state new limit rate 10/second {prefix}", rule.name), line


def _matches(rule: VpnRule) -> tuple[str, ...]:
    """Return the matches of a rule, one for each IP version, with a blank in front."""
    if not rule.source and not rule.destination:
        return _match(rule, 4)
    return _match(rule, 4) + _match(rule, 6)


def _match(rule: VpnRule, version: int) -> tuple[str, ...]:
    """Return the match for an IP version; none if the rule has addresses of the other only."""
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
    """Return the match of protocol and ports, with a blank in front."""
    if rule.protocol == "any":
        return ""
    ports = _ports(rule, "sport", rule.source_ports) + _ports(rule, "dport", rule.destination_ports)
    return f" meta l4proto {_NUMBERS[rule.protocol]}{ports}"


def _ports(rule: VpnRule, end: str, ports: tuple[Ports, ...]) -> str:
    return f" {rule.protocol} {end} {one_of(ports)}" if ports else ""
