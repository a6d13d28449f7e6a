# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The guard against cleartext: traffic of a tunnel passes in the tunnel, or not at all.

The guard holds while the tunnel is down, switched off, or not loaded. It checks a packet that
leaves last of all, after every translation. It checks a packet that arrives before any translation.
A ``vpn_rule`` with ``cleartext`` admits the connections that it names.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.selector import overlap
from .._model.traffic import is_internet
from .blocks import UNBLOCKED
from .nft_guard_sets import GuardSets, guard_sets, with_ports
from .nft_match import (
    IP,
    HostPair,
    RulesetInput,
    TunnelMatch,
    arrived_in_cleartext,
    leaves_in_cleartext,
    to_remote,
    traffic,
)
from .nft_rules import admitted, going_out
from .nft_sets import TUNNELS
from .nft_text import Chain, NftSet, Rule, base, rule_with_comment
from .translations import translations


@dataclass(frozen=True)
class Guard:
    """The chains of the guard, and the sets that their rules look up."""

    chains: tuple[Chain, ...]
    sets: tuple[NftSet, ...]


def guard(rules: RulesetInput) -> Guard:
    """Return the guard of a network. A chain without a drop is empty."""
    tunnels = guarded(rules)
    sets = guard_sets(rules, tunnels)
    leaks = _leaks(rules, sets)
    chains = (
        Chain(
            "unblocked",
            base("filter", "prerouting", "mangle - 10"),
            _unblocked(rules, tunnels),
        ),
        Chain(
            "no_cleartext_in",
            base("filter", "prerouting", "mangle - 10"),
            _accepts_then_drops(
                (*_service("iifname", "dport", "daddr"), *admitted(rules)), _arriving(rules, sets)
            ),
        ),
        Chain(
            "no_leak_forward",
            base("filter", "forward", "filter - 10"),
            # Before a translation in another table, which hides the source.
            _accepts_then_drops((*_translated_later(rules), *admitted(rules)), leaks),
        ),
        Chain(
            "no_leak_postrouting",
            base("filter", "postrouting", "srcnat + 10"),
            _accepts_then_drops(
                (*_service("oifname", "sport", "saddr"), *admitted(rules)),
                leaks + _leaving(rules, sets, tunnels),
            ),
        ),
    )
    return Guard(chains, sets.all)


def _accepts_then_drops(accepts: tuple[Rule, ...], drops: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return accepts + drops if drops else ()


def _service(device: str, port: str, address: str) -> tuple[Rule, ...]:
    """Return the accepts for packets that a gateway sends and receives, and that are no leak."""
    own = f"fib {address} type local"
    discovery = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }"
    return (
        Rule(f'{device} "lo" accept', "to this host"),
        Rule(f"udp {port} {{ 500, 4500 }} {own} accept", "IKE and NAT traversal"),
        Rule(f"meta l4proto {{ 50, 51 }} {own} accept", "ESP and AH"),
        # A router forwards no packet with this hop limit (RFC 4861 section 7.1).
        Rule(f"ip6 hoplimit 255 {discovery} accept", "neighbor discovery"),
    )


def guarded(rules: RulesetInput) -> tuple[TunnelMatch, ...]:
    """Return the selectors whose traffic must not pass in cleartext, of tunnels on and off.

    A tunnel that is off translates nothing, so that its traffic has the addresses of this side.
    """
    untranslated = (item.inside for item in translations(rules, rules.dormant))
    return (*rules.tunnels, *rules.dormant, *dict.fromkeys(untranslated))


def _looked_up(condition: str, sets: t.Iterable[NftSet]) -> tuple[Rule, ...]:
    """Return the drops of packets in sets. An element counts them, because it is looked up last."""
    return tuple(Rule(f"{condition} {item.lookup} counter drop", TUNNELS) for item in sets)


def _arriving(rules: RulesetInput, sets: GuardSets) -> tuple[Rule, ...]:
    """Return the drops of packets that arrive.

    A host whose address is translated has two addresses, and neither is for cleartext.
    """
    arrived = arrived_in_cleartext(rules)
    inside = dict.fromkeys(item.inside for item in translations(rules))
    tunnels = tuple(
        rule_with_comment(
            f"{traffic(rules, tunnel, inwards=True)} {arrived} counter drop", tunnel.label
        )
        for tunnel in (*sets.tunnels.rest, *inside)
    )
    hosts = tuple(
        rule_with_comment(f"{_between(pair, 'saddr', 'daddr')} {arrived} counter drop", pair.label)
        for pair in with_ports(rules)
    )
    looked_up = (
        *_looked_up(arrived, sets.tunnels.arriving + sets.hosts.arriving),
        *_looked_up(f"{arrived} fib daddr type local", sets.peers_arriving),
    )
    return looked_up + tunnels + hosts


def _unblocked(rules: RulesetInput, tunnels: t.Sequence[TunnelMatch]) -> tuple[Rule, ...]:
    """Return the rules that mark packets whose tunnel another tunnel would block.

    The kernel looks for a block before it translates a source. The untranslated packet may be
    traffic of another tunnel, which is down. Without these rules, the block holds. The kernel looks
    at packets of the gateway itself before any rule, so that these stay blocked.
    """
    if rules.userspace:
        return ()
    return tuple(
        Rule(
            f"{going_out(rules, item)} meta mark set meta mark | {UNBLOCKED}",
            item.rule.name,
        )
        for item in translations(rules)
        if item.of_source and any(_overlap(item.inside, tunnel) for tunnel in tunnels)
    )


def _overlap(one: TunnelMatch, other: TunnelMatch) -> bool:
    return overlap(one.local, other.local) and overlap(one.remote, other.remote)


def _translated_later(rules: RulesetInput) -> tuple[Rule, ...]:
    """Return the accepts for packets that the guard checks again after their translation."""
    return tuple(
        Rule(f"{going_out(rules, item)} accept", item.rule.name)
        for item in translations(rules)
        if item.of_source
    )


def _leaks(rules: RulesetInput, sets: GuardSets) -> tuple[Rule, ...]:
    """Return the drops of packets that leave the local network."""
    leaves = leaves_in_cleartext(rules)
    return _looked_up(leaves, sets.tunnels.leaving) + tuple(
        rule_with_comment(
            f"{traffic(rules, tunnel, inwards=False)} {leaves} counter drop", tunnel.label
        )
        for tunnel in sets.tunnels.rest
    )


def _leaving(
    rules: RulesetInput, sets: GuardSets, tunnels: t.Sequence[TunnelMatch]
) -> tuple[Rule, ...]:
    """Return the drops after ``_leaks``: packets of the gateway, then of any other source.

    An answer to a connection that another source did not open itself is no leak.
    """
    leaves = leaves_in_cleartext(rules)
    local = (
        *_looked_up(leaves, sets.hosts.leaving),
        *_looked_up(f"{leaves} fib saddr type local", sets.peers_leaving),
        *(_host_leak(rules, pair) for pair in with_ports(rules)),
        *_missed(rules),
        *(_hidden(rules, tunnel) for tunnel in tunnels if is_internet(tunnel.remote)),
    )
    other = _other_sources(rules, sets)
    answers = Rule("ct state established ct direction reply accept", "answers")
    return (*local, answers, *other) if other else local


def _other_sources(rules: RulesetInput, sets: GuardSets) -> tuple[Rule, ...]:
    """Return the drops for the gateway itself, and for networks that no selector names."""
    leaves = leaves_in_cleartext(rules)
    looked_up = tuple(
        Rule(
            f"{leaves} {within.typeof} != @{within.name} {remote.lookup} counter drop",
            f"{TUNNELS}: other",
        )
        for remote, within in zip(sets.remote, sets.within)
    )
    drops = (
        _other_source(rules, tunnel)
        for tunnel in sets.tunnels.rest
        if not is_internet(tunnel.remote)
    )
    return looked_up + tuple(dict.fromkeys(drops))


def _host_leak(rules: RulesetInput, pair: HostPair) -> Rule:
    match = _between(pair, "daddr", "saddr")
    return rule_with_comment(f"{match} {leaves_in_cleartext(rules)} counter drop", pair.label)


def _between(pair: HostPair, remote_end: str, local_end: str) -> str:
    ip = IP[pair.remote.version]
    service = pair.services.match(inwards=remote_end == "saddr")
    local = f"{ip} {local_end} {pair.local}"
    if pair.local is None:
        local = f"fib {local_end} type local"
    return f"{ip} {remote_end} {pair.remote} {local}{service}"


def _missed(rules: RulesetInput) -> tuple[Rule, ...]:
    """Return the drops of untranslated packets: their connection is older than the rule, say."""
    return tuple(
        Rule(f"{going_out(rules, item)} {leaves_in_cleartext(rules)} counter drop", item.rule.name)
        for item in translations(rules)
        if item.of_source
    )


def _hidden(rules: RulesetInput, tunnel: TunnelMatch) -> Rule:
    """Return the drop of a source that another table translates.

    The connection is older than the tunnel.
    """
    source = f"ct direction original ct original {IP[tunnel.local.version]} saddr {tunnel.local}"
    match = f"{source} {to_remote(rules, tunnel)}"
    return rule_with_comment(f"{match} {leaves_in_cleartext(rules)} counter drop", tunnel.label)


def _other_source(rules: RulesetInput, tunnel: TunnelMatch) -> Rule:
    """Return the drop for the gateway itself, and for networks that no selector names."""
    source = f"{IP[tunnel.remote.version]} saddr != {tunnel.remote}"
    match = f"{source} {to_remote(rules, tunnel)}"
    return rule_with_comment(
        f"{match} {leaves_in_cleartext(rules)} counter drop", f"{tunnel.label}: other"
    )
