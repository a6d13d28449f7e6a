# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of proposals. The combinations that IKEv1 and IKEv2 can negotiate were measured between two
strongSwan 5.9.8 and between two strongSwan 6.0.1, with equal results."""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH_GROUPS,
    ENCRYPTION_NAMES,
    ENCRYPTIONS,
    HASH_NAMES,
    PRF_NAMES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    DEFAULT_AH,
    DEFAULT_ESP,
    DEFAULT_IKE,
    Proposal,
    Use,
)
from hypothesis import given
from hypothesis import strategies as st

IKEV1 = frozenset({1})
IKEV2 = frozenset({2})
AUTO = frozenset({1, 2})

AEAD = ("aes-gcm", "aes-ccm", "chacha20-poly1305")
NEVER_IN_IKE = {"aes-ctr"}
NOT_WITH_IKEV1 = {
    Use.IKE: {*AEAD, "aesxcbc", "aescmac"},
    Use.ESP: {"chacha20-poly1305", "aescmac"},
    Use.AH: {"aescmac"},
}

Options = dict[str, object]


def built(options: Options, use: Use, versions: frozenset[int]) -> Proposal | None:
    try:
        return Proposal.build(options, use, versions)
    except ModelError:
        return None


def every_legal_proposal(use: Use) -> t.Iterator[Proposal]:
    """Yield every proposal that the rules allow, without ``build``."""
    for group in DH_GROUPS if use is Use.IKE else (None, *DH_GROUPS):
        if use is Use.AH:
            yield from (Proposal(None, None, name, group, None) for name in HASH_NAMES)
            continue
        for name, row in ENCRYPTIONS.items():
            if use is Use.IKE and name in NEVER_IN_IKE:
                continue
            hashes = (None,) if name in AEAD else HASH_NAMES
            prfs = PRF_NAMES if use is Use.IKE else (None,)
            for bits, hash_name, prf in itertools.product(row.key_lengths, hashes, prfs):
                yield Proposal(name, bits, hash_name, group, prf)


@pytest.mark.parametrize(
    ("use", "count"),
    [(Use.IKE, (7 * 7 * 11 + 7 * 7) * 22), (Use.ESP, (7 * 14 + 7) * 23), (Use.AH, 7 * 23)],
)
def test_every_legal_proposal(use: Use, count: int) -> None:
    """Each proposal has an own keyword that parses to it, and suboptions that build it."""
    keywords = set()
    for proposal in every_legal_proposal(use):
        keyword = proposal.keyword()
        assert Proposal.parse(keyword, use) == proposal
        assert Proposal.build(json.loads(json.dumps(proposal.to_options())), use, IKEV2) == proposal
        keywords.add(keyword)
    assert len(keywords) == count


@pytest.mark.parametrize(
    ("options", "use", "keyword"),
    [
        ({}, Use.IKE, "aes256-sha256-modp2048"),
        ({}, Use.ESP, "aes256-sha256"),
        ({}, Use.AH, "sha256"),
        ({"algorithm": None, "hash": None, "dh_group": None}, Use.ESP, "aes256-sha256"),
        ({"key_length": 128, "hash": "sha1", "dh_group": 2}, Use.IKE, "aes128-sha1-modp1024"),
        ({"algorithm": "aes-gcm", "dh_group": 19}, Use.IKE, "aes256gcm16-prfsha256-ecp256"),
        ({"algorithm": "aes-gcm", "prf": "sha384"}, Use.IKE, "aes256gcm16-prfsha384-modp2048"),
        ({"algorithm": "aes-gcm", "key_length": 128}, Use.ESP, "aes128gcm16"),
        ({"algorithm": "aes-ccm"}, Use.ESP, "aes256ccm16"),
        ({"algorithm": "aes-ctr"}, Use.ESP, "aes256ctr-sha256"),
        (
            {"algorithm": "chacha20-poly1305", "dh_group": 31},
            Use.ESP,
            "chacha20poly1305-curve25519",
        ),
        ({"algorithm": "chacha20-poly1305", "key_length": 256}, Use.ESP, "chacha20poly1305"),
        ({"algorithm": "camellia", "key_length": 192}, Use.ESP, "camellia192-sha256"),
        ({"algorithm": "3des", "hash": "md5"}, Use.ESP, "3des-md5"),
        ({"algorithm": "3des", "key_length": 168}, Use.ESP, "3des-sha256"),
        ({"algorithm": "blowfish"}, Use.ESP, "blowfish256-sha256"),
        ({"algorithm": "cast128", "key_length": 128}, Use.ESP, "cast128-sha256"),
        ({"hash": "sha512", "prf": "sha512"}, Use.IKE, "aes256-sha512-modp2048"),
        ({"hash": "sha512", "prf": "sha256"}, Use.IKE, "aes256-sha512-prfsha256-modp2048"),
        ({"hash": "aescmac"}, Use.IKE, "aes256-aescmac-modp2048"),
        ({"hash": "aesxcbc", "dh_group": 24}, Use.AH, "aesxcbc-modp2048s256"),
    ],
)
def test_keyword(options: Options, use: Use, keyword: str) -> None:
    assert Proposal.build(options, use, IKEV2).keyword() == keyword


@pytest.mark.parametrize(
    ("use", "defaults", "keyword"),
    [
        (Use.IKE, DEFAULT_IKE, "aes256-sha256-modp2048"),
        (Use.ESP, DEFAULT_ESP, "aes256-sha256-modp2048"),
        (Use.AH, DEFAULT_AH, "sha256-modp2048"),
    ],
)
def test_defaults(use: Use, defaults: tuple[Proposal, ...], keyword: str) -> None:
    assert defaults == (Proposal.build({"dh_group": 14}, use, AUTO),)
    assert defaults[0].keyword() == keyword
    assert defaults[0].weaknesses() == ()


def test_to_options_holds_what_is_in_effect() -> None:
    assert DEFAULT_IKE[0].to_options() == {
        "algorithm": "aes",
        "key_length": 256,
        "hash": "sha256",
        "dh_group": 14,
        "prf": "sha256",
    }
    assert DEFAULT_AH[0].to_options() == {"hash": "sha256", "dh_group": 14}


def test_a_default_that_is_written_out_is_the_same_proposal() -> None:
    written = {"algorithm": "aes", "key_length": 256, "hash": "sha256", "prf": "sha256"}
    assert Proposal.build(written, Use.IKE, AUTO) == Proposal.build({}, Use.IKE, AUTO)


@pytest.mark.parametrize("name", ENCRYPTION_NAMES)
@pytest.mark.parametrize("use", [Use.IKE, Use.ESP])
def test_algorithms_by_version(name: str, use: Use) -> None:
    never = use is Use.IKE and name in NEVER_IN_IKE
    assert (built({"algorithm": name}, use, IKEV2) is None) == never
    assert (built({"algorithm": name}, use, IKEV1) is None) == (
        never or name in NOT_WITH_IKEV1[use]
    )


@pytest.mark.parametrize("name", HASH_NAMES)
@pytest.mark.parametrize("use", list(Use))
def test_hashes_by_version(name: str, use: Use) -> None:
    assert built({"hash": name}, use, IKEV2)
    assert (built({"hash": name}, use, IKEV1) is None) == (name in NOT_WITH_IKEV1[use])


@pytest.mark.parametrize("use", list(Use))
def test_dh_groups_work_in_every_version(use: Use) -> None:
    assert all(built({"dh_group": number}, use, AUTO) for number in DH_GROUPS)


VALUES = st.one_of(
    st.sampled_from([*ENCRYPTION_NAMES, *HASH_NAMES]),
    st.sampled_from([*DH_GROUPS, 128, 168, 192, 256]),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers()),
)
OPTIONS = st.dictionaries(
    st.sampled_from(["algorithm", "key_length", "hash", "dh_group", "prf"]), VALUES
)


@given(options=OPTIONS, use=st.sampled_from(Use))
def test_auto_is_what_suits_both_versions(options: Options, use: Use) -> None:
    first, second = built(options, use, IKEV1), built(options, use, IKEV2)
    assert built(options, use, AUTO) == (second if first else None)
    if first:
        assert first == second
    if second:
        assert Proposal.parse(second.keyword(), use) == second


@pytest.mark.parametrize(
    ("keyword", "use", "message"),
    [
        ("", Use.ESP, "contains an unknown keyword: ''. Use one keyword of each kind."),
        ("aes256-", Use.ESP, "contains an unknown keyword: ''. Use one keyword of each kind."),
        (
            "null-sha256",
            Use.ESP,
            "contains an unknown keyword: 'null'. Use one keyword of each kind.",
        ),
        (
            "aes256-aes128-sha256",
            Use.ESP,
            "contains a second algorithm of one kind: 'aes128'. Use one keyword of each kind.",
        ),
        # charon would install ESP without authentication.
        (
            "aes256",
            Use.ESP,
            "is not the canonical form of a proposal for ESP. Write aes256-sha256.",
        ),
        (
            "sha256",
            Use.ESP,
            "is not the canonical form of a proposal for ESP. Write aes256-sha256.",
        ),
        (
            "aes256-sha256",
            Use.IKE,
            "is not the canonical form of a proposal for an IKE SA. Write aes256-sha256-modp2048.",
        ),
        (
            "aes256gcm16-modp2048",
            Use.IKE,
            "is not the canonical form of a proposal for an IKE SA. Write "
            "aes256gcm16-prfsha256-modp2048.",
        ),
        (
            "modp2048",
            Use.AH,
            "is not the canonical form of a proposal for AH. Write sha256-modp2048.",
        ),
    ],
)
def test_parse_refuses_what_keyword_would_not_write(keyword: str, use: Use, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Proposal.parse(keyword, use)
    assert str(caught.value) == f"proposal {keyword!r}: {message}"


@pytest.mark.parametrize(
    ("options", "use", "weak"),
    [
        ({}, Use.IKE, ()),
        (
            {"algorithm": "3des", "hash": "sha1", "dh_group": 2},
            Use.IKE,
            ("3des", "sha1", "DH group 2"),
        ),
        ({"algorithm": "blowfish", "hash": "sha256"}, Use.ESP, ("blowfish",)),
        ({"hash": "sha256", "prf": "md5"}, Use.IKE, ("md5",)),
        ({"algorithm": "aes-gcm", "prf": "sha1"}, Use.IKE, ("sha1",)),
        ({"hash": "md5", "dh_group": 24}, Use.AH, ("md5", "DH group 24")),
    ],
)
def test_weaknesses(options: Options, use: Use, weak: tuple[str, ...]) -> None:
    assert Proposal.build(options, use, IKEV2).weaknesses() == weak
