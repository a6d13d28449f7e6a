# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Traffic selectors (RFC 7296 section 2.9): the offer, and how charon narrows it."""

from __future__ import annotations

import ipaddress
import typing as t
from bisect import bisect_left, bisect_right

from .._model.checks import IPAddress, IPNetwork
from .._model.child import ChildSa
from .._model.selector import Service, TrafficSelector, all_of, contains

Selectors = tuple[TrafficSelector, ...]

# The meaning of ``dynamic``, the address of a peer, if it is unknown. No packet has these.
_UNKNOWN = {
    "initiator": TrafficSelector(ipaddress.ip_network("0.0.0.1/32")),
    "responder": TrafficSelector(ipaddress.ip_network("0.0.0.2/32")),
}


def host_of(address: IPAddress | None, role: str) -> TrafficSelector:
    """Return the selector of the address of a peer; ``role`` is initiator or responder."""
    return _UNKNOWN[role] if address is None else TrafficSelector(ipaddress.ip_network(address))


def effective(
    child: ChildSa, configured: Selectors, host: TrafficSelector, *, offered: bool
) -> Selectors:
    """Return the selectors of a side for one end of a child, whose address is ``host``.

    Without networks they are ``dynamic``. An offer of transport mode contains only the peers.
    """
    if not configured:
        return (host,)
    if offered and child.mode == "transport" and host not in _UNKNOWN.values():
        return tuple(common for item in configured if (common := item.common(host)) is not None)
    return configured


class Index:
    """An index of many lists of selectors, which finds the lists that overlap a network."""

    def __init__(self, lists: t.Iterable[Selectors]) -> None:
        entries = [
            (selector.network, number)
            for number, selectors in enumerate(lists)
            for selector in selectors
        ]
        entries.sort(key=lambda item: (_begin(item[0]), item[1]))
        self._begins = [_begin(network) for network, _number in entries]
        self._numbers = [number for _network, number in entries]
        self._exact: dict[tuple[tuple[int, int], int], list[int]] = {}
        for network, number in entries:
            self._exact.setdefault((_begin(network), network.prefixlen), []).append(number)
        self._lengths = {(network.version, network.prefixlen) for network, _number in entries}

    def count(self, selectors: t.Iterable[TrafficSelector]) -> int:
        """Return how many entries ``numbers`` has to check."""
        return sum(end - begin for _numbers, begin, end in self._spans(selectors))

    def numbers(self, selectors: t.Iterable[TrafficSelector]) -> set[int]:
        """Return the numbers of the lists that overlap any of these selectors."""
        return {
            numbers[at]
            for numbers, begin, end in self._spans(selectors)
            for at in range(begin, end)
        }

    def _spans(
        self, selectors: t.Iterable[TrafficSelector]
    ) -> t.Iterator[tuple[list[int], int, int]]:
        for network in (selector.network for selector in selectors):
            # A network that begins within this one lies in it, or contains it.
            first = bisect_left(self._begins, _begin(network))
            last = (network.version, int(network.broadcast_address))
            yield self._numbers, first, bisect_right(self._begins, last)
            # A network that begins before this one and contains it has one of the existing lengths.
            for version, length in self._lengths:
                if version == network.version and length < network.prefixlen:
                    begin = _begin(network.supernet(new_prefix=length))
                    if begin != _begin(network) and (begin, length) in self._exact:
                        numbers = self._exact[begin, length]
                        yield numbers, 0, len(numbers)


def overlapping(
    here: tuple[Index, t.Iterable[TrafficSelector]],
    there: tuple[Index, t.Iterable[TrafficSelector]],
) -> list[int]:
    """Return the sorted numbers of the lists that may overlap in both indexes."""
    index, selectors = min(here, there, key=lambda item: item[0].count(item[1]))
    return sorted(index.numbers(selectors))


def narrowed(configured: Selectors, offered: Selectors) -> Selectors:
    """Return the common selectors in the order of ``configured``, without contained ones."""
    index = Index((item,) for item in offered)
    both = (
        own.common(offered[number])
        for own in configured
        for number in sorted(index.numbers((own,)))
    )
    common = tuple(dict.fromkeys(item for item in both if item is not None))
    around = Index((item,) for item in common)
    return tuple(
        item
        for place, item in enumerate(common)
        if not any(
            number != place and common[number].covers(item) for number in around.numbers((item,))
        )
    )


def contain(carried: Selectors, wanted: Selectors, *, loosely: bool = False) -> bool:
    """Return whether ``carried`` contains ``wanted``; ``loosely``, a part of each selector."""
    if loosely:
        return all(any(item.overlaps(part) for part in carried) for item in wanted)
    services = {(item.version, item.service) for item in wanted}
    collapsed = {kind: tuple(_collapsed(carried, *kind)) for kind in services}
    index = {kind: Index((item,) for item in networks) for kind, networks in collapsed.items()}
    kinds = ((item, (item.version, item.service)) for item in wanted)
    return all(_covered(item, index[kind], collapsed[kind]) for item, kind in kinds)


def _covered(wanted: TrafficSelector, index: Index, networks: Selectors) -> bool:
    return any(
        contains(networks[number].network, wanted.network) for number in index.numbers((wanted,))
    )


def _collapsed(carried: Selectors, version: int, service: Service) -> t.Iterator[TrafficSelector]:
    """Yield the networks that carry a service, two halves as one."""
    networks = [
        item.network
        for item in carried
        if item.version == version and item.service.common(service) == service
    ]
    collapsed = t.cast("t.Iterator[IPNetwork]", ipaddress.collapse_addresses(networks))
    return map(all_of, collapsed)


def likeness(configured: Selectors, offered: Selectors) -> int:
    """Return charon's rating of the match, 0 without common addresses."""
    index = Index((item,) for item in configured)
    return sum(
        (len(offered) - place) * (5 if configured[number] == other else 1)
        for place, other in enumerate(offered)
        for number in index.numbers((other,))
        if configured[number].overlaps(other)
    )


def texts(selectors: Selectors) -> list[str]:
    """Return the selectors as users write them."""
    return ["dynamic" if item in _UNKNOWN.values() else str(item) for item in selectors]


def _begin(network: IPNetwork) -> tuple[int, int]:
    """Return IP version and first address."""
    return network.version, int(network.network_address)
