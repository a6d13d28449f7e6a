# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A tunnel, compared for each of its ends as the initiator."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from . import child_sa, ike
from .child_sa import ChildOutcome
from .definition import TunnelEnd
from .direction import Direction
from .ike import IkeOutcome
from .matching import Pair
from .mismatch import LOCAL, REMOTE, Mismatch, OptionValue, harmless, merged, mismatch
from .mismatch_kind import INFO
from .mss import greatest_mss
from .responder_children import ResponderChildren

# From good to bad. none: there is no tunnel.
VERDICTS = ("up", "degraded", "down", "none")
UP, DEGRADED, DOWN, NONE = VERDICTS


@dataclass(frozen=True)
class Negotiation:
    """The result if one side initiates: the IKE SA, and each phase 2 of the initiator."""

    direction: Direction
    ike: IkeOutcome
    children: tuple[ChildOutcome, ...]

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """Return the mismatches of phase 1 and of every phase 2."""
        return (*self.ike.mismatches, *(item for one in self.children for item in one.mismatches))


class TunnelComparison:
    """Two ends that are one tunnel, compared in both directions."""

    def __init__(self, pair: Pair) -> None:
        directions = (Direction(LOCAL, *pair), Direction(REMOTE, *pair[::-1]))
        self.forward = directions[0]
        self._both = tuple(_negotiation(item) for item in directions)

    @property
    def negotiations(self) -> tuple[Negotiation, ...]:
        """Return the negotiations whose initiator knows the address of its peer."""
        return tuple(item for item in self._both if item.direction.can_initiate)

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """Return every mismatch once."""
        by_initiator = {item.direction.side: [*_relevant(item)] for item in self._both}
        return (*self._common(), *merged(by_initiator))

    def _common(self) -> t.Iterator[Mismatch]:
        """Yield the mismatches that are independent of the initiator."""
        for end in (self.forward.initiator, self.forward.responder):
            if not end.enabled:
                yield self._about("phase1_disabled", end, "state", end.connection.state)
            elif not end.children:
                yield self._about("phase2_missing", end, "phase2", [])
        if not any(item.direction.will_initiate for item in self.negotiations):
            yield self.forward.phase1_option("no_initiator", "connection_behavior")
        yield from self._segments()

    def _about(
        self, code: str, end: TunnelEnd, option: str, value: t.Any, **words: object
    ) -> Mismatch:
        side = LOCAL if end is self.forward.initiator else REMOTE
        stated = {side: OptionValue(end.subject, option, value)}
        return mismatch(code, self.forward.names, stated, side=end.peer, **words)

    def _segments(self) -> t.Iterator[Mismatch]:
        """Yield the mismatches of mss_clamp and the largest MSS of the tunnel."""
        sizes = [size for item in self.negotiations for size in _largest_mss(item)]
        if not sizes:
            return
        room, ends = min(sizes), (self.forward.initiator, self.forward.responder)
        clamps = [item.settings.mss_clamp for item in ends]
        for end, clamp in zip(ends, clamps):
            # The side with the smaller clamp clamps both directions.
            if clamp > room and min(filter(None, clamps)) > room:
                yield self._about("mss_too_large", end, "mss_clamp", clamp, room=room)
        if not any(clamps):
            unset = ("mss_clamp", 0), ("mss_clamp", 0)
            yield self.forward.phase1_mismatch("mss_not_clamped", unset, room=room)

    @property
    def verdict(self) -> str:
        """Return up, degraded or down, for the sides that will initiate."""
        initiated = [item for item in self.negotiations if item.direction.will_initiate]
        if not all(item.enabled for item in (self.forward.initiator, self.forward.responder)):
            return DOWN
        if not any(child.up for item in initiated for child in item.children):
            return DOWN
        return UP if harmless(self.mismatches) else DEGRADED


def _relevant(item: Negotiation) -> t.Iterator[Mismatch]:
    """Yield the mismatches of a negotiation, harmless ones if its initiator never initiates.

    A phase 2 without a counterpart keeps its severity, because no side initiates it.
    """
    for finding in item.ike.mismatches:
        yield from _by_initiator(item.direction, finding)
    for child in item.children:
        for finding in child.mismatches:
            if child.responder is None:
                yield finding
            else:
                yield from _by_initiator(item.direction, finding)


def _by_initiator(direction: Direction, finding: Mismatch) -> t.Iterator[Mismatch]:
    if direction.will_initiate:
        yield finding
    elif direction.can_initiate:
        yield replace(finding, severity=INFO)


def _negotiation(direction: Direction) -> Negotiation:
    outcome, responders = ike.negotiate_ike(direction), ResponderChildren(direction)
    children = direction.initiator.children
    return Negotiation(
        direction,
        outcome,
        tuple(child_sa.negotiate_child(direction, outcome, it, responders) for it in children),
    )


def _largest_mss(item: Negotiation) -> t.Iterator[int]:
    """Yield the largest TCP MSS of each child in tunnel mode, in bytes."""
    address = item.direction.initiator_address or item.direction.responder_address
    for one in item.children:
        if one.proposal is not None and one.mode == "tunnel":
            yield greatest_mss(
                one.child,
                one.proposal,
                4 if address is None else address.version,
                encapsulated=item.direction.encapsulated,
            )
