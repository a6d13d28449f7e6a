# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.proposals import (
    differences,
    only_group_differs,
    only_rounds_differ,
)

AES = "AES_CBC_256/HMAC_SHA2_256_128"


@pytest.mark.parametrize(
    ("ours", "theirs", "kinds"),
    [
        (f"IKE:{AES}/PRF_HMAC_SHA2_256/MODP_2048", f"IKE:{AES}/PRF_HMAC_SHA2_256/MODP_2048", ()),
        (
            f"IKE:{AES}/PRF_HMAC_SHA2_256/MODP_2048",
            f"IKE:{AES}/PRF_HMAC_SHA2_256/ECP_384",
            ("DH group",),
        ),
        (
            f"IKE:{AES}/PRF_HMAC_SHA2_256/MODP_2048",
            "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/MODP_2048",
            ("encryption", "hash", "PRF"),
        ),
        # Both sides share an algorithm of each kind, but not in one proposal.
        (
            f"IKE:{AES}/PRF_HMAC_SHA2_256/MODP_2048, IKE:{AES}/PRF_HMAC_SHA1/ECP_256",
            f"IKE:{AES}/PRF_HMAC_SHA1/MODP_2048",
            (),
        ),
        (f"ESP:{AES}/MODP_2048/NO_EXT_SEQ", f"ESP:{AES}/NO_EXT_SEQ", ("DH group",)),
        (f"ESP:{AES}/NO_EXT_SEQ", f"ESP:{AES}/EXT_SEQ", ("ESN",)),
        (f"ESP:{AES}/NO_EXT_SEQ", "AH:HMAC_SHA2_256_128/NO_EXT_SEQ", ("protocol",)),
        (
            f"ESP:{AES}/CURVE_25519/NO_EXT_SEQ",
            f"ESP:{AES}/KE1_ML_KEM_768/NO_EXT_SEQ",
            ("DH group", "additional key exchange 1"),
        ),
        (
            f"IKE:{AES}/CURVE_25519/KE1_ML_KEM_768/KE2_ML_KEM_1024",
            f"IKE:{AES}/CURVE_25519/KE1_ML_KEM_768",
            ("additional key exchange 2",),
        ),
        (
            f"IKE:{AES}/CURVE_25519/KE1_ML_KEM_768/KE1_KE_NONE",
            f"IKE:{AES}/CURVE_25519",
            (),
        ),
        # In the log of strongSwan 5.9.8.
        (
            f"IKE:{AES}/CURVE_25519/UNKNOWN_6_36/UNKNOWN_6_0",
            f"IKE:{AES}/CURVE_25519",
            ("additional key exchange 1",),
        ),
    ],
)
def test_kinds_with_nothing_in_common(ours: str, theirs: str, kinds: tuple[str, ...]) -> None:
    assert differences(ours, theirs) == kinds


@pytest.mark.parametrize(
    ("ours", "theirs", "group"),
    [
        (f"ESP:{AES}/MODP_2048/NO_EXT_SEQ", f"ESP:{AES}/MODP_4096/NO_EXT_SEQ", True),
        (f"ESP:{AES}/MODP_2048/NO_EXT_SEQ", f"ESP:{AES}/NO_EXT_SEQ", True),
        (
            f"ESP:AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ, ESP:{AES}/MODP_2048/NO_EXT_SEQ",
            f"ESP:{AES}/NO_EXT_SEQ",
            True,
        ),
        (f"ESP:{AES}/MODP_2048/NO_EXT_SEQ", "ESP:AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ", False),
        (f"ESP:{AES}/MODP_2048/NO_EXT_SEQ", "AH:HMAC_SHA2_256_128/NO_EXT_SEQ", False),
    ],
)
def test_pfs_alone(ours: str, theirs: str, group: bool) -> None:
    assert only_group_differs(ours, theirs) is group


@pytest.mark.parametrize(
    ("ours", "theirs", "rounds"),
    [
        (f"IKE:{AES}/ECP_384/KE1_ML_KEM_1024", f"IKE:{AES}/ECP_384", True),
        (f"IKE:{AES}/ECP_384/KE1_ML_KEM_1024", f"IKE:{AES}/ECP_384/KE1_ML_KEM_768", True),
        (f"IKE:{AES}/ECP_384/UNKNOWN_6_36", f"IKE:{AES}/ECP_384", True),
        (f"IKE:{AES}/ECP_384/KE1_ML_KEM_1024", f"IKE:{AES}/ECP_256", False),
    ],
)
def test_additional_key_exchanges_alone(ours: str, theirs: str, rounds: bool) -> None:
    assert only_rounds_differ(ours, theirs) is rounds
    assert not only_group_differs(ours, theirs)
