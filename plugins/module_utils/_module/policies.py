# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The options that accept, warn about or refuse cryptography: weak_crypto and quantum_safe."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.quantum import IGNORE, REQUIRE, unsafe_proposals


def weak_crypto(
    subject: str,
    option: str,
    weak: t.Sequence[str],
    policy: str,
    advice: str = "Use other algorithms",
) -> list[str]:
    """Return warnings, or raise ModelError, according to the option ``weak_crypto``."""
    found = ", ".join(dict.fromkeys(weak))
    if not found or policy == "allow":
        return []
    if policy == "refuse":
        problem = "is weak cryptography, which weak_crypto refuse does not accept"
        fix = f"{advice}, or set weak_crypto to warn."
        raise ModelError(option, found, problem, fix, subject)
    return [f"{subject}: weak cryptography: {found}"]


_FIX = (
    "Give each entry of encryption of the phase 1 an additional_key_exchange without none, with "
    "key_exchange ikev2. Or use a PPK with ppk_required."
)


def quantum_safe_phase1(connection: IkeConnection, policy: str) -> list[str]:
    """Return warnings, or raise ModelError, according to the option ``quantum_safe``."""
    found = ", ".join(unsafe_proposals(connection))
    if not found or policy == IGNORE:
        return []
    if policy == REQUIRE:
        problem = "is not quantum safe, which quantum_safe require does not accept"
        raise ModelError("encryption", found, problem, _FIX, connection.subject)
    return [f"{connection.subject}: not quantum safe: {found}"]


def quantum_safe_phase2(child: ChildSa, connection: IkeConnection, policy: str) -> list[str]:
    """Return warnings, or raise ModelError, because of the IKE SA that the keys derive from."""
    found = ", ".join(unsafe_proposals(connection))
    if not found or policy == IGNORE:
        return []
    reason = f"takes its keys from {connection.subject}, which is not quantum safe: {found}"
    if policy == REQUIRE:
        raise ModelError("quantum_safe", policy, reason, _FIX, child.subject)
    return [f"{child.subject}: {reason}"]
