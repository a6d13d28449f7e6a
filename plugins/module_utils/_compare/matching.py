# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which phase 1 of one peer is meant for which one of the other."""

from __future__ import annotations

import itertools
import typing as t

from .._model.checks import ANY
from .._model.identity import Identity
from .definition import Peer, Tunnel
from .selectors import Index, likeness, meeting

Pair = tuple[Tunnel, Tunnel]
_Tunnels = t.Sequence[Tunnel]

# What speaks for two tunnels being the ends of one. A mistyped address must not hide that they are,
# and an address alone does not tell which of the tunnels of a peer is meant.
_ADDRESS, _NAME, _IDENTITY, _ANYBODY = 4, 4, 4, 1
_MIRRORED, _OVERLAPPING = 5, 2
_ENOUGH = 5


def pairs(local: Peer, remote: Peer) -> tuple[Pair, ...]:
    """The tunnels that are two ends of one, each once, the best matches first."""
    alone = len(local.tunnels) == len(remote.tunnels) == 1
    # Who gives a single phase 1 says that it is one end.
    enough = 0 if alone and (local.single or remote.single) else _ENOUGH
    return tuple(
        (local.tunnels[mine], remote.tunnels[theirs])
        for mine, theirs in _best(_Ratings(local, remote), enough)
    )


def lonely(peer: Peer, other: Peer, matched: tuple[Pair, ...]) -> tuple[Tunnel, ...]:
    """The tunnels of a peer that name the other one, and have no counterpart there."""
    taken = {id(tunnel) for pair in matched for tunnel in pair}
    return tuple(
        item
        for item in peer.tunnels
        if id(item) not in taken and (other.names(item) or peer.single)
    )


def likely(tunnels: t.Mapping[str, _Tunnels]) -> set[tuple[str, str]]:
    """Two peers each whose ``tunnels`` may be the ends of one, but for those that give an address.

    Without an address, a name, an identity or mirrored networks there is not enough for it.
    """
    known = [(owner, item) for owner, items in tunnels.items() for item in items]
    alone = [item for _owner, item in known]
    found = {(known[one][0], known[other][0]) for one, other in _proving(alone, alone)}
    found |= {(owner, it.connection.name) for owner, it in known if it.connection.name in tunnels}
    mirrored: dict[object, list[str]] = {}
    for owner, tunnel in known:
        for local, remote in tunnel.mirrored:
            mirrored.setdefault((remote, local), []).append(owner)
    for owner, tunnel in known:
        for selectors in tunnel.mirrored:
            found |= {(owner, other) for other in mirrored.get(selectors, ())}
    return {pair for pair in found if pair[0] != pair[1]}


class _Ratings:
    """How much speaks for two tunnels, by their numbers at the one peer and at the other one.

    ``mine`` and ``theirs`` are what each tunnel brings along, whichever the other one is, and
    ``more`` is what some pairs have besides.
    """

    def __init__(self, local: Peer, remote: Peer) -> None:
        self.mine = [_naming(item, remote) for item in local.tunnels]
        self.theirs = [_naming(item, local) for item in remote.tunnels]
        self.more: dict[tuple[int, int], int] = {}
        for one, other in _proving(local.tunnels, remote.tunnels):
            self._add(one, other, _IDENTITY)
        for other, one in _proving(remote.tunnels, local.tunnels):
            self._add(one, other, _IDENTITY)
        for one, other in _overlapping(local.tunnels, remote.tunnels):
            self._add(one, other, _fit(local.tunnels[one], remote.tunnels[other]))

    def _add(self, mine: int, theirs: int, points: int) -> None:
        self.more[mine, theirs] = self.more.get((mine, theirs), 0) + points

    def of(self, mine: int, theirs: int) -> int:
        return self.mine[mine] + self.theirs[theirs] + self.more.get((mine, theirs), 0)


def _best(ratings: _Ratings, enough: int) -> t.Iterator[tuple[int, int]]:
    """The pairs by their rating, each tunnel once, those of equals first that come first.

    Most pairs have nothing but what either tunnel brings along, so that they need not be listed:
    of these the first that is free is enough.
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


def _naming(tunnel: Tunnel, peer: Peer) -> int:
    """What a tunnel says of the peer that it leads to."""
    rating = _NAME if tunnel.connection.name == peer.name else 0
    if tunnel.connection.remote_gateway == ANY:
        return rating + _ANYBODY
    return rating + (_ADDRESS if peer.names(tunnel) else 0)


def _proving(ones: _Tunnels, others: _Tunnels) -> t.Iterator[tuple[int, int]]:
    """Tunnels of which the second one has the identity that the first one requires."""
    borne = _by(others, lambda item: item.connection.identifier)
    for required, requiring in _by(ones, lambda item: item.connection.peer_identifier).items():
        wanted = Identity.parse(required)
        for identifier, bearing in borne.items():
            if Identity.parse(identifier).satisfies(wanted):
                yield from itertools.product(requiring, bearing)


def _by(tunnels: _Tunnels, what: t.Callable[[Tunnel], str | None]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, tunnel in enumerate(tunnels):
        value = what(tunnel)
        if value:
            found.setdefault(value, []).append(number)
    return found


def _overlapping(ones: _Tunnels, others: _Tunnels) -> t.Iterator[tuple[int, int]]:
    """Tunnels that may have networks in common, on both sides."""
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
        for other in meeting((here, remote), (there, local)):
            yield number, other


def _fit(one: Tunnel, other: Tunnel) -> int:
    """The best of what two of their children have in common."""
    if one.mirrored & {(remote, local) for local, remote in other.mirrored}:
        return _MIRRORED
    here, there = other.selectors
    for child in one.children:
        local, remote = child.local_network, child.remote_network
        for number in meeting((here, remote), (there, local)):
            found = other.children[number]
            if likeness(found.local_network, remote) and likeness(found.remote_network, local):
                return _OVERLAPPING
    return 0
