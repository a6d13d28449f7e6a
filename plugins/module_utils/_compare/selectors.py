# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Traffic selectors (RFC 7296 section 2.9): which are offered, and how charon narrows them."""

from __future__ import annotations

import ipaddress

from .._model.checks import IPAddress
from .._model.child import ChildSa
from .._model.selector import TrafficSelector

Selectors = tuple[TrafficSelector, ...]

# What ``dynamic``, the address of a peer, stands for where it is not known. No packet bears them.
_UNKNOWN = {
    "initiator": TrafficSelector(ipaddress.ip_network("0.0.0.1/32")),
    "responder": TrafficSelector(ipaddress.ip_network("0.0.0.2/32")),
}


def host_of(address: IPAddress | None, role: str) -> TrafficSelector:
    """The selector that covers a peer alone; ``role`` is initiator or responder."""
    return _UNKNOWN[role] if address is None else TrafficSelector(ipaddress.ip_network(address))


def effective(
    child: ChildSa, configured: Selectors, host: TrafficSelector, *, offered: bool
) -> Selectors:
    """The selectors that a side has for one end of a child, whose own address is ``host``.

    Without any it is ``dynamic``. Whoever offers transport mode offers the peers themselves.
    """
    if not configured:
        return (host,)
    if offered and child.mode == "transport" and host not in _UNKNOWN.values():
        return tuple(common for item in configured if (common := item.common(host)) is not None)
    return configured


def narrowed(configured: Selectors, offered: Selectors) -> Selectors:
    """What both contain, in the order of ``configured``, without what lies in another one."""
    found: list[TrafficSelector] = []
    for own in configured:
        for other in offered:
            common = own.common(other)
            if common is not None and not any(item.covers(common) for item in found):
                found = [item for item in found if not common.covers(item)] + [common]
    return tuple(found)


def likeness(configured: Selectors, offered: Selectors) -> int:
    """How well they fit, as charon rates it; 0 if they have nothing in common."""
    return sum(
        (len(offered) - index) * (5 if own == other else 1)
        for index, other in enumerate(offered)
        for own in configured
        if own.overlaps(other)
    )


def shown(selectors: Selectors) -> list[str]:
    return ["dynamic" if item in _UNKNOWN.values() else str(item) for item in selectors]
