# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the algorithms that a proposal needs, and that the IKE daemon lacks."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    DEFAULT_AH,
    DEFAULT_ESP,
    DEFAULT_IKE,
    Proposal,
    Use,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.requirements import (
    Requirement,
    missing,
    requirements,
)

IKEV2 = frozenset({2})


def needs(proposal: Proposal, use: Use, *, userspace: bool = False) -> set[tuple[str, str]]:
    return {(need.kind, need.name) for need in requirements(proposal, use, userspace=userspace)}


def test_an_ike_sa_needs_all_of_its_algorithms() -> None:
    assert needs(DEFAULT_IKE[0], Use.IKE) == {
        ("encryption", "AES_CBC"),
        ("integrity", "HMAC_SHA2_256_128"),
        ("prf", "PRF_HMAC_SHA2_256"),
        ("ke", "MODP_2048"),
    }
    aead = Proposal.build({"algorithm": "aes-gcm", "dh_group": 19}, Use.IKE, IKEV2)
    assert needs(aead, Use.IKE) == {
        ("aead", "AES_GCM_16"),
        ("prf", "PRF_HMAC_SHA2_256"),
        ("ke", "ECP_256"),
    }


def test_the_kernel_does_esp_and_ah_but_not_their_pfs() -> None:
    aead = Proposal.build({"algorithm": "aes-gcm"}, Use.ESP, IKEV2)
    assert needs(aead, Use.ESP) == set()
    assert needs(DEFAULT_ESP[0], Use.ESP) == {("ke", "MODP_2048")}
    assert needs(DEFAULT_AH[0], Use.AH) == {("ke", "MODP_2048")}


def test_in_userspace_charon_does_esp_itself() -> None:
    aead = Proposal.build({"algorithm": "aes-gcm"}, Use.ESP, IKEV2)
    assert needs(aead, Use.ESP, userspace=True) == {("aead", "AES_GCM_16")}
    assert needs(DEFAULT_ESP[0], Use.ESP, userspace=True) == {
        ("encryption", "AES_CBC"),
        ("integrity", "HMAC_SHA2_256_128"),
        ("ke", "MODP_2048"),
    }


@pytest.mark.parametrize("key_exchange", ["dh", "ke"])
def test_missing(key_exchange: str) -> None:
    minimal = {
        "encryption": {"AES_CBC"},
        "integrity": {"HMAC_SHA2_256_128"},
        "aead": set(),
        "prf": {"PRF_HMAC_SHA2_256"},
        key_exchange: {"MODP_2048"},
    }
    cmac = Proposal.build({"hash": "aescmac"}, Use.IKE, IKEV2)
    gcm = Proposal.build({"algorithm": "aes-gcm", "dh_group": 19}, Use.IKE, IKEV2)
    extra, standard = "libstrongswan-extra-plugins", "libstrongswan-standard-plugins"
    assert missing(DEFAULT_IKE, Use.IKE, minimal) == ()
    assert missing((cmac, *DEFAULT_IKE, gcm, gcm), Use.IKE, minimal) == (
        Requirement("integrity", "AES_CMAC_96", "hash", "aescmac", extra),
        Requirement("prf", "PRF_AES128_CMAC", "hash", "aescmac", extra),
        Requirement("aead", "AES_GCM_16", "algorithm", "aes-gcm", standard),
        Requirement("ke", "ECP_256", "dh_group", 19, standard),
    )
    assert missing((gcm,), Use.ESP, minimal, userspace=True)[0].name == "AES_GCM_16"


def test_a_daemon_that_says_nothing_lacks_everything() -> None:
    assert len(missing(DEFAULT_IKE, Use.IKE, {})) == 4


def test_a_requirement_reads_well() -> None:
    need = missing(DEFAULT_IKE, Use.IKE, {})[-1]
    assert str(need) == "dh_group 14 (MODP_2048): package libstrongswan"


def test_an_additional_key_exchange_needs_a_release() -> None:
    options = {"dh_group": 31, "additional_key_exchange": [["mlkem768", "none"], "mlkem1024"]}
    proposal = Proposal.build(options, Use.ESP, IKEV2)
    # A daemon without ML-KEM would offer even an optional round, and then fail (measured on 6.0.1).
    assert [str(item) for item in missing((proposal,), Use.ESP, {"ke": {"CURVE_25519"}})] == [
        "additional_key_exchange mlkem768 (ML_KEM_768): strongSwan 6.0.2 or later with OpenSSL 3.5 "
        "or later",
        "additional_key_exchange mlkem1024 (ML_KEM_1024): strongSwan 6.0.2 or later with OpenSSL "
        "3.5 or later",
    ]
    has = {"ke": {"CURVE_25519", "ML_KEM_768", "ML_KEM_1024"}}
    assert missing((proposal,), Use.ESP, has) == ()
