# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes on the way between the two sides, or a side that is down."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

REACHABILITY = (
    Cause(
        "gateway_unresolvable",
        "This host can't resolve the name of the peer.",
        of_ours("ipsec_phase1 remote_gateway"),
        "Look up the name on this host with getent hosts, or set remote_gateway of phase 1 to the "
        "address.",
        aspect="gateway",
    ),
    Cause(
        "local_address_missing",
        "This host does not have the local_address of the phase 1.",
        of_ours("ipsec_phase1 local_address"),
        "Set local_address of phase 1 to an address of this host, or remove the option.",
        aspect="local_address",
    ),
    Cause(
        "no_route",
        "This host has no route to the peer.",
        of_ours("ipsec_phase1 remote_gateway"),
        "Run ip route get with the address of the peer, and add the missing route.",
        aspect="gateway",
    ),
    Cause(
        "no_answer",
        "The peer does not answer. No packet has come back from it on UDP port 500.",
        (
            *of_ours("ipsec_phase1 remote_gateway", "firewall: UDP 500 and 4500"),
            *of_theirs("firewall: UDP 500 and 4500"),
        ),
        "Run tcpdump for UDP port 500 on the peer while this side initiates. If the packets "
        "arrive, check the answers of the peer. If they do not, check the firewalls between.",
        aspect="gateway",
        candidates=("peer_down", "request_lost", "answer_lost", "ikev1_not_supported_at_peer"),
    ),
    Cause(
        "peer_down",
        "The peer is down, its IKE daemon does not run, or it has another address.",
        (*of_ours("ipsec_phase1 remote_gateway"), *of_theirs("strongswan.service")),
        "Start the IKE daemon of the peer, or correct remote_gateway of phase 1.",
        look_for="systemctl status strongswan",
        aspect="gateway",
    ),
    Cause(
        "request_lost",
        "The requests of this side do not reach the IKE daemon of the peer.",
        (
            *of_ours("ipsec_phase1 remote_gateway", "firewall: UDP 500 and 4500"),
            *of_theirs("firewall: UDP 500 and 4500"),
        ),
        "Check that remote_gateway of phase 1 is an address of the peer. Then allow UDP ports 500 "
        "and 4500 on the peer and on every firewall between.",
        look_for="no received packet: from <us>, although this side has initiated",
        aspect="gateway",
    ),
    Cause(
        "answer_lost",
        "The peer has answered, but its answers do not reach this side.",
        (*of_theirs("firewall: UDP 500 and 4500"), *of_ours("firewall: UDP 500 and 4500")),
        "Allow UDP ports 500 and 4500 on the way back. Check that the peer has a route to this "
        "side.",
        look_for="received packet: from <us>, and then sending packet: from <peer> to <us>",
        aspect="gateway",
    ),
    Cause(
        "no_answer_on_4500",
        "The peer answers on UDP port 500, but not on UDP port 4500.",
        both("firewall: UDP 4500"),
        "Allow UDP port 4500 in both directions. With certificates, also check that IP fragments "
        "pass.",
        aspect="gateway",
        candidates=("udp_4500_blocked", "request_discarded_by_peer", "answer_lost"),
    ),
    Cause(
        "udp_4500_blocked",
        "UDP port 4500 is closed on the way to the peer. Both sides change to this port if there "
        "is NAT, or if UDP encapsulation is forced.",
        both("firewall: UDP 4500"),
        "Allow UDP port 4500 in both directions.",
        look_for="the IKE_SA_INIT request of this side (with IKEv1 ID_PROT), and no line after it",
        aspect="gateway",
    ),
    Cause(
        "no_answer_to_authentication",
        "The peer has answered the first message, but not the authentication.",
        of_theirs("the log of the peer"),
        "Read the log of the peer. With certificates, also check that IP fragments pass.",
        aspect="gateway",
        candidates=("packets_lost", "request_discarded_by_peer", "answer_lost"),
    ),
    Cause(
        "packets_lost",
        "The packets of the authentication, which are larger, are lost on the way to the peer.",
        both("path MTU, firewall: IP fragments"),
        "Allow IP fragments on the way, or lower the MTU.",
        look_for="the first request of this side, and no line after it",
        aspect="gateway",
    ),
    Cause(
        "request_discarded_by_peer",
        "The peer has received the request of this side, and discards it without an answer.",
        of_theirs("the log of the peer"),
        "Read the log of the peer, which shows the reason.",
        look_for="received packet: from <us>[4500] and then no sending packet",
        aspect="gateway",
    ),
    Cause(
        "peer_dead",
        "The tunnel was up, but the peer no longer answers (dead peer detection).",
        (*of_theirs("strongswan.service"), *of_ours("ipsec_phase1 dpd_action")),
        "Check that the peer is up and reachable. dpd_action of phase 1 sets what happens to the "
        "tunnel.",
        aspect="gateway",
    ),
    Cause(
        "replaced_by_same_identity",
        "The peer has closed this tunnel, because another gateway has connected to it with the "
        "same identity.",
        (*of_ours("ipsec_phase1 identifier"), *of_theirs("ipsec_settings unique_ids")),
        "Set a different identifier of phase 1 on each gateway. After a crash of this host the "
        "message is normal.",
        look_for="destroying duplicate IKE_SA for peer '<us>', received INITIAL_CONTACT",
        aspect="identity",
    ),
    Cause(
        "closed_by_peer",
        "The tunnel came up, but the peer closed it at once.",
        of_theirs("the log of the peer"),
        "Read the log of the peer, which shows the reason.",
        candidates=(
            "peer_kernel_refuses_sa",
            "peer_kernel_refuses_policy",
            "replaced_by_same_identity",
            "peer_identity_mismatch",
        ),
    ),
)
