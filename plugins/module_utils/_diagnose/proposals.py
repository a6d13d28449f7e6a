# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Lists of proposals as charon logs them, and where they differ."""

from __future__ import annotations

import re

from .._model.algorithms import MOST_ROUNDS

# The first words of the kind of each round of additional key exchanges.
ADDITIONAL = "additional key exchange"
_KINDS = (
    ("PRF", re.compile(r"PRF_")),
    *(
        # strongSwan 5 knows only the number of the type of a transform.
        (f"{ADDITIONAL} {number}", re.compile(rf"KE{number}_|UNKNOWN_{number + 5}_"))
        for number in range(1, MOST_ROUNDS + 1)
    ),
    ("DH group", re.compile(r"(?:MODP|ECP|CURVE|ML_KEM|NTRU|NEWHOPE|FRODO|KYBER)_")),
    ("ESN", re.compile(r"(?:NO_)?EXT_SEQ")),
    ("hash", re.compile(r"HMAC_|AES_XCBC_|AES_CMAC_|AES_\d+_GMAC")),
    ("encryption", re.compile(r"")),
)
# For a proposal without an algorithm of a kind.
_NONE = "none"
_NO_ROUND = re.compile(r"KE\d_(?:KE_)?NONE")
# More than any peer sends, and few enough to compare all pairs.
_MOST = 100

Transforms = dict[str, frozenset[str]]


def differences(ours: str, theirs: str) -> tuple[str, ...]:
    """Return the kinds of algorithms without a common value; only ``protocol`` if that differs.

    ``ours`` is as in ``IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048, IKE:...``.
    The result is empty if each kind has a common value, even if no combination is common.
    """
    one, other = _parsed(ours), _parsed(theirs)
    if not {protocol for protocol, _names in one} & {protocol for protocol, _names in other}:
        return ("protocol",)
    return tuple(
        kind for kind, _pattern in reversed(_KINDS) if not _all(one, kind) & _all(other, kind)
    )


def only_group_differs(ours: str, theirs: str) -> bool:
    """Return whether a combination of one side differs from the other side only in the DH group."""
    return _only_differs("DH group", ours, theirs)


def only_rounds_differ(ours: str, theirs: str) -> bool:
    """Return whether a combination differs only in its additional key exchanges."""
    return _only_differs(ADDITIONAL, ours, theirs)


def _only_differs(beginning: str, ours: str, theirs: str) -> bool:
    kinds = [kind for kind, _pattern in _KINDS if not kind.startswith(beginning)]
    others = _parsed(theirs)
    return any(
        protocol == other_protocol and all(one[kind] & other[kind] for kind in kinds)
        for protocol, one in _parsed(ours)
        for other_protocol, other in others
    )


def _all(proposals: list[tuple[str, Transforms]], kind: str) -> frozenset[str]:
    return frozenset(name for _protocol, item in proposals for name in item[kind])


def _parsed(text: str) -> list[tuple[str, Transforms]]:
    proposals = []
    for item in text.split(",")[:_MOST]:
        protocol, _colon, names = item.strip().partition(":")
        by_kind: dict[str, set[str]] = {}
        for name in names.split("/"):
            # A round with NONE is the same as no round.
            value = _NONE if _NO_ROUND.fullmatch(name) else name
            by_kind.setdefault(_kind(name), set()).add(value)
        transforms = {kind: frozenset(by_kind.get(kind, {_NONE})) for kind, _pattern in _KINDS}
        proposals.append((protocol, transforms))
    return proposals


def _kind(name: str) -> str:
    return next(kind for kind, pattern in _KINDS if pattern.match(name))
