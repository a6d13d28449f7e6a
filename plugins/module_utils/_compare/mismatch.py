# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A mismatch between the definitions of two peers."""

from __future__ import annotations

import string
import typing as t
from dataclasses import dataclass, replace

from .causes import CAUSES
from .mismatch_kind import INFO, SEVERITIES

BOTH = "both"
LOCAL, REMOTE = SIDES = ("local", "remote")


@dataclass(frozen=True)
class OptionValue:
    """The value of an option of an object on one side: plain, and never a secret."""

    subject: str = ""
    option: str = ""
    value: t.Any = None


@dataclass(frozen=True)
class Mismatch:
    """A mismatch. It occurs if the side ``initiator`` initiates: local, remote or both."""

    code: str
    severity: str
    initiator: str
    local: OptionValue
    remote: OptionValue
    explanation: str
    next_step: str

    def to_result(self) -> dict[str, t.Any]:
        """Return the mismatch as plain data, for users."""
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


def mismatch(
    code: str, names: t.Mapping[str, str], sides: t.Mapping[str, OptionValue], **words: object
) -> Mismatch:
    """Return the mismatch of a code, with the ``names`` and values of the two sides."""
    kind = CAUSES[code]
    local, remote = sides.get(LOCAL, OptionValue()), sides.get(REMOTE, OptionValue())
    fields = {
        **names,
        "ours": _text(local.value),
        "theirs": _text(remote.value),
        **{key: _text(value) for key, value in words.items()},
    }
    explanation, step = (_filled(item, fields) for item in (kind.explanation, kind.next_step))
    return Mismatch(code, kind.severity, BOTH, local, remote, explanation, step)


def merged(by_initiator: t.Mapping[str, t.Sequence[Mismatch]]) -> tuple[Mismatch, ...]:
    """Return each mismatch once, with its initiator and the worse of two severities."""
    by_key: dict[tuple[str, str], Mismatch] = {}
    for initiator, mismatches in by_initiator.items():
        for item in mismatches:
            key = (item.code, f"{item.local}{item.remote}")
            earlier = by_key.get(key)
            if earlier is None:
                by_key[key] = replace(item, initiator=initiator)
            elif earlier.initiator != initiator:
                worst = min(earlier, item, key=lambda one: SEVERITIES.index(one.severity))
                by_key[key] = replace(worst, initiator=BOTH)
    return tuple(by_key.values())


def harmless(mismatches: t.Iterable[Mismatch]) -> bool:
    """Return whether every mismatch is only an information."""
    return all(item.severity == INFO for item in mismatches)


def _text(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)


def _filled(template: str, words: t.Mapping[str, str]) -> str:
    return string.Formatter().vformat(template, (), words)
