# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Explain an attempt: from the lines of two logs to the cause.

The log of this side is always available, and the log of the peer sometimes. A cause that a line
names is stated. A cause that only the other side can name is never guessed. Its candidates are
listed instead, with the line that proves each.
"""

from __future__ import annotations

from dataclasses import replace

from .._model.connection import IkeConnection
from .._model.secret import MASK
from . import peer_log
from .cause import OURS, THEIRS
from .causes import CAUSES, MIRRORED
from .finding import Attempt, Finding, evidence, unproved
from .named import ROUNDS_DIFFER, certain_faults, exact_code, named, with_own_certificate
from .search import SignMatch, matches
from .signs import OUR_SIGNS, PEER_SIGNS

__all__ = ["Attempt", "Finding", "explain"]

# Lines of a log without a sign that are evidence.
_LAST_LINES = 5
# Causes if the message without an answer is not in the log of the peer, but earlier messages are.
_LOST = {
    "no_answer": "request_lost",
    "no_answer_on_4500": "udp_4500_blocked",
    "no_answer_to_authentication": "packets_lost",
}


def explain(attempt: Attempt) -> Finding:
    """Return the cause of a failed attempt, as far as the logs show it."""
    finding = replace(_explained(attempt), own=attempt.own)
    return replace(
        finding,
        ours=finding.ours or finding.our_value(finding.cause),
        evidence=_masked(finding.evidence, attempt.connection),
    )


def _explained(attempt: Attempt) -> Finding:
    if attempt.seen:
        return unproved(attempt, attempt.seen)
    if not attempt.initiates:
        return _as_responder(attempt)
    ours = attempt.ours
    if attempt.child is not None:
        ours = peer_log.about_child(ours, attempt.child.name)
    match = next(matches(OUR_SIGNS, ours), None)
    if match is not None and not CAUSES[match.code].candidates:
        return with_own_certificate(attempt, named(attempt, match, OURS))
    theirs = peer_log.about_us(attempt.theirs or (), attempt.ours)
    if match is not None:
        return _behind(attempt, _as_rekeying(attempt, match), theirs)
    match = next(matches(PEER_SIGNS, theirs), None)
    if match is not None:
        return with_own_certificate(attempt, named(attempt, match, THEIRS))
    return unproved(attempt, "not_established", evidence(OURS, ours[-_LAST_LINES:]))


def _as_rekeying(attempt: Attempt, match: SignMatch) -> SignMatch:
    if attempt.rekeyed and match.code in ("peer_refused_phase1", "peer_refused_phase2"):
        return replace(match, code="peer_refused_rekeying")
    return match


def _behind(attempt: Attempt, match: SignMatch, theirs: tuple[str, ...]) -> Finding:
    """Return the cause behind a refusal or a missing answer, in the order of certainty.

    A line of the peer's log comes first, then a fault of our certificate, then a lost packet.
    """
    lines = evidence(OURS, match.lines)
    return (
        _named_by_peer(attempt, match, theirs)
        or _faulty_certificate(attempt, match)
        or _lost_packet(attempt, match, theirs)
        or replace(unproved(attempt, match.code, lines), detail=_likely(attempt, match.code))
    )


def _likely(attempt: Attempt, code: str) -> str:
    """Return a hint at an additional key exchange, which many peers lack."""
    # strongSwan 5 refuses even an optional one.
    always = all(item.additional_key_exchange for item in attempt.connection.encryption)
    if code != "peer_refused_phase1" or not always:
        return ""
    return (
        " Every combination of this side has an additional key exchange, which the peer may lack. "
        f"{ROUNDS_DIFFER}"
    )


def _named_by_peer(attempt: Attempt, match: SignMatch, theirs: tuple[str, ...]) -> Finding | None:
    possible = _possible(match.code)
    for proof in matches(PEER_SIGNS, theirs):
        if exact_code(proof) in possible:
            finding = with_own_certificate(attempt, named(attempt, proof, THEIRS))
            return replace(finding, evidence=evidence(OURS, match.lines) + finding.evidence)
    return None


def _possible(code: str) -> set[str]:
    """Return the codes that can lie behind a cause.

    If the peer has received a message and not answered, this is every code.
    """
    if code.startswith("no_answer_"):
        return {*CAUSES} - {"replaced_by_same_identity"}
    return {*CAUSES[code].candidates}


def _faulty_certificate(attempt: Attempt, match: SignMatch) -> Finding | None:
    possible = _possible(match.code)
    code = next((code for code in certain_faults(attempt) if code in possible), None)
    return None if code is None else unproved(attempt, code, evidence(OURS, match.lines))


def _lost_packet(attempt: Attempt, match: SignMatch, theirs: tuple[str, ...]) -> Finding | None:
    """Return on which way packets are lost, None if the log of the peer does not show it."""
    if attempt.theirs is None or not match.code.startswith("no_answer"):
        return None
    received = any("received packet: from " in line for line in theirs)
    if not received and peer_log.may_hide_us(attempt.theirs, attempt.ours):
        return None
    got, answered = peer_log.last_exchange(theirs, first=match.code == "no_answer")
    if got:
        code = "answer_lost" if answered else "request_discarded_by_peer"
    elif theirs or match.code == "no_answer":
        code = _LOST[match.code]
    else:
        # The peer has answered, so this is the log of another host or another time.
        code = match.code
    lines = evidence(OURS, match.lines) + evidence(THEIRS, theirs[-_LAST_LINES:])
    return unproved(attempt, code, lines)


def _as_responder(attempt: Attempt) -> Finding:
    """Return the cause if this side waits for the peer: its log is the log of a responder."""
    match = next(matches(PEER_SIGNS, attempt.ours), None)
    if match is not None:
        finding = named(attempt, match, OURS)
        code = MIRRORED.get(finding.cause.code, finding.cause.code)
        return replace(finding, cause=CAUSES[code], ours=finding.theirs, theirs=finding.ours)
    # An initiator that refuses our certificate sends no reason.
    faults = certain_faults(attempt) if attempt.ours else []
    if faults:
        return unproved(attempt, faults[0], evidence(OURS, attempt.ours[-_LAST_LINES:]))
    return unproved(attempt, "not_initiated_by_peer")


def _masked(lines: tuple[str, ...], connection: IkeConnection) -> tuple[str, ...]:
    """Return the lines without keys: charon logs no key, but pasted text may contain one."""
    keys = (connection.psk, connection.ppk)
    secrets = [key.reveal().decode("utf-8", "replace") for key in keys if key is not None]
    for secret in filter(None, secrets):
        lines = tuple(line.replace(secret, MASK) for line in lines)
    return lines
