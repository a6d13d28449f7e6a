# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which phase 1 of one peer is meant for which one of the other."""

from __future__ import annotations

from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.identity import Identity
from .definition import Peer, Tunnel
from .selectors import likeness

Pair = tuple[Tunnel, Tunnel]

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
    rated = sorted(
        (
            (_rating(mine, theirs, local, remote), mine, theirs)
            for mine in local.tunnels
            for theirs in remote.tunnels
        ),
        key=lambda item: -item[0],
    )
    found: list[Pair] = []
    for rating, mine, theirs in rated:
        free = all(mine is not pair[0] and theirs is not pair[1] for pair in found)
        if rating >= enough and free:
            found.append((mine, theirs))
    return tuple(found)


def lonely(peer: Peer, other: Peer, matched: tuple[Pair, ...]) -> tuple[Tunnel, ...]:
    """The tunnels of a peer that name the other one, and have no counterpart there."""
    taken = [tunnel for pair in matched for tunnel in pair]
    return tuple(
        item
        for item in peer.tunnels
        if all(item is not tunnel for tunnel in taken) and (other.names(item) or peer.single)
    )


def _rating(mine: Tunnel, theirs: Tunnel, local: Peer, remote: Peer) -> int:
    rating = 0
    for one, other, peer in ((mine, theirs, remote), (theirs, mine, local)):
        if one.connection.remote_gateway == ANY:
            rating += _ANYBODY
        elif peer.names(one):
            rating += _ADDRESS
        if one.connection.name == peer.name:
            rating += _NAME
        if other.connection.identifier and one.connection.peer_identifier:
            proved = Identity.parse(other.connection.identifier)
            rating += _IDENTITY * proved.proves(Identity.parse(one.connection.peer_identifier))
    both = [(one, other) for one in mine.children for other in theirs.children]
    return rating + max((_fit(one, other) for one, other in both), default=0)


def _fit(one: ChildSa, other: ChildSa) -> int:
    here, there = (
        (one.local_network, one.remote_network),
        (other.remote_network, other.local_network),
    )
    if not all(here) or not all(there):
        return 0
    if here == there:
        return _MIRRORED
    return _OVERLAPPING if all(map(likeness, here, there)) else 0
