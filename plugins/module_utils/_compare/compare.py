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

from .._errors import ModelError, one_line, shown
from .causes import SEVERITIES
from .definition import Peer, Tunnel
from .findings import LOCAL, REMOTE, SIDES, Finding, Stated, found
from .matching import Pair, lonely, pairs
from .result import attempt
from .tunnel import DEGRADED, DOWN, NONE, UP, VERDICTS, End
from .within import findings_within

Result = dict[str, t.Any]
Read = t.Callable[[], Peer]


def compared(names: t.Mapping[str, str], read: t.Mapping[str, Read]) -> Result:
    """``verdict``, ``matched``, ``negotiated`` and ``findings``, of the peers local and remote.

    The verdict is none where neither has a tunnel to the other. A definition that can't be read,
    which raises ModelError, is a finding.
    """
    peers: dict[str, Peer] = {}
    unread = []
    for side in SIDES:
        try:
            peers[side] = read[side]()
        except ModelError as error:
            unread.append(_invalid(side, names, error))
    if unread:
        return _result(DOWN, (), unread)
    result = met(peers[LOCAL], peers[REMOTE], pairs(peers[LOCAL], peers[REMOTE]))
    own = [item for side in SIDES for item in findings_within(side, names, peers[side])]
    return _with(result, own)


def alone(name: str, peer: Peer) -> Result | None:
    """The result of one peer by itself, None where nothing is wrong within its definition."""
    own = [*findings_within(LOCAL, {LOCAL: name, REMOTE: ""}, peer)]
    return _result(DEGRADED, (), own) if own else None


def _with(result: Result, own: t.Sequence[Finding]) -> Result:
    """What is wrong within a definition comes first of what is as bad."""
    if not own:
        return result
    findings = [*(item.to_result() for item in own), *result["findings"]]
    findings.sort(key=lambda item: SEVERITIES.index(item["severity"]))
    verdict = DEGRADED if result["verdict"] == UP else result["verdict"]
    return {**result, "verdict": verdict, "findings": findings}


def unreadable(name: str, error: ModelError) -> Result:
    """The result of a peer that can't be compared with any other."""
    return _result(DOWN, (), [_invalid(LOCAL, {LOCAL: name, REMOTE: ""}, error)])


def met(local: Peer, remote: Peer, matched: tuple[Pair, ...]) -> Result:
    """The result of two peers, with those of their tunnels that are two ends of one."""
    names = {LOCAL: local.name, REMOTE: remote.name}
    missing = [
        *_missing(LOCAL, names, lonely(local, remote, matched)),
        *_missing(REMOTE, names, lonely(remote, local, matched)),
    ]
    if not matched:
        return _result(DOWN if missing else NONE, (), missing)
    ends = [End(pair) for pair in matched]
    verdict = max((end.verdict for end in ends), key=VERDICTS.index)
    findings = [*missing, *(item for end in ends for item in end.findings)]
    return _result(DEGRADED if missing and verdict == UP else verdict, ends, findings)


def _missing(
    side: str, names: t.Mapping[str, str], tunnels: t.Iterable[Tunnel]
) -> t.Iterator[Finding]:
    """The other side lacks what these tunnels are for."""
    lacking = REMOTE if side == LOCAL else LOCAL
    for tunnel in tunnels:
        stated = {side: Stated(tunnel.subject, "remote_gateway", tunnel.connection.remote_gateway)}
        yield found("phase1_missing", names, stated, side=names[lacking], other=names[side])


def _invalid(side: str, names: t.Mapping[str, str], error: ModelError) -> Finding:
    value = "" if error.value is None else shown(error.value).strip("'")
    stated = {side: Stated(error.subject, error.option, value)}
    words = {"side": names[side], "said": one_line(error.said), "legal": one_line(error.legal)}
    return found("definition_invalid", names, stated, **words)


def _result(verdict: str, ends: t.Sequence[End], findings: t.Sequence[Finding]) -> Result:
    attempts = [item for end in ends for item in end.attempts]
    return {
        "verdict": verdict,
        "matched": [
            {
                "local_phase1": end.forward.initiator.connection.name,
                "remote_phase1": end.forward.responder.connection.name,
            }
            for end in ends
        ],
        "negotiated": [attempt(item.direction, item.ike, item.children) for item in attempts],
        "findings": [item.to_result() for item in sorted(findings, key=_weight)],
    }


def _weight(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)
