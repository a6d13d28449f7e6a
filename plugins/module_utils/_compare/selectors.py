# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Traffic selectors (RFC 7296 section 2.9): which are offered, and how charon narrows them."""

from __future__ import annotations

import ipaddress
import typing as t
from bisect import bisect_left, bisect_right

from .._model.checks import IPAddress, IPNetwork
from .._model.child import ChildSa, in_order, overlap

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


class Index:
    """Of many lists of networks, those with one that overlaps another network, by their numbers."""

    def __init__(self, lists: t.Iterable[Networks]) -> None:
        found = [(network, number) for number, networks in enumerate(lists) for network in networks]
        found.sort(key=lambda item: (_begin(item[0]), item[1]))
        self._begins = [_begin(network) for network, _number in found]
        self._numbers = [number for _network, number in found]
        self._exact: dict[tuple[tuple[int, int], int], list[int]] = {}
        for network, number in found:
            self._exact.setdefault((_begin(network), network.prefixlen), []).append(number)
        self._lengths = {(network.version, network.prefixlen) for network, _number in found}

    def count(self, networks: t.Iterable[IPNetwork]) -> int:
        """Return how many ``numbers`` has to look at."""
        return sum(end - begin for _numbers, begin, end in self._spans(networks))

    def numbers(self, networks: t.Iterable[IPNetwork]) -> set[int]:
        """Return the numbers of the lists that overlap any of the networks."""
        return {
            numbers[at] for numbers, begin, end in self._spans(networks) for at in range(begin, end)
        }

    def _spans(self, networks: t.Iterable[IPNetwork]) -> t.Iterator[tuple[list[int], int, int]]:
        for network in networks:
            # What begins in a network lies in it, or contains it.
            first = bisect_left(self._begins, _begin(network))
            last = (network.version, int(network.broadcast_address))
            yield self._numbers, first, bisect_right(self._begins, last)
            # What begins before it and contains it can be told by each length that there is.
            for version, length in self._lengths:
                if version == network.version and length < network.prefixlen:
                    begin = _begin(network.supernet(new_prefix=length))
                    if begin != _begin(network) and (begin, length) in self._exact:
                        numbers = self._exact[begin, length]
                        yield numbers, 0, len(numbers)


def meeting(
    here: tuple[Index, t.Iterable[IPNetwork]], there: tuple[Index, t.Iterable[IPNetwork]]
) -> list[int]:
    """Return the numbers of all that may overlap here and there, in their order."""
    index, networks = min(here, there, key=lambda item: item[0].count(item[1]))
    return sorted(index.numbers(networks))


def narrowed(configured: Networks, offered: Networks) -> Networks:
    """What both contain, in the order of ``configured``, without what lies in another one."""
    index = Index((item,) for item in offered)
    common = [
        own if own.prefixlen >= other.prefixlen else other
        for own in configured
        for other in (offered[number] for number in sorted(index.numbers((own,))))
    ]
    outermost: list[IPNetwork] = []
    for item in in_order(common):
        if not outermost or not overlap(outermost[-1], item):
            outermost.append(item)
    kept = {*outermost}
    return tuple(dict.fromkeys(item for item in common if item in kept))


def likeness(configured: Networks, offered: Networks) -> int:
    """How well they fit, as charon rates it; 0 if they have nothing in common."""
    index, own = Index((item,) for item in configured), {*configured}
    return sum(
        (len(offered) - place) * (index.count((other,)) + (4 if other in own else 0))
        for place, other in enumerate(offered)
    )


def shown(networks: Networks) -> list[str]:
    return ["dynamic" if item in _UNKNOWN.values() else str(item) for item in networks]


def _begin(network: IPNetwork) -> tuple[int, int]:
    """IP version and first address."""
    return network.version, int(network.network_address)
