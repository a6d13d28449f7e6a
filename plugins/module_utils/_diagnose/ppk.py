# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes in the post-quantum pre-shared keys (PPK) of the two sides (RFC 8784)."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

PPKS = (
    Cause(
        "ppk_mismatch",
        "The peer has the PPK of this identity, and could not verify this side with it. The PPKs "
        "of the two sides differ, or their pre-shared keys. The log does not distinguish the two.",
        both("ipsec_phase1 ppk", "ipsec_phase1 psk"),
        "Set ppk of phase 1 to the same value on both sides. If the tunnel stays down, compare psk "
        "too.",
        look_for="N(PPK_ID) in parsed IKE_AUTH request, and below it but MAC mismatched, or "
        "signature validation failed",
        aspect="ppk",
        only="ppk",
    ),
    Cause(
        "ppk_id_mismatch",
        "The peer has a PPK of another identity. strongSwan then refuses the tunnel, even if "
        "neither side requires a PPK.",
        both("ipsec_phase1 ppk_id"),
        "Set ppk_id of phase 1 to the same value on both sides.",
        look_for="received PPK_ID '<ours>', but require '<theirs>'",
        aspect="ppk",
        only="ppk",
    ),
    Cause(
        "ppk_missing",
        "The IKE daemon of this side has no PPK of the identity in ppk_id.",
        of_ours("ipsec_phase1 ppk", "ipsec_phase1 ppk_id"),
        "Run the task of the phase 1 again, with ppk.",
        aspect="ppk",
        only="ppk",
    ),
    Cause(
        "ppk_missing_at_peer",
        "This side requires a PPK, and the peer has none, or none of this identity.",
        (*of_ours("ipsec_phase1 ppk_required"), *of_theirs("ipsec_phase1 ppk")),
        "Set ppk and ppk_id of phase 1 on the peer, or set ppk_required to false on this side "
        "until the peer has the PPK.",
        look_for="PPK required but no PPK found for '<ppk_id>'; or no PPK for '<ppk_id>' found, "
        "and below it but MAC mismatched",
        aspect="ppk",
        only="ppk",
    ),
    Cause(
        "ppk_required_by_peer",
        "The peer requires a PPK, and this side has none.",
        (
            *of_ours("ipsec_phase1 ppk", "ipsec_phase1 ppk_id"),
            *of_theirs("ipsec_phase1 ppk_required"),
        ),
        "Set ppk and ppk_id of phase 1 on this side to the values of the peer.",
        look_for="PPK required but peer does not support PPK",
        aspect="ppk",
        only="no_ppk",
    ),
    Cause(
        "ppk_not_loaded",
        "The peer requires a PPK, and one of the two IKE daemons does not have the PPK that is "
        "configured.",
        both("ipsec_phase1 ppk"),
        "Run the task of the phase 1 again on both sides, with ppk. If the peer is of another "
        "product, check that the peer has loaded its PPK.",
        look_for="PPK required but no PPK_IDENTITY received",
        aspect="ppk",
        only="ppk",
    ),
)
