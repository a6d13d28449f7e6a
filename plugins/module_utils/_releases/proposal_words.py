# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Algorithms of proposals, from options and from words of strongSwan. Pure.

The table of words has the algorithms that some release of Debian lacks with some packages. The
other words are never a reason for a finding.
"""

from __future__ import annotations

import re
import typing as t

from .._model.algorithms import DH, ENCRYPTIONS, HASHES

Options = t.Mapping[str, t.Any]

# Source: src/libstrongswan/crypto/proposal/proposal_keywords_static.txt of strongSwan 6.1.0.
_WORDS = tuple(
    (re.compile(word), names)
    for word, names in (
        (r"serpent(128|192|256)?", ("SERPENT_CBC",)),
        (r"twofish(128|192|256)?", ("TWOFISH_CBC",)),
        (r"camellia(128|192|256)?ccm(8|64)", ("CAMELLIA_CCM_8",)),
        (r"camellia(128|192|256)?ccm(12|96)", ("CAMELLIA_CCM_12",)),
        (r"camellia(128|192|256)?ccm(16|128)", ("CAMELLIA_CCM_16",)),
        (r"aesxcbc", ("AES_XCBC_96",)),
        (r"aescmac", ("AES_CMAC_96",)),
        (r"camelliaxcbc", ("CAMELLIA_XCBC_96",)),
        (r"prfaesxcbc", ("PRF_AES128_XCBC",)),
        (r"prfaescmac", ("PRF_AES128_CMAC",)),
        (r"prfcamelliaxcbc", ("PRF_CAMELLIA128_XCBC",)),
        (r"(?:ke[1-7]_)?mlkem512", ("ML_KEM_512",)),
        (r"(?:ke[1-7]_)?mlkem768", ("ML_KEM_768",)),
        (r"(?:ke[1-7]_)?mlkem1024", ("ML_KEM_1024",)),
    )
)


def of_words(proposal: str) -> list[str]:
    """Return the algorithms of a proposal such as ``serpent256-sha256-modp2048``."""
    words = proposal.strip().lower().split("-")
    return [
        name
        for word in words
        for pattern, names in _WORDS
        if pattern.fullmatch(word)
        for name in names
    ]


def of_ike_options(entry: Options) -> list[str]:
    """Return the algorithms of an entry of ``encryption`` of a phase 1."""
    names = [*_cipher(entry), *_integrity(entry), *group_of(entry)]
    prf = HASHES.get(str(entry.get("prf") or entry.get("hash")))
    return [*names, prf.prf] if prf is not None else names


def of_child_options(entry: Options) -> list[str]:
    """Return the algorithms of an entry of ``encryption`` of a phase 2."""
    return [*_cipher(entry), *_integrity(entry), *group_of(entry)]


def group_of(entry: Options) -> list[str]:
    group = DH.get(entry.get("dh_group", 0))
    return [group.charon] if group is not None else []


def _cipher(entry: Options) -> list[str]:
    cipher = ENCRYPTIONS.get(str(entry.get("algorithm")))
    return [cipher.charon] if cipher is not None else []


def _integrity(entry: Options) -> list[str]:
    hashed = HASHES.get(str(entry.get("hash")))
    return [hashed.integrity] if hashed is not None else []
