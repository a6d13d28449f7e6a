# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What keeps the traffic of tunnels from leaving in cleartext while the nftables rules are gone.

A flush of nftables removes no IPsec policy and no route. In the kernel's data plane, a block is an
IPsec policy of the lowest precedence: it matches where charon has no policy. In the userspace data
plane, a block is an unreachable route: the kernel looks it up after the routes of charon, in a
table of its own that a routing rule leads to. Like a route of charon, it is for all traffic to a
network, whatever the ports and protocols of the selectors.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from ipaddress import ip_network

from .._model.checks import IPNetwork
from .._model.selector import ALL_PORTS, contains, overlap
from .._model.traffic import is_internet
from .nft_guard import guarded
from .nft_match import RulesetInput, Services, TunnelMatch, on_this_side
from .nft_rules import common, translations
from .routes import PROTOCOL

# By kind. The priorities of charon are between 10,000 and 400,000: a pass comes before these, and
# the other two are the last of all.
PRIORITIES = {"block": 4294967295, "allow": 4294967294, "pass": 116}
# The kernel holds two policies with the same selectors only if their marks differ. charon sets no
# mark. This one matches every packet whose mark has the highest bit clear.
_MARK = ("mark", "0", "mask", "0x80000000")
# The routing table of the blocks, which is looked up after the one of charon.
TABLE = "116"

# ICMPv6 types of neighbor solicitation and neighbor advertisement (RFC 4861 section 4).
_NEIGHBOR_DISCOVERY = (("proto", "58", "type", "135"), ("proto", "58", "type", "136"))

# The tables of charon and of the host.
CHARON_TABLE, MAIN = "220", "main"
# By table, and whether routes are left out, any source is meant, and there is a destination. The
# rule of charon has priority 220. ``ip`` would delete a rule for some source in the place of one
# for any source, so that these two have different priorities.
RULE_PRIORITIES = {
    (MAIN, False, True, True): 210,
    (CHARON_TABLE, False, False, False): 211,
    (TABLE, False, False, False): 212,
    (MAIN, True, True, True): 213,
    (MAIN, True, True, False): 213,
    (CHARON_TABLE, True, True, False): 214,
    (MAIN, False, True, False): 215,
    (TABLE, False, True, False): 231,
}

# A remote network of this prefix length or less is likely to contain networks of other interfaces.
LARGE = {4: 16, 6: 48}

# The greatest metric that there is.
LAST_METRIC = 4294967295

EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}

POLICIES, ROUTES = tuple(PRIORITIES), ("unreachable", "throw", "last resort")


@dataclass(frozen=True, order=True)
class Block:
    """``kind`` is block, allow or pass for a policy, unreachable or throw for a route, or rule.

    A pass keeps packets out of the tunnels of charon. An allow is for packets without a tunnel.
    A rule is one of routing, and ``table`` the one that it has looked up, without the routes whose
    prefix has the length ``suppress`` or less.

    A route that is the last resort lies in the main table, and gives way to any other. Networks are
    in CIDR form, and empty where the kind has none. ``direction`` is that of a policy:
    out, fwd or in. ``service`` has the words of ``ip xfrm policy`` for the traffic that a policy is
    for, such as ``proto 6 dport 443``; none for all traffic.
    """

    kind: str
    source: str = ""
    destination: str = ""
    direction: str = ""
    service: tuple[str, ...] = ()
    table: str = ""
    suppress: int = -1

    def __str__(self) -> str:
        if self.kind == "rule":
            return f"routing rule {self.listed}"
        if self.kind in ROUTES:
            return f"{self.kind} route to {self.destination}"
        what = " ".join((self.source, "to", self.destination, *self.service))
        return f"{self.kind} policy {self.direction} {what}"

    @property
    def version(self) -> int:
        return 6 if ":" in (self.source or self.destination) else 4

    @property
    def selector(self) -> tuple[str, ...]:
        """The words of ``ip xfrm policy`` that name a policy."""
        ends = ("src", self.source, "dst", self.destination)
        return (*ends, *self.service, "dir", self.direction)

    @property
    def priority(self) -> str:
        return str(PRIORITIES[self.kind])

    @property
    def action(self) -> str:
        """What the kernel does where a policy matches."""
        return "block" if self.kind == "block" else "allow"

    @property
    def words(self) -> tuple[str, ...]:
        """The words of ``ip`` that make it, as often as they are run; of a rule, only once."""
        if self.kind == "rule":
            return ("rule", "add", *self._rule)
        if self.kind in ROUTES:
            return ("route", "replace", *self._route)
        action = ("priority", self.priority, "action", self.action)
        return ("xfrm", "policy", "update", *self.selector, *_MARK, *action)

    @property
    def words_to_delete(self) -> tuple[str, ...]:
        """The words of ``ip`` that delete a route or a rule.

        Those of a policy delete each block whose networks are in its networks, too: ``ip`` deletes
        no single policy that has such a mark.
        """
        if self.kind == "rule":
            return ("rule", "delete", *self._rule)
        if self.kind in ROUTES:
            return ("route", "delete", *self._route)
        action = ("action", self.action, "priority", self.priority)
        return ("xfrm", "policy", "deleteall", *self.selector, *action)

    @property
    def listed(self) -> str:
        """What ``ip rule list`` shows of a rule: a host without its prefix length."""
        source, to = (
            end.removesuffix("/32").removesuffix("/128") for end in (self.source, self.destination)
        )
        ends = ["from", "all" if self._from_any else source, *(["to", to] if to else [])]
        return " ".join((*ends, *self._lookup))

    @property
    def rule_priority(self) -> int:
        return RULE_PRIORITIES[
            self.table, self.suppress >= 0, self._from_any, bool(self.destination)
        ]

    @property
    def _from_any(self) -> bool:
        return self.source in EVERYTHING.values()

    @property
    def _rule(self) -> tuple[str, ...]:
        to = ("to", self.destination) if self.destination else ()
        marks = ("priority", str(self.rule_priority), "protocol", str(PROTOCOL))
        return ("from", self.source, *to, *self._lookup, *marks)

    @property
    def _lookup(self) -> tuple[str, ...]:
        left_out = ("suppress_prefixlength", str(self.suppress)) if self.suppress >= 0 else ()
        return ("lookup", self.table, *left_out)

    @property
    def _route(self) -> tuple[str, ...]:
        marks = ("proto", str(PROTOCOL))
        if self.kind == "last resort":
            return ("unreachable", self.destination, "metric", str(LAST_METRIC), *marks)
        return (self.kind, self.destination, "table", TABLE, *marks)


def cleartext_blocks(rules: RulesetInput, on_link: IPNetwork | None = None) -> tuple[Block, ...]:
    """The blocks of a network, sorted. ``on_link`` is what lies on its interface.

    The hosts between which a ``vpn_rule`` admits connections in cleartext are not blocked.
    """
    pairs = list(guarded(rules))
    if not rules.userspace:
        pairs += [
            TunnelMatch(pair.label, pair.local, pair.remote, services=pair.services)
            for pair in rules.hosts
            if pair.local is not None
        ]
    made = _routes if rules.userspace else _policies
    found = [
        block for tunnel in pairs if not _is_any_to_any(tunnel) for block in made(rules, tunnel)
    ]
    if rules.userspace:
        found += _route_rules(rules)
    found += _ways(rules)
    if on_link is not None:
        # While the network has no interface, what comes out of a tunnel would leave by the default
        # route, in cleartext.
        found.append(Block("last resort", destination=str(on_link)))
    return _sorted(found)


def _ways(rules: RulesetInput) -> list[Block]:
    """The routing rules that keep what lies on this side out of the routes of charon.

    charon has its routes looked up before all others, and a large remote network contains networks
    of this side. The local network itself stays as it is. Packets from it take the tunnel, whatever
    other routes there are. Packets of the gateway to the networks of its other interfaces take
    the main table. If the remote network is the internet, all packets of the gateway do.
    """
    found = []
    for tunnel in rules.tunnels:
        remote = tunnel.remote
        everybody = EVERYTHING[remote.version]
        for network in on_this_side(rules, tunnel):
            found.append(_rule(everybody, network, MAIN))
        if is_internet(remote) and not _is_any_to_any(tunnel):
            found.append(_rule(everybody, "", CHARON_TABLE, suppress=0))
            found.append(_rule(everybody, "", MAIN))
        elif remote.prefixlen <= LARGE[remote.version]:
            # The kernel lists no destination that is everything.
            to = remote if remote.prefixlen else ""
            found.append(_rule(everybody, to, MAIN, suppress=remote.prefixlen))
    if found:
        near = (local for local in _locals(rules) if not is_internet(local))
        found += [_rule(local, "", CHARON_TABLE) for local in near]
    return found


def _route_rules(rules: RulesetInput) -> t.Iterator[Block]:
    """The routing rules for the unreachable routes, which follow the routes of charon."""
    for local in _locals(rules):
        if not is_internet(local):
            yield _rule(local, "", CHARON_TABLE)
        yield _rule(local, "", TABLE)


def _locals(rules: RulesetInput) -> t.Iterator[IPNetwork]:
    """Where packets for the tunnels are from, before their source is translated."""
    for tunnel in guarded(rules):
        yield tunnel.local
    for item in translations(rules):
        if item.of_source:
            yield item.inside.local


def _rule(source: object, destination: object, table: str, *, suppress: int = -1) -> Block:
    ends = str(source), str(destination)
    return Block("rule", *ends, table=table, suppress=suppress)


def _is_any_to_any(tunnel: TunnelMatch) -> bool:
    """Whether its block would leave the gateway without any connection."""
    return is_internet(tunnel.local) and is_internet(tunnel.remote)


def _sorted(found: t.Iterable[Block]) -> tuple[Block, ...]:
    """Each once. What is allowed is not blocked as well: the kernel holds one of the two."""
    made = set(found)
    exceptions = {replace(block, kind=kind) for block in made for kind in _weaker(block)}
    return tuple(sorted(made - exceptions))


def _weaker(block: Block) -> tuple[str, ...]:
    """The kinds in whose place this block stands."""
    return {"pass": ("allow", "block"), "allow": ("block",), "throw": ("unreachable",)}.get(
        block.kind, ()
    )


def _policies(rules: RulesetInput, tunnel: TunnelMatch) -> t.Iterator[Block]:
    services = tunnel.services
    if not services.exact:
        # A policy has one port or all of them.
        return
    yield from _both_ways("block", tunnel.local, tunnel.remote, services)
    for network in on_this_side(rules, tunnel):
        yield from _both_ways("pass", tunnel.local, network, services)
    for near, far in _admitted(rules, tunnel):
        yield from _both_ways("allow", near, far, services)
    if tunnel.local.prefixlen == 128 and services.protocol in (0, 58):
        for service in _NEIGHBOR_DISCOVERY:
            yield Block("allow", str(tunnel.local), str(tunnel.remote), "out", service)
            yield Block("allow", str(tunnel.remote), str(tunnel.local), "in", service)


def _both_ways(
    kind: str, local: IPNetwork, remote: IPNetwork, services: Services
) -> t.Iterator[Block]:
    yield Block(kind, str(local), str(remote), "out", _words(services, inwards=False))
    for direction in ("fwd", "in"):
        yield Block(kind, str(remote), str(local), direction, _words(services, inwards=True))


def _words(services: Services, *, inwards: bool) -> tuple[str, ...]:
    """The service in the words of ``ip xfrm policy``."""
    if not services.protocol:
        return ()
    ends = (("sport", services.local), ("dport", services.remote))
    if inwards:
        ends = (("sport", services.remote), ("dport", services.local))
    ports = [(end, str(item.ports[0])) for end, item in ends if item.ports != ALL_PORTS]
    return ("proto", str(services.protocol), *(word for pair in ports for word in pair))


def _routes(rules: RulesetInput, tunnel: TunnelMatch) -> t.Iterator[Block]:
    yield Block("unreachable", destination=str(tunnel.remote))
    for network in on_this_side(rules, tunnel):
        yield Block("throw", destination=str(network))
    for _near, far in _admitted(rules, tunnel):
        yield Block("throw", destination=str(far))
    for peer in _reached_by_ike(rules, tunnel):
        yield Block("throw", destination=str(peer))


def _reached_by_ike(rules: RulesetInput, tunnel: TunnelMatch) -> t.Iterator[IPNetwork]:
    """The address of the peer, where an unreachable route may stop the IKE packets of charon.

    The remote network contains the peer. The local network may contain the address that charon
    sends from, unless it is a part of the VPN network. The rules of nftables know IKE packets.
    """
    if tunnel.peer is None or (rules.own and contains(rules.own, tunnel.local)):
        return
    peer = ip_network(tunnel.peer)
    if overlap(peer, tunnel.remote):
        yield peer


def _admitted(rules: RulesetInput, tunnel: TunnelMatch) -> t.Iterator[tuple[IPNetwork, IPNetwork]]:
    """The local and the remote networks between which a rule admits cleartext."""
    for rule in rules.vpn_rules:
        if rule.cleartext:
            near, far = rule.source, rule.destination
            if rule.direction == "incoming":
                near, far = far, near
            for local in common(tunnel.local, near) if near else [tunnel.local]:
                for remote in common(tunnel.remote, far) if far else [tunnel.remote]:
                    yield local, remote
