# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The nftables table of a network, and its rules for base chains of other tables.

Protocols are written as numbers: their names need /etc/protocols, where 4 is ``ipencap`` and
``ipip`` is 94.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._model.network import ForeignChain
from .nft_guard import guard
from .nft_match import IP, HostPair, RulesetInput, TunnelMatch, protected, selector, traffic
from .nft_rules import accepted, filtering, going_out, translating
from .nft_sets import TunnelSets, tunnel_sets
from .nft_text import (
    LONGEST_COMMENT,
    Chain,
    NftSet,
    Rule,
    SetElement,
    Table,
    base,
    render,
    rule_with_comment,
    set_of,
)
from .translations import translations

__all__ = [
    "HOOKS",
    "LONGEST_COMMENT",
    "Chain",
    "HostPair",
    "Rule",
    "RulesetInput",
    "Table",
    "TunnelMatch",
    "comment_prefix",
    "hook_rules",
    "mirror_chain",
    "render",
    "table",
    "table_name",
]

TABLE_PREFIX = "tunnelwright-"
HOOKS = ("input", "forward", "output")

_FAMILY_VERSIONS = {"inet": (4, 6), "ip": (4,), "ip6": (6,)}

# The services that a gateway offers to its peers, {port} being the port on our side.
_SERVICES = (
    ("IKE", "udp {port} 500"),
    ("NAT traversal", "udp {port} 4500"),
    ("ESP", "meta l4proto 50"),
    ("AH", "meta l4proto 51"),
)
# A router reports by these that ESP no longer fits (RFC 4301 section 8.2). Without: a black hole.
_PATH_MTU = {
    4: "icmp type destination-unreachable icmp code frag-needed",
    6: "icmpv6 type packet-too-big",
}


def table_name(network: str) -> str:
    return f"{TABLE_PREFIX}{network}"


def comment_prefix(network: str) -> str:
    """Return the beginning of the comments by which rules in unmanaged chains are found again."""
    return f"{table_name(network)}: "


def table(rules: RulesetInput) -> Table:
    """Return the table of a network. A chain without rules is left out."""
    services = _services(rules, _IN, (4, 6), inline=False)
    tunnels = tunnel_sets(rules)
    guarded = guard(rules)
    chains = (
        Chain("allow_input", base("filter", "input", "filter - 10"), services),
        *translating(rules),
        # In another table an accept would not stop a masquerade. But a source NAT to the address
        # that the source has already settles the NAT of the connection.
        Chain(
            "nat_exemption",
            base("nat", "postrouting", "srcnat - 10"),
            _nat_exemptions(rules, tunnels),
        ),
        *guarded.chains,
        *filtering(rules, tunnels),
        # Where packets have the addresses that they have in the tunnel, translated or not.
        Chain(
            "clamp_mss_in",
            base("filter", "prerouting", "mangle"),
            _clamps(rules, tunnels, inwards=True),
        ),
        Chain(
            "clamp_mss_out",
            base("filter", "postrouting", "srcnat + 10"),
            _clamps(rules, tunnels, inwards=False),
        ),
    )
    sets = (*_peer_sets(rules), *tunnels.all, *guarded.sets)
    return Table(table_name(rules.network), tuple(chain for chain in chains if chain.rules), sets)


def hook_rules(rules: RulesetInput, hook: str, family: str = "inet") -> tuple[Rule, ...]:
    """Return the accepts for an unmanaged base chain, by its hook and family.

    A hook that is not among HOOKS has none. Only a ``vpn_rule`` accepts decrypted packets to
    services of the gateway itself.
    """
    versions = _FAMILY_VERSIONS[family]
    accepts: tuple[Rule, ...] = ()
    if hook == "input":
        accepts = _services(rules, _IN, versions) + _asked(rules, hook, versions)
    elif hook == "output":
        accepts = _services(rules, _OUT, versions) + _asked(rules, hook, versions)
    elif hook == "forward":
        accepts = _forwards(rules, versions)
    prefix = comment_prefix(rules.network)
    return tuple(rule_with_comment(item.expression, prefix + item.comment) for item in accepts)


def mirror_chain(rules: RulesetInput, chain: ForeignChain, hook: str) -> str:
    """Render a copy of an unmanaged chain that holds the rules of the network alone.

    Loaded in an empty namespace, it shows how nft lists these rules.
    """
    lines = [
        f"table {chain.family} {chain.table} {{",
        f"\tchain {chain.chain} {{",
        f"\t\t{base('filter', hook, 'filter')}",
        *(f"\t\t{rule}" for rule in hook_rules(rules, hook, chain.family)),
        "\t}",
        "}",
    ]
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class _Keywords:
    """The words by which a rule names the WAN interface, the peer and our own side."""

    device: str
    peer: str
    port: str
    local: str


_IN = _Keywords("iifname", "saddr", "dport", "fib daddr type local ")
_OUT = _Keywords("oifname", "daddr", "sport", "")


def _services(
    rules: RulesetInput, words: _Keywords, versions: tuple[int, ...], *, inline: bool = True
) -> tuple[Rule, ...]:
    """Return the rules for packets that a peer may send to this host, or this host to a peer."""
    scopes = _scopes(rules, words, versions, inline=inline)
    made = [
        Rule(f"{scope}{match.format(port=words.port)} counter accept", name)
        for name, match in _SERVICES
        for scope in scopes
    ]
    if words is _OUT:
        return tuple(made)
    if rules.ipcomp and not rules.userspace:
        # Packets not worth compressing come out of ESP as IP in IP, and pass this chain again.
        made += [
            Rule(f"{scope}meta ipsec exists meta l4proto {{ 4, 41 }} counter accept", "IPComp")
            for scope in scopes
        ]
    made += [
        Rule(f"{_device(rules, words)}{words.local}{_PATH_MTU[version]} counter accept", "path MTU")
        for version in versions
        if rules.peers is None or any(peer.version == version for peer in rules.peers)
    ]
    return tuple(made)


def _scopes(
    rules: RulesetInput, words: _Keywords, versions: tuple[int, ...], *, inline: bool
) -> tuple[str, ...]:
    """Return the matches of WAN interfaces, peers and this host, one for each IP version."""
    device = _device(rules, words)
    if rules.peers is None:
        return (f"{device}{words.local}",)
    return tuple(
        f"{device}{item.inline if inline else item.lookup} {words.local}"
        for version in versions
        for item in _peer_sets(rules, words.peer)
        if item.name == f"peers{version}"
    )


def _peer_sets(rules: RulesetInput, end: str = "saddr") -> tuple[NftSet, ...]:
    """Return the sets of the peers; none if any address may be a peer."""
    peers = rules.peers or ()
    by_version = {
        version: tuple(SetElement(str(peer)) for peer in peers if peer.version == version)
        for version in IP
    }
    return tuple(
        NftSet(f"peers{version}", f"{IP[version]} {end}", elements, interval=False)
        for version, elements in by_version.items()
        if elements
    )


def _device(rules: RulesetInput, words: _Keywords) -> str:
    if not rules.ike_interfaces:
        return ""
    names = set_of(f'"{name}"' for name in rules.ike_interfaces)
    return f"{words.device} {names} "


def _nat_exemptions(rules: RulesetInput, tunnels: TunnelSets) -> tuple[Rule, ...]:
    """Return the exemptions in both directions.

    Traffic that a rule translates has the translated addresses here.
    """
    found = [
        (item.match, item.version, item.label)
        for inwards in (False, True)
        for item in tunnels.traffic(rules, inwards=inwards, apart=True)
    ]
    inside = (item.inside for item in translations(rules) if item.of_destination)
    found += [
        (traffic(rules, tunnel, inwards=True), tunnel.local.version, tunnel.label)
        for tunnel in inside
    ]
    return tuple(
        rule_with_comment(f"{match} snat {IP[version]} to {IP[version]} saddr", label)
        for match, version, label in found
    )


def _clamps(rules: RulesetInput, tunnels: TunnelSets, *, inwards: bool) -> tuple[Rule, ...]:
    """Return the rules that lower the TCP MSS.

    ``maxseg size set`` only lowers, so that a smaller MSS of a peer stays (RFC 9293 3.7.1).
    """
    if not rules.mss_clamp:
        return ()
    syn = "tcp flags & (syn | rst) == syn"
    return tuple(
        rule_with_comment(
            f"{item.match} {protected(rules, inwards=inwards)} {syn}"
            f" tcp option maxseg size set {rules.mss_clamp}",
            item.label,
        )
        for item in tunnels.traffic(rules, inwards=inwards)
        if item.services.may_be("tcp")
    )


def _asked(rules: RulesetInput, hook: str, versions: tuple[int, ...]) -> tuple[Rule, ...]:
    return tuple(rule for version, rule in accepted(rules, hook) if version in versions)


def _forwards(rules: RulesetInput, versions: tuple[int, ...]) -> tuple[Rule, ...]:
    tunnels = tunnel_sets(rules)
    made = [
        Rule(f"{item.match} {protected(rules, inwards=inwards)} counter accept", item.label)
        for inwards in (False, True)
        for item in tunnels.traffic(rules, inwards=inwards, inline=True)
        if item.version in versions
    ]
    for item in translations(rules):
        if item.inside.local.version not in versions:
            continue
        name = item.rule.name
        arrived = f"{selector(item.inside, inwards=True)} {protected(rules, inwards=True)}"
        made.append(Rule(f"{arrived} counter accept", name))
        # The kernel looks up the policy again after the translation, so that the packet is no IPsec
        # yet. A packet that never becomes IPsec is dropped later.
        if item.of_source:
            made.append(Rule(f"{going_out(rules, item)} counter accept", name))
        else:
            answer = f"{selector(item.inside, inwards=False)} ct status dnat"
            made.append(Rule(f"{answer} counter accept", name))
    return tuple(made)
