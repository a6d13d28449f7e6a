# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes that lie between the two sides, or in that one of them is not there."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

REACHING = (
    Cause(
        "gateway_unresolvable",
        "The name of the peer can't be resolved on this host.",
        of_ours("ipsec_phase1 remote_gateway"),
        "Look the name up on this host with getent hosts, or write the address.",
        aspect="gateway",
    ),
    Cause(
        "local_address_missing",
        "This host does not have the address that the phase 1 is to call from.",
        of_ours("ipsec_phase1 local_address"),
        "Set local_address to an address of this host, or leave it out.",
        aspect="local_address",
    ),
    Cause(
        "no_route",
        "This host has no route to the peer.",
        of_ours("ipsec_phase1 remote_gateway"),
        "Look at ip route get with the address of the peer.",
        aspect="gateway",
    ),
    Cause(
        "no_answer",
        "The peer does not answer: nothing has come back from it on UDP port 500.",
        (
            *of_ours("ipsec_phase1 remote_gateway", "firewall: UDP 500 and 4500"),
            *of_theirs("firewall: UDP 500 and 4500"),
        ),
        "Run tcpdump for UDP port 500 on the peer while this side calls. If the packets come in "
        "there, look at its answers; if not, at what lies between.",
        aspect="gateway",
        candidates=("peer_down", "request_lost", "answer_lost"),
    ),
    Cause(
        "peer_down",
        "The peer is down, or no IKE daemon runs on it, or it has another address.",
        (*of_ours("ipsec_phase1 remote_gateway"), *of_theirs("strongswan.service")),
        "Start the IKE daemon of the peer, or correct remote_gateway.",
        look_for="systemctl status strongswan",
        aspect="gateway",
    ),
    Cause(
        "request_lost",
        "What this side sends does not reach the IKE daemon of the peer.",
        (
            *of_ours("ipsec_phase1 remote_gateway", "firewall: UDP 500 and 4500"),
            *of_theirs("firewall: UDP 500 and 4500"),
        ),
        "See whether remote_gateway is an address of the peer. Then allow UDP ports 500 and 4500, "
        "on the peer and on whatever lies between.",
        look_for="no received packet: from <us>, although this side has called",
        aspect="gateway",
    ),
    Cause(
        "answer_lost",
        "The peer has answered, and its answers do not reach this side.",
        (*of_theirs("firewall: UDP 500 and 4500"), *of_ours("firewall: UDP 500 and 4500")),
        "Allow UDP ports 500 and 4500 on the way back, and see whether the peer has a route to us.",
        look_for="received packet: from <us>, and then sending packet: from <peer> to <us>",
        aspect="gateway",
    ),
    Cause(
        "no_answer_on_4500",
        "The peer has answered on UDP port 500, and does not answer on UDP port 4500.",
        both("firewall: UDP 4500"),
        "Allow UDP port 4500 both ways. With certificates, see whether large packets, that is IP "
        "fragments, get through.",
        aspect="gateway",
        candidates=("udp_4500_blocked", "request_discarded_by_peer", "answer_lost"),
    ),
    Cause(
        "udp_4500_blocked",
        "UDP port 4500, which both sides change to where there is NAT or encapsulation is forced, "
        "is closed on the way to the peer.",
        both("firewall: UDP 4500"),
        "Allow UDP port 4500 both ways.",
        look_for="the IKE_SA_INIT request of us (with IKEv1 ID_PROT), and nothing after it",
        aspect="gateway",
    ),
    Cause(
        "no_answer_to_authentication",
        "The peer has answered the first message, and not the one that authenticates us.",
        of_theirs("the log of the peer"),
        "Read the log of the peer. With certificates, see whether large packets, that is IP "
        "fragments, get through.",
        aspect="gateway",
        candidates=("packets_lost", "request_discarded_by_peer", "answer_lost"),
    ),
    Cause(
        "packets_lost",
        "The larger packets of the authentication are lost on the way to the peer.",
        both("path MTU, firewall: IP fragments"),
        "Let IP fragments through, or lower the MTU on the way.",
        look_for="the first request of us, and nothing after it",
        aspect="gateway",
    ),
    Cause(
        "request_discarded_by_peer",
        "The peer has received it, and discards it without an answer.",
        of_theirs("the log of the peer"),
        "Read the log of the peer: it says there why.",
        look_for="received packet: from <us>[4500] and then no sending packet",
        aspect="gateway",
    ),
    Cause(
        "peer_dead",
        "The tunnel was up, and the peer has stopped answering (dead peer detection).",
        (*of_theirs("strongswan.service"), *of_ours("ipsec_phase1 dpd_action")),
        "See whether the peer is up and reachable. What becomes of the tunnel then is set in "
        "dpd_action.",
        aspect="gateway",
    ),
    Cause(
        "replaced_by_same_identity",
        "The peer has closed this tunnel, because somebody else has connected to it with the same "
        "identity.",
        (*of_ours("ipsec_phase1 identifier"), *of_theirs("ipsec_settings unique_ids")),
        "Give each gateway an identifier of its own. After a crash of this host it is routine.",
        look_for="destroying duplicate IKE_SA for peer '<us>', received INITIAL_CONTACT",
        aspect="identity",
    ),
    Cause(
        "closed_by_peer",
        "The tunnel came up, and the peer closed it at once.",
        of_theirs("the log of the peer"),
        "Read the log of the peer: it says there why.",
        candidates=(
            "peer_kernel_refuses_sa",
            "peer_kernel_refuses_policy",
            "replaced_by_same_identity",
            "peer_identity_mismatch",
        ),
    ),
)
