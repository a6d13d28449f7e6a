# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Match each phase 1 of one peer with a phase 1 of the other peer."""

from __future__ import annotations

import itertools
import typing as t

from .._model.identity import Identity
from .definition import Peer, TunnelEnd
from .selectors import Index, likeness, overlapping

Pair = tuple[TunnelEnd, TunnelEnd]
_Ends = t.Sequence[TunnelEnd]

# Points for two ends to be one tunnel. A mistyped address must not prevent a match, and an address
# alone does not identify one of the tunnels of a peer.
_ADDRESS, _NAME, _IDENTITY, _ANY_PEER = 4, 4, 4, 1
_MIRRORED, _OVERLAPPING = 5, 2
_ENOUGH = 5


def pairs(local: Peer, remote: Peer) -> tuple[Pair, ...]:
    """Return the ends that are one tunnel, each once, the best matches first."""
    alone = len(local.tunnels) == len(remote.tunnels) == 1
    # A definition of one phase 1 is one end of the compared tunnel.
    enough = 0 if alone and (local.single or remote.single) else _ENOUGH
    return tuple(
        (local.tunnels[mine], remote.tunnels[theirs])
        for mine, theirs in _best(_Ratings(local, remote), enough)
    )


def unmatched(peer: Peer, other: Peer, matched: _Ends) -> tuple[TunnelEnd, ...]:
    """Return the ends of a peer with the other peer as their gateway, without ``matched`` ends."""
    numbers = {end.number for end in matched}
    return tuple(
        end
        for end in peer.tunnels
        if end.number not in numbers and (other.is_gateway_of(end) or peer.single)
    )


def likely(tunnels: t.Mapping[str, _Ends]) -> set[tuple[str, str]]:
    """Return the pairs of peers that may share a tunnel, apart from pairs with an address.

    Two ends match only with an address, a name, an identity or mirrored networks.
    """
    owned = [(owner, item) for owner, items in tunnels.items() for item in items]
    ends = [item for _owner, item in owned]
    couples = {(owned[one][0], owned[other][0]) for one, other in _identified(ends, ends)}
    couples |= {(owner, it.connection.name) for owner, it in owned if it.connection.name in tunnels}
    mirrored: dict[object, list[str]] = {}
    for owner, end in owned:
        for local, remote in end.network_pairs:
            mirrored.setdefault((remote, local), []).append(owner)
    for owner, end in owned:
        for selectors in end.network_pairs:
            couples |= {(owner, other) for other in mirrored.get(selectors, ())}
    return {pair for pair in couples if pair[0] != pair[1]}


class _Ratings:
    """The points of each pair of ends, by their places at the two peers.

    ``mine`` and ``theirs`` are the points of each end with any end of the other peer. ``more`` are
    the additional points of some pairs.
    """

    def __init__(self, local: Peer, remote: Peer) -> None:
        self.mine = [_gateway_points(item, remote) for item in local.tunnels]
        self.theirs = [_gateway_points(item, local) for item in remote.tunnels]
        self.more: dict[tuple[int, int], int] = {}
        for one, other in _identified(local.tunnels, remote.tunnels):
            self._add(one, other, _IDENTITY)
        for other, one in _identified(remote.tunnels, local.tunnels):
            self._add(one, other, _IDENTITY)
        for one, other in _overlapping(local.tunnels, remote.tunnels):
            self._add(one, other, _network_points(local.tunnels[one], remote.tunnels[other]))

    def _add(self, mine: int, theirs: int, points: int) -> None:
        self.more[mine, theirs] = self.more.get((mine, theirs), 0) + points

    def of(self, mine: int, theirs: int) -> int:
        """Return the points of a pair."""
        return self.mine[mine] + self.theirs[theirs] + self.more.get((mine, theirs), 0)


def _best(ratings: _Ratings, enough: int) -> t.Iterator[tuple[int, int]]:
    """Yield the pairs by their points, each end once, equals in the order of the definitions.

    Most pairs have no additional points, so they are not listed. The first free one is enough.
    """
    listed: dict[int, dict[int, list[int]]] = {}
    for one, other in sorted(ratings.more):
        listed.setdefault(ratings.of(one, other), {}).setdefault(one, []).append(other)
    others: dict[int, list[int]] = {}
    for number in reversed(range(len(ratings.theirs))):
        others.setdefault(ratings.theirs[number], []).append(number)
    levels = {one + other for one in {*ratings.mine} for other in others}
    mine_free = dict.fromkeys(range(len(ratings.mine)))
    taken: set[int] = set()
    for level in sorted(levels | listed.keys(), reverse=True):
        if level < enough:
            return
        for mine in list(mine_free):
            free = [item for item in listed.get(level, {}).get(mine, ()) if item not in taken][:1]
            rest = others.get(level - ratings.mine[mine], [])
            while rest and rest[-1] in taken:
                rest.pop()
            if free or rest:
                theirs = min(free + rest[-1:])
                del mine_free[mine]
                taken.add(theirs)
                yield mine, theirs


def _gateway_points(end: TunnelEnd, peer: Peer) -> int:
    """Return the points of an end for the name and the address of its peer."""
    points = _NAME if end.connection.name == peer.name else 0
    if end.any_peer:
        return points + _ANY_PEER
    return points + (_ADDRESS if peer.is_gateway_of(end) else 0)


def _identified(ones: _Ends, others: _Ends) -> t.Iterator[tuple[int, int]]:
    """Yield the places of pairs whose second end has the identity that the first requires."""
    by_identifier = _by(others, lambda item: item.connection.identifier)
    for required, requiring in _by(ones, lambda item: item.connection.peer_identifier).items():
        requirement = Identity.parse(required)
        for identifier, having in by_identifier.items():
            if Identity.parse(identifier).satisfies(requirement):
                yield from itertools.product(requiring, having)


def _by(ends: _Ends, value_of: t.Callable[[TunnelEnd], str | None]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for number, end in enumerate(ends):
        value = value_of(end)
        if value:
            places.setdefault(value, []).append(number)
    return places


def _overlapping(ones: _Ends, others: _Ends) -> t.Iterator[tuple[int, int]]:
    """Yield the places of pairs that may have common networks on both sides."""
    here, there = (
        Index(
            tuple(net for child in item.children for net in getattr(child, option))
            for item in others
        )
        for option in ("local_network", "remote_network")
    )
    for number, tunnel in enumerate(ones):
        local = [net for child in tunnel.children for net in child.local_network]
        remote = [net for child in tunnel.children for net in child.remote_network]
        for other in overlapping((here, remote), (there, local)):
            yield number, other


def _network_points(one: TunnelEnd, other: TunnelEnd) -> int:
    """Return the points of the two children that match best."""
    if one.network_pairs & {(remote, local) for local, remote in other.network_pairs}:
        return _MIRRORED
    here, there = other.selectors
    for child in one.children:
        local, remote = child.local_network, child.remote_network
        for number in overlapping((here, remote), (there, local)):
            match = other.children[number]
            if likeness(match.local_network, remote) and likeness(match.remote_network, local):
                return _OVERLAPPING
    return 0
