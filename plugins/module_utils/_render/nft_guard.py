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

from .._model.traffic import is_internet
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
from .nft_text import Chain, Rule, base, rule_with_comment
from .translations import translations


def guard(rules: RulesetInput) -> tuple[Chain, ...]:
    """Return the chains of the guard. A chain without a drop is empty."""
    leaks = tuple(_leak(rules, tunnel) for tunnel in guarded(rules))
    return (
        Chain(
            "no_cleartext_in",
            base("filter", "prerouting", "mangle - 10"),
            _accepts_then_drops(
                (*_service("iifname", "dport", "daddr"), *admitted(rules)), _arriving(rules)
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
                (*_service("oifname", "sport", "saddr"), *admitted(rules)), leaks + _leaving(rules)
            ),
        ),
    )


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


def _arriving(rules: RulesetInput) -> tuple[Rule, ...]:
    """Return the drops of packets that arrive.

    A host whose address is translated has two addresses, and neither is for cleartext.
    """
    arrived = f"{arrived_in_cleartext(rules)} counter drop"
    inside = dict.fromkeys(item.inside for item in translations(rules))
    tunnels = tuple(
        rule_with_comment(f"{traffic(rules, tunnel, inwards=True)} {arrived}", tunnel.label)
        for tunnel in (*guarded(rules), *inside)
    )
    hosts = tuple(
        rule_with_comment(f"{_between(pair, 'saddr', 'daddr')} {arrived}", pair.label)
        for pair in rules.hosts
    )
    return tunnels + hosts


def _translated_later(rules: RulesetInput) -> tuple[Rule, ...]:
    """Return the accepts for packets that the guard checks again after their translation."""
    return tuple(
        Rule(f"{going_out(rules, item)} accept", item.rule.name)
        for item in translations(rules)
        if item.of_source
    )


def _leak(rules: RulesetInput, tunnel: TunnelMatch) -> Rule:
    """Return the drop of packets that leave the local network."""
    match = traffic(rules, tunnel, inwards=False)
    return rule_with_comment(f"{match} {leaves_in_cleartext(rules)} counter drop", tunnel.label)


def _leaving(rules: RulesetInput) -> tuple[Rule, ...]:
    """Return the drops after ``_leak``: packets of the gateway, then of any other source.

    An answer to a connection that another source did not open itself is no leak.
    """
    local = (
        *(_host_leak(rules, pair) for pair in rules.hosts),
        *_missed(rules),
        *(_hidden(rules, tunnel) for tunnel in guarded(rules) if is_internet(tunnel.remote)),
    )
    other = dict.fromkeys(
        _other_source(rules, tunnel) for tunnel in guarded(rules) if not is_internet(tunnel.remote)
    )
    answers = Rule("ct state established ct direction reply accept", "answers")
    return (*local, answers, *other) if other else local


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
