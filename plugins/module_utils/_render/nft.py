# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The own nftables table of a network, and its rules for base chains of somebody else.

The text is that of nft 1.0.6 (Debian 12), which 1.1.3 (Debian 13) reads as well. Protocols are
written as numbers: their names need /etc/protocols, where 4 is ``ipencap`` and ``ipip`` is 94.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import SyntaxFault
from .._model.checks import IPAddress, IPNetwork
from .._model.child import overlap
from .._model.network import ForeignChain
from .records import MANAGED

TABLE_PREFIX = "tunnelwright-"
HOOKS = ("input", "forward", "output")

# NFTNL_UDATA_COMMENT_MAXLEN: nft refuses a longer one.
LONGEST_COMMENT = 128

# What kernel-libipsec names its TUN device.
USERSPACE_DEVICE = "ipsec0"

_IP = {4: "ip", 6: "ip6"}
_FAMILY_VERSIONS = {"inet": (4, 6), "ip": (4,), "ip6": (6,)}

# The services that a gateway offers to its peers, {port} being the port on our side.
_SERVICES = (
    ("IKE", "udp {port} 500"),
    ("NAT traversal", "udp {port} 4500"),
    ("ESP", "meta l4proto 50"),
    ("AH", "meta l4proto 51"),
)
# How a router tells that ESP no longer fits (RFC 4301 section 8.2). Without it: a black hole.
_PATH_MTU = {
    4: "icmp type destination-unreachable icmp code frag-needed",
    6: "icmpv6 type packet-too-big",
}
# Never routed, so never tunnelled, even where the remote network is everything: broadcast,
# link-local (neighbour discovery needs it) and multicast.
_LINK_SCOPE: dict[int, tuple[IPNetwork, ...]] = {
    4: tuple(map(ipaddress.IPv4Network, ("169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"))),
    6: tuple(map(ipaddress.IPv6Network, ("fe80::/10", "ff00::/8"))),
}


@dataclass(frozen=True)
class Rule:
    """``expression`` is nft's, verdict included; ``comment`` tells people what the rule is for."""

    expression: str
    comment: str

    def __str__(self) -> str:
        return f'{self.expression} comment "{self.comment}"'


@dataclass(frozen=True)
class Chain:
    """``base`` is the line that hooks it: ``type filter hook input priority 0; policy accept;``."""

    name: str
    base: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Table:
    """A table of family inet."""

    name: str
    chains: tuple[Chain, ...]


@dataclass(frozen=True)
class Tunnel:
    """One pair of traffic selectors in tunnel mode; ``label`` is ``<phase 1>/<phase 2>``."""

    label: str
    local: IPNetwork
    remote: IPNetwork


@dataclass(frozen=True)
class NetworkRules:
    """What the rules of a network depend on.

    ``peers`` narrows the auto rules to these addresses: None does not narrow, an empty tuple lets
    nobody in. ``own`` is the network_address, ``mss`` 0 leaves the MSS alone, ``userspace`` is
    kernel-libipsec, whose packets the kernel does not know as IPsec.
    """

    network: str
    ike_interfaces: tuple[str, ...] = ()
    peers: tuple[IPAddress, ...] | None = None
    own: IPNetwork | None = None
    tunnels: tuple[Tunnel, ...] = ()
    mss: int = 0
    ipcomp: bool = False
    userspace: bool = False
    chains: tuple[ForeignChain, ...] = ()


def table_name(network: str) -> str:
    return f"{TABLE_PREFIX}{network}"


def comment_prefix(network: str) -> str:
    """How the comments of our rules in a foreign chain begin: by it they are found again."""
    return f"{table_name(network)}: "


def table(rules: NetworkRules) -> Table:
    """The own table. A chain that would have no rules is left out."""
    services = _services(rules, _IN, (4, 6))
    chains = (
        Chain("allow_input", _base("filter", "input", "filter - 10"), services),
        # In another table an accept would not stop a masquerade, but a source NAT to what the
        # source is already settles the NAT of the connection.
        Chain("nat_exemption", _base("nat", "postrouting", "srcnat - 10"), _nat_exemptions(rules)),
        Chain("no_leak_forward", _base("filter", "forward", "filter - 10"), _leaks(rules)),
        Chain("no_leak_output", _base("filter", "output", "filter - 10"), _own_leaks(rules)),
        Chain("clamp_mss", _base("filter", "forward", "mangle"), _clamps(rules)),
    )
    return Table(table_name(rules.network), tuple(chain for chain in chains if chain.rules))


def hook_rules(rules: NetworkRules, hook: str, family: str = "inet") -> tuple[Rule, ...]:
    """The accepts for a foreign base chain, by its hook and family; none for other than HOOKS.

    Decrypted packets to the gateway's own services are not let in: that is for the host to say.
    """
    versions = _FAMILY_VERSIONS[family]
    accepts: tuple[Rule, ...] = ()
    if hook == "input":
        accepts = _services(rules, _IN, versions)
    elif hook == "output":
        accepts = _services(rules, _OUT, versions)
    elif hook == "forward":
        accepts = _forwards(rules, versions)
    prefix = comment_prefix(rules.network)
    return tuple(_rule(item.expression, prefix + item.comment) for item in accepts)


def stand_in(rules: NetworkRules, chain: ForeignChain, hook: str) -> str:
    """A text that makes a chain like a foreign one, holding our rules alone.

    Loaded in an empty namespace, it shows how nft lists these rules.
    """
    lines = [
        f"table {chain.family} {chain.table} {{",
        f"\tchain {chain.chain} {{",
        f"\t\t{_base('filter', hook, 'filter')}",
        *(f"\t\t{rule}" for rule in hook_rules(rules, hook, chain.family)),
        "\t}",
        "}",
    ]
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class _Way:
    """The words by which a rule names the WAN interface, the peer and our own side."""

    device: str
    peer: str
    port: str
    local: str


_IN = _Way("iifname", "saddr", "dport", "fib daddr type local ")
_OUT = _Way("oifname", "daddr", "sport", "")


def _base(kind: str, hook: str, priority: str) -> str:
    return f"type {kind} hook {hook} priority {priority}; policy accept;"


def _rule(expression: str, comment: str) -> Rule:
    """Two names of 64 characters do not fit a comment: cut, they keep a digest of the whole."""
    if len(comment) > LONGEST_COMMENT:
        digest = hashlib.sha256(comment.encode()).hexdigest()[:8]
        comment = f"{comment[: LONGEST_COMMENT - 9]}~{digest}"
    return Rule(expression, comment)


def _set(items: t.Iterable[object]) -> str:
    return "{ " + ", ".join(str(item) for item in items) + " }"


def _services(rules: NetworkRules, way: _Way, versions: tuple[int, ...]) -> tuple[Rule, ...]:
    """The auto rules: what a peer may send to this host (or this host to a peer)."""
    scopes = _scopes(rules, way, versions)
    made = [
        Rule(f"{scope}{match.format(port=way.port)} counter accept", name)
        for name, match in _SERVICES
        for scope in scopes
    ]
    if way is _OUT:
        return tuple(made)
    if rules.ipcomp and not rules.userspace:
        # Packets not worth compressing come out of ESP as IP in IP, and pass this chain again.
        made += [
            Rule(f"{scope}meta ipsec exists meta l4proto {{ 4, 41 }} counter accept", "IPComp")
            for scope in scopes
        ]
    made += [
        Rule(f"{_device(rules, way)}{way.local}{_PATH_MTU[version]} counter accept", "path MTU")
        for version in versions
        if rules.peers is None or any(peer.version == version for peer in rules.peers)
    ]
    return tuple(made)


def _scopes(rules: NetworkRules, way: _Way, versions: tuple[int, ...]) -> tuple[str, ...]:
    """The matches that narrow a rule to WAN interfaces, peers and this host; one per IP version."""
    device = _device(rules, way)
    if rules.peers is None:
        return (f"{device}{way.local}",)
    scopes = []
    for version in versions:
        peers = [peer for peer in rules.peers if peer.version == version]
        if peers:
            scopes.append(f"{device}{_IP[version]} {way.peer} {_set(peers)} {way.local}")
    return tuple(scopes)


def _device(rules: NetworkRules, way: _Way) -> str:
    if not rules.ike_interfaces:
        return ""
    names = _set(f'"{name}"' for name in rules.ike_interfaces)
    return f"{way.device} {names} "


def _selector(tunnel: Tunnel, *, inwards: bool) -> str:
    source, destination = tunnel.local, tunnel.remote
    if inwards:
        source, destination = destination, source
    ip = _IP[tunnel.local.version]
    return f"{ip} saddr {source} {ip} daddr {destination}"


def _protected(rules: NetworkRules, *, inwards: bool) -> str:
    """The match of packets that came out of a tunnel, or that will go into one."""
    if rules.userspace:
        return f'{"iifname" if inwards else "oifname"} "{USERSPACE_DEVICE}"'
    return "meta ipsec exists" if inwards else "rt ipsec exists"


def _apart_from_own(rules: NetworkRules, tunnel: Tunnel, *, inwards: bool) -> str:
    """A match that leaves out what lies in the remote network by its number only."""
    remote = tunnel.remote
    within = (*_LINK_SCOPE[remote.version], tunnel.local)
    aside = [item for item in within if overlap(item, remote) and item.prefixlen > remote.prefixlen]
    if rules.own is not None and overlap(rules.own, remote):
        aside.append(rules.own)
    if not aside:
        return ""
    # Collapsed, because a set can't hold networks that overlap.
    elements = _set(ipaddress.collapse_addresses(t.cast(t.Any, aside)))
    return f" {_IP[remote.version]} {'saddr' if inwards else 'daddr'} != {elements}"


def _nat_exemptions(rules: NetworkRules) -> tuple[Rule, ...]:
    made = []
    for tunnel in rules.tunnels:
        ip = _IP[tunnel.local.version]
        for inwards in (False, True):
            selector = _selector(tunnel, inwards=inwards)
            aside = _apart_from_own(rules, tunnel, inwards=inwards)
            made.append(_rule(f"{selector}{aside} snat {ip} to {ip} saddr", tunnel.label))
    return tuple(made)


def _leaks(rules: NetworkRules) -> tuple[Rule, ...]:
    """Drop what is for a tunnel but would leave in clear: no SA, no policy, or no route into it."""
    clear = f'oifname != "{USERSPACE_DEVICE}"' if rules.userspace else "rt ipsec missing"
    return tuple(
        _rule(
            f"{_selector(tunnel, inwards=False)}{_apart_from_own(rules, tunnel, inwards=False)}"
            f" {clear} counter drop",
            tunnel.label,
        )
        for tunnel in rules.tunnels
    )


def _own_leaks(rules: NetworkRules) -> tuple[Rule, ...]:
    """The same for what the gateway sends itself, the tunnel's own packets excepted."""
    drops = _leaks(rules)
    if not drops:
        return ()
    accepts = (
        Rule('oifname "lo" accept', "to this host"),
        Rule("udp sport { 500, 4500 } accept", "IKE and NAT traversal"),
        Rule("meta l4proto { 50, 51 } accept", "ESP and AH"),
    )
    return accepts + drops


def _clamps(rules: NetworkRules) -> tuple[Rule, ...]:
    """``maxseg size set`` only lowers, so that a smaller MSS of a peer stays (RFC 9293 3.7.1)."""
    if not rules.mss:
        return ()
    syn = "tcp flags & (syn | rst) == syn"
    return tuple(
        _rule(
            f"{_selector(tunnel, inwards=inwards)} {_protected(rules, inwards=inwards)} {syn}"
            f" tcp option maxseg size set {rules.mss}",
            tunnel.label,
        )
        for tunnel in rules.tunnels
        for inwards in (False, True)
    )


def _forwards(rules: NetworkRules, versions: tuple[int, ...]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            f"{_selector(tunnel, inwards=inwards)} {_protected(rules, inwards=inwards)}"
            " counter accept",
            tunnel.label,
        )
        for tunnel in rules.tunnels
        if tunnel.local.version in versions
        for inwards in (False, True)
    )


def render(content: Table) -> str:
    """One transaction for ``nft -f``, which makes or replaces this table and touches no other."""
    lines = [
        MANAGED,
        f"table inet {content.name}",
        f"delete table inet {content.name}",
        f"table inet {content.name} {{",
    ]
    for chain in content.chains:
        lines += [f"\tchain {chain.name} {{", f"\t\t{chain.base}"]
        lines += [f"\t\t{rule}" for rule in chain.rules]
        lines += ["\t}"]
    lines.append("}")
    return "".join(f"{line}\n" for line in lines)


_TABLE = re.compile(r"table inet (\S+) \{")
_CHAIN = re.compile(r"\tchain (\S+) \{")
_BASE = re.compile(r"\t\t(type .+;)")
_RULE = re.compile(r'\t\t(.+) comment "([^"]*)"')


def parse(text: str) -> Table:
    """The table of a text that ``render`` made. Raises SyntaxFault where it is not one."""
    lines = text.splitlines()
    opening = _TABLE.fullmatch(lines[3]) if len(lines) > 4 else None
    if opening is None:
        raise SyntaxFault(4, "the table is missing")
    name = opening.group(1)
    frame = [MANAGED, f"table inet {name}", f"delete table inet {name}"]
    if lines[:3] != frame or lines[-1] != "}":
        raise SyntaxFault(1, f"this does not replace the table {name} and nothing else")
    return Table(name, tuple(_parse_chains(lines[4:-1], first=5)))


def _parse_chains(lines: t.Sequence[str], *, first: int) -> t.Iterator[Chain]:
    """``first`` is the number of the first line, for the message."""
    position = 0
    while position < len(lines):
        chain = _CHAIN.fullmatch(lines[position])
        base = _BASE.fullmatch(lines[position + 1]) if position + 1 < len(lines) else None
        if chain is None or base is None:
            raise SyntaxFault(first + position, "a chain and its hook are expected")
        position += 2
        rules = []
        while position < len(lines) and lines[position] != "\t}":
            rule = _RULE.fullmatch(lines[position])
            if rule is None:
                raise SyntaxFault(first + position, "a rule with its comment is expected")
            rules.append(Rule(rule.group(1), rule.group(2)))
            position += 1
        if position == len(lines):
            raise SyntaxFault(first + position, f"chain {chain.group(1)} does not end")
        position += 1
        yield Chain(chain.group(1), base.group(1), tuple(rules))
