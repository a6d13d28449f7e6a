# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One tunnel, whichever of its ends calls the other."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from . import child_sa, ike
from .causes import INFO
from .child_sa import ChildOutcome
from .definition import Tunnel
from .direction import Direction
from .findings import LOCAL, REMOTE, Finding, Stated, found, harmless, merged
from .ike import IkeOutcome
from .matching import Pair
from .mss import greatest_mss

# From good to bad; with none, there is no tunnel.
UP, DEGRADED, DOWN, NONE = VERDICTS = ("up", "degraded", "down", "none")


@dataclass(frozen=True)
class Attempt:
    """What happens when one side calls: the IKE SA, and each phase 2 of the initiator."""

    direction: Direction
    ike: IkeOutcome
    children: tuple[ChildOutcome, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.ike.findings, *(item for one in self.children for item in one.findings))


class End:
    """One tunnel, looked at from both ends."""

    def __init__(self, pair: Pair) -> None:
        directions = (Direction(LOCAL, *pair), Direction(REMOTE, *pair[::-1]))
        self.forward = directions[0]
        self._both = tuple(_attempt(item) for item in directions)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(item for item in self._both if item.direction.callable)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self._common(), *merged({i.direction.side: [*_told(i)] for i in self._both}))

    def _common(self) -> t.Iterator[Finding]:
        """What does not depend on who calls."""
        direction = self.forward
        tunnels = direction.initiator, direction.responder
        for tunnel in tunnels:
            if not tunnel.enabled:
                yield self._about("phase1_disabled", tunnel, "state", tunnel.connection.state)
            elif not tunnel.children:
                yield self._about("phase2_missing", tunnel, "phase2", [])
        if not any(item.direction.used for item in self.attempts):
            yield direction.alike("no_initiator", "connection_behavior")
        yield from self._segments()

    def _about(
        self, code: str, tunnel: Tunnel, option: str, value: t.Any, **words: object
    ) -> Finding:
        direction = self.forward
        side = LOCAL if tunnel is direction.initiator else REMOTE
        stated = {side: Stated(tunnel.subject, option, value)}
        return found(code, direction.names, stated, side=tunnel.peer, **words)

    def _segments(self) -> t.Iterator[Finding]:
        rooms = [room for item in self.attempts for room in _rooms(item)]
        if not rooms:
            return
        room, tunnels = min(rooms), (self.forward.initiator, self.forward.responder)
        clamps = [item.settings.mss_clamp for item in tunnels]
        for tunnel, clamp in zip(tunnels, clamps):
            # The one that clamps less does it for both directions.
            if clamp > room and min(filter(None, clamps)) > room:
                yield self._about("mss_too_large", tunnel, "mss_clamp", clamp, room=room)
        if not any(clamps):
            unset = ("mss_clamp", 0), ("mss_clamp", 0)
            yield self.forward.phase1("mss_not_clamped", unset, room=room)

    @property
    def verdict(self) -> str:
        """Of the calls that are made: whether nothing, or all as wanted, or something comes up."""
        used = [item for item in self.attempts if item.direction.used]
        if not all(item.enabled for item in (self.forward.initiator, self.forward.responder)):
            return DOWN
        if not any(child.up for item in used for child in item.children):
            return DOWN
        return UP if harmless(self.findings) else DEGRADED


def _told(item: Attempt) -> t.Iterator[Finding]:
    """What stands in the way of a call that is never made does no harm.

    Only that nothing answers to a phase 2 is as bad: neither does anything call it.
    """
    unanswered = [one for one in item.children if one.answering is None]
    told = {id(finding) for one in unanswered for finding in one.findings}
    for finding in item.findings:
        if item.direction.used or id(finding) in told:
            yield finding
        elif item.direction.callable:
            yield replace(finding, severity=INFO)


def _attempt(direction: Direction) -> Attempt:
    outcome, answers = ike.negotiated(direction), child_sa.Answers(direction)
    children = direction.initiator.children
    return Attempt(
        direction,
        outcome,
        tuple(child_sa.negotiated(direction, outcome, child, answers) for child in children),
    )


def _rooms(item: Attempt) -> t.Iterator[int]:
    address = item.direction.initiator_address or item.direction.responder_address
    for one in item.children:
        if one.proposal is not None and one.mode == "tunnel":
            yield greatest_mss(
                one.child,
                one.proposal,
                4 if address is None else address.version,
                encapsulated=item.direction.encapsulated,
            )
