# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes in the credentials of the two sides: keys and identities."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

AUTHENTICATION = (
    Cause(
        "psk_mismatch",
        "The pre-shared keys of the two sides differ.",
        both("ipsec_phase1 psk"),
        "Set psk of phase 1 to the same value on both sides. A copied key often has an additional "
        "blank or line end.",
        look_for="tried 1 shared key for '<peer>' - '<us>', but MAC mismatched; with IKEv1 "
        "invalid ID_V1 payload length, decryption failed?",
        only="psk",
    ),
    Cause(
        "psk_missing",
        "The IKE daemon of this side has no pre-shared key for the two identities.",
        of_ours("ipsec_phase1 psk", "ipsec_phase1 peer_identifier"),
        "Run the task of the phase 1 again, with psk. If the IKE daemon already has the key, set "
        "peer_identifier of phase 1 to the identity that the key is loaded for.",
        aspect="identities",
        only="psk",
    ),
    Cause(
        "psk_missing_at_peer",
        "The peer has no pre-shared key for the two identities.",
        of_theirs("ipsec_phase1 psk", "ipsec_phase1 peer_identifier"),
        "Load the pre-shared key on the peer, for the identity that this side sends. The spelling "
        "of the identity must be the same.",
        look_for="no shared key found for '<peer>' - '<us>'",
        aspect="identities",
        only="psk",
    ),
    Cause(
        "identities_unknown_to_peer",
        "The peer has no connection with both identities: the identity that this side requests, "
        "and the identity that this side sends.",
        (
            *of_ours("ipsec_phase1 identifier", "ipsec_phase1 peer_identifier"),
            *of_theirs("ipsec_phase1 peer_identifier", "ipsec_phase1 identifier"),
        ),
        "Compare the identities of both sides. identifier of phase 1 on one side must be "
        "peer_identifier on the other side.",
        look_for="no matching peer config found, and above it looking for peer configs matching "
        "<peer>[...]...<us>[...]",
        aspect="identities",
        candidates=("our_identity_unknown", "peer_identity_mismatch"),
    ),
    Cause(
        "our_identity_unknown",
        "The peer has no connection for the identity that this side sends.",
        (*of_ours("ipsec_phase1 identifier"), *of_theirs("ipsec_phase1 peer_identifier")),
        "Set identifier of phase 1 to the identity that the peer expects, or correct "
        "peer_identifier on the peer.",
        look_for="no peer config found, and above it looking for pre-shared key peer configs "
        "matching <peer>...<us>[<our identity>]",
        aspect="identity",
    ),
    Cause(
        "peer_identity_mismatch",
        "The identity of the peer is not the identity that this side expects.",
        (*of_ours("ipsec_phase1 peer_identifier"), *of_theirs("ipsec_phase1 identifier")),
        "Set peer_identifier of phase 1 to the identity that the peer sends, or correct "
        "identifier on the peer.",
        look_for="looking for peer configs matching <peer>[<the identity we expect>]...<us>[...]",
        aspect="peer_identity",
    ),
    Cause(
        "private_key_missing",
        "The IKE daemon of this side has no private key for the identity of this side.",
        of_ours("ipsec_phase1 private_key", "ipsec_phase1 identifier"),
        "Run the task of the phase 1 again, which loads private_key. With IKEv1 the certificate "
        "must contain identifier of phase 1.",
        aspect="identity",
        only="pubkey",
    ),
    Cause(
        "private_key_missing_at_peer",
        "The peer has no private key for its identity.",
        of_theirs("ipsec_phase1 private_key", "ipsec_phase1 identifier"),
        "Load the private key on the peer. With IKEv1 the certificate of the peer must contain "
        "its identity.",
        look_for="no private key found for '<peer>'; with a kind of key before the word private",
        aspect="peer_identity",
        only="pubkey",
    ),
    Cause(
        "authentication_mismatch",
        "The peer requires another kind of authentication from this side.",
        both("ipsec_phase1 authentication"),
        "Set authentication of phase 1 to psk on both sides, or to pubkey on both sides.",
        look_for="constraint requires ... authentication, but ... was used; with IKEv1 found 1 "
        "matching config, but none allows ... authentication",
        aspect="authentication",
    ),
    Cause(
        "aggressive_mode_refused",
        "The peer refuses Aggressive Mode with a pre-shared key. An eavesdropper can test guesses "
        "of the key offline.",
        (*of_ours("ipsec_phase1 negotiation_mode"), *of_theirs("ipsec_phase1 negotiation_mode")),
        "Set key_exchange of phase 1 to ikev2 on both sides, or negotiation_mode to main.",
        look_for="Aggressive Mode PSK disabled for security reasons",
        aspect="negotiation_mode",
        only="ikev1",
    ),
    Cause(
        "negotiation_mode_mismatch",
        "One side uses Main Mode, and the other side uses Aggressive Mode.",
        both("ipsec_phase1 negotiation_mode"),
        "Set negotiation_mode of phase 1 to the same value on both sides.",
        look_for="found 1 matching config, but none allows pre-shared key authentication using "
        "Main Mode",
        aspect="negotiation_mode",
        only="ikev1",
    ),
)
