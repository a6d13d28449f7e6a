# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The table of causes why a tunnel is down, in the words of an engineer.

A cause states observations only. If the log of one side does not prove more, the cause is the
answer that the log shows, such as ``peer_refused_phase1``. Its ``candidates`` are the causes that
can lie behind it, each with the line of the peer's log that proves it. Programs rely on ``code``.
"""

from __future__ import annotations

from .authentication import AUTHENTICATION
from .cause import Cause, both, of_ours, of_theirs
from .certificates import CERTIFICATE_FAULTS, CERTIFICATES
from .negotiation import PHASE1, PHASE2
from .ppk import PPKS
from .reachability import REACHABILITY
from .refusals import REFUSALS

_OTHERS = (
    Cause(
        "outdated",
        "The tunnel is up with other values than those configured.",
        of_ours("ipsec_phase1 apply", "ipsec_phase2 apply"),
        "Run ipsec_connection with state reconnected, which closes the tunnel and brings it up "
        "with the configured values. Until then it keeps the old values, through every rekeying.",
    ),
    Cause(
        "already_up",
        "The Child SA is already up, so this side did not initiate another one.",
        (),
        "No action is needed.",
    ),
    Cause(
        "not_initiated_by_peer",
        "This side waits for the peer, and the peer has not initiated the tunnel.",
        (
            *of_ours("ipsec_phase1 connection_behavior", "ipsec_phase1 remote_gateway"),
            *of_theirs("ipsec_phase1 connection_behavior"),
        ),
        "Bring the tunnel up from the peer, or set connection_behavior of phase 1 on this side to "
        "on_demand or start.",
        aspect="behavior",
    ),
    Cause(
        "initiator_unknown",
        "The peer has initiated a tunnel, and no phase 1 of this host matches its address and IKE "
        "version.",
        both("ipsec_phase1 key_exchange", "ipsec_phase1 remote_gateway"),
        "Compare the addresses in the evidence with remote_gateway and local_address of phase 1.",
        aspect="gateway",
    ),
    Cause(
        "initiator_identities_unknown",
        "The peer has initiated a tunnel with identities that no phase 1 of this host has.",
        both("ipsec_phase1 identifier", "ipsec_phase1 peer_identifier"),
        "Compare the identities in the evidence with identifier and peer_identifier of phase 1.",
        aspect="identities",
    ),
    Cause(
        "probe_unanswered",
        "The tunnel is up and has carried the probe, but no answer came back through it.",
        (
            *of_theirs(
                "the probed host and its firewall", "forwarding, and NAT of tunnelled packets"
            ),
            *of_ours("firewall: ESP and UDP 4500"),
        ),
        "Run tcpdump on the peer: for ESP on its outer interface, and for the probe on its inner "
        "interface.",
        aspect="selectors",
    ),
    Cause(
        "probe_outside_tunnel",
        "The tunnel is up, but the probe did not pass through it.",
        of_ours("ipsec_phase2 remote_network", "NAT of another table", "ip xfrm policy"),
        "Check with nft list ruleset whether a rule of another table translates the packets "
        "before IPsec.",
        aspect="selectors",
    ),
    Cause(
        "not_established",
        "The tunnel has not come up in time, and the log shows no reason.",
        (*of_ours("the log in the evidence"), *of_theirs("the log of the peer")),
        "Read the log of the peer, or set a longer timeout.",
    ),
)

# In the order in which an engineer checks them.
SECTIONS = {
    "Reachability of the peer": REACHABILITY,
    "Phase 1": PHASE1,
    "Authentication": AUTHENTICATION,
    "Post-quantum pre-shared keys": PPKS,
    "Certificates": CERTIFICATES,
    "Phase 2": PHASE2,
    "Refusals in the view of the initiator": REFUSALS,
    "Other causes": _OTHERS,
}
CAUSES = {cause.code: cause for causes in SECTIONS.values() for cause in causes}

# A cause in the log of a responder: its code when the responder is this side.
MIRRORED = {
    "psk_missing_at_peer": "psk_missing",
    "ppk_missing_at_peer": "ppk_missing",
    "ppk_required_by_peer": "ppk_missing_at_peer",
    "config_unknown_to_peer": "initiator_unknown",
    "ikev1_not_supported_at_peer": "ikev1_not_supported",
    "identities_unknown_to_peer": "initiator_identities_unknown",
    "our_identity_unknown": "peer_identity_mismatch",
    "peer_kernel_refuses_sa": "kernel_refuses_sa",
    "peer_kernel_refuses_policy": "kernel_refuses_policy",
    "private_key_missing_at_peer": "private_key_missing",
    **{
        f"our_certificate_{fault}": f"peer_certificate_{fault}"
        for fault, *_rest in CERTIFICATE_FAULTS
    },
}
