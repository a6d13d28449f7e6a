# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The proposals of a connection, as configured and as charon shows them in list-conns.

charon shows them from strongSwan 6.0.7 on: ``{"0": {"encr": ["AES_CBC_256"], ...}, ...}``. Both
forms become one text for each proposal, in the order of preference, and each text once. A form that
this file does not know is no difference. All algorithms were measured with strongSwan 6.1.0.
"""

from __future__ import annotations

import functools
import typing as t

from .._errors import ModelError
from .._model.algorithms import (
    ADDITIONAL_KEY_EXCHANGES,
    DH,
    ENCRYPTIONS,
    HASHES,
    MOST_ROUNDS,
    NO_ROUND,
)
from .._model.proposal import Proposal, Use
from .._render.strongswan.section import Section, Value

Texts = tuple[str, ...]

_ROUNDS = tuple(f"ake{number}" for number in range(1, MOST_ROUNDS + 1))
# The kinds in the order of their text.
_KINDS = ("encr", "integ", "prf", "ke", *_ROUNDS, "sn")

_NO_ESN = "NO_EXT_SEQ"
_NO_KE = "KE_NONE"
# Names to which charon adds no key length.
_WITHOUT_LENGTH = ("3DES_CBC", "CHACHA20_POLY1305")


def configured(section: Section) -> Texts:
    """Return the proposals of a phase 1; none if their form in list-conns is not known."""
    return _configured(_words(section.get("proposals")), Use.IKE)


def configured_child(child: Section) -> Texts:
    """Return the proposals of a phase 2 with their protocols; none if a form is not known."""
    found: list[str] = []
    for use in (Use.ESP, Use.AH):
        words = _words(child.get(f"{use.name.lower()}_proposals"))
        texts = _configured(words, use)
        if words and not texts:
            return ()
        found += [f"{use.name}:{text}" for text in texts]
    return tuple(found)


def shown(conn: t.Mapping[str, t.Any]) -> Texts | None:
    """Return the proposals of a connection in list-conns; None if they are not known."""
    return _shown(conn.get("proposals"))


def shown_child(child: t.Mapping[str, t.Any]) -> Texts | None:
    """Return the proposals of a child in list-conns; None if they are not known."""
    found: list[str] = []
    for use in (Use.ESP, Use.AH):
        texts = _shown(child.get(f"{use.name.lower()}_proposals"))
        if texts is None:
            return None
        found += [f"{use.name}:{text}" for text in texts]
    return tuple(found)


def _words(value: Value | None) -> Texts:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(","))
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()


@functools.lru_cache(maxsize=1024)
def _configured(words: Texts, use: Use) -> Texts:
    try:
        return _once(_text(_algorithms(Proposal.parse(word, use), use)) for word in words)
    except ModelError:
        return ()


def _algorithms(proposal: Proposal, use: Use) -> dict[str, Texts]:
    """Return the names of charon by kind."""
    found: dict[str, Texts] = {}
    if proposal.algorithm is not None:
        found["encr"] = (_with_length(ENCRYPTIONS[proposal.algorithm].charon, proposal.key_length),)
    if proposal.hash is not None:
        found["integ"] = (HASHES[proposal.hash].integrity,)
    if proposal.prf is not None:
        found["prf"] = (HASHES[proposal.prf].prf,)
    if proposal.dh_group is not None:
        found["ke"] = (DH[proposal.dh_group].charon,)
    for kind, one in zip(_ROUNDS, proposal.additional_key_exchange):
        found[kind] = tuple(_ROUND_NAMES[name] for name in one)
    if use is not Use.IKE:
        found["sn"] = (_NO_ESN,)
    return found


def _with_length(charon: str, length: int | None) -> str:
    return charon if charon in _WITHOUT_LENGTH else f"{charon}_{length}"


def _text(algorithms: t.Mapping[str, Texts]) -> str:
    """Return ``AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/ake1=ML_KEM_768,KE_NONE/NO_EXT_SEQ``."""
    return "/".join(
        f"{kind}={','.join(algorithms[kind])}" if kind in _ROUNDS else ",".join(algorithms[kind])
        for kind in _KINDS
        if algorithms.get(kind)
    )


def _shown(proposals: object) -> Texts | None:
    if not isinstance(proposals, t.Mapping) or not all(map(str.isdigit, proposals)):
        return None
    found = [proposals[number] for number in sorted(proposals, key=int)]
    return _once(map(_text, found)) if all(map(_is_known, found)) else None


def _once(texts: t.Iterable[str]) -> Texts:
    """Return the texts without repetitions, which charon drops from a child."""
    return tuple(dict.fromkeys(texts))


def _is_known(proposal: object) -> bool:
    """Return whether all kinds and names are known, so that another name is another algorithm."""
    return isinstance(proposal, t.Mapping) and all(
        kind in _KINDS and isinstance(names, (list, tuple)) and _NAMES.issuperset(names)
        for kind, names in proposal.items()
    )


_ROUND_NAMES = {
    NO_ROUND: _NO_KE,
    **{item.name: item.charon for item in ADDITIONAL_KEY_EXCHANGES.values()},
}
# Algorithms that no option offers, in the default proposals of charon and in its manual.
_MORE = (
    *(
        f"{name}_{length}"
        for name in (
            *("AES_GCM_8", "AES_GCM_12", "AES_CCM_8", "AES_CCM_12", "CAMELLIA_CTR"),
            *("CAMELLIA_CCM_8", "CAMELLIA_CCM_12", "CAMELLIA_CCM_16", "NULL_AES_GMAC"),
        )
        for length in (128, 192, 256)
    ),
    *("NULL", "DES_CBC", "HMAC_SHA2_256_96", "HMAC_MD5_128", "HMAC_SHA1_128", "HMAC_SHA1_160"),
    *("MODP_NULL", "EXT_SEQ"),
)
_NAMES = frozenset(
    {
        *(
            _with_length(item.charon, length)
            for item in ENCRYPTIONS.values()
            for length in item.key_lengths
        ),
        *(item.integrity for item in HASHES.values()),
        *(item.prf for item in HASHES.values()),
        *(item.charon for item in DH.values()),
        *_ROUND_NAMES.values(),
        *_MORE,
        _NO_ESN,
    }
)
