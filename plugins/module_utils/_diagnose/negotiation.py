# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes in the settings of the two sides: versions, algorithms, networks, modes."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

PHASE1 = (
    Cause(
        "ike_proposal_mismatch",
        "The two sides have no common combination of algorithms for phase 1.",
        both("ipsec_phase1 encryption"),
        "Add one combination of encryption, hash, DH group and PRF to encryption of phase 1 on "
        "both sides.",
        look_for="received proposals: IKE:... and configured proposals: IKE:...",
        aspect="ike_proposals",
    ),
    Cause(
        "config_unknown_to_peer",
        "The peer has no connection for the addresses of the two sides and this IKE version.",
        (
            *both("ipsec_phase1 key_exchange"),
            *of_ours("ipsec_phase1 remote_gateway", "ipsec_phase1 local_address"),
            *of_theirs("ipsec_phase1 remote_gateway", "ipsec_phase1 local_address"),
        ),
        "Check on the peer, with swanctl --list-conns, that the connection is loaded, and with "
        "which IKE version and addresses.",
        look_for="no IKE config found for <peer>...<us>, sending NO_PROPOSAL_CHOSEN",
        aspect="version",
        candidates=("ike_version_mismatch", "address_unknown_to_peer", "not_loaded_at_peer"),
    ),
    Cause(
        "ike_version_mismatch",
        "The two sides use different IKE versions.",
        both("ipsec_phase1 key_exchange"),
        "Set key_exchange of phase 1 to the same value on both sides. auto initiates with IKEv2 "
        "and accepts both versions.",
        look_for="a configuration for the other version in the output of swanctl --list-conns",
        aspect="version",
    ),
    Cause(
        "ikev1_not_supported",
        "A side uses IKEv1 for the tunnel, and the IKE daemon of this host has no IKEv1.",
        both("ipsec_phase1 key_exchange"),
        "Set key_exchange of phase 1 to ikev2 on both sides. If the peer has IKEv1 only, the "
        "tunnel needs a host with strongSwan 6.0 or earlier.",
        aspect="version",
    ),
    Cause(
        "ikev1_not_supported_at_peer",
        "This side initiates with IKEv1, and the IKE daemon of the peer has no IKEv1.",
        both("ipsec_phase1 key_exchange"),
        "Set key_exchange of phase 1 to ikev2 on both sides.",
        look_for="received unsupported IKE version 1.0 from <us>, sending INVALID_MAJOR_VERSION",
        aspect="version",
        only="ikev1",
    ),
    Cause(
        "address_unknown_to_peer",
        "The peer expects another address of this side, or another address of its own.",
        (
            *of_ours("ipsec_phase1 local_address", "ipsec_phase1 remote_gateway"),
            *of_theirs("ipsec_phase1 remote_gateway", "ipsec_phase1 local_address"),
        ),
        "Compare the addresses in the log of the peer with remote_gateway and local_address of "
        "phase 1 on the peer. NAT on the way changes the addresses.",
        look_for="the addresses in no IKE config found for <peer>...<us>",
        aspect="gateway",
    ),
    Cause(
        "not_loaded_at_peer",
        "The peer has no connection for this side, or the connection is disabled or not loaded.",
        of_theirs("ipsec_phase1 state"),
        "Load the connection on the peer.",
        look_for="no entry for our address in the output of swanctl --list-conns",
    ),
    Cause(
        "algorithm_unavailable",
        "The IKE daemon of this host does not have a configured algorithm.",
        of_ours("ipsec_phase1 encryption", "ipsec_phase2 encryption"),
        "Install the package with the algorithm (see docs/algorithms.md), or set another "
        "algorithm in encryption.",
    ),
)

PHASE2 = (
    Cause(
        "esp_proposal_mismatch",
        "The two sides have no common combination of algorithms for phase 2.",
        both("ipsec_phase2 encryption"),
        "Add one combination of encryption, hash and DH group to encryption of phase 2 on both "
        "sides.",
        look_for="received proposals: ESP:... and configured proposals: ESP:...",
        aspect="esp_proposals",
    ),
    Cause(
        "protocol_mismatch",
        "One side uses ESP, and the other side uses AH.",
        both("ipsec_phase2 protocol"),
        "Set protocol of phase 2 to the same value on both sides.",
        look_for="received proposals: ESP:... and configured proposals: AH:..., or the reverse",
        aspect="esp_proposals",
    ),
    Cause(
        "pfs_mismatch",
        "The PFS settings of the two sides differ: the DH groups of phase 2 are different, or only "
        "one side has a group.",
        both("ipsec_phase2 encryption[].dh_group"),
        "Set dh_group in encryption of phase 2 to the same value on both sides, or remove it on "
        "both sides.",
        look_for="received proposals: ESP:... and configured proposals: ESP:... that differ only "
        "in the group",
        aspect="esp_proposals",
    ),
    Cause(
        "selector_mismatch",
        "The networks of the two sides do not mirror each other.",
        (
            *of_ours("ipsec_phase2 local_network", "ipsec_phase2 remote_network"),
            *of_theirs("ipsec_phase2 remote_network", "ipsec_phase2 local_network"),
        ),
        "Set local_network of phase 2 on each side to remote_network of the other side. With IKEv1 "
        "the networks must be exactly the same.",
        look_for="traffic selectors ... === ... unacceptable; with IKEv1 no matching CHILD_SA "
        "config found for ... === ...",
        aspect="selectors",
    ),
    Cause(
        "selectors_narrowed",
        "The peer accepted only a part of the networks of phase 2.",
        (
            *of_ours("ipsec_phase2 local_network", "ipsec_phase2 remote_network"),
            *of_theirs("ipsec_phase2 remote_network", "ipsec_phase2 local_network"),
        ),
        "Create one phase 2 for each pair of a local and a remote network, as many gateways of "
        "other vendors do. The tunnel carries only networks that both sides have.",
        aspect="selectors",
    ),
    Cause(
        "mode_mismatch",
        "One side uses tunnel mode, and the other side uses transport mode.",
        both("ipsec_phase2 mode"),
        "Set mode of phase 2 to the same value on both sides. Transport mode has no networks, "
        "because it protects only the traffic between the two gateways.",
        look_for="traffic selectors  ===  unacceptable, without networks",
        aspect="mode",
    ),
    Cause(
        "kernel_refuses_sa",
        "The kernel of this host refuses the SA. It lacks ESP, AH or the algorithm.",
        of_ours("vpn_network dataplane", "ipsec_phase2 encryption"),
        "Read the answer of the kernel in the journal. If the kernel has no ESP, set dataplane of "
        "the network to userspace.",
    ),
    Cause(
        "kernel_refuses_policy",
        "This host can't install the policies or the route of the tunnel.",
        of_ours("ipsec_phase2 local_network", "vpn_network ip_address"),
        "Give the host an address within local_network of phase 2. Check with ip xfrm policy that "
        "no other program has installed the same policies.",
        aspect="selectors",
    ),
    Cause(
        "peer_kernel_refuses_sa",
        "The kernel of the peer refuses the SA. It lacks ESP, AH or the algorithm.",
        of_theirs("vpn_network dataplane", "ipsec_phase2 encryption"),
        "Read the answer of the kernel in the journal of the peer.",
        look_for="unable to install inbound and outbound IPsec SA (SAD) in kernel",
    ),
    Cause(
        "peer_kernel_refuses_policy",
        "The peer can't install the policies or the route of the tunnel.",
        of_theirs("ipsec_phase2 local_network", "vpn_network ip_address"),
        "Give the peer an address within its local network. Check on the peer with ip xfrm policy "
        "that no other program has installed the same policies.",
        look_for="unable to install IPsec policies (SPD) in kernel",
        aspect="selectors",
    ),
    Cause(
        "sa_not_in_kernel",
        "The IKE daemon has the Child SA, but the kernel does not. Another program has removed it "
        "from the kernel.",
        of_ours("ip xfrm state"),
        "Run the task again, which re-establishes the Child SA. Find the program that removes SAs "
        "from the kernel.",
    ),
)
