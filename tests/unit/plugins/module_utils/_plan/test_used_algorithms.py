# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The algorithms of SAs as strongSwan 6.1.0 lists them, compared with configured proposals."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.used_algorithms import (
    keywords,
    proposed,
)

IKE = {
    "encr-alg": "AES_GCM_16",
    "encr-keysize": "256",
    "prf-alg": "PRF_HMAC_SHA2_384",
    "dh-group": "CURVE_25519",
}
FIRST_CHILD = {"encr-alg": "AES_GCM_16", "encr-keysize": "256"}
REKEYED_CHILD = {**FIRST_CHILD, "dh-group": "CURVE_25519"}
BASE = "aes256gcm16-prfsha384-curve25519"


def test_the_rounds_of_an_sa() -> None:
    sa = {**IKE, "ake1": "ML_KEM_768", "ake2": "ML_KEM_1024"}
    assert "-".join(keywords(sa)) == f"{BASE}-ke1_mlkem768-ke2_mlkem1024"
    assert keywords({**IKE, "ake1": "FRODO_AES_L1"}) == []


@pytest.mark.parametrize(
    ("rounds", "configured", "as_configured"),
    [
        ({}, "", True),
        ({"ake1": "ML_KEM_768"}, "-ke1_mlkem768", True),
        ({"ake1": "ML_KEM_768"}, "-ke1_mlkem768-ke1_none", True),
        ({}, "-ke1_mlkem768-ke1_none", True),
        ({"ake2": "ML_KEM_1024"}, "-ke1_mlkem768-ke1_none-ke2_mlkem1024", True),
        # An SA without a required round, with another method, or with one that is not configured.
        ({}, "-ke1_mlkem768", False),
        ({"ake1": "ML_KEM_512"}, "-ke1_mlkem768", False),
        ({"ake1": "ML_KEM_768"}, "", False),
        ({"ake1": "ML_KEM_768"}, "-ke1_mlkem768-ke2_mlkem1024", False),
        ({"ake1": "ML_KEM_1024"}, "-ke1_mlkem768-ke1_none-ke2_mlkem1024", False),
    ],
)
def test_an_ike_sa(rounds: dict[str, str], configured: str, as_configured: bool) -> None:
    used = tuple(keywords({**IKE, **rounds}))
    assert proposed(used, (f"{BASE}{configured}",)) is as_configured


def test_each_proposal_may_be_the_one_in_use() -> None:
    configured = (f"{BASE}-ke1_mlkem768", BASE)
    assert proposed(tuple(keywords(IKE)), configured)
    assert proposed(tuple(keywords({**IKE, "ake1": "ML_KEM_768"})), configured)


def test_the_first_child_sa_has_no_key_exchange() -> None:
    configured = ("aes256gcm16-curve25519-ke1_mlkem768",)
    assert proposed(tuple(keywords(FIRST_CHILD)), configured)
    assert not proposed(tuple(keywords(REKEYED_CHILD)), configured)
    assert proposed(tuple(keywords({**REKEYED_CHILD, "ake1": "ML_KEM_768"})), configured)
