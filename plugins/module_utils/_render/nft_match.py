# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The matches of the packets of a network's tunnels, and the input of its rules."""

from __future__ import annotations

import functools
import ipaddress
import typing as t
from dataclasses import dataclass

from .._model.checks import IPAddress, IPNetwork
from .._model.network import ForeignChain
from .._model.rule import VpnRule
from .._model.selector import ALL_PORTS, ANY_SERVICE, WITH_PORTS, Service, overlap
from .nft_text import set_of

# The TUN device of kernel-libipsec.
USERSPACE_DEVICE = "ipsec0"

IP = {4: "ip", 6: "ip6"}

# Never routed, so never tunnelled, even where the remote network is everything: broadcast,
# link-local (neighbour discovery needs it) and multicast.
_LINK_SCOPE: dict[int, tuple[IPNetwork, ...]] = {
    4: tuple(map(ipaddress.IPv4Network, ("169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"))),
    6: tuple(map(ipaddress.IPv6Network, ("fe80::/10", "ff00::/8"))),
}


@dataclass(frozen=True)
class Services:
    """The service of the selector at each end of a tunnel: both have one protocol, or none."""

    local: Service = ANY_SERVICE
    remote: Service = ANY_SERVICE

    @property
    def protocol(self) -> int:
        """Return the number of the IP protocol, 0 for any."""
        return self.local.protocol or self.remote.protocol

    @property
    def exact(self) -> bool:
        """Return whether each end has one port, or all ports."""
        ports = self.local.ports, self.remote.ports
        return all(item == ALL_PORTS or item[0] == item[1] for item in ports)

    def match(self, *, inwards: bool) -> str:
        """Return the match of the packets in one direction, with a blank in front."""
        if not self.protocol:
            return ""
        ends = {"sport": self.local.ports, "dport": self.remote.ports}
        if inwards:
            ends = {"sport": self.remote.ports, "dport": self.local.ports}
        header = _HEADERS.get(self.protocol, "th")
        words = [f"{header} {end} {_ports(ports)}" for end, ports in ends.items()]
        limits = [word for word, ports in zip(words, ends.values()) if ports != ALL_PORTS]
        return "".join(f" {word}" for word in (f"meta l4proto {self.protocol}", *limits))

    def may_be(self, protocol: str) -> bool:
        """Return whether a ``vpn_rule`` for ``protocol`` can match the traffic."""
        return not self.protocol or protocol == "any" or self.protocol in _RULE_PROTOCOLS[protocol]


ANY_SERVICES = Services()

_HEADERS = {number: name for name, number in WITH_PORTS.items()}
_RULE_PROTOCOLS = {"tcp": (6,), "udp": (17,), "icmp": (1, 58)}


def _ports(ports: tuple[int, int]) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


@dataclass(frozen=True)
class TunnelMatch:
    """A pair of traffic selectors in tunnel mode; ``label`` is ``<phase 1>/<phase 2>``.

    ``beside`` are other networks of the local side. ``peer`` is the address of the peer; None if it
    is not known.
    """

    label: str
    local: IPNetwork
    remote: IPNetwork
    beside: tuple[IPNetwork, ...] = ()
    services: Services = ANY_SERVICES
    peer: IPAddress | None = None

    @functools.cached_property
    def selectors(self) -> tuple[str, str]:
        """Return the match of the packets that leave, and of the packets that arrive."""
        ip, local, remote = IP[self.local.version], str(self.local), str(self.remote)
        return (
            f"{ip} saddr {local} {ip} daddr {remote}{self.services.match(inwards=False)}",
            f"{ip} saddr {remote} {ip} daddr {local}{self.services.match(inwards=True)}",
        )


@dataclass(frozen=True)
class HostPair:
    """The selectors of a phase 2 in transport mode, which protects the two gateways themselves.

    ``local`` is None when the selectors name no local address. It stands for any address of this
    host.
    """

    label: str
    local: IPNetwork | None
    remote: IPNetwork
    services: Services = ANY_SERVICES


@dataclass(frozen=True)
class RulesetInput:
    """The input from which the rules of a network are rendered.

    ``peers`` narrows the auto rules to these addresses: None does not narrow, an empty tuple
    accepts no peer. ``own`` is the network_address, and ``excludes_own`` says whether a remote
    network within it is for no tunnel. ``mss_clamp`` 0 leaves the MSS alone. ``userspace`` is
    kernel-libipsec, whose packets the kernel does not know as IPsec. ``vpn_rules`` are the enabled
    rules of the user, in their order.

    ``dormant`` are the selectors of tunnels that are switched off. They carry nothing, and their
    traffic must not leave in cleartext. ``hosts`` are the selectors in transport mode, on or off.
    """

    network: str
    ike_interfaces: tuple[str, ...] = ()
    peers: tuple[IPAddress, ...] | None = None
    own: IPNetwork | None = None
    tunnels: tuple[TunnelMatch, ...] = ()
    dormant: tuple[TunnelMatch, ...] = ()
    hosts: tuple[HostPair, ...] = ()
    mss_clamp: int = 0
    ipcomp: bool = False
    userspace: bool = False
    chains: tuple[ForeignChain, ...] = ()
    vpn_rules: tuple[VpnRule, ...] = ()
    excludes_own: bool = True


def traffic(rules: RulesetInput, tunnel: TunnelMatch, *, inwards: bool) -> str:
    """Return the match of the packets that a tunnel is for, by their addresses."""
    return f"{selector(tunnel, inwards=inwards)}{_apart_from_own(rules, tunnel, inwards=inwards)}"


def to_remote(rules: RulesetInput, tunnel: TunnelMatch) -> str:
    """Return the match of the packets that a tunnel is for, by destination, of any source."""
    service = tunnel.services.match(inwards=False)
    destination = f"{IP[tunnel.remote.version]} daddr {tunnel.remote}{service}"
    return f"{destination}{_apart_from_own(rules, tunnel, inwards=False)}"


def selector(tunnel: TunnelMatch, *, inwards: bool) -> str:
    return tunnel.selectors[inwards]


def protected(rules: RulesetInput, *, inwards: bool) -> str:
    """Return the match of packets that came out of a tunnel, or that will enter one."""
    if rules.userspace:
        return f'{"iifname" if inwards else "oifname"} "{USERSPACE_DEVICE}"'
    return "meta ipsec exists" if inwards else "rt ipsec exists"


def _apart_from_own(rules: RulesetInput, tunnel: TunnelMatch, *, inwards: bool) -> str:
    """Return the match that leaves out networks of this side within the remote network."""
    elements = on_this_side(rules, tunnel)
    if not elements:
        return ""
    end = "saddr" if inwards else "daddr"
    return f" {IP[tunnel.remote.version]} {end} != {set_of(elements)}"


def on_this_side(rules: RulesetInput, tunnel: TunnelMatch) -> tuple[IPNetwork, ...]:
    """Return the disjoint networks that the remote network contains and no tunnel leads to."""
    own = rules.own
    if own is not None and own.prefixlen < tunnel.remote.prefixlen and not rules.excludes_own:
        # The remote network is a part of the own network, and the tunnel leads to it.
        own = None
    return _within(tunnel.remote, own, tunnel.local, *tunnel.beside)


@functools.lru_cache(maxsize=4096)
def _within(remote: IPNetwork, own: IPNetwork | None, *near: IPNetwork) -> tuple[IPNetwork, ...]:
    """Return the networks within the remote network: the given ones, and networks of one link."""
    found = (*_LINK_SCOPE[remote.version], *near)
    aside = [item for item in found if item.prefixlen > remote.prefixlen and overlap(item, remote)]
    if own is not None and overlap(own, remote):
        aside.append(own)
    # Collapsed, because a set can't hold networks that overlap.
    return tuple(ipaddress.collapse_addresses(t.cast(t.Any, aside)))


def leaves_in_cleartext(rules: RulesetInput) -> str:
    """Return the match of packets that leave the host without entering a tunnel."""
    return f'oifname != "{USERSPACE_DEVICE}"' if rules.userspace else "rt ipsec missing"


def arrived_in_cleartext(rules: RulesetInput) -> str:
    """Return the match of packets that did not come out of a tunnel."""
    return f'iifname != "{USERSPACE_DEVICE}"' if rules.userspace else "meta ipsec missing"
