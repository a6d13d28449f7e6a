# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes that lie in what the two sides are set to: versions, algorithms, networks, modes."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

PHASE1 = (
    Cause(
        "ike_proposal_mismatch",
        "The two sides have no combination of algorithms for phase 1 in common.",
        both("ipsec_phase1 encryption"),
        "Give both sides one combination of encryption, hash, DH group and PRF that is the same.",
        look_for="received proposals: IKE:... and configured proposals: IKE:...",
        aspect="ike_proposals",
    ),
    Cause(
        "config_unknown_to_peer",
        "The peer has no configuration for calls from our address to its address with this IKE "
        "version.",
        (
            *both("ipsec_phase1 key_exchange"),
            *of_ours("ipsec_phase1 remote_gateway", "ipsec_phase1 local_address"),
            *of_theirs("ipsec_phase1 remote_gateway", "ipsec_phase1 local_address"),
        ),
        "See on the peer whether the connection is loaded, for which IKE version, and for which "
        "addresses.",
        look_for="no IKE config found for <peer>...<us>, sending NO_PROPOSAL_CHOSEN",
        aspect="version",
        candidates=("ike_version_mismatch", "address_unknown_to_peer", "not_loaded_at_peer"),
    ),
    Cause(
        "ike_version_mismatch",
        "The two sides are set to different IKE versions.",
        both("ipsec_phase1 key_exchange"),
        "Set the same key_exchange on both sides. auto answers both versions, and calls with "
        "IKEv2.",
        look_for="a configuration for the other version in the output of swanctl --list-conns",
        aspect="version",
    ),
    Cause(
        "address_unknown_to_peer",
        "The peer expects us, or itself, at another address.",
        (
            *of_ours("ipsec_phase1 local_address", "ipsec_phase1 remote_gateway"),
            *of_theirs("ipsec_phase1 remote_gateway", "ipsec_phase1 local_address"),
        ),
        "Compare the addresses in the peer's log with its remote_gateway and local_address. NAT on "
        "the way changes them.",
        look_for="the addresses in no IKE config found for <peer>...<us>",
        aspect="gateway",
    ),
    Cause(
        "not_loaded_at_peer",
        "The peer has no connection for us, or it is disabled or not loaded.",
        of_theirs("ipsec_phase1 state"),
        "Load the connection on the peer.",
        look_for="nothing for our address in the output of swanctl --list-conns",
    ),
    Cause(
        "algorithm_unavailable",
        "The IKE daemon of this host lacks an algorithm that is configured.",
        of_ours("ipsec_phase1 encryption", "ipsec_phase2 encryption"),
        "Install the package that brings it, see docs/algorithms.md, or choose another one.",
    ),
)

PHASE2 = (
    Cause(
        "esp_proposal_mismatch",
        "The two sides have no combination of algorithms for phase 2 in common.",
        both("ipsec_phase2 encryption"),
        "Give both sides one combination of encryption, hash and DH group that is the same.",
        look_for="received proposals: ESP:... and configured proposals: ESP:...",
        aspect="esp_proposals",
    ),
    Cause(
        "protocol_mismatch",
        "One side is set to ESP, the other to AH.",
        both("ipsec_phase2 protocol"),
        "Set the same protocol on both sides.",
        look_for="received proposals: ESP:... and configured proposals: AH:..., or the reverse",
        aspect="esp_proposals",
    ),
    Cause(
        "pfs_mismatch",
        "The two sides differ in PFS: in the DH group of phase 2, or in whether there is one.",
        both("ipsec_phase2 encryption[].dh_group"),
        "Set the same dh_group in the phase 2 of both sides, or none on both.",
        look_for="received proposals: ESP:... and configured proposals: ESP:... that differ in the "
        "group only",
        aspect="esp_proposals",
    ),
    Cause(
        "selector_mismatch",
        "The networks of the two sides don't mirror each other.",
        (
            *of_ours("ipsec_phase2 local_network", "ipsec_phase2 remote_network"),
            *of_theirs("ipsec_phase2 remote_network", "ipsec_phase2 local_network"),
        ),
        "Our local_network is the peer's remote_network, and the other way round. With IKEv1 they "
        "must be the same to the bit.",
        look_for="traffic selectors ... === ... unacceptable; with IKEv1 no matching CHILD_SA "
        "config found for ... === ...",
        aspect="selectors",
    ),
    Cause(
        "selectors_narrowed",
        "The peer took only a part of the networks.",
        (
            *of_ours("ipsec_phase2 local_network", "ipsec_phase2 remote_network"),
            *of_theirs("ipsec_phase2 remote_network", "ipsec_phase2 local_network"),
        ),
        "Make one phase 2 for each pair of a local and a remote network, as many gateways of other "
        "makes do. Compare the networks of both sides: what is not in both is not carried.",
        aspect="selectors",
    ),
    Cause(
        "mode_mismatch",
        "One side is set to tunnel mode, the other to transport mode.",
        both("ipsec_phase2 mode"),
        "Set the same mode on both sides. Transport mode has no networks, since it protects the "
        "traffic between the two gateways alone.",
        look_for="traffic selectors  ===  unacceptable, with nothing in it",
        aspect="mode",
    ),
    Cause(
        "kernel_refuses_sa",
        "The kernel of this host does not take the SA: it lacks ESP or AH, or the algorithm.",
        of_ours("vpn_network dataplane", "ipsec_phase2 encryption"),
        "See in the journal what the kernel answers. dataplane userspace carries ESP where the "
        "kernel can't.",
    ),
    Cause(
        "kernel_refuses_policy",
        "This host can't install the policies or the route of the tunnel.",
        of_ours("ipsec_phase2 local_network", "vpn_network ip_address"),
        "The host needs an address within local_network, and the policies must not be taken by "
        "somebody else, see ip xfrm policy.",
        aspect="selectors",
    ),
    Cause(
        "peer_kernel_refuses_sa",
        "The kernel of the peer does not take the SA: it lacks ESP or AH, or the algorithm.",
        of_theirs("vpn_network dataplane", "ipsec_phase2 encryption"),
        "See in the peer's journal what its kernel answers.",
        look_for="unable to install inbound and outbound IPsec SA (SAD) in kernel",
    ),
    Cause(
        "peer_kernel_refuses_policy",
        "The peer can't install the policies or the route of the tunnel.",
        of_theirs("ipsec_phase2 local_network", "vpn_network ip_address"),
        "The peer needs an address within its local network, and the policies must not be taken by "
        "somebody else, see ip xfrm policy there.",
        look_for="unable to install IPsec policies (SPD) in kernel",
        aspect="selectors",
    ),
    Cause(
        "sa_not_in_kernel",
        "The IKE daemon has the Child SA, and the kernel does not: somebody removed it there.",
        of_ours("ip xfrm state"),
        "Run the task again, which brings it up anew. Find out who flushes the kernel's SAs.",
    ),
)
