# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Traffic selectors (RFC 7296 section 3.13.1): a network, and a part of its traffic."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import ModelError
from . import addresses
from .checks import IPAddress, IPNetwork
from .options import plain

# Names of IP protocols with ports, and of other protocols that tunnels carry (IANA).
WITH_PORTS = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132, "udplite": 136}
PROTOCOLS = {
    **WITH_PORTS,
    **{"icmp": 1, "igmp": 2, "ipencap": 4, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51},
    **{"ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115},
}
_NAMES = {number: name for name, number in PROTOCOLS.items()}
_NAMES_BY_USE = {"icmpv6": "ipv6-icmp"}

GREATEST_PORT = 65535
ALL_PORTS = (0, GREATEST_PORT)

_FORM = re.compile(r"([^\[\]]+)(?:\[([a-z0-9-]+)(?:/([0-9]+)(?:-([0-9]+))?)?\])?")
_FIX = (
    "Write a protocol after the network, and for tcp, udp or sctp a port or a range: [gre], "
    "[tcp/443], [udp/5000-5010]."
)


@dataclass(frozen=True)
class Service:
    """An IP ``protocol`` by its number, 0 for any, and a range of ``ports``, both ends included."""

    protocol: int = 0
    ports: tuple[int, int] = ALL_PORTS

    def __str__(self) -> str:
        """Return ``[tcp/443]``; empty for all traffic."""
        name = _NAMES.get(self.protocol, str(self.protocol))
        return f"[{name}{self._ports}]" if self.protocol else ""

    @property
    def by_number(self) -> str:
        """Return the form of charon that needs no /etc/protocols: ``[6/443]``."""
        return f"[{self.protocol}{self._ports}]" if self.protocol else ""

    @property
    def _ports(self) -> str:
        if self.ports == ALL_PORTS:
            return ""
        first, last = self.ports
        return f"/{first}" if first == last else f"/{first}-{last}"

    def common(self, other: Service) -> Service | None:
        """Return the traffic that both match; None if there is none."""
        if self.protocol and other.protocol and self.protocol != other.protocol:
            return None
        first = max(self.ports[0], other.ports[0])
        last = min(self.ports[1], other.ports[1])
        return Service(self.protocol or other.protocol, (first, last)) if first <= last else None


ANY_SERVICE = Service()


@dataclass(frozen=True)
class TrafficSelector:
    network: IPNetwork
    service: Service = ANY_SERVICE

    @classmethod
    def parse(cls, option: str, value: object) -> TrafficSelector:
        """Return the selector of ``10.1.0.0/24[tcp/443]`` or ``10.1.0.1/32``. Raises ModelError."""
        found = _FORM.fullmatch(str(value))
        if found is None:
            return cls(addresses.any_network(option, value))
        network, name, first, last = found.groups()
        network = (
            addresses.any_network(option, network) if name else addresses.any_network(option, value)
        )
        return cls(network, _service(option, value, name, first, last) if name else ANY_SERVICE)

    def __str__(self) -> str:
        return f"{self.network}{self.service}"

    def to_options(self) -> str:
        return str(self)

    @property
    def by_number(self) -> str:
        """Return the form of charon that needs no /etc/protocols."""
        return f"{self.network}{self.service.by_number}"

    @property
    def version(self) -> int:
        return self.network.version

    def common(self, other: TrafficSelector) -> TrafficSelector | None:
        """Return the traffic that both match; None if there is none."""
        service = self.service.common(other.service)
        one, two = sorted((self.network, other.network), key=lambda item: item.prefixlen)
        if service is None or not contains(one, two):
            return None
        return TrafficSelector(two, service)

    def fits(self, other: TrafficSelector) -> bool:
        """Return whether one packet can match both, one by source and one by destination."""
        protocols = {self.service.protocol, other.service.protocol} - {0}
        return self.version == other.version and len(protocols) < 2

    def overlaps(self, other: TrafficSelector) -> bool:
        return self.common(other) is not None

    def allows_echo(self, address: IPAddress) -> bool:
        """Return whether it matches an ICMP echo request from or to the address."""
        echo = PROTOCOLS["icmp" if address.version == 4 else "ipv6-icmp"]
        return address in self.network and self.service.protocol in (0, echo)

    def covers(self, other: TrafficSelector) -> bool:
        """Return whether it matches all traffic of the other selector."""
        return self.common(other) == other


def contains(outer: IPNetwork, inner: IPNetwork) -> bool:
    """Return whether a network contains another network, of any IP version."""
    return (
        outer.version == inner.version
        and outer.prefixlen <= inner.prefixlen
        and inner.network_address in outer
    )


def check_disjoint(option: str, networks: tuple[IPNetwork, ...]) -> None:
    """Raise ModelError naming two networks that overlap."""
    ordered = in_order(networks)
    # A network that begins inside another one is inside it, like every network between the two.
    for one, other in zip(ordered, ordered[1:]):
        if overlap(one, other):
            first, second = sorted((one, other), key=networks.index)
            raise ModelError(
                option,
                plain(networks),
                f"names {first} and {second}, which overlap",
                "Remove one of the two.",
            )


def in_order(networks: t.Iterable[IPNetwork]) -> list[IPNetwork]:
    """Return networks by IP version and address, each one before the networks inside it."""
    return sorted(networks, key=_order)


def overlapping(
    ones: t.Iterable[IPNetwork], others: t.Iterable[IPNetwork]
) -> tuple[IPNetwork, IPNetwork] | None:
    """Return the first overlapping pair of two lists, or None. Each list must be disjoint."""
    first, second = in_order(ones), in_order(others)
    at = to = 0
    while at < len(first) and to < len(second):
        one, other = first[at], second[to]
        if overlap(one, other):
            return one, other
        if _order(one)[:2] < _order(other)[:2]:
            at += 1
        else:
            to += 1
    return None


def overlapping_numbers(
    networks: t.Iterable[tuple[IPNetwork, int]],
) -> t.Iterator[tuple[int, int]]:
    """Yield the numbers of every two networks that overlap, in O(n log n) plus the result.

    Two networks overlap only if one is inside the other. The sorted order puts a network after all
    networks around it.
    """
    around: list[tuple[IPNetwork, int]] = []
    for network, number in sorted(networks, key=lambda item: _order(item[0])):
        while around and not contains(around[-1][0], network):
            around.pop()
        yield from ((other, number) for _outer, other in around)
        around.append((network, number))


def _order(network: IPNetwork) -> tuple[int, int, int]:
    return network.version, int(network.network_address), network.prefixlen


def overlap(first: IPNetwork, second: IPNetwork) -> bool:
    """Return whether two networks, of any IP version, share an address."""
    if isinstance(first, ipaddress.IPv4Network) and isinstance(second, ipaddress.IPv4Network):
        return first.overlaps(second)
    if isinstance(first, ipaddress.IPv6Network) and isinstance(second, ipaddress.IPv6Network):
        return first.overlaps(second)
    return False


def all_of(network: IPNetwork) -> TrafficSelector:
    """Return a selector for all traffic of a network."""
    return TrafficSelector(network)


def _service(option: str, value: object, name: str, first: str | None, last: str | None) -> Service:
    name = _NAMES_BY_USE.get(name, name)
    number = PROTOCOLS.get(name, int(name) if name.isdigit() else 0)
    if not 1 <= number <= 255:
        raise ModelError(option, value, f"has an unknown protocol {name}", _FIX)
    if first is None:
        return Service(number)
    ports = int(first), int(last or first)
    if number not in WITH_PORTS.values():
        raise ModelError(option, value, f"has a port, and {name} has no ports", _FIX)
    if not 1 <= ports[0] <= ports[1] <= GREATEST_PORT:
        fix = f"Write a port from 1 to {GREATEST_PORT}, or a range such as 5000-5010."
        raise ModelError(option, value, "does not have a valid port or range of ports", fix)
    return Service(number, ports)
