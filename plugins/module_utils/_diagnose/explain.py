# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""From the lines of two logs to the cause: what is known, what it rests on, what to do next.

The log of the side that has called is always there, that of the other side may be. A cause that a
line names is stated. One that only the other side could name is not guessed: the candidates are
listed, with what proves each.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.secret import MASK
from . import peer_log, proposals
from .cause import OURS, THEIRS, Cause
from .causes import CAUSES, MIRRORED
from .our_side import OwnCertificate, of_our_side
from .signs import OUR_SIGNS, PEER_SIGNS, Sign

# Of a log without a sign.
_LAST_WORDS = 5
# Before the text of a line there may be a time, a host, a program, a thread, a group.
_PREFIX = re.compile(r"^(?:.*?charon(?:-systemd)?\[\d+\]: )?(?:.*?\[[A-Z]{3}\] (?:<[^>]*> )?)?")


@dataclass(frozen=True)
class Attempt:
    """One try to bring a tunnel up.

    ``theirs`` is the log of the peer, with whatever is in it; None where nobody has looked.

    ``called`` is False where we were the ones to be called. ``seen`` are causes that were found by
    looking at the host, such as a missing route: they count for more than any log.
    """

    connection: IkeConnection
    child: ChildSa | None = None
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] | None = None
    called: bool = True
    rekeyed: bool = False
    seen: str = ""
    own: OwnCertificate | None = None


@dataclass(frozen=True)
class Finding:
    """``ours`` and ``theirs`` are what each side has, as far as it is known."""

    cause: Cause
    connection: IkeConnection
    child: ChildSa | None
    ours: str = ""
    theirs: str = ""
    evidence: tuple[str, ...] = ()
    detail: str = ""
    own: OwnCertificate | None = None

    @property
    def candidates(self) -> tuple[Cause, ...]:
        """What may lie behind it, for a connection of this kind."""
        kinds = {self.connection.authentication, self.connection.key_exchange}
        found = (CAUSES[code] for code in self.cause.candidates)
        return tuple(item for item in found if not item.only or item.only in kinds)

    @property
    def explanation(self) -> str:
        return f"{self.cause.explanation}{self.detail}"

    def to_result(self) -> dict[str, t.Any]:
        return {
            "phase1": self.connection.name,
            "phase2": self.child.name if self.child else None,
            "cause": self.cause.code,
            "explanation": self.explanation,
            "where": _places(self.cause),
            "ours": self.ours or None,
            "theirs": self.theirs or None,
            "evidence": list(self.evidence),
            "next_step": self.cause.next_step,
            "candidates": [self._candidate(item) for item in self.candidates],
        }

    def _candidate(self, cause: Cause) -> dict[str, t.Any]:
        return {
            "cause": cause.code,
            "explanation": cause.explanation,
            "where": _places(cause),
            "ours": self._ours_of(cause) or None,
            "look_for": cause.look_for,
        }

    def _ours_of(self, cause: Cause) -> str:
        fault = self.own.faults.get(cause.code) if self.own else None
        return fault or of_our_side(cause.aspect, self.connection, self.child, self.own)

    def __str__(self) -> str:
        name = self.connection.name + (f"/{self.child.name}" if self.child else "")
        sides = {"ours": self.ours, "theirs": self.theirs}
        values = "; ".join(f"{side}: {value}" for side, value in sides.items() if value)
        known = f" ({values})" if values else ""
        told = f"{name}: {self.explanation}{known} [{self.cause.code}]"
        behind = ", ".join(item.code for item in self.candidates)
        return f"{told} {self.cause.next_step}" + (f" Candidates: {behind}." if behind else "")


@dataclass(frozen=True)
class _Seen:
    """A sign and the lines that it was found in."""

    code: str
    lines: tuple[str, ...]
    groups: t.Mapping[str, str]


def explain(attempt: Attempt) -> Finding:
    """The cause, as far as the logs tell it."""
    finding = replace(_explained(attempt), own=attempt.own)
    return replace(
        finding,
        ours=finding.ours or finding._ours_of(finding.cause),
        evidence=_masked(finding.evidence, attempt.connection),
    )


def _explained(attempt: Attempt) -> Finding:
    if attempt.seen:
        return _finding(attempt, attempt.seen, ())
    if not attempt.called:
        return _answering(attempt)
    ours = attempt.ours
    if attempt.child is not None:
        ours = peer_log.about_child(ours, attempt.child.name)
    here = next(_signs(OUR_SIGNS, ours), None)
    if here is not None and not CAUSES[here.code].candidates:
        return _of_certificate(attempt, _known(attempt, here, OURS))
    theirs = peer_log.about_us(attempt.theirs or (), attempt.ours)
    if here is None:
        there = next(_signs(PEER_SIGNS, theirs), None)
        if there is not None:
            return _of_certificate(attempt, _known(attempt, there, THEIRS))
        return _finding(attempt, "not_established", _told(OURS, ours[-_LAST_WORDS:]))
    code = "peer_refused_rekeying" if _at_rekeying(attempt, here) else here.code
    here = replace(here, code=code)
    return _behind(attempt, here, theirs)


def _at_rekeying(attempt: Attempt, here: _Seen) -> bool:
    return attempt.rekeyed and here.code in ("peer_refused_phase1", "peer_refused_phase2")


def _behind(attempt: Attempt, here: _Seen, theirs: tuple[str, ...]) -> Finding:
    """What the peer's log says of what we saw; only what can lie behind it counts."""
    possible = _possible(here.code)
    for there in _signs(PEER_SIGNS, theirs):
        if _classified(there) in possible:
            known = _of_certificate(attempt, _known(attempt, there, THEIRS))
            return replace(known, evidence=_told(OURS, here.lines) + known.evidence)
    for code in _faults(attempt):
        if code in possible:
            return _finding(attempt, code, _told(OURS, here.lines))
    if attempt.theirs is not None and here.code.startswith("no_answer"):
        return _silence(attempt, here, theirs)
    return _finding(attempt, here.code, _told(OURS, here.lines))


def _possible(code: str) -> set[str]:
    """The candidates of a cause; what the peer has made of a message that it got may be any."""
    if code.startswith("no_answer_"):
        return {*CAUSES} - {"replaced_by_same_identity"}
    return {*CAUSES[code].candidates}


# What is wrong with our own certificate, so that any peer refuses it.
_CERTAIN = (
    "our_certificate_expired",
    "our_certificate_issuer_expired",
    "our_certificate_lacks_identity",
)
# And what it means where a log names something that it may be.
_SHARPER = {
    "private_key_missing": "our_certificate_lacks_identity",
    "our_certificate_untrusted": "our_certificate_incomplete",
}


def _faults(attempt: Attempt) -> list[str]:
    return [code for code in _CERTAIN if attempt.own and code in attempt.own.faults]


def _of_certificate(attempt: Attempt, finding: Finding) -> Finding:
    """With what the file of our own certificate tells."""
    code = _SHARPER.get(finding.cause.code, "")
    if attempt.own is None or code not in attempt.own.faults:
        return finding
    return replace(finding, cause=CAUSES[code], ours=attempt.own.faults[code])


def _silence(attempt: Attempt, here: _Seen, theirs: tuple[str, ...]) -> Finding:
    """Nothing came back, and the peer's log is there: which way are packets lost?"""
    evidence = _told(OURS, here.lines) + _told(THEIRS, theirs[-_LAST_WORDS:])
    known = any("received packet: from " in line for line in theirs)
    if not known and peer_log.may_hide_us(attempt.theirs or (), attempt.ours):
        return _finding(attempt, here.code, _told(OURS, here.lines))
    got, sent = peer_log.last_exchange(theirs, first=here.code == "no_answer")
    if not got:
        return _finding(attempt, _LOST[here.code] if theirs else _UNHEARD[here.code], evidence)
    return _finding(attempt, "answer_lost" if sent else "request_discarded_by_peer", evidence)


# What it means that the message in question is not in the peer's log, with what was before in it.
_LOST = {
    "no_answer": "request_lost",
    "no_answer_on_4500": "udp_4500_blocked",
    "no_answer_to_authentication": "packets_lost",
}
# And where nothing of us is in it, though it has answered: it is the log of something else.
_UNHEARD = {**{code: code for code in _LOST}, "no_answer": "request_lost"}


def _answering(attempt: Attempt) -> Finding:
    """We were to be called: our log is that of a responder."""
    seen = next(_signs(PEER_SIGNS, attempt.ours), None)
    if seen is None:
        # A caller that refuses our certificate says no more than that.
        faults = _faults(attempt) if attempt.ours else []
        code = faults[0] if faults else "not_initiated_by_peer"
        return _finding(attempt, code, _told(OURS, attempt.ours[-_LAST_WORDS:] if faults else ()))
    code = _classified(seen)
    known = _known(attempt, seen, OURS)
    return replace(
        known, cause=CAUSES[MIRRORED.get(code, code)], ours=known.theirs, theirs=known.ours
    )


def _known(attempt: Attempt, seen: _Seen, side: str) -> Finding:
    """The cause that a line names, with what it says of both sides."""
    code = _classified(seen)
    groups = seen.groups
    ours, theirs = groups.get("ours", ""), groups.get("theirs", "")
    if "named" in groups:
        # Of a search by address and identity.
        ours, theirs = _searched(groups)
    elif "subject" in groups:
        ours, theirs = _certified(attempt, code, groups)
    detail = ""
    if side == THEIRS and code.endswith("_proposal_mismatch") and ours and theirs:
        kinds = proposals.differences(ours, theirs)
        detail = f" Nothing in common: {', '.join(kinds)}." if kinds else ""
    return Finding(
        CAUSES[code],
        attempt.connection,
        attempt.child,
        ours,
        theirs,
        _told(side, seen.lines),
        detail,
    )


def _searched(groups: t.Mapping[str, str]) -> tuple[str, str]:
    asked = groups.get("asked")
    ours = f"{groups['named']}, calling {asked}" if asked else groups["named"]
    return ours, ""


def _certified(attempt: Attempt, code: str, groups: t.Mapping[str, str]) -> tuple[str, str]:
    """Whose certificate it was, and what does not fit it; of the peer's the log tells no more."""
    subject = groups["subject"]
    told = f"{subject}, issued by {groups['issuer']}" if "issuer" in groups else ""
    if not told:
        holds = attempt.own.holds if attempt.own and code.startswith("our_") else ""
        told = f"{groups['identity']}; the certificate "
        told += f"holds {holds}" if holds else f"is that of {subject}"
    return (told, "") if code.startswith("our_") else ("", told)


def _classified(seen: _Seen) -> str:
    """Which difference two lists of proposals for phase 2 have."""
    if seen.code != "esp_proposal_mismatch":
        return seen.code
    ours, theirs = seen.groups["ours"], seen.groups["theirs"]
    if proposals.differences(ours, theirs) == ("protocol",):
        return "protocol_mismatch"
    if proposals.only_group_differs(ours, theirs):
        return "pfs_mismatch"
    return seen.code


def _signs(signs: t.Iterable[Sign], lines: t.Sequence[str]) -> t.Iterator[_Seen]:
    """Each sign that is in the log, at its last place."""
    for sign in signs:
        seen = _seen(sign, lines)
        if seen is not None:
            yield seen


def _seen(sign: Sign, lines: t.Sequence[str]) -> _Seen | None:
    if sign.unless and any(map(sign.unless.search, lines)):
        return None
    for at in _span(sign, lines):
        match = sign.pattern.search(lines[at])
        if match:
            return _with_context(sign, lines, at, match)
    return None


def _span(sign: Sign, lines: t.Sequence[str]) -> range:
    """The places where the sign counts, the last one first."""
    begin = _first(sign.after, lines) + 1 if sign.after else 0
    if sign.overtaken:
        begin = max(begin, _last(sign.overtaken, lines))
    end = _first(sign.before, lines) + 1 if sign.before else len(lines)
    return range(min(end, len(lines)) - 1, begin - 1, -1)


def _first(pattern: t.Pattern[str], lines: t.Sequence[str]) -> int:
    """The place of the first line that matches; behind the last one if there is none."""
    return next((at for at, line in enumerate(lines) if pattern.search(line)), len(lines))


def _last(pattern: t.Pattern[str], lines: t.Sequence[str]) -> int:
    """The place of the last line that matches; 0 if there is none."""
    return next((at for at in range(len(lines) - 1, -1, -1) if pattern.search(lines[at])), 0)


def _with_context(sign: Sign, lines: t.Sequence[str], at: int, match: t.Match[str]) -> _Seen | None:
    """None where a line that belongs to it, and gives its values, is missing."""
    found, groups = [], {}
    for pattern in sign.context:
        place = next((place for place in range(at, -1, -1) if pattern.search(lines[place])), None)
        if place is not None:
            found.append(place)
            groups.update(_groups(pattern.search(lines[place])))
        elif pattern.groups or sign.code == "no_answer_on_4500":
            return None
    between = lines[max(found, default=0) : at]
    if sign.without and any(map(sign.without.search, between)):
        return None
    groups.update(_groups(match))
    places_in_order = sorted({*found, at})
    return _Seen(sign.code, tuple(lines[place] for place in places_in_order), groups)


def _groups(match: t.Match[str] | None) -> dict[str, str]:
    return {key: text for key, text in match.groupdict().items() if text} if match else {}


def _finding(attempt: Attempt, code: str, evidence: tuple[str, ...]) -> Finding:
    return Finding(CAUSES[code], attempt.connection, attempt.child, evidence=evidence)


def _told(side: str, lines: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{side}: {_PREFIX.sub('', line).strip()}" for line in lines)


def _masked(lines: tuple[str, ...], connection: IkeConnection) -> tuple[str, ...]:
    """charon logs no PSK; what somebody has pasted may hold it all the same."""
    secret = connection.psk.reveal().decode("utf-8", "replace") if connection.psk else ""
    return tuple(line.replace(secret, MASK) if secret else line for line in lines)


def _places(cause: Cause) -> list[dict[str, str]]:
    return [{"side": place.side, "option": place.option} for place in cause.where]
