# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry of the option `encryption` in the words of each IKE daemon."""

from __future__ import annotations

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    ENCRYPTIONS,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import Proposal

_AEAD = {name for name, row in ENCRYPTIONS.items() if row.aead}

_LIBRESWAN = {
    "aes": "aes",
    "aes-gcm": "aes_gcm",
    "aes-ccm": "aes_ccm",
    "aes-ctr": "aes_ctr",
    "camellia": "camellia",
    "3des": "3des",
    "chacha20-poly1305": "chacha20_poly1305",
    "sha1": "sha1",
    "sha256": "sha2_256",
    "sha384": "sha2_384",
    "sha512": "sha2_512",
}
_OPENIKED = {
    "sha1": "hmac-sha1",
    "sha256": "hmac-sha2-256",
    "sha384": "hmac-sha2-384",
    "sha512": "hmac-sha2-512",
}


def libreswan(proposal: Proposal, ike: bool) -> str:
    """Return the value of ``ike`` or ``esp``."""
    algorithm = proposal.get("algorithm", "aes")
    parts = [f"{_LIBRESWAN[algorithm]}{proposal.get('key_length', '')}"]
    if algorithm not in _AEAD:
        parts.append(_LIBRESWAN[proposal["hash"]])
    elif ike:
        parts.append(_LIBRESWAN[proposal["prf"]])
    return "-".join(parts) + _group(proposal)


def libreswan_ah(proposal: Proposal) -> str:
    return _LIBRESWAN[proposal["hash"]] + _group(proposal)


def _group(proposal: Proposal) -> str:
    return f";dh{proposal['dh_group']}" if "dh_group" in proposal else ""


def openiked(proposal: Proposal, ike: bool, protocol: str = "esp") -> str:
    """Return the text after ``ikesa`` or ``childsa``."""
    algorithm, length = proposal.get("algorithm", "aes"), proposal.get("key_length")
    words = []
    if protocol == "esp":
        name = {"aes-gcm": f"aes-{length}-gcm", "aes-ctr": f"aes-{length}-ctr"}
        words += ["enc", name.get(algorithm, f"{algorithm}-{length}" if length else algorithm)]
    if ike:
        words += ["prf", _OPENIKED[proposal.get("prf") or proposal["hash"]]]
    if algorithm not in _AEAD:
        words += ["auth", _OPENIKED[proposal["hash"]]]
    if "dh_group" in proposal:
        words += ["group", DH[proposal["dh_group"]].keyword]
    return " ".join(words)


def strongswan(proposal: Proposal, ike: bool, protocol: str = "esp") -> str:
    """Return the value of ``proposals``, ``esp_proposals`` or ``ah_proposals``."""
    algorithm = proposal.get("algorithm", "aes")
    words = []
    if protocol == "esp":
        words.append(ENCRYPTIONS[algorithm].keyword.format(proposal.get("key_length")))
    if algorithm not in _AEAD:
        words.append(proposal["hash"])
    elif ike:
        words.append(f"prf{proposal['prf']}")
    if "dh_group" in proposal:
        words.append(DH[proposal["dh_group"]].keyword)
    return "-".join(words)
