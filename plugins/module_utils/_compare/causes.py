# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What may be wrong between two peers: a stable code for each, how bad it is, and what to do.

In the texts ``{local}`` and ``{remote}`` are the names of the peers, ``{ours}`` and ``{theirs}``
what they have configured; further words are those of the rule that finds the cause.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# Traffic that does not flow, now or after a rekeying; a tunnel that is not as one side says; what
# is good to know.
ERROR, WARNING, INFO = SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Cause:
    severity: str
    explanation: str
    next_step: str


CAUSES: t.Mapping[str, Cause] = {
    # Definitions
    "definition_invalid": Cause(
        ERROR,
        "The definition of {side} is not legal: {said}.",
        "Correct the definition of {side}. Legal: {legal}.",
    ),
    "phase1_missing": Cause(
        ERROR,
        "{side} has no phase 1 for {other}, which has one for {side}.",
        "Define a phase 1 for {other} on {side}, or remove that on {other}.",
    ),
    "phase1_disabled": Cause(
        ERROR,
        "The phase 1 is disabled, or its network is stopped, on {side}.",
        "Set state to present, or started for the network, on {side}.",
    ),
    "phase2_missing": Cause(
        ERROR,
        "{side} has no phase 2, so there is nothing to carry.",
        "Define a phase 2 on {side}.",
    ),
    # Reaching each other
    "no_initiator": Cause(
        ERROR,
        "Neither side calls the other one.",
        "Set connection_behavior to on_demand or start on one side, and its remote_gateway to the "
        "address of the other.",
    ),
    "address_mismatch": Cause(
        ERROR,
        "{caller} calls {called}, which is not the address that {answering} uses.",
        "Make remote_gateway of {caller} and local_address of {answering} the same.",
    ),
    "address_family_mismatch": Cause(
        ERROR,
        "One side is called over IPv4 and the other one over IPv6.",
        "Use addresses of one IP version in remote_gateway on both sides.",
    ),
    "nat_assumed": Cause(
        INFO,
        "{hidden} has a private address and is called at another one, so NAT is assumed between.",
        "Have UDP 500 and 4500 forwarded to {hidden}, or let {hidden} alone initiate.",
    ),
    # Phase 1
    "ike_version_mismatch": Cause(
        ERROR,
        "The side that calls begins with IKEv{version}, which the other one does not answer.",
        "Set key_exchange to the same version on both sides.",
    ),
    "ike_proposal_mismatch": Cause(
        ERROR,
        "No combination of algorithms of phase 1 is on both lists.",
        "Add one of {ours} to encryption of phase 1 on {remote}, or one of {theirs} on {local}.",
    ),
    "ikev1_unsupported_algorithm": Cause(
        WARNING,
        "IKEv1 can't negotiate {what}: it is as if it were not there.",
        "Take it off the list, or set key_exchange to ikev2 on both sides.",
    ),
    "aggressive_mode_group_mismatch": Cause(
        ERROR,
        "Aggressive Mode sends the key exchange of the first group on the list of the side that "
        "calls, {sent}, and the other one prefers {preferred}.",
        "Begin both lists with the same combination, or set negotiation_mode to main.",
    ),
    "negotiation_mode_mismatch": Cause(
        ERROR,
        "One side uses Main Mode and the other one Aggressive Mode.",
        "Set negotiation_mode to the same on both sides; main is the safe one.",
    ),
    "authentication_mismatch": Cause(
        ERROR,
        "One side authenticates with a pre-shared key and the other one with a certificate.",
        "Set authentication to the same on both sides.",
    ),
    "psk_mismatch": Cause(
        ERROR,
        "The pre-shared keys differ; shown are fingerprints for this run alone.",
        "Set psk to the same on both sides.",
    ),
    "psk_not_found": Cause(
        ERROR,
        "{answering} must find its key by addresses, since IKEv1 encrypts with it before any "
        "identity is sent, and has it for identities alone.",
        "Set identifier on {answering}, or its remote_gateway to the address of the peer, or "
        "key_exchange to ikev2 on both sides.",
    ),
    "psk_not_found_for_wildcard": Cause(
        ERROR,
        "{caller} looks its key up for anybody, as its peer_identifier {asked} stands for more "
        "than one peer, and has it for those alone.",
        "Set peer_identifier on {caller} to the identity of the peer.",
    ),
    "psk_accepts_another_peer": Cause(
        ERROR,
        "A definition of {side} {what}.",
        "Set on {side} {cure}.",
    ),
    "psk_not_compared": Cause(
        INFO,
        "The pre-shared keys were not compared, as one is not given, or both are fingerprints with "
        "different salts.",
        "Give psk on one side, and psk or psk_fingerprint on the other side.",
    ),
    "certificate_not_compared": Cause(
        INFO,
        "The certificates were not compared: whether each side trusts the other, and that they "
        "bear these identities, shows on the hosts alone.",
        "Look at the certificates, and whether ca is the one that signed that of the peer.",
    ),
    "identity_mismatch": Cause(
        ERROR,
        "{prover} proves itself as {proved}, and {verifier} accepts {required} alone.",
        "Set peer_identifier on {verifier} to {proved}, or identifier on {prover} to {required}.",
    ),
    "requested_identity_mismatch": Cause(
        ERROR,
        "{caller} asks for {asked}, and {answering} goes by {named}.",
        "Set peer_identifier on {caller} to {named}, or identifier on {answering} to {asked}.",
    ),
    "identity_unknown": Cause(
        INFO,
        "{prover} goes by its address, which the definitions do not tell.",
        "Set local_address or identifier on {prover}, to have this compared.",
    ),
    # Phase 2
    "selector_mismatch": Cause(
        ERROR,
        "No phase 2 of {other} has networks in common with those of this one.",
        "Define on both sides what the other one has, with local_network and remote_network "
        "exchanged.",
    ),
    "selectors_not_mirrored": Cause(
        ERROR,
        "Both sides have the same local_network, where that of one is remote_network of the other.",
        "Exchange local_network and remote_network on one side.",
    ),
    "selectors_narrowed": Cause(
        WARNING,
        "The sides name different networks, and the tunnel carries what is in both alone: "
        "{carried}.",
        "Make remote_network of each side local_network of the other.",
    ),
    "selectors_split": Cause(
        ERROR,
        "One side has one phase 2 for several networks, and the other one has a phase 2 for each "
        "pair of them: the tunnel carries {carried} alone.",
        "Use one phase 2 for each pair of networks on both sides.",
    ),
    "ikev1_first_selector": Cause(
        ERROR,
        "IKEv1 negotiates one pair of networks for a phase 2, the first; the others are not "
        "carried.",
        "Use one phase 2 for each pair, or set key_exchange to ikev2 on both sides.",
    ),
    "protocol_mismatch": Cause(
        ERROR,
        "One side protects the packets with ESP and the other one with AH.",
        "Set protocol to the same on both sides; esp is the usual one.",
    ),
    "mode_mismatch": Cause(
        ERROR,
        "One side uses tunnel mode and the other one transport mode, which IKEv1 refuses.",
        "Set mode to the same on both sides.",
    ),
    "mode_becomes_tunnel": Cause(
        WARNING,
        "One side uses transport mode and the other one tunnel mode: with IKEv2 it silently "
        "becomes tunnel mode.",
        "Set mode to the same on both sides.",
    ),
    "esp_proposal_mismatch": Cause(
        ERROR,
        "No combination of algorithms of phase 2 is on both lists.",
        "Add one of {ours} to encryption of phase 2 on {remote}, or one of {theirs} on {local}.",
    ),
    "pfs_mismatch": Cause(
        ERROR,
        "The lists agree but for dh_group (PFS): {consequence}.",
        "Set dh_group in encryption of phase 2 to the same on both sides.",
    ),
    "ah_through_nat": Cause(
        ERROR,
        "AH can't pass NAT, nor be encapsulated in UDP, and one of these is on the way.",
        "Set protocol to esp on both sides.",
    ),
    "dataplane_incapable": Cause(
        ERROR,
        "The userspace data plane of {side} carries neither AH, nor transport mode, nor a tunnel "
        "to the very address of the peer.",
        "Set protocol to esp and mode to tunnel on both sides, for the networks behind them, or "
        "use a kernel that has ESP.",
    ),
    "ipcomp_one_sided": Cause(
        INFO,
        "Only one side proposes IPComp: packets go uncompressed.",
        "Set ipcomp to the same on both sides.",
    ),
    "mss_too_large": Cause(
        WARNING,
        "Segments of {side} do not fit: on a path of 1500 bytes this tunnel has room for an MSS "
        "of {room}.",
        "Set mss_clamp to {room} or less on {side}.",
    ),
    "mss_not_clamped": Cause(
        INFO,
        "Neither side clamps the MSS: where path MTU discovery does not work, TCP stalls.",
        "Set mss_clamp to {room} or less on one side.",
    ),
    "lifetime_differs": Cause(
        INFO,
        "The lifetimes differ: the side with the shorter one renews the SA.",
        "Nothing has to be done.",
    ),
}
