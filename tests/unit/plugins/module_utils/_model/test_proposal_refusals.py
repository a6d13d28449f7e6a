# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the errors of proposals."""

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
            "hash 'sha256': cannot be combined with aes-gcm, because an AEAD algorithm "
            "authenticates packets itself. Remove hash.",
        ),
        (
            {"algorithm": "aes-ccm", "hash": "sha256"},
            Use.IKE,
            IKEV2,
            "hash 'sha256': cannot be combined with aes-ccm, because an AEAD algorithm "
            "authenticates packets itself. Remove hash. Set prf to choose the pseudo-random "
            "function.",
        ),
        (
            {"algorithm": "aes-gcm"},
            Use.IKE,
            IKEV1,
            "algorithm 'aes-gcm': cannot be used: IKEv1 cannot negotiate it for an IKE SA. Use one "
            "of: aes, camellia, 3des, blowfish, cast128; or set key_exchange of the phase 1 to "
            "ikev2.",
        ),
        (
            {"algorithm": "chacha20-poly1305"},
            Use.ESP,
            AUTO,
            "algorithm 'chacha20-poly1305': cannot be used: key_exchange auto also accepts IKEv1, "
            "which cannot negotiate it for ESP. Use one of: aes, aes-gcm, aes-ctr, aes-ccm, "
            "camellia, 3des, blowfish, cast128; or set key_exchange of the phase 1 to ikev2.",
        ),
        (
            {"algorithm": "aes-ctr"},
            Use.IKE,
            IKEV2,
            "algorithm 'aes-ctr': is for phase 2 only. Use one of: aes, aes-gcm, aes-ccm, "
            "chacha20-poly1305, camellia, 3des, blowfish, cast128.",
        ),
        (
            {"hash": "aescmac"},
            Use.AH,
            IKEV1,
            "hash 'aescmac': cannot be used: IKEv1 cannot negotiate it for AH. Use one of: md5, "
            "sha1, sha256, sha384, sha512, aesxcbc; or set key_exchange of the phase 1 to ikev2.",
        ),
        (
            {"hash": "sha512", "prf": "sha256"},
            Use.IKE,
            AUTO,
            "prf 'sha256': differs from hash sha512: key_exchange auto also accepts IKEv1, which "
            "derives keys with the hash of the proposal. Remove prf, set it to sha512, or set "
            "key_exchange to ikev2.",
        ),
        (
            {"prf": "sha256"},
            Use.ESP,
            IKEV2,
            "prf 'sha256': is for phase 1 only, because a Child SA derives its keys with the PRF "
            "of the IKE SA. Remove prf.",
        ),
        (
            {"algorithm": "aes"},
            Use.AH,
            IKEV2,
            "algorithm 'aes': has no effect with protocol ah, which does not encrypt. Remove "
            "algorithm, or set protocol to esp.",
        ),
        (
            {"key_length": 256},
            Use.AH,
            IKEV2,
            "key_length 256: has no effect with protocol ah, which does not encrypt. Remove "
            "key_length, or set protocol to esp.",
        ),
        (
            {"key_length": 512},
            Use.ESP,
            IKEV2,
            "key_length 512: is not a key length of aes. Use one of: 128, 192, 256.",
        ),
        (
            {"algorithm": "3des", "key_length": 256},
            Use.ESP,
            IKEV2,
            "key_length 256: is not a key length of 3des. Remove key_length, or set it to 168.",
        ),
        (
            {"algorithm": "serpent"},
            Use.ESP,
            IKEV2,
            "algorithm 'serpent': is not one of the choices. Use one of: "
            f"{', '.join(ENCRYPTION_NAMES)}.",
        ),
        (
            {"hash": "sha256_96"},
            Use.ESP,
            IKEV2,
            f"hash 'sha256_96': is not one of the choices. Use one of: {', '.join(HASH_NAMES)}.",
        ),
        (
            {"integrity": "sha256"},
            Use.ESP,
            IKEV2,
            "integrity 'sha256': is not a suboption of encryption. Use the suboptions algorithm, "
            "key_length, hash, dh_group, prf, additional_key_exchange.",
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
