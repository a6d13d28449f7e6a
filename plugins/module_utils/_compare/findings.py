# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One thing that two peers disagree about, or that is good to know of them."""

from __future__ import annotations

import string
import typing as t
from dataclasses import dataclass, replace

from .causes import CAUSES, INFO, SEVERITIES

BOTH = "both"
LOCAL, REMOTE = SIDES = ("local", "remote")


@dataclass(frozen=True)
class Stated:
    """What one side says: of which object, in which option. ``value`` is plain, and no secret."""

    subject: str = ""
    option: str = ""
    value: t.Any = None


@dataclass(frozen=True)
class Finding:
    """``initiator`` is the side that meets it when it calls: local, remote or both."""

    code: str
    severity: str
    initiator: str
    local: Stated
    remote: Stated
    explanation: str
    next_step: str

    def to_result(self) -> dict[str, t.Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "initiator": self.initiator,
            "local_object": self.local.subject,
            "remote_object": self.remote.subject,
            "local_option": self.local.option,
            "remote_option": self.remote.option,
            "ours": self.local.value,
            "theirs": self.remote.value,
            "explanation": self.explanation,
            "next_step": self.next_step,
        }


def found(
    code: str, names: t.Mapping[str, str], sides: t.Mapping[str, Stated], **words: object
) -> Finding:
    """``names`` are those of the peers, and ``sides`` what they say, both by local and remote."""
    cause = CAUSES[code]
    local, remote = sides.get(LOCAL, Stated()), sides.get(REMOTE, Stated())
    told = {
        **names,
        "ours": _written(local.value),
        "theirs": _written(remote.value),
        **{key: _written(value) for key, value in words.items()},
    }
    text, step = (_filled(item, told) for item in (cause.explanation, cause.next_step))
    return Finding(code, cause.severity, BOTH, local, remote, text, step)


def merged(by_initiator: t.Mapping[str, t.Sequence[Finding]]) -> tuple[Finding, ...]:
    """Each finding once, with the side that meets it, as bad as it is for one."""
    seen: dict[tuple[str, str], Finding] = {}
    for initiator, findings in by_initiator.items():
        for item in findings:
            key = (item.code, f"{item.local}{item.remote}")
            known = seen.get(key)
            if known is None:
                seen[key] = replace(item, initiator=initiator)
            elif known.initiator != initiator:
                worst = min(known, item, key=lambda one: SEVERITIES.index(one.severity))
                seen[key] = replace(worst, initiator=BOTH)
    return tuple(seen.values())


def harmless(findings: t.Iterable[Finding]) -> bool:
    return all(item.severity == INFO for item in findings)


def _written(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "nothing"
    return str(value)


def _filled(template: str, words: t.Mapping[str, str]) -> str:
    return string.Formatter().vformat(template, (), words)
