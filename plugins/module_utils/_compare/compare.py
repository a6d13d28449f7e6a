# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare two peers before a host is touched: the result if either side initiates.

The choices of charon were measured with strongSwan 5.9.8 and 6.0.1.
``tests/live/test_compare.py`` compares this with them.
"""

from __future__ import annotations

import typing as t

from .._errors import ModelError, one_line, shown
from .definition import Peer, TunnelEnd
from .matching import Pair, pairs, unmatched
from .mismatch import LOCAL, REMOTE, SIDES, Mismatch, OptionValue, mismatch
from .mismatch_kind import SEVERITIES
from .result import negotiation_result
from .tunnel import DEGRADED, DOWN, NONE, UP, VERDICTS, TunnelComparison
from .within import mismatches_within

Result = dict[str, t.Any]
Read = t.Callable[[], Peer]


def compare_definitions(names: t.Mapping[str, str], read: t.Mapping[str, Read]) -> Result:
    """Return ``verdict``, ``matched``, ``negotiated`` and ``findings`` of two definitions.

    The verdict is ``none`` if neither side has a tunnel to the other. A definition that raises
    ModelError is a finding.
    """
    peers: dict[str, Peer] = {}
    invalid = []
    for side in SIDES:
        try:
            peers[side] = read[side]()
        except ModelError as error:
            invalid.append(_invalid(side, names, error))
    if invalid:
        return _result(DOWN, (), invalid)
    local, remote = (peers[side] for side in SIDES)
    result = compare_peers(local, remote, pairs(local, remote))
    within = [item for side in SIDES for item in mismatches_within(side, names, peers[side])]
    return _with(result, within)


def compare_with_itself(name: str, peer: Peer) -> Result | None:
    """Return the mismatches within the definition of one peer, None if there are none."""
    within = [*mismatches_within(LOCAL, {LOCAL: name, REMOTE: ""}, peer)]
    return _result(DEGRADED, (), within) if within else None


def _with(result: Result, within: t.Sequence[Mismatch]) -> Result:
    """Return the result with mismatches within a definition, first among equal severities."""
    if not within:
        return result
    findings = [*(item.to_result() for item in within), *result["findings"]]
    findings.sort(key=lambda item: SEVERITIES.index(item["severity"]))
    verdict = DEGRADED if result["verdict"] == UP else result["verdict"]
    return {**result, "verdict": verdict, "findings": findings}


def invalid_definition(name: str, error: ModelError) -> Result:
    """Return the result of a peer whose definition has an error."""
    return _result(DOWN, (), [_invalid(LOCAL, {LOCAL: name, REMOTE: ""}, error)])


def compare_peers(local: Peer, remote: Peer, matched: tuple[Pair, ...]) -> Result:
    """Return the result of two peers, with the pairs of ends that are one tunnel."""
    names = {LOCAL: local.name, REMOTE: remote.name}
    missing = [
        *_missing(LOCAL, names, unmatched(local, remote, [pair[0] for pair in matched])),
        *_missing(REMOTE, names, unmatched(remote, local, [pair[1] for pair in matched])),
    ]
    if not matched:
        return _result(DOWN if missing else NONE, (), missing)
    tunnels = [TunnelComparison(pair) for pair in matched]
    verdict = max((item.verdict for item in tunnels), key=VERDICTS.index)
    mismatches = [*missing, *(item for tunnel in tunnels for item in tunnel.mismatches)]
    return _result(DEGRADED if missing and verdict == UP else verdict, tunnels, mismatches)


def _missing(
    side: str, names: t.Mapping[str, str], ends: t.Iterable[TunnelEnd]
) -> t.Iterator[Mismatch]:
    """Yield that the other side has no phase 1 for these ends."""
    lacking = REMOTE if side == LOCAL else LOCAL
    for end in ends:
        gateway = OptionValue(end.subject, "remote_gateway", end.connection.remote_gateway)
        words = {"side": names[lacking], "other": names[side]}
        yield mismatch("phase1_missing", names, {side: gateway}, **words)


def _invalid(side: str, names: t.Mapping[str, str], error: ModelError) -> Mismatch:
    value = "" if error.value is None else shown(error.value).strip("'")
    stated = {side: OptionValue(error.subject, error.option, value)}
    words = {"side": names[side], "fault": one_line(error.fault), "fix": one_line(error.fix)}
    return mismatch("definition_invalid", names, stated, **words)


def _result(
    verdict: str, tunnels: t.Sequence[TunnelComparison], mismatches: t.Sequence[Mismatch]
) -> Result:
    negotiations = [item for tunnel in tunnels for item in tunnel.negotiations]
    return {
        "verdict": verdict,
        "matched": [
            {
                "local_phase1": tunnel.forward.initiator.connection.name,
                "remote_phase1": tunnel.forward.responder.connection.name,
            }
            for tunnel in tunnels
        ],
        "negotiated": [
            negotiation_result(item.direction, item.ike, item.children) for item in negotiations
        ],
        "findings": [item.to_result() for item in sorted(mismatches, key=_weight)],
    }


def _weight(item: Mismatch) -> int:
    return SEVERITIES.index(item.severity)
