# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Find the signs of ``signs.py`` in the lines of a log."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .sign import Sign


@dataclass(frozen=True)
class SignMatch:
    """A sign, the log lines that show it, and the values in them."""

    code: str
    lines: tuple[str, ...]
    groups: t.Mapping[str, str]


def matches(signs: t.Iterable[Sign], lines: t.Sequence[str]) -> t.Iterator[SignMatch]:
    """Yield each sign that is in the log, at its last place."""
    for sign in signs:
        match = _last_match(sign, lines)
        if match is not None:
            yield match


def _last_match(sign: Sign, lines: t.Sequence[str]) -> SignMatch | None:
    if sign.unless and any(map(sign.unless.search, lines)):
        return None
    for at in _span(sign, lines):
        match = sign.pattern.search(lines[at])
        if match:
            return _with_context(sign, lines, at, match)
    return None


def _span(sign: Sign, lines: t.Sequence[str]) -> range:
    """Return the places where the sign counts, the last one first."""
    begin = _first(sign.after, lines) + 1 if sign.after else 0
    if sign.overtaken:
        begin = max(begin, _last(sign.overtaken, lines))
    end = _first(sign.before, lines) + 1 if sign.before else len(lines)
    return range(min(end, len(lines)) - 1, begin - 1, -1)


def _first(pattern: t.Pattern[str], lines: t.Sequence[str]) -> int:
    """Return the place of the first matching line, or the number of lines if no line matches."""
    return next((at for at, line in enumerate(lines) if pattern.search(line)), len(lines))


def _last(pattern: t.Pattern[str], lines: t.Sequence[str]) -> int:
    """Return the place of the last matching line, or 0 if no line matches."""
    return next((at for at in range(len(lines) - 1, -1, -1) if pattern.search(lines[at])), 0)


def _with_context(
    sign: Sign, lines: t.Sequence[str], at: int, match: t.Match[str]
) -> SignMatch | None:
    """Return the match with its context, or None if a required line is missing.

    A line of the context is required if it gives values, or if the sign says so.
    """
    places, groups = [], {}
    for pattern in sign.context:
        place = next((place for place in range(at, -1, -1) if pattern.search(lines[place])), None)
        if place is not None:
            places.append(place)
            groups.update(_groups(pattern.search(lines[place])))
        elif pattern.groups or sign.needs_context:
            return None
    between = lines[max(places, default=0) : at]
    if sign.without and any(map(sign.without.search, between)):
        return None
    groups.update(_groups(match))
    return SignMatch(sign.code, tuple(lines[place] for place in sorted({*places, at})), groups)


def _groups(match: t.Match[str] | None) -> dict[str, str]:
    return {key: text for key, text in match.groupdict().items() if text} if match else {}
