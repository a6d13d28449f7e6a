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
class HostPair:
    """The selectors of a phase 2 in transport mode, which protects the two gateways themselves.

    ``local`` is None where the selectors name no local address: any address of this host.
    """

    label: str
    local: IPNetwork | None
    remote: IPNetwork


@dataclass(frozen=True)
class NetworkRules:
    """What the rules of a network depend on.

    ``peers`` narrows the auto rules to these addresses: None does not narrow, an empty tuple
    accepts no peer. ``own`` is the network_address, ``mss`` 0 leaves the MSS alone, ``userspace``
    is kernel-libipsec, whose packets the kernel does not know as IPsec. ``vpn_rules`` are the
    enabled rules of the operator, in their order.

    ``dormant`` are the selectors of tunnels that are switched off: they carry nothing, and their
    traffic must not leave in cleartext. ``hosts`` are the selectors in transport mode, on or off.
    """

    network: str
    ike_interfaces: tuple[str, ...] = ()
    peers: tuple[IPAddress, ...] | None = None
    own: IPNetwork | None = None
    tunnels: tuple[Tunnel, ...] = ()
    dormant: tuple[Tunnel, ...] = ()
    hosts: tuple[HostPair, ...] = ()
    mss: int = 0
    ipcomp: bool = False
    userspace: bool = False
    chains: tuple[ForeignChain, ...] = ()
    vpn_rules: tuple[VpnRule, ...] = ()


def traffic(rules: NetworkRules, tunnel: Tunnel, *, inwards: bool) -> str:
    """The match of what a tunnel is for, by its addresses."""
    return f"{selector(tunnel, inwards=inwards)}{_apart_from_own(rules, tunnel, inwards=inwards)}"


def to_remote(rules: NetworkRules, tunnel: Tunnel) -> str:
    """The match of what a tunnel is for, by the destination alone."""
    destination = f"{IP[tunnel.remote.version]} daddr {tunnel.remote}"
    return f"{destination}{_apart_from_own(rules, tunnel, inwards=False)}"


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
    """A match that leaves out the networks in the remote network that lie on this side."""
    elements = on_this_side(rules, tunnel)
    if not elements:
        return ""
    end = "saddr" if inwards else "daddr"
    return f" {IP[tunnel.remote.version]} {end} != {set_of(elements)}"


def on_this_side(rules: NetworkRules, tunnel: Tunnel) -> tuple[IPNetwork, ...]:
    """The networks that the remote network contains, and that no tunnel leads to: disjoint."""
    remote = tunnel.remote
    within = (*_LINK_SCOPE[remote.version], tunnel.local, *tunnel.beside)
    aside = [item for item in within if item.prefixlen > remote.prefixlen and overlap(item, remote)]
    if rules.own is not None and overlap(rules.own, remote):
        aside.append(rules.own)
    # Collapsed, because a set can't hold networks that overlap.
    return tuple(ipaddress.collapse_addresses(t.cast(t.Any, aside)))


def leaves_in_cleartext(rules: NetworkRules) -> str:
    """The match of packets that leave the host without going into a tunnel."""
    return f'oifname != "{USERSPACE_DEVICE}"' if rules.userspace else "rt ipsec missing"


def arrived_in_cleartext(rules: NetworkRules) -> str:
    """The match of packets that did not come out of a tunnel."""
    return f'iifname != "{USERSPACE_DEVICE}"' if rules.userspace else "meta ipsec missing"
