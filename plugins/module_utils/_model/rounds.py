# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The additional key exchanges of a proposal: rounds after its DH group (RFC 9370).

A round is a tuple of alternatives in order of preference. The alternative ``none`` makes the round
optional: a peer without this round is accepted too.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import ModelError
from .algorithms import ADDITIONAL_KEY_EXCHANGES, MOST_ROUNDS, NO_ROUND, IkeVersions

Round = tuple[str, ...]
Rounds = tuple[Round, ...]

OPTION = "additional_key_exchange"

_FORMS = "Write a list of rounds, such as [mlkem768], or [[mlkem768, none]] for an optional round."
_KEYWORD = re.compile(r"ke([1-7])_([a-z0-9]+)")


def rounds(value: object, dh_group: int | None, versions: IkeVersions) -> Rounds:
    """Return the rounds of the suboption. Raises ModelError naming the suboption."""
    if not isinstance(value, (list, tuple)):
        raise ModelError(OPTION, value, "is not a list", _FORMS)
    found: list[Round] = []
    for index, item in enumerate(value):
        found.append(_round(f"{OPTION}[{index}]", item, found))
    if not found:
        return ()
    if len(found) > MOST_ROUNDS:
        problem = f"has {len(found)} rounds, more than the {MOST_ROUNDS} of RFC 9370"
        raise ModelError(OPTION, value, problem, f"Give {MOST_ROUNDS} rounds or fewer.")
    if 1 in versions:
        limit = "IKEv1 has no additional key exchange"
        if 2 in versions:
            limit = f"key_exchange auto also accepts IKEv1, and {limit}"
        fix = f"Set key_exchange of the phase 1 to ikev2, or remove {OPTION}."
        raise ModelError(OPTION, value, f"cannot be used: {limit}", fix)
    if dh_group is None:
        problem = "has no key exchange to add to, because the entry has no dh_group"
        fix = f"Give dh_group, such as 31 (curve25519), or remove {OPTION}."
        raise ModelError(OPTION, value, problem, fix)
    return tuple(found)


def _round(place: str, value: object, earlier: t.Sequence[Round]) -> Round:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not items:
        raise ModelError(place, value, "is not a round", _FORMS)
    names = [*ADDITIONAL_KEY_EXCHANGES, NO_ROUND]
    for item in items:
        if item not in names:
            fix = f"Use one of: {', '.join(names)}."
            value = "null" if item is None else item
            raise ModelError(place, value, "is not an additional key exchange", fix)
        if items.count(item) > 1:
            raise ModelError(place, item, "is given twice in one round", "Remove one of the two.")
        if item != NO_ROUND and any(item in other for other in earlier):
            # RFC 9370 section 2.2.2: an exchange must not be repeated in another round.
            problem = "is also in an earlier round, and RFC 9370 allows each method in one round"
            raise ModelError(place, item, problem, "Use another method, or remove the round.")
    if [*items] == [NO_ROUND]:
        problem = "is the only alternative of its round, so the round does nothing"
        raise ModelError(place, NO_ROUND, problem, _FORMS)
    if NO_ROUND in items[:-1]:
        others = [item for item in items if item != NO_ROUND]
        problem = "is not the last alternative, so peers that have the others would use none too"
        fix = f"Write the round as [{', '.join([*others, NO_ROUND])}]."
        raise ModelError(place, NO_ROUND, problem, fix)
    return tuple(items)


def is_required(one: Round) -> bool:
    """Return whether a peer must support the round."""
    return NO_ROUND not in one


def negotiated(offered: Rounds, configured: Rounds) -> Rounds | None:
    """Return the method of each round, None without an agreement.

    The preference of the responder, who has ``configured``, decides. A peer without a round has
    ``none`` for it. A round with ``none`` as its result is left out.
    """
    result: list[Round] = []
    for index in range(max(len(offered), len(configured))):
        theirs, ours = (
            item[index] if index < len(item) else (NO_ROUND,) for item in (offered, configured)
        )
        common = [name for name in ours if name in theirs]
        if not common:
            return None
        result.append((common[0],))
    while result and result[-1] == (NO_ROUND,):
        result.pop()
    return tuple(result)


def to_option(found: Rounds) -> list[str | list[str]]:
    """Return the value of the suboption: a text for a round of one method, else a list."""
    return [one[0] if len(one) == 1 else [*one] for one in found]


def keywords(found: Rounds) -> list[str]:
    """Return the rounds as strongSwan writes them: ``ke1_mlkem768``, ``ke1_none``.

    A round that both peers leave out has no keyword.
    """
    return [
        f"ke{number}_{name}"
        for number, one in enumerate(found, 1)
        for name in one
        if one != (NO_ROUND,)
    ]


def with_keyword(found: Rounds, word: str) -> Rounds | None:
    """Return the rounds with the method of a keyword, None if the keyword is not the next one."""
    match = _KEYWORD.fullmatch(word)
    if match is None:
        return None
    number, name = int(match[1]), match[2]
    if number == len(found) + 1:
        return (*found, (name,))
    if number == len(found) and number:
        return (*found[:-1], (*found[-1], name))
    return None
