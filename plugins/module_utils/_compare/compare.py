# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Two peers, compared before a host is touched: what comes of it when either calls the other.

How charon chooses was measured with strongSwan 5.9.8 and 6.0.1; ``tests/live/test_compare.py``
holds this against them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import ModelError
from . import child_sa, ike
from .causes import INFO, SEVERITIES
from .child_sa import ChildOutcome
from .definition import Peer, Tunnel
from .direction import Direction
from .findings import LOCAL, REMOTE, SIDES, Finding, Stated, found, harmless, merged
from .ike import IkeOutcome
from .matching import Pair, lonely, pairs
from .result import attempt
from .room import greatest_mss

UP, UP_BUT, DOWN, NONE = VERDICTS = ("up", "up_but", "down", "none")

Result = dict[str, t.Any]


@dataclass(frozen=True)
class Attempt:
    """What happens when one side calls: the IKE SA, and each phase 2 of the initiator."""

    direction: Direction
    ike: IkeOutcome
    children: tuple[ChildOutcome, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.ike.findings, *(item for one in self.children for item in one.findings))


def compared(names: t.Mapping[str, str], read: t.Mapping[str, t.Callable[[], Peer]]) -> Result:
    """``verdict``, ``negotiated`` and ``findings``, of the peers local and remote.

    The verdict is none where neither has a tunnel to the other. A definition that can't be read,
    which raises ModelError, is a finding.
    """
    peers: dict[str, Peer] = {}
    invalid = []
    for side in SIDES:
        try:
            peers[side] = read[side]()
        except ModelError as error:
            invalid.append(_invalid(side, names, error))
    if invalid:
        return _result(DOWN, (), (), invalid)
    matched = pairs(peers[LOCAL], peers[REMOTE])
    missing = [
        *_missing(LOCAL, names, lonely(peers[LOCAL], peers[REMOTE], matched)),
        *_missing(REMOTE, names, lonely(peers[REMOTE], peers[LOCAL], matched)),
    ]
    if not matched:
        return _result(DOWN if missing else NONE, (), (), missing)
    ends = [_End(pair) for pair in matched]
    verdict = max((end.verdict for end in ends), key=VERDICTS.index)
    return _result(
        UP_BUT if missing and verdict == UP else verdict,
        matched,
        [item for end in ends for item in end.attempts],
        [*missing, *(item for end in ends for item in end.findings)],
    )


class _End:
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
            yield direction.alike("nobody_initiates", "connection_behavior")
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
        return UP if harmless(self.findings) else UP_BUT


def _told(item: Attempt) -> t.Iterator[Finding]:
    """What stands in the way of a call that is never made does no harm.

    Only that nothing answers to a phase 2 is as bad: neither does anything call it.
    """
    unanswered = [one for one in item.children if one.answering is None]
    for finding in item.findings:
        if item.direction.used or any(finding in one.findings for one in unanswered):
            yield finding
        elif item.direction.callable:
            yield replace(finding, severity=INFO)


def _attempt(direction: Direction) -> Attempt:
    outcome = ike.negotiated(direction)
    children = direction.initiator.children
    return Attempt(
        direction,
        outcome,
        tuple(child_sa.negotiated(direction, outcome, child) for child in children),
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


def _missing(
    side: str, names: t.Mapping[str, str], tunnels: t.Iterable[Tunnel]
) -> t.Iterator[Finding]:
    """The other side lacks what these tunnels are for."""
    lacking = REMOTE if side == LOCAL else LOCAL
    for tunnel in tunnels:
        stated = {side: Stated(tunnel.subject, "remote_gateway", tunnel.connection.remote_gateway)}
        yield found("phase1_missing", names, stated, side=names[lacking], other=names[side])


def _invalid(side: str, names: t.Mapping[str, str], error: ModelError) -> Finding:
    stated = {side: Stated(error.subject, error.option, str(error.value))}
    where = ": ".join(filter(None, (error.subject, error.option)))
    words = {"side": names[side], "where": where, "why": error.why, "legal": error.legal}
    return found("definition_invalid", names, stated, value=repr(error.value), **words)


def _result(
    verdict: str,
    matched: t.Sequence[Pair],
    attempts: t.Sequence[Attempt],
    findings: t.Sequence[Finding],
) -> Result:
    return {
        "verdict": verdict,
        "matched": [
            {"local_phase1": mine.connection.name, "remote_phase1": theirs.connection.name}
            for mine, theirs in matched
        ],
        "negotiated": [attempt(item.direction, item.ike, item.children) for item in attempts],
        "findings": [item.to_result() for item in sorted(findings, key=_weight)],
    }


def _weight(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)
