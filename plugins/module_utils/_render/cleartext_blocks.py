# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Blocks that keep the traffic of tunnels from leaving in cleartext without nftables rules.

A flush of nftables removes no IPsec policy and no route. In the kernel's data plane, a block is an
IPsec policy of the lowest precedence: it matches where charon has no policy. In the userspace data
plane, a block is an unreachable route: the kernel looks it up after the routes of charon, in a
table of its own that a routing rule leads to. Like a route of charon, it is for all traffic to a
network, of all ports and protocols.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace
from ipaddress import ip_network

from .._model.checks import IPNetwork
from .._model.selector import ALL_PORTS, contains, overlap
from .._model.traffic import is_internet
from .blocks import CHARON_TABLE, EVERYTHING, MAIN, TABLE, Block
from .nft_guard import guarded
from .nft_match import RulesetInput, Services, TunnelMatch, on_this_side
from .translations import common, translations

# ICMPv6 types of neighbor solicitation and neighbor advertisement (RFC 4861 section 4).
_NEIGHBOR_DISCOVERY = (("proto", "58", "type", "135"), ("proto", "58", "type", "136"))

# A remote network of this prefix length or less is likely to contain networks of other interfaces.
LARGE = {4: 16, 6: 48}


def cleartext_blocks(rules: RulesetInput, on_link: IPNetwork | None = None) -> tuple[Block, ...]:
    """Return the blocks of a network, sorted. ``on_link`` is the network on its interface.

    Hosts between which a ``vpn_rule`` allows connections in cleartext are not blocked.
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
        # While the network has no interface, packets out of a tunnel would leave by the default
        # route, in cleartext.
        found.append(Block("last resort", destination=str(on_link)))
    return _sorted(found)


def _ways(rules: RulesetInput) -> list[Block]:
    """Return the routing rules that keep networks of this side out of the routes of charon.

    charon has its routes looked up before all others, and a large remote network contains networks
    of this side. The local network itself stays as it is: packets from it enter the tunnel, also
    where another route exists. Packets of the gateway to the networks of its other interfaces use
    the main table. If the remote network is the internet, all packets of the gateway do.
    """
    found = []
    for tunnel in rules.tunnels:
        remote = tunnel.remote
        any_source = EVERYTHING[remote.version]
        for network in on_this_side(rules, tunnel):
            found.append(_rule(any_source, network, MAIN))
        if is_internet(remote) and not _is_any_to_any(tunnel):
            found.append(_rule(any_source, "", CHARON_TABLE, suppress=0))
            found.append(_rule(any_source, "", MAIN))
        elif remote.prefixlen <= LARGE[remote.version]:
            # The kernel lists no destination that is everything.
            to = remote if remote.prefixlen else ""
            found.append(_rule(any_source, to, MAIN, suppress=remote.prefixlen))
    if found:
        near = (local for local in _locals(rules) if not is_internet(local))
        found += [_rule(local, "", CHARON_TABLE) for local in near]
    return found


def _route_rules(rules: RulesetInput) -> t.Iterator[Block]:
    """Yield the routing rules for the unreachable routes, which follow the routes of charon."""
    for local in _locals(rules):
        if not is_internet(local):
            yield _rule(local, "", CHARON_TABLE)
        yield _rule(local, "", TABLE)


def _locals(rules: RulesetInput) -> t.Iterator[IPNetwork]:
    """Yield the sources of packets for the tunnels, before a translation."""
    for tunnel in guarded(rules):
        yield tunnel.local
    for item in translations(rules):
        if item.of_source:
            yield item.inside.local


def _rule(source: object, destination: object, table: str, *, suppress: int = -1) -> Block:
    ends = str(source), str(destination)
    return Block("rule", *ends, table=table, suppress=suppress)


def _is_any_to_any(tunnel: TunnelMatch) -> bool:
    """Return whether the block of a tunnel would leave the gateway without any connection."""
    return is_internet(tunnel.local) and is_internet(tunnel.remote)


def _sorted(found: t.Iterable[Block]) -> tuple[Block, ...]:
    """Return each block once.

    Allowed traffic is not blocked as well, because the kernel holds one policy of the two.
    """
    made = set(found)
    exceptions = {replace(block, kind=kind) for block in made for kind in _weaker(block)}
    return tuple(sorted(made - exceptions))


def _weaker(block: Block) -> tuple[str, ...]:
    """Return the kinds that this block replaces."""
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
    """Return the service in the words of ``ip xfrm policy``."""
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
    """Yield the address of the peer if an unreachable route may stop the IKE packets of charon.

    The remote network contains the peer. The local network may contain the address that charon
    sends from, unless it is a part of the VPN network. The rules of nftables know IKE packets.
    """
    if tunnel.peer is None or (rules.own and contains(rules.own, tunnel.local)):
        return
    peer = ip_network(tunnel.peer)
    if overlap(peer, tunnel.remote):
        yield peer


def _admitted(rules: RulesetInput, tunnel: TunnelMatch) -> t.Iterator[tuple[IPNetwork, IPNetwork]]:
    """Yield the local and remote networks between which a rule allows cleartext."""
    for rule in rules.vpn_rules:
        if rule.cleartext:
            near, far = rule.source, rule.destination
            if rule.direction == "incoming":
                near, far = far, near
            for local in common(tunnel.local, near) if near else [tunnel.local]:
                for remote in common(tunnel.remote, far) if far else [tunnel.remote]:
                    yield local, remote
