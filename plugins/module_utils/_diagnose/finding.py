# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Both sides of an explanation: an attempt with its logs, and the cause that explains it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .cause import Cause
from .causes import CAUSES
from .our_side import OwnCertificate, of_our_side

# Before the text of a line there may be a time, a host, a program, a thread, a group.
_PREFIX = re.compile(r"^(?:.*?charon(?:-systemd)?\[\d+\]: )?(?:.*?\[[A-Z]{3}\] (?:<[^>]*> )?)?")


@dataclass(frozen=True)
class Attempt:
    """An attempt to bring a tunnel up.

    - ``ours`` and ``theirs`` are the logs of this side and of the peer. The log of the peer is
      unfiltered, and None if the user gave none.
    - ``initiates`` is False if this side waits for the peer.
    - ``seen`` is the code of a cause that was observed on the host, such as a missing route. It has
      priority over any log.
    """

    connection: IkeConnection
    child: ChildSa | None = None
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] | None = None
    initiates: bool = True
    rekeyed: bool = False
    seen: str = ""
    own: OwnCertificate | None = None


@dataclass(frozen=True)
class Finding:
    """The cause of a failed attempt. ``ours`` and ``theirs`` are the known values of each side."""

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
        """Return the causes that can lie behind the cause, for a connection of this kind."""
        ppk = "ppk" if self.connection.ppk_id is not None else "no_ppk"
        kinds = {self.connection.authentication, self.connection.key_exchange}
        kinds |= {ppk} if 2 in self.connection.versions else set()
        causes = (CAUSES[code] for code in self.cause.candidates)
        return tuple(item for item in causes if not item.only or item.only in kinds)

    @property
    def explanation(self) -> str:
        """Return the explanation of the cause, with its detail."""
        return f"{self.cause.explanation}{self.detail}"

    def to_result(self) -> dict[str, t.Any]:
        """Return the finding in the form of the results of the modules."""
        return {
            "phase1": self.connection.name,
            "phase2": self.child.name if self.child else None,
            "cause": self.cause.code,
            "explanation": self.explanation,
            "where": _locations(self.cause),
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
            "where": _locations(cause),
            "ours": self.our_value(cause) or None,
            "look_for": cause.look_for,
        }

    def our_value(self, cause: Cause) -> str:
        """Return our configured value that ``cause`` is about, empty if there is none."""
        fault = self.own.faults.get(cause.code) if self.own else None
        return fault or of_our_side(cause.aspect, self.connection, self.child, self.own)

    def __str__(self) -> str:
        name = self.connection.name + (f"/{self.child.name}" if self.child else "")
        sides = {"ours": self.ours, "theirs": self.theirs}
        values = "; ".join(f"{side}: {value}" for side, value in sides.items() if value)
        in_brackets = f" ({values})" if values else ""
        text = f"{name}: {self.explanation}{in_brackets} [{self.cause.code}] {self.cause.next_step}"
        codes = ", ".join(item.code for item in self.candidates)
        return f"{text} Candidates: {codes}." if codes else text


def unproved(attempt: Attempt, code: str, evidence: tuple[str, ...] = ()) -> Finding:
    """Return the finding of a cause without values from a log."""
    return Finding(CAUSES[code], attempt.connection, attempt.child, evidence=evidence)


def evidence(side: str, lines: t.Iterable[str]) -> tuple[str, ...]:
    """Return log lines with the name of their side, without time, program and thread."""
    return tuple(f"{side}: {_PREFIX.sub('', line).strip()}" for line in lines)


def _locations(cause: Cause) -> list[dict[str, str]]:
    return [{"side": place.side, "option": place.option} for place in cause.where]
