# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes that lie in who the two sides are to each other: keys, identities, certificates."""

from __future__ import annotations

from .cause import Cause, both, of_ours, of_theirs

AUTHENTICATION = (
    Cause(
        "psk_mismatch",
        "The pre-shared keys of the two sides differ.",
        both("ipsec_phase1 psk"),
        "Set the same psk on both sides. A key that was copied by hand often differs in a blank or "
        "a line end.",
        look_for="tried 1 shared key for '<peer>' - '<us>', but MAC mismatched; with IKEv1 "
        "invalid ID_V1 payload length, decryption failed?",
        only="psk",
    ),
    Cause(
        "psk_missing",
        "This side has no pre-shared key for the two identities.",
        of_ours("ipsec_phase1 psk", "ipsec_phase1 peer_identifier"),
        "Run the task of the phase 1 again, with the psk. If the daemon has it, peer_identifier is "
        "not the identity that the key is kept under.",
        aspect="identities",
        only="psk",
    ),
    Cause(
        "psk_missing_at_peer",
        "The peer has no pre-shared key for the two identities.",
        of_theirs("ipsec_phase1 psk", "ipsec_phase1 peer_identifier"),
        "On the peer, load the key for our identity, written as we send it.",
        look_for="no shared key found for '<peer>' - '<us>'",
        aspect="identities",
        only="psk",
    ),
    Cause(
        "identities_unknown_to_peer",
        "The peer has no configuration in which it has the identity that it is asked for and we "
        "have the one that we call ourselves.",
        (
            *of_ours("ipsec_phase1 identifier", "ipsec_phase1 peer_identifier"),
            *of_theirs("ipsec_phase1 peer_identifier", "ipsec_phase1 identifier"),
        ),
        "Compare the two identities with those that the peer has. Our identifier is its "
        "peer_identifier, and the other way round.",
        look_for="no matching peer config found, and above it looking for peer configs matching "
        "<peer>[...]...<us>[...]",
        aspect="identities",
        candidates=("our_identity_unknown", "peer_identity_mismatch"),
    ),
    Cause(
        "our_identity_unknown",
        "The peer does not know us by the identity that we call ourselves.",
        (*of_ours("ipsec_phase1 identifier"), *of_theirs("ipsec_phase1 peer_identifier")),
        "Set identifier to what the peer expects of us, or have its peer_identifier changed.",
        look_for="no peer config found, and above it looking for pre-shared key peer configs "
        "matching <peer>...<us>[<our identity>]",
        aspect="identity",
    ),
    Cause(
        "peer_identity_mismatch",
        "The peer goes by another identity than the one that is expected of it.",
        (*of_ours("ipsec_phase1 peer_identifier"), *of_theirs("ipsec_phase1 identifier")),
        "Set peer_identifier to what the peer calls itself, or have its identifier changed.",
        look_for="looking for peer configs matching <peer>[<the identity we expect>]...<us>[...]",
        aspect="peer_identity",
    ),
    Cause(
        "private_key_missing",
        "This side has no private key for the identity that it is asked for, or calls itself.",
        of_ours("ipsec_phase1 private_key", "ipsec_phase1 identifier"),
        "Run the task of the phase 1 again, which loads the key. With IKEv1 the identifier must be "
        "in the certificate, too.",
        aspect="identity",
        only="pubkey",
    ),
    Cause(
        "private_key_missing_at_peer",
        "The peer has no private key for the identity that it is asked for, or calls itself.",
        of_theirs("ipsec_phase1 private_key", "ipsec_phase1 identifier"),
        "Load the key on the peer. With IKEv1 its identity must be in its certificate, too.",
        look_for="no private key found for '<peer>'; with a kind of key before the word private",
        aspect="peer_identity",
        only="pubkey",
    ),
    Cause(
        "authentication_mismatch",
        "The peer wants another kind of authentication of us.",
        both("ipsec_phase1 authentication"),
        "Set authentication to psk or to pubkey on both sides.",
        look_for="constraint requires ... authentication, but ... was used; with IKEv1 found 1 "
        "matching config, but none allows ... authentication",
        aspect="authentication",
    ),
    Cause(
        "aggressive_mode_refused",
        "The peer refuses Aggressive Mode with a pre-shared key, since it gives the key away to "
        "whoever guesses.",
        (*of_ours("ipsec_phase1 negotiation_mode"), *of_theirs("ipsec_phase1 negotiation_mode")),
        "Use IKEv2, or negotiation_mode main on both sides.",
        look_for="Aggressive Mode PSK disabled for security reasons",
        aspect="negotiation_mode",
        only="ikev1",
    ),
    Cause(
        "negotiation_mode_mismatch",
        "One side is set to Main Mode, the other to Aggressive Mode.",
        both("ipsec_phase1 negotiation_mode"),
        "Set the same negotiation_mode on both sides.",
        look_for="found 1 matching config, but none allows pre-shared key authentication using "
        "Main Mode",
        aspect="negotiation_mode",
        only="ikev1",
    ),
)
