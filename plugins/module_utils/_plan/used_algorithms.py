# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare the algorithms that charon lists for an SA with the configured proposals."""

from __future__ import annotations

import functools
import typing as t

from .._model.algorithms import (
    ADDITIONAL_KEY_EXCHANGES,
    DH,
    ENCRYPTIONS,
    HASHES,
    MOST_ROUNDS,
    NO_ROUND,
)


@functools.lru_cache(maxsize=1024)
def proposed(used: tuple[str, ...], configured: tuple[str, ...]) -> bool:
    """Return whether a proposal has these algorithms, or whether a proposal is not readable."""
    proposals = [{*item.split("-")} for item in configured]
    readable = bool(proposals) and all(item <= _KEYWORDS for item in proposals)
    return not readable or any(_fits(used, item) for item in proposals)


def _fits(keywords: t.Sequence[str], proposal: t.AbstractSet[str]) -> bool:
    """Return whether a proposal has these keywords. Without a PRF in it, the hash implies one.

    The first Child SA has no key exchange of its own, and then no round either.
    """
    named = any(word.startswith("prf") for word in proposal)
    if not all(word in proposal or (word.startswith("prf") and not named) for word in keywords):
        return False
    if not _GROUPS.intersection(keywords):
        return True
    used = {word.partition("_")[0] for word in keywords}
    rounds = {word.partition("_")[0] for word in proposal & _ROUNDS}
    return all(one in used or f"{one}_{NO_ROUND}" in proposal for one in rounds)


def keywords(sa: t.Mapping[str, t.Any]) -> list[str]:
    """Return the keywords of the algorithms of an SA; none when one of them is unknown."""
    size = sa.get("encr-keysize", "")
    encryption = f"{sa.get('encr-alg', '')} {size}"
    keywords = [
        _ENCRYPTION.get(encryption, _ENCRYPTION.get(f"{sa.get('encr-alg', '')} ", "")),
        *(_OTHERS.get(sa[key], "") for key in ("integ-alg", "prf-alg", "dh-group") if key in sa),
    ]
    keywords = keywords if "encr-alg" in sa else keywords[1:]
    keywords += [
        _ROUND_KEYWORDS.get(f"{number} {sa[key]}", "")
        for number, key in ((number, f"ake{number}") for number in range(1, MOST_ROUNDS + 1))
        if key in sa
    ]
    return keywords if all(keywords) else []


_ENCRYPTION = {
    f"{item.charon} {size}": item.keyword.format(size)
    for item in ENCRYPTIONS.values()
    for size in (*item.key_lengths, *([""] if "{" not in item.keyword else []))
}
_OTHERS = {
    **{item.integrity: item.name for item in HASHES.values()},
    **{item.prf: f"prf{item.name}" for item in HASHES.values()},
    **{item.charon: item.keyword for item in DH.values()},
}
_GROUPS = frozenset(item.keyword for item in DH.values())
_ROUND_KEYWORDS = {
    f"{number} {charon}": f"ke{number}_{name}"
    for number in range(1, MOST_ROUNDS + 1)
    for charon, name in (
        *((item.charon, item.name) for item in ADDITIONAL_KEY_EXCHANGES.values()),
        ("KE_NONE", NO_ROUND),
    )
}
_ROUNDS = frozenset(_ROUND_KEYWORDS.values())
_KEYWORDS = frozenset({*_ENCRYPTION.values(), *_OTHERS.values(), *_ROUNDS})
