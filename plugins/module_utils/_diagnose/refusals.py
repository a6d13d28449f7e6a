# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Refusals as the initiator sees them. The log of the peer shows the reason."""

from __future__ import annotations

from .cause import Cause, both, of_theirs
from .certificates import CERTIFICATE_FAULTS

REFUSALS = (
    Cause(
        "peer_refused_phase1",
        "The peer refuses every proposal of this side for phase 1 (NO_PROPOSAL_CHOSEN).",
        both("ipsec_phase1 encryption", "ipsec_phase1 key_exchange"),
        "Read the log of the peer. It shows whether the peer has no connection for this side, or "
        "other algorithms.",
        aspect="ike_proposals",
        candidates=("ike_proposal_mismatch", "config_unknown_to_peer"),
    ),
    Cause(
        "peer_refused_authentication",
        "The peer answers that it could not authenticate this side (AUTHENTICATION_FAILED).",
        both("ipsec_phase1 psk", "ipsec_phase1 identifier", "ipsec_phase1 peer_identifier"),
        "Read the log of the peer. It shows the reason, and the IKE protocol does not transmit it.",
        aspect="identities",
        candidates=(
            "psk_mismatch",
            "psk_missing_at_peer",
            "ppk_mismatch",
            "ppk_id_mismatch",
            "ppk_missing_at_peer",
            "ppk_required_by_peer",
            "ppk_not_loaded",
            "identities_unknown_to_peer",
            "our_identity_unknown",
            *(f"our_certificate_{fault}" for fault, *_rest in CERTIFICATE_FAULTS),
            "our_certificate_incomplete",
            "private_key_missing_at_peer",
            "aggressive_mode_refused",
            "negotiation_mode_mismatch",
            "authentication_mismatch",
        ),
    ),
    Cause(
        "peer_refused_key_exchange",
        "The peer stops the negotiation after the key exchange (INVALID_KE_PAYLOAD).",
        of_theirs("ipsec_phase1 psk", "ipsec_phase1 encryption"),
        "Read the log of the peer. With IKEv1 the usual reason is that the peer has no pre-shared "
        "key for this side, because IKEv1 needs the key at this point.",
        aspect="identities",
        candidates=("psk_missing_at_peer", "ike_proposal_mismatch"),
    ),
    Cause(
        "peer_answer_incomplete",
        "The peer has accepted this side, but its answer does not prove its own identity (IDr "
        "payload missing). strongSwan 6 answers so if it can't install its Child SA.",
        of_theirs("vpn_network dataplane", "ipsec_phase2 local_network"),
        "Read the log of the peer, which shows the reason.",
        candidates=("peer_kernel_refuses_sa", "peer_kernel_refuses_policy"),
    ),
    Cause(
        "peer_refused_phase2",
        "The peer refuses every proposal of this side for phase 2 (NO_PROPOSAL_CHOSEN). Phase 1 "
        "has no error.",
        both("ipsec_phase2 encryption", "ipsec_phase2 protocol"),
        "Read the log of the peer, which shows the proposals of both sides.",
        aspect="esp_proposals",
        candidates=(
            "esp_proposal_mismatch",
            "protocol_mismatch",
            "pfs_mismatch",
            "peer_kernel_refuses_sa",
        ),
    ),
    Cause(
        "peer_refused_rekeying",
        "The peer accepted the proposals for phase 2 when the tunnel came up, but refuses them "
        "when it is rekeyed (NO_PROPOSAL_CHOSEN).",
        both(
            "ipsec_phase2 encryption[].dh_group",
            "ipsec_phase2 encryption[].additional_key_exchange",
        ),
        "Compare dh_group and additional_key_exchange in encryption of phase 2 on both sides. With "
        "IKEv2 they are first negotiated at a rekeying.",
        aspect="esp_proposals",
        candidates=("pfs_mismatch", "esp_proposal_mismatch"),
    ),
    Cause(
        "peer_refused_selectors",
        "The peer refuses the networks of phase 2 (TS_UNACCEPTABLE, with IKEv1 "
        "INVALID_ID_INFORMATION). Phase 1 has no error.",
        both("ipsec_phase2 local_network", "ipsec_phase2 remote_network", "ipsec_phase2 mode"),
        "Compare local_network, remote_network and mode of phase 2 on both sides. Then read the "
        "log of the peer.",
        aspect="selectors",
        candidates=("selector_mismatch", "mode_mismatch", "peer_kernel_refuses_policy"),
    ),
    Cause(
        "peer_refused",
        "The peer has refused the tunnel. The evidence shows the reason.",
        of_theirs("the log of the peer"),
        "Read the log of the peer.",
    ),
)
