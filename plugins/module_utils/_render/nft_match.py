# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which packets the rules of a network are about: those of its tunnels."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._model.checks import IPAddress, IPNetwork
from .._model.child import overlap
from .._model.network import ForeignChain
from .._model.rule import VpnRule
from .nft_text import set_of

# What kernel-libipsec names its TUN device.
USERSPACE_DEVICE = "ipsec0"

IP = {4: "ip", 6: "ip6"}

# Never routed, so never tunnelled, even where the remote network is everything: broadcast,
# link-local (neighbour discovery needs it) and multicast.
_LINK_SCOPE: dict[int, tuple[IPNetwork, ...]] = {
    4: tuple(map(ipaddress.IPv4Network, ("169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"))),
    6: tuple(map(ipaddress.IPv6Network, ("fe80::/10", "ff00::/8"))),
}


@dataclass(frozen=True)
class Tunnel:
    """One pair of traffic selectors in tunnel mode; ``label`` is ``<phase 1>/<phase 2>``.

    ``beside`` is what else lies on the local side.
    """

    label: str
    local: IPNetwork
    remote: IPNetwork
    beside: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True)
class NetworkRules:
    """What the rules of a network depend on.

    ``peers`` narrows the auto rules to these addresses: None does not narrow, an empty tuple lets
    nobody in. ``own`` is the network_address, ``mss`` 0 leaves the MSS alone, ``userspace`` is
    kernel-libipsec, whose packets the kernel does not know as IPsec. ``vpn_rules`` are those of the
    operator, in their order, without those that are disabled.
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
    vpn_rules: tuple[VpnRule, ...] = ()


def traffic(rules: NetworkRules, tunnel: Tunnel, *, inwards: bool) -> str:
    """The match of what a tunnel is for, by its addresses."""
    return f"{selector(tunnel, inwards=inwards)}{_apart_from_own(rules, tunnel, inwards=inwards)}"


def selector(tunnel: Tunnel, *, inwards: bool) -> str:
    source, destination = tunnel.local, tunnel.remote
    if inwards:
        source, destination = destination, source
    ip = IP[tunnel.local.version]
    return f"{ip} saddr {source} {ip} daddr {destination}"


def protected(rules: NetworkRules, *, inwards: bool) -> str:
    """The match of packets that came out of a tunnel, or that will go into one."""
    if rules.userspace:
        return f'{"iifname" if inwards else "oifname"} "{USERSPACE_DEVICE}"'
    return "meta ipsec exists" if inwards else "rt ipsec exists"


def _apart_from_own(rules: NetworkRules, tunnel: Tunnel, *, inwards: bool) -> str:
    """A match that leaves out what lies in the remote network by its number only."""
    remote = tunnel.remote
    within = (*_LINK_SCOPE[remote.version], tunnel.local, *tunnel.beside)
    aside = [item for item in within if item.prefixlen > remote.prefixlen and overlap(item, remote)]
    if rules.own is not None and overlap(rules.own, remote):
        aside.append(rules.own)
    if not aside:
        return ""
    # Collapsed, because a set can't hold networks that overlap.
    elements = set_of(ipaddress.collapse_addresses(t.cast(t.Any, aside)))
    return f" {IP[remote.version]} {'saddr' if inwards else 'daddr'} != {elements}"


def in_clear(rules: NetworkRules) -> str:
    """The match of packets that leave the host without going into a tunnel."""
    return f'oifname != "{USERSPACE_DEVICE}"' if rules.userspace else "rt ipsec missing"
