# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proposal refuses, and in which words."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    ENCRYPTION_NAMES,
    HASH_NAMES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    Proposal,
    Use,
)

IKEV1 = frozenset({1})
IKEV2 = frozenset({2})
AUTO = frozenset({1, 2})

Options = dict[str, object]


@pytest.mark.parametrize(
    ("options", "use", "versions", "message"),
    [
        (
            {"algorithm": "aes-gcm", "hash": "sha256"},
            Use.ESP,
            IKEV2,
            "hash: 'sha256' can't go with aes-gcm: AEAD algorithms authenticate themselves; "
            "leave hash out; legal: no hash",
        ),
        (
            {"algorithm": "aes-ccm", "hash": "sha256"},
            Use.IKE,
            IKEV2,
            "hash: 'sha256' can't go with aes-ccm: AEAD algorithms authenticate themselves; "
            "leave hash out; legal: no hash, and prf for the pseudo-random function",
        ),
        (
            {"algorithm": "aes-gcm"},
            Use.IKE,
            IKEV1,
            "algorithm: 'aes-gcm' can't be used: IKEv1 can't negotiate it for an IKE SA; legal: "
            "aes, camellia, 3des, blowfish, cast128; with key_exchange ikev2 in phase 1 also "
            "aes-gcm",
        ),
        (
            {"algorithm": "chacha20-poly1305"},
            Use.ESP,
            AUTO,
            "algorithm: 'chacha20-poly1305' can't be used: key_exchange auto also answers IKEv1, "
            "which can't negotiate it for ESP; legal: aes, aes-gcm, aes-ctr, aes-ccm, camellia, "
            "3des, blowfish, cast128; with key_exchange ikev2 in phase 1 also chacha20-poly1305",
        ),
        (
            {"algorithm": "aes-ctr"},
            Use.IKE,
            IKEV2,
            "algorithm: 'aes-ctr' is for phase 2 only; legal: aes, aes-gcm, aes-ccm, "
            "chacha20-poly1305, camellia, 3des, blowfish, cast128",
        ),
        (
            {"hash": "aescmac"},
            Use.AH,
            IKEV1,
            "hash: 'aescmac' can't be used: IKEv1 can't negotiate it for AH; legal: md5, sha1, "
            "sha256, sha384, sha512, aesxcbc; with key_exchange ikev2 in phase 1 also aescmac",
        ),
        (
            {"hash": "sha512", "prf": "sha256"},
            Use.IKE,
            AUTO,
            "prf: 'sha256' differs from hash sha512: key_exchange auto also answers IKEv1, which "
            "derives keys with the hash of the proposal; legal: sha512, or leave prf out; any with "
            "key_exchange ikev2",
        ),
        (
            {"prf": "sha256"},
            Use.ESP,
            IKEV2,
            "prf: 'sha256' is for phase 1 only: a Child SA derives its keys with the PRF of the "
            "IKE SA; legal: leave prf out",
        ),
        (
            {"algorithm": "aes"},
            Use.AH,
            IKEV2,
            "algorithm: 'aes' is given, but AH does not encrypt; legal: leave algorithm out, or "
            "protocol esp",
        ),
        (
            {"key_length": 256},
            Use.AH,
            IKEV2,
            "key_length: 256 is given, but AH does not encrypt; legal: leave key_length out, or "
            "protocol esp",
        ),
        (
            {"key_length": 512},
            Use.ESP,
            IKEV2,
            "key_length: 512 is not a key length of aes; legal: 128, 192, 256",
        ),
        (
            {"algorithm": "3des", "key_length": 256},
            Use.ESP,
            IKEV2,
            "key_length: 256 is not a key length of 3des; legal: 168, or leave key_length out",
        ),
        (
            {"algorithm": "serpent"},
            Use.ESP,
            IKEV2,
            f"algorithm: 'serpent' is not a legal value; legal: {', '.join(ENCRYPTION_NAMES)}",
        ),
        (
            {"hash": "sha256_96"},
            Use.ESP,
            IKEV2,
            f"hash: 'sha256_96' is not a legal value; legal: {', '.join(HASH_NAMES)}",
        ),
        (
            {"integrity": "sha256"},
            Use.ESP,
            IKEV2,
            "integrity: 'sha256' is not a suboption of encryption; legal: algorithm, key_length, "
            "hash, dh_group, prf",
        ),
    ],
)
def test_refused(options: Options, use: Use, versions: frozenset[int], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Proposal.build(options, use, versions)
    assert str(caught.value) == message
    assert caught.value.option in options


@pytest.mark.parametrize("option", ["key_length", "dh_group"])
@pytest.mark.parametrize("value", [True, False, 0, "256", "14", 128.0, 14.0, [14]])
def test_numbers_are_whole_numbers(option: str, value: object) -> None:
    with pytest.raises(ModelError) as caught:
        Proposal.build({option: value}, Use.IKE, IKEV2)
    assert caught.value.option == option
