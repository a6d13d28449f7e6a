# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Why a tunnel does not come up: every cause that can be named, in the words of an engineer.

A cause says only what was seen to be so. Where the log of one side leaves it open, the cause is
what that log shows (``peer_refused_phase1``), and ``candidates`` are what may lie behind it, each
with the line of the peer's log that would prove it. ``code`` is what programs rely on.
"""

from __future__ import annotations

from .authentication import AUTHENTICATION
from .cause import Cause, both, of_ours, of_theirs
from .certificates import CERTIFICATE_FAULTS, CERTIFICATES
from .negotiation import PHASE1, PHASE2
from .reachability import REACHING
from .refusals import REFUSALS

_OTHERS = (
    Cause(
        "outdated",
        "The tunnel is up with values that are not those configured.",
        of_ours("ipsec_phase1 apply", "ipsec_phase2 apply"),
        "Run ipsec_connection with state reconnected, which closes it and brings it up with the "
        "configured values. Until then it keeps the old ones, through every rekeying.",
    ),
    Cause(
        "already_up",
        "The Child SA is up already, so that there is nothing to initiate.",
        (),
        "Nothing is to be done.",
    ),
    Cause(
        "not_initiated_by_peer",
        "This side waits to be called, and the peer has not called.",
        (
            *of_ours("ipsec_phase1 connection_behavior", "ipsec_phase1 remote_gateway"),
            *of_theirs("ipsec_phase1 connection_behavior"),
        ),
        "Bring the tunnel up from the peer, or set connection_behavior to on_demand or start.",
        aspect="behavior",
    ),
    Cause(
        "initiator_unknown",
        "The peer has called, and no phase 1 of this host is for its address and IKE version.",
        both("ipsec_phase1 key_exchange", "ipsec_phase1 remote_gateway"),
        "Compare the addresses in the evidence with remote_gateway and local_address.",
        aspect="gateway",
    ),
    Cause(
        "initiator_identities_unknown",
        "The peer has called with identities that no phase 1 of this host has.",
        both("ipsec_phase1 identifier", "ipsec_phase1 peer_identifier"),
        "Compare the identities in the evidence with identifier and peer_identifier.",
        aspect="identities",
    ),
    Cause(
        "probe_unanswered",
        "The tunnel is up and took the probe, and nothing came back through it.",
        (
            *of_theirs(
                "the probed host and its firewall", "forwarding, and NAT of tunnelled packets"
            ),
            *of_ours("firewall: ESP and UDP 4500"),
        ),
        "Run tcpdump on the peer, for ESP outside and for the probe inside.",
        aspect="selectors",
    ),
    Cause(
        "probe_outside_tunnel",
        "The tunnel is up, and the probe did not go through it.",
        of_ours("ipsec_phase2 remote_network", "NAT of another table", "ip xfrm policy"),
        "See whether a rule of another table translates the packets first, with nft list ruleset.",
        aspect="selectors",
    ),
    Cause(
        "not_established",
        "The tunnel has not come up in time, and the log does not tell why.",
        (*of_ours("the log in the evidence"), *of_theirs("the log of the peer")),
        "Read the log of the peer, or allow more time.",
    ),
)

# By where to look first.
SECTIONS = {
    "Reaching the peer": REACHING,
    "Phase 1": PHASE1,
    "Authentication": AUTHENTICATION,
    "Certificates": CERTIFICATES,
    "Phase 2": PHASE2,
    "What the caller sees of a refusal": REFUSALS,
    "Others": _OTHERS,
}
CAUSES = {cause.code: cause for causes in SECTIONS.values() for cause in causes}

# Of what a responder logs: the same, when the responder is us.
MIRRORED = {
    "psk_missing_at_peer": "psk_missing",
    "config_unknown_to_peer": "initiator_unknown",
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
