# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The table of mismatches between two peers: code, severity, explanation, next step.

In the texts ``{local}`` and ``{remote}`` are the names of the peers, ``{ours}`` and ``{theirs}``
their configured values. The rule that finds the mismatch gives the other words.
"""

from __future__ import annotations

import typing as t

from .mismatch_kind import ERROR, INFO, WARNING, MismatchKind

CAUSES: t.Mapping[str, MismatchKind] = {
    # Definitions
    "definition_invalid": MismatchKind(
        ERROR,
        "The definition of {side} has an error: {fault}",
        "Correct the definition of {side}. {fix}",
    ),
    "phase1_missing": MismatchKind(
        ERROR,
        "{side} has no phase 1 for {other}, but {other} has a phase 1 for {side}.",
        "Define a phase 1 for {other} on {side}, or remove the phase 1 on {other}.",
    ),
    "phase1_disabled": MismatchKind(
        ERROR,
        "The phase 1 on {side} is disabled, or its network is stopped.",
        "On {side}, set state of the phase 1 to present, or state of its network to started.",
    ),
    "phase2_missing": MismatchKind(
        ERROR,
        "The phase 1 on {side} has no phase 2, so the tunnel carries no networks.",
        "Define a phase 2 on {side}.",
    ),
    # Reachability
    "no_initiator": MismatchKind(
        ERROR,
        "Neither side initiates the tunnel.",
        "On one side, set connection_behavior to on_demand or start, and remote_gateway to the "
        "address of the other side.",
    ),
    "address_mismatch": MismatchKind(
        ERROR,
        "{initiator} initiates to {address}, but {responder} uses another address.",
        "Set remote_gateway of {initiator} and local_address of {responder} to the same address.",
    ),
    "address_family_mismatch": MismatchKind(
        ERROR,
        "The remote_gateway of one side is an IPv4 address, and of the other side an IPv6 address.",
        "Set remote_gateway on both sides to addresses of one IP version.",
    ),
    "nat_assumed": MismatchKind(
        INFO,
        "{hidden} has a private local_address, but the other side initiates to another address. "
        "The comparison assumes NAT between them.",
        "Forward UDP 500 and 4500 to {hidden}, or let only {hidden} initiate.",
    ),
    # Phase 1
    "ike_version_mismatch": MismatchKind(
        ERROR,
        "The initiator starts with IKEv{version}, which the responder does not accept.",
        "Set key_exchange to the same version on both sides.",
    ),
    "ikev1_not_supported": MismatchKind(
        ERROR,
        "{side} needs IKEv1 for this tunnel, but its {daemon} has no IKEv1.",
        "Set key_exchange to ikev2 on both sides. A side with IKEv1 only needs strongSwan 6.0 or "
        "earlier on the other side.",
    ),
    "ike_proposal_mismatch": MismatchKind(
        ERROR,
        "The encryption lists of phase 1 have no common combination of algorithms.",
        "Add one of {ours} to encryption of phase 1 on {remote}, or one of {theirs} on {local}.",
    ),
    "additional_key_exchange_mismatch": MismatchKind(
        ERROR,
        "The encryption lists of {phase} differ only in additional_key_exchange. {consequence}.",
        "Set additional_key_exchange in encryption of {phase} to the same methods on both sides. "
        "Or add an entry without it on the side that has it.",
    ),
    "additional_key_exchange_unknown": MismatchKind(
        WARNING,
        "{initiator} offers an optional additional key exchange, and {responder} has none. A "
        "responder that does not know RFC 9370, such as strongSwan 5, refuses this offer.",
        "Add an entry without additional_key_exchange to encryption of {phase} on {initiator}, "
        "unless {responder} has strongSwan 6.",
    ),
    "ikev1_unsupported_algorithm": MismatchKind(
        WARNING,
        "IKEv1 can't negotiate {proposals} in encryption of phase 1, and ignores it.",
        "Remove it from encryption, or set key_exchange to ikev2 on both sides.",
    ),
    "aggressive_mode_group_mismatch": MismatchKind(
        ERROR,
        "In Aggressive Mode the initiator sends the key exchange of the first group in its "
        "encryption, {sent}. The responder prefers {preferred}.",
        "Set the same first combination in encryption on both sides, or set negotiation_mode to "
        "main.",
    ),
    "negotiation_mode_mismatch": MismatchKind(
        ERROR,
        "One side uses Main Mode, and the other side uses Aggressive Mode.",
        "Set negotiation_mode to the same value on both sides. main is the secure value.",
    ),
    "authentication_mismatch": MismatchKind(
        ERROR,
        "One side authenticates with a pre-shared key, and the other side with a certificate.",
        "Set authentication to the same value on both sides.",
    ),
    "psk_mismatch": MismatchKind(
        ERROR,
        "The pre-shared keys differ. The values shown are fingerprints that only this run uses.",
        "Set psk to the same value on both sides.",
    ),
    "psk_not_found": MismatchKind(
        ERROR,
        "{responder} can't find its pre-shared key. IKEv1 needs the key before the peers send "
        "identities, so it must find the key by addresses, but has it only for identities.",
        "Set identifier on {responder}, or its remote_gateway to the address of the peer, or "
        "key_exchange to ikev2 on both sides.",
    ),
    "psk_not_found_for_wildcard": MismatchKind(
        ERROR,
        "{initiator} can't find its pre-shared key. Its peer_identifier {requested} matches more "
        "than one peer, so it looks for a key for any peer, but has only keys for single peers.",
        "Set peer_identifier on {initiator} to the identity of the peer.",
    ),
    "psk_accepts_another_peer": MismatchKind(
        ERROR,
        "A definition of {side} {what}.",
        "Change the definition of {side}. {fix}",
    ),
    "psk_not_compared": MismatchKind(
        INFO,
        "The pre-shared keys were not compared, because one of them is not given, or both are "
        "fingerprints with different salts.",
        "Give psk on one side, and psk or psk_fingerprint on the other side.",
    ),
    "ppk_mismatch": MismatchKind(
        ERROR,
        "The PPKs differ. The responder refuses the tunnel, even if neither side requires a PPK. "
        "The values shown are fingerprints that only this run uses.",
        "Set ppk to the same value on both sides.",
    ),
    "ppk_id_mismatch": MismatchKind(
        ERROR,
        "The PPKs have different identities. The responder refuses the tunnel, even if neither "
        "side requires a PPK.",
        "Set ppk_id to the same value on both sides.",
    ),
    "ppk_missing": MismatchKind(
        ERROR,
        "{side} requires a PPK, and {other} has none.",
        "Set ppk and ppk_id on {other}, or set ppk_required to false on {side} until {other} has "
        "the PPK.",
    ),
    "ppk_unused": MismatchKind(
        WARNING,
        "{side} has a PPK, and {other} has none. The tunnel comes up without the PPK, because "
        "{side} does not require it.",
        "Set ppk and ppk_id on {other}. Then set ppk_required to true on both sides.",
    ),
    "ppk_not_in_ikev1": MismatchKind(
        WARNING,
        "A PPK is configured, and IKEv1 uses no PPK. The tunnel comes up without it.",
        "Set key_exchange to ikev2 on both sides.",
    ),
    "ppk_not_compared": MismatchKind(
        INFO,
        "The PPKs were not compared, because one of them is not given, or both are fingerprints "
        "with different salts.",
        "Give ppk on one side, and ppk or ppk_fingerprint on the other side.",
    ),
    "certificate_not_compared": MismatchKind(
        INFO,
        "The certificates were not compared. Only the hosts show whether the sides trust each "
        "other, and whether the certificates contain these identities.",
        "Check on each host that the certificate contains identifier, and that ca has signed the "
        "certificate of the peer.",
    ),
    "identity_mismatch": MismatchKind(
        ERROR,
        "{prover} authenticates as {proved}, but {verifier} accepts only {required}.",
        "Set peer_identifier on {verifier} to {proved}, or identifier on {prover} to {required}.",
    ),
    "requested_identity_mismatch": MismatchKind(
        ERROR,
        "{initiator} requests the identity {requested}, but the identifier of {responder} is "
        "{named}.",
        "Set peer_identifier on {initiator} to {named}, or identifier on {responder} to "
        "{requested}.",
    ),
    "identity_unknown": MismatchKind(
        INFO,
        "{prover} uses its address as its identity, and the definitions do not contain this "
        "address.",
        "Set local_address or identifier on {prover}, so that the identity can be compared.",
    ),
    # Phase 2
    "selector_mismatch": MismatchKind(
        ERROR,
        "No phase 2 of {other} has networks in common with this phase 2.",
        "Define the same networks on both sides, with local_network and remote_network exchanged.",
    ),
    "selectors_not_mirrored": MismatchKind(
        ERROR,
        "Both sides have the same local_network. It must be remote_network of the other side.",
        "Exchange local_network and remote_network on one side.",
    ),
    "selectors_narrowed": MismatchKind(
        WARNING,
        "The sides have different networks. The tunnel carries only the common networks: "
        "{carried}.",
        "Set remote_network of each side to local_network of the other side.",
    ),
    "selectors_split": MismatchKind(
        ERROR,
        "One side has one phase 2 for several networks, and the other side one phase 2 for each "
        "pair of them. The tunnel carries only {carried}.",
        "Use one phase 2 for each pair of networks on both sides.",
    ),
    "ikev1_first_selector": MismatchKind(
        ERROR,
        "IKEv1 negotiates only the first pair of networks of a phase 2. The tunnel does not carry "
        "the other networks.",
        "Use one phase 2 for each pair of networks, or set key_exchange to ikev2 on both sides.",
    ),
    "protocol_mismatch": MismatchKind(
        ERROR,
        "One side protects the packets with ESP, and the other side with AH.",
        "Set protocol to the same value on both sides. esp is the usual value.",
    ),
    "mode_mismatch": MismatchKind(
        ERROR,
        "One side uses tunnel mode, and the other side transport mode, which IKEv1 refuses.",
        "Set mode to the same value on both sides.",
    ),
    "mode_becomes_tunnel": MismatchKind(
        WARNING,
        "One side uses transport mode, and the other side tunnel mode. IKEv2 changes to tunnel "
        "mode without a message.",
        "Set mode to the same value on both sides.",
    ),
    "esp_proposal_mismatch": MismatchKind(
        ERROR,
        "The encryption lists of phase 2 have no common combination of algorithms.",
        "Add one of {ours} to encryption of phase 2 on {remote}, or one of {theirs} on {local}.",
    ),
    "pfs_mismatch": MismatchKind(
        ERROR,
        "The encryption lists of phase 2 differ only in dh_group (PFS). {consequence}.",
        "Set dh_group in encryption of phase 2 to the same value on both sides.",
    ),
    "ah_through_nat": MismatchKind(
        ERROR,
        "AH can't pass NAT or UDP encapsulation, and this tunnel uses one of them.",
        "Set protocol to esp on both sides.",
    ),
    "dataplane_incapable": MismatchKind(
        ERROR,
        "The userspace data plane of {side} supports neither AH, nor transport mode, nor a tunnel "
        "to the address of the peer.",
        "Set protocol to esp and mode to tunnel on both sides, with the networks behind the "
        "gateways. Or use a kernel with ESP.",
    ),
    "ipcomp_one_sided": MismatchKind(
        INFO,
        "Only one side proposes IPComp, so packets are not compressed.",
        "Set ipcomp to the same value on both sides.",
    ),
    "mss_too_large": MismatchKind(
        WARNING,
        "The mss_clamp of {side} is too large. On a path of 1500 bytes the largest MSS of this "
        "tunnel is {room}.",
        "Set mss_clamp to {room} or less on {side}.",
    ),
    "mss_not_clamped": MismatchKind(
        INFO,
        "Neither side clamps the MSS. TCP connections stall if path MTU discovery does not work.",
        "Set mss_clamp to {room} or less on one side.",
    ),
    "lifetime_differs": MismatchKind(
        INFO,
        "The lifetimes differ. The side with the shorter lifetime rekeys the SA.",
        "No action is needed.",
    ),
}
