# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The resistance of the keys of a tunnel against quantum computers (docs/adr/0026).

The keys of every Child SA derive from the IKE SA (SK_d, RFC 7296 section 2.17), also with PFS. They
resist if the IKE SA has a round of ML-KEM (RFC 9370) or a PPK (RFC 8784) in SK_d.
"""

from __future__ import annotations

import typing as t

from .connection import IkeConnection

# From the least to the most strict reaction to a tunnel that is not quantum safe.
QUANTUM_SAFE = IGNORE, WARN, REQUIRE = ("ignore", "warn", "require")


def unsafe_proposals(connection: IkeConnection) -> tuple[str, ...]:
    """Return the proposals of a phase 1 with which its keys do not resist quantum computers."""
    if connection.ppk_required and connection.versions == {2}:
        return ()
    return tuple(item.keyword() for item in connection.encryption if not item.quantum_safe)


def sa_is_quantum_safe(ike: t.Mapping[str, t.Any]) -> bool:
    """Return whether the keys of an IKE SA in list-sa, and of its Child SAs, resist."""
    return ike.get("ppk") == "yes" or has_round(ike)


def has_round(sa: t.Mapping[str, t.Any]) -> bool:
    """Return whether an IKE SA or a Child SA in list-sa has used a round of ML-KEM."""
    return any(key.startswith("ake") and str(sa[key]).startswith("ML_KEM_") for key in sa)
