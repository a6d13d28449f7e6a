# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the table against the algorithms that charon lists.

``fixtures/get_algorithms.json`` holds the answers to ``get-algorithms`` by strongSwan 5.9.8 (Debian
12) and 6.0.1 (Debian 13), on a processor without AES instructions: the algorithms of
``libstrongswan`` alone, and the additional algorithms of each further package.
``fixtures/keywords.json`` holds the negotiated name of each keyword on both releases, with the key
length if the keyword has one.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    DH_GROUPS,
    ENCRYPTION_NAMES,
    ENCRYPTIONS,
    HASH_NAMES,
    HASHES,
    PRF_NAMES,
)

FIXTURES = Path(__file__).parent / "fixtures"
MEASURED = json.loads((FIXTURES / "get_algorithms.json").read_text())
NEGOTIATED = json.loads((FIXTURES / "keywords.json").read_text())
RELEASES = {"5.9.8": "dh", "6.0.1": "ke"}
BASE = "libstrongswan"

# (section of get-algorithms, name, package)
CHARON = [
    *((row.kind, row.charon, row.package) for row in ENCRYPTIONS.values()),
    *(("integrity", row.integrity, row.package) for row in HASHES.values()),
    *(("prf", row.prf, row.package) for row in HASHES.values()),
    *(("ke", row.charon, row.package) for row in DH.values()),
]


def lists(release: str, package: str, kind: str, name: str) -> bool:
    section = RELEASES[release] if kind == "ke" else kind
    return name in MEASURED[release][package][section].split()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(("kind", "name", "package"), CHARON)
def test_charon_knows_the_name_once_the_package_is_installed(
    release: str, kind: str, name: str, package: str
) -> None:
    assert lists(release, BASE, kind, name) or lists(release, package, kind, name)


@pytest.mark.parametrize(("kind", "name", "package"), CHARON)
def test_no_package_is_named_without_need(kind: str, name: str, package: str) -> None:
    everywhere = all(lists(release, BASE, kind, name) for release in RELEASES)
    assert everywhere == (package == BASE)


def test_the_choices() -> None:
    assert ENCRYPTION_NAMES == (
        "aes",
        "aes-gcm",
        "aes-ctr",
        "aes-ccm",
        "chacha20-poly1305",
        "camellia",
        "3des",
        "blowfish",
        "cast128",
    )
    assert HASH_NAMES == ("md5", "sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac")
    assert PRF_NAMES == HASH_NAMES
    assert tuple(DH_GROUPS) == (1, 2, 5, *range(14, 33))


def test_what_is_weak() -> None:
    """The option ``weak_crypto`` lists exactly the weak algorithms."""
    assert {name for name, row in ENCRYPTIONS.items() if row.weak} == {
        "blowfish",
        "3des",
        "cast128",
    }
    assert {name for name, row in HASHES.items() if row.weak} == {"md5", "sha1"}
    assert {number for number, row in DH.items() if row.weak} == {1, 2, 5, 22, 23, 24}


def test_charon_takes_each_keyword_for_the_algorithm_meant() -> None:
    meant = {
        **{name: row.integrity for name, row in HASHES.items()},
        **{f"prf{name}": HASHES[name].prf for name in PRF_NAMES},
        **{row.keyword: row.charon for row in DH.values()},
    }
    for row in ENCRYPTIONS.values():
        for bits in row.key_lengths:
            suffix = "" if row.name in ("3des", "chacha20-poly1305") else f"_{bits}"
            meant[row.keyword.format(bits)] = row.charon + suffix
    assert meant == NEGOTIATED


def test_dh_groups_have_the_numbers_of_iana() -> None:
    """The sizes of the registry "IKEv2 Key Exchange Method Transform IDs", in bits."""
    modp = {1: 768, 2: 1024, 5: 1536, 14: 2048, 15: 3072, 16: 4096, 17: 6144, 18: 8192}
    subgroups = {22: "1024s160", 23: "2048s224", 24: "2048s256"}
    nist = {19: 256, 20: 384, 21: 521, 25: 192, 26: 224}
    brainpool = {27: 224, 28: 256, 29: 384, 30: 512}
    assert {number: row.keyword for number, row in DH.items()} == {
        **{number: f"modp{size}" for number, size in {**modp, **subgroups}.items()},
        **{number: f"ecp{size}" for number, size in nist.items()},
        **{number: f"ecp{size}bp" for number, size in brainpool.items()},
        31: "curve25519",
        32: "curve448",
    }


def test_the_default_key_length_is_the_longest() -> None:
    assert all(row.default_key_length == max(row.key_lengths) for row in ENCRYPTIONS.values())
