# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The order of Debian package versions. Pure.

Source: "Debian Policy Manual", section 5.6.12, and the function verrevcmp of dpkg.
"""

from __future__ import annotations

import functools
import itertools
import re
import typing as t

# A text without digits, then a number. Versions alternate between both.
_PART = re.compile(r"([^0-9]*)([0-9]*)")


def older(version: str, than: str) -> bool:
    """Return whether a version is lower than another one, as `dpkg --compare-versions lt` does."""
    return compare(version, than) < 0


def compare(one: str, other: str) -> int:
    """Return a negative number, 0 or a positive number for a lower, equal or higher version."""
    for mine, theirs in zip(_split(one), _split(other)):
        found = _compare_part(mine, theirs)
        if found:
            return found
    return 0


def lowest(versions: t.Iterable[str]) -> str:
    """Return the lowest of at least one version."""
    return min(versions, key=functools.cmp_to_key(compare))


def _split(version: str) -> tuple[str, str, str]:
    """Return epoch, upstream version and revision. A missing part counts as 0."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if hyphen else (epoch, rest, "0")


def _compare_part(one: str, other: str) -> int:
    pairs = itertools.zip_longest(_PART.findall(one), _PART.findall(other), fillvalue=("", ""))
    for (text, number), (other_text, other_number) in pairs:
        characters = itertools.zip_longest(text, other_text, fillvalue="")
        for mine, theirs in characters:
            if mine != theirs:
                return _rank(mine) - _rank(theirs)
        if int(number or 0) != int(other_number or 0):
            return int(number or 0) - int(other_number or 0)
    return 0


def _rank(character: str) -> int:
    """Return the order of a character: a tilde, the end of a part, letters, all others."""
    if character in ("~", ""):
        return -1 if character else 0
    return ord(character) if character.isalpha() else ord(character) + 256
