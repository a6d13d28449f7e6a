# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits of peers, each with its evidence. The test of a limit fails if the tunnel works."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import Column, Row


@dataclass(frozen=True)
class Limit:
    """A limit; ``evidence`` is a regular expression for the report of our module or a daemon."""

    reason: str
    evidence: str
    holds: t.Callable[[Column, Row], bool]


def _phase2_of(daemon: str, **options: t.Any) -> t.Callable[[Column, Row], bool]:
    """Return a test for tunnels with a daemon whose phase 2 has one of these options."""

    def holds(column: Column, row: Row) -> bool:
        child = row.tunnel.child
        return column.daemon == daemon and any(child.get(key) in options[key] for key in options)

    return holds


def _ikev1_aead(column: Column, row: Row) -> bool:
    return column.key_exchange == "ikev1" and row.tunnel.ike.get("algorithm", "aes") in _AEAD


def _ikev1_curves(column: Column, row: Row) -> bool:
    groups = (row.tunnel.child.get("dh_group"), row.tunnel.ike.get("dh_group"))
    return column.name == "libreswan-ikev1" and (groups[0] in (19, 20, 21, 31) or groups[1] == 31)


def _in_other_version(column: Column, row: Row) -> bool:
    tunnel = row.tunnel
    return column.daemon == "openiked" and {*tunnel.inside} != {tunnel.outside}


_AEAD = ("aes-gcm", "aes-ccm", "chacha20-poly1305")
# The error of OpenIKED for a configuration that it can't use.
_NO_SUCH = "no valid configuration rules found|not a valid transform"

LIMITS = (
    Limit(
        "IKEv1 has no AEAD for the IKE SA. The module refuses it.",
        "IKEv1",
        _ikev1_aead,
    ),
    Limit(
        "libreswan takes elliptic curves in IKEv1 for the IKE SA only, not for PFS, and the curve "
        "25519 not at all.",
        "not supported|not valid|not permitted|not allowed",
        _ikev1_curves,
    ),
    Limit(
        "libreswan authenticates with ECDSA in IKEv2 only.",
        "ikev1 connection must use authby= of rsasig, secret or never",
        lambda column, row: column.name == "libreswan-ikev1" and row.tunnel.key == "ecdsa",
    ),
    Limit(
        "OpenIKED negotiates SHA-256 in phase 2, but cannot hand it to the kernel of Linux. Our "
        "side takes the tunnel for established, and nothing passes. Use `sha384` or `sha512`.",
        "pfkey_sa: unsupported integrity algorithm HMAC_SHA2_256_128",
        lambda column, row: (
            column.daemon == "openiked" and row.tunnel.child.get("hash") == "sha256"
        ),
    ),
    Limit(
        "OpenIKED knows ChaCha20-Poly1305 in phase 2 only, where it offers it no more than another "
        "AEAD.",
        _NO_SUCH,
        lambda column, row: (
            column.daemon == "openiked" and row.tunnel.ike.get("algorithm") == _AEAD[2]
        ),
    ),
    Limit(
        "OpenIKED, as Debian builds it, offers no AEAD in phase 2.",
        "NO_PROPOSAL_CHOSEN",
        _phase2_of("openiked", algorithm=_AEAD),
    ),
    Limit(
        "OpenIKED, on Linux, can't have IPv4 in IPv6 or IPv6 in IPv4: its SAs are for packets of "
        "the version that the gateways speak. Its kernel asks for another SA again and again.",
        "send CREATE_CHILD_SA req 0",
        _in_other_version,
    ),
    Limit(
        "OpenIKED, on Linux, pads AH over IPv4 to 8 bytes, where RFC 4302 has 4 and our side does "
        "as it says. The tunnel comes up, and nothing passes.",
        r"proto ah .*\n\treplay-window .* flag  \(0x00000000\)",
        lambda column, row: column.daemon == "openiked" and row.tunnel.protocol == "ah",
    ),
    Limit(
        "IKEv1 has no PPK. The module refuses it.",
        "IKEv1 uses no PPK",
        lambda column, row: column.key_exchange == "ikev1" and row.tunnel.ppk,
    ),
    Limit(
        "OpenIKED knows no PPK.",
        "PPK required but peer does not support PPK",
        lambda column, row: column.daemon == "openiked" and row.tunnel.ppk,
    ),
    Limit(
        "OpenIKED knows no Camellia.",
        _NO_SUCH,
        _phase2_of("openiked", algorithm=("camellia",)),
    ),
)


def limit_of(column: Column, row: Row) -> Limit | None:
    """Return the first limit that a cell has, or None."""
    return next((limit for limit in LIMITS if limit.holds(column, row)), None)
