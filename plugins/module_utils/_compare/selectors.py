# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Traffic selectors (RFC 7296 section 2.9): which are offered, and how charon narrows them."""

from __future__ import annotations

import ipaddress
import typing as t

from .._model.checks import IPAddress, IPNetwork
from .._model.child import ChildSa, overlap

Networks = tuple[IPNetwork, ...]

# What ``dynamic``, the address of a peer, stands for where it is not known. No packet bears them.
_UNKNOWN = {
    "initiator": ipaddress.ip_network("0.0.0.1/32"),
    "responder": ipaddress.ip_network("0.0.0.2/32"),
}


def host_of(address: IPAddress | None, role: str) -> IPNetwork:
    """The selector that covers a peer alone; ``role`` is initiator or responder."""
    return _UNKNOWN[role] if address is None else ipaddress.ip_network(address)


def effective(child: ChildSa, configured: Networks, host: IPNetwork, *, offered: bool) -> Networks:
    """The selectors that a side has for one end of a child, whose own address is ``host``.

    Without any it is ``dynamic``. Whoever offers transport mode offers the peers themselves.
    """
    if not configured:
        return (host,)
    if offered and child.mode == "transport" and host not in _UNKNOWN.values():
        return (host,) if any(overlap(item, host) for item in configured) else ()
    return configured


def narrowed(configured: Networks, offered: Networks) -> Networks:
    """What both contain, in the order of ``configured``, without what lies in another one."""
    found: list[IPNetwork] = []
    for own in configured:
        for other in offered:
            if overlap(own, other):
                common = own if own.prefixlen >= other.prefixlen else other
                if not any(_inside(common, item) for item in found):
                    found = [item for item in found if not _inside(item, common)] + [common]
    return tuple(found)


def contain(carried: Networks, wanted: Networks, *, loosely: bool = False) -> bool:
    """Whether all that is wanted is carried; ``loosely``, a part of each network."""
    if loosely:
        return all(any(overlap(item, left) for left in carried) for item in wanted)
    return all(
        any(_inside(item, left) for left in _collapsed(carried, item.version)) for item in wanted
    )


def _collapsed(networks: Networks, version: int) -> t.Iterator[IPNetwork]:
    """Those of an IP version, two halves as one."""
    own = [item for item in networks if item.version == version]
    return t.cast("t.Iterator[IPNetwork]", ipaddress.collapse_addresses(own))


def likeness(configured: Networks, offered: Networks) -> int:
    """How well they fit, as charon rates it; 0 if they have nothing in common."""
    return sum(
        (len(offered) - index) * (5 if own == other else 1)
        for index, other in enumerate(offered)
        for own in configured
        if overlap(own, other)
    )


def shown(networks: Networks) -> list[str]:
    return ["dynamic" if item in _UNKNOWN.values() else str(item) for item in networks]


def _inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    return overlap(inner, outer) and inner.prefixlen >= outer.prefixlen
