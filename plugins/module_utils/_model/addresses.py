# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks of addresses that a gateway, a router or a host can have, and of networks between them.

Source: the registries of special-purpose addresses (RFC 6890). The kernel, nft or strongSwan would
refuse such an address, or accept it and never carry a packet.
"""

from __future__ import annotations

import ipaddress

from .._errors import ModelError
from . import checks
from .checks import IPAddress, IPNetwork

_MAPPED = ipaddress.ip_network("::ffff:0.0.0.0/96")
_LINK_LOCAL = ipaddress.ip_network("fe80::/10")
# The first network that contains an address defines its kind.
_SPECIAL: tuple[tuple[IPNetwork, str], ...] = (
    (ipaddress.ip_network("0.0.0.0/8"), "a reserved"),
    (ipaddress.ip_network("127.0.0.0/8"), "a loopback"),
    (ipaddress.ip_network("224.0.0.0/4"), "a multicast"),
    (ipaddress.ip_network("255.255.255.255/32"), "a broadcast"),
    (ipaddress.ip_network("240.0.0.0/4"), "a reserved"),
    (ipaddress.ip_network("::1/128"), "a loopback"),
    (_MAPPED, "an IPv4-mapped"),
    (_LINK_LOCAL, "a link-local"),
    (ipaddress.ip_network("ff00::/8"), "a multicast"),
)
_HOST = "Write the address of one host, such as 192.0.2.1 or 2001:db8::1."
_NETWORK = "Write a network of hosts, such as 10.1.0.0/24 or fd00:1::/64."


def host(option: str, value: object, fix: str = _HOST) -> IPAddress:
    """Return the address of a host that others can reach. Raises ModelError for any other."""
    address = router(option, value, fix)
    if link_local(address):
        problem = "is a link-local address, which is valid on one link only"
        raise ModelError(option, value, problem, fix)
    return address


def any_host(option: str, value: object) -> IPAddress:
    """Return the address of one host, even if no other host can reach it. Raises ModelError."""
    _check_zone(option, value, _HOST)
    return checks.host_address(option, value)


def router(option: str, value: object, fix: str = _HOST) -> IPAddress:
    """Return the address of a router, which may be link-local. Raises ModelError for any other."""
    address = any_host(option, value)
    kind = _special(ipaddress.ip_network(address))
    if kind and not link_local(address):
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped:
            fix = f"Write {mapped}, or another address."
        raise ModelError(option, value, f"is {kind} address", fix)
    return address


def network(option: str, value: object) -> IPNetwork:
    """Return a network of hosts that others can reach. Raises ModelError for any other."""
    found = any_network(option, value)
    check_network(option, found)
    return found


def any_network(option: str, value: object) -> IPNetwork:
    """Return a network, even if it is not for hosts. Raises ModelError for any other value."""
    _check_zone(option, value, _NETWORK)
    return checks.ip_network(option, value)


def check_network(option: str, found: IPNetwork) -> None:
    """Raise ModelError unless the network is for hosts that other hosts can reach."""
    kind = _special(found)
    if kind:
        mapped = found.version == 6 and found.network_address in _MAPPED
        fix = f"Write {_plain(found)}, or another IPv4 network." if mapped else _NETWORK
        raise ModelError(option, str(found), f"is {kind} network", fix)


def link_local(address: object) -> bool:
    """Return whether the address is an IPv6 address that is valid on one link only."""
    return isinstance(address, ipaddress.IPv6Address) and address in _LINK_LOCAL


def _check_zone(option: str, value: object, fix: str) -> None:
    if "%" in str(value):
        problem = "has a zone, which neither strongSwan nor nftables accepts"
        raise ModelError(option, value, problem, fix)


def _special(found: IPNetwork) -> str:
    """Return the kind of a network that is not for ordinary hosts; empty for other networks."""
    for outer, kind in _SPECIAL:
        inside = found.version == outer.version and found.prefixlen >= outer.prefixlen
        if inside and found.network_address in outer:
            return kind
    return ""


def _plain(mapped: IPNetwork) -> IPNetwork:
    """Return the IPv4 network of an IPv4-mapped network."""
    address = int(mapped.network_address) & 0xFFFFFFFF
    return ipaddress.ip_network((address, mapped.prefixlen - _MAPPED.prefixlen))
