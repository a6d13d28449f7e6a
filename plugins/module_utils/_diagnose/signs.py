# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Lines of charon's log, and the causes that they show.

The tables are in the order of certainty: lines that name the cause first, then answers of the peer,
then missing answers. The texts are the texts of strongSwan 5.9.8, 6.0.1 and 6.1.0.

A peer can make a line long. So no part of a pattern reaches over the place where the pattern could
begin again, or the part has a limit. The time is linear in the length of the line.
"""

from __future__ import annotations

from .sign import Sign
from .sign import sign as _sign

_CHILD_UP = r"CHILD_SA \S+ established with SPIs "
# The end of phase 1. IKEv1 logs the same words in both phases.
_ESTABLISHED = rf"IKE_SA \S+ established between |{_CHILD_UP}"
_RECEIVED = r"received packet: from "
_NAT_PORT = r"sending packet: from \S+\[\d+\] to \S+\[4500\]"
_ID = r"'(?P<{}>[^']*)'(?:\[\S+\])?"

# The first messages under the new keys can't be decrypted. IKEv1 derives these keys from the PSK.
_UNDECRYPTABLE = (
    r"invalid (?:HASH|ID)_V1 payload length, decryption failed\?|could not decrypt payloads"
)

# The log of the side that verifies a certificate.
_REFUSED = r"no trusted \S+ public key found for '(?P<identity>[^']*)'"
_SENT = r'received end entity cert "(?P<subject>.*)"'
_TRIED = r'using (?:trusted )?certificate "'
_PARSED = r"parsed (?:IKE_AUTH|ID_PROT|AGGRESSIVE) "
_UNISSUED = r'no issuer certificate found for "(?P<subject>.*)"'
_ISSUED = r'using (?:un)?trusted (?:intermediate |ca )+certificate "'
_ASKED = r"sending cert request for "


def _certificates(whose: str) -> tuple[Sign, ...]:
    def sign(pattern: str, fault: str, *context: str, after: str = "", without: str = "") -> Sign:
        # Other certificates may have failed before the trusted one.
        trusted = r"authentication of '[^']*' with \S+ successful"
        code = f"{whose}_certificate_{fault}"
        return _sign(pattern, code, *context, after=after, without=without, overtaken=trusted)

    return (
        sign(r"certificate was revoked on ", "revoked"),
        sign(r"subject certificate invalid \(valid from ", "expired", _TRIED),
        sign(r"issuer certificate invalid \(valid from ", "issuer_expired", _ISSUED),
        sign(r"constraint check failed: RULE_(?:CRL|OCSP)_VALIDATION is ", "status_unknown"),
        # strongSwan tries only certificates that contain the identity.
        sign(_REFUSED, "lacks_identity", _SENT, without=_TRIED),
        # strongSwan requests a certificate if it has a CA.
        sign(_REFUSED, "missing", _PARSED, after=_ASKED, without=f"{_SENT}|{_TRIED}"),
        sign(r"constraint check failed: peer not authenticated by CA ", "untrusted"),
        sign(r'self-signed certificate ".*" is not trusted', "untrusted"),
        sign(r'issuer is "(?P<issuer>.*)"', "untrusted", _UNISSUED),
        sign(_REFUSED, "untrusted"),
    )


_KERNEL_SA = (
    r"unable to install inbound and outbound IPsec SA \(SAD\) in kernel|unable to add SAD entry"
)
_KERNEL_POLICY = (
    r"unable to install IPsec policies \(SPD\) in kernel|error installing route with policy"
)

# The answer to IKEv1 of a daemon without IKEv1, which logs the message as its cause. The answer is
# a message of IKEv2, and has no SA at the initiator.
_OLD_VERSION = r"received unsupported IKE version 1\.\d+ from "
_NEWER_ANSWER = r"received unencrypted informational: from "
_OLD_INITIATOR = r"initiating (?:Main|Aggressive) Mode IKE_SA "

# In the log of the initiator.
OUR_SIGNS: tuple[Sign, ...] = (
    _sign(rf"no shared key found for {_ID.format('ours')} - {_ID.format('theirs')}", "psk_missing"),
    _sign(r"no (?:\S+ )?private key found for '(?P<ours>[^']*)'", "private_key_missing"),
    _sign(
        r"IDir '(?P<theirs>[^']*)' does not match to '(?P<ours>[^']*)'", "peer_identity_mismatch"
    ),
    _sign(
        r"constraint check failed: identity '(?P<ours>[^']*)' required", "peer_identity_mismatch"
    ),
    _sign(_NEWER_ANSWER, "ikev1_not_supported_at_peer", after=_OLD_INITIATOR, before=_RECEIVED),
    _sign(r", but MAC mismatched", "psk_mismatch"),
    _sign(r"calculated HASH does not match HASH payload", "psk_mismatch"),
    _sign(_UNDECRYPTABLE, "psk_mismatch", before=_ESTABLISHED),
    _sign(r"PPK required but no PPK found for '(?P<ours>[^']*)'", "ppk_missing"),
    _sign(r"PPK required but peer does not support PPK", "ppk_missing_at_peer"),
    _sign(r"unable to resolve (?P<ours>\S+), initiate aborted", "gateway_unresolvable"),
    _sign(
        r"(?:(?:configured|negotiated) (?:DH group|key exchange method)|KDF_PRF with) "
        r"(?P<ours>\S+) not supported",
        "algorithm_unavailable",
    ),
    _sign(_KERNEL_SA, "kernel_refuses_sa", r"received netlink error: "),
    _sign(_KERNEL_POLICY, "kernel_refuses_policy"),
    _sign(r"local traffic selector missing in configuration", "mode_mismatch"),
    *_certificates("peer"),
    _sign(r"not establishing CHILD_SA \S+ due to existing duplicate", "already_up"),
    # Answers of the peer.
    _sign(
        r"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built|CHILD_SA rekeying failed",
        "peer_refused_rekeying",
        after=_CHILD_UP,
    ),
    _sign(r"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "peer_refused_phase2"),
    _sign(r"received TS_UNACCEPTABLE notify, no CHILD_SA built", "peer_refused_selectors"),
    _sign(r"received \w+ notify, no CHILD_SA built", "peer_refused"),
    _sign(r"received NO_PROPOSAL_CHOSEN error notify", "peer_refused_rekeying", after=_CHILD_UP),
    _sign(r"received NO_PROPOSAL_CHOSEN error notify", "peer_refused_phase2", after=_ESTABLISHED),
    _sign(
        r"received INVALID_ID_INFORMATION error notify",
        "peer_refused_selectors",
        after=_ESTABLISHED,
    ),
    _sign(r"received NO_PROPOSAL_CHOSEN (?:notify error|error notify)", "peer_refused_phase1"),
    _sign(
        r"received AUTHENTICATION_FAILED (?:notify error|error notify)",
        "peer_refused_authentication",
    ),
    _sign(
        r"received INVALID_ID_INFORMATION error notify",
        "peer_refused_authentication",
        before=_ESTABLISHED,
    ),
    _sign(r"received INVALID_KE_PAYLOAD error notify", "peer_refused_key_exchange"),
    _sign(r"IDr payload missing", "peer_answer_incomplete"),
    _sign(r"received \w+ (?:notify error|error notify)", "peer_refused"),
    # Dead peer detection.
    _sign(r"DPD check timed out, enforcing DPD action", "peer_dead"),
    _sign(
        r"giving up after \d+ retransmits", "peer_dead", r"sending DPD request", after=_ESTABLISHED
    ),
    # The tunnel was up for a moment.
    _sign(
        r"received DELETE for (?:IKE_SA|ESP CHILD_SA|AH CHILD_SA)",
        "closed_by_peer",
        after=_ESTABLISHED,
    ),
    # The peer initiates, with another version than this side.
    _sign(_OLD_VERSION, "ikev1_not_supported"),
    # Missing answers.
    _sign(
        r"retransmit \d+ of request (?:with message ID [1-9]|message ID 0, seq [2-9])",
        "no_answer_on_4500",
        _RECEIVED,
        _NAT_PORT,
        after=_RECEIVED,
        before=_ESTABLISHED,
        needs_context=True,
    ),
    _sign(
        r"retransmit \d+ of request (?:with message ID [1-9]|message ID 0, seq [2-9])",
        "no_answer_to_authentication",
        _RECEIVED,
        after=_RECEIVED,
        before=_ESTABLISHED,
    ),
    _sign(r"retransmit \d+ of request (?:with )?message ID 0", "no_answer", unless=_RECEIVED),
    _sign(r"establishing IKE_SA failed, peer not responding", "no_answer", unless=_RECEIVED),
    _sign(r"sending packet: from ", "no_answer", unless=_RECEIVED),
)

# The words of the peer for a refusal, after both lists of proposals.
_NO_COMMON = (
    r"received proposals unacceptable|no proposal found|no acceptable proposal found"
    r"|no matching proposal found"
)
_LOOKING = (
    r"peer configs matching (?P<theirs>[^\s\[]{1,80}?)(?:\[(?P<asked>[^\[\]]*)\])?"
    r"\.\.\.(?P<ours>[^\s\[]{1,80}?)\[(?P<named>[^\[\]]*)\]"
)

# In the log of the responder. Two lists of proposals are compared to find the exact cause.
PEER_SIGNS: tuple[Sign, ...] = (
    _sign(_OLD_VERSION, "ikev1_not_supported_at_peer"),
    # Without NO_PPK, the proof of the initiator can't be verified without the PPK.
    _sign(
        r", but MAC mismatched|signature validation failed",
        "ppk_missing_at_peer",
        r"no PPK for '(?P<ours>[^']*)' found, ignored",
        r"parsed IKE_AUTH request \d+ \[(?:(?! N\(NO_PPK\))[^\]])* N\(PPK_ID\)",
        needs_context=True,
    ),
    _sign(
        r", but MAC mismatched|signature validation failed",
        "ppk_mismatch",
        r"parsed IKE_AUTH request \d+ \[[^\]]* N\(PPK_ID\)",
        without=r"no PPK for '[^']*' found, ignored",
        needs_context=True,
    ),
    _sign(r"received PPK_ID '(?P<ours>[^']*)', but require '(?P<theirs>[^']*)'", "ppk_id_mismatch"),
    _sign(r"PPK required but no PPK found for '(?P<ours>[^']*)'", "ppk_missing_at_peer"),
    _sign(r"PPK required but no PPK_IDENTITY received", "ppk_not_loaded"),
    _sign(r"PPK required but peer does not support PPK", "ppk_required_by_peer"),
    _sign(r", but MAC mismatched", "psk_mismatch"),
    _sign(_UNDECRYPTABLE, "psk_mismatch", before=_ESTABLISHED),
    _sign(r"calculated HASH does not match HASH payload", "psk_mismatch"),
    _sign(
        rf"no shared key found for {_ID.format('theirs')} - {_ID.format('ours')}",
        "psk_missing_at_peer",
    ),
    _sign(r"no (?:\S+ )?private key found for '(?P<theirs>[^']*)'", "private_key_missing_at_peer"),
    _sign(r"no IKE config found for \S+, sending NO_PROPOSAL_CHOSEN", "config_unknown_to_peer"),
    _sign(r"Aggressive Mode PSK disabled for security reasons", "aggressive_mode_refused"),
    _sign(
        r"found \d+ matching configs?, but none allows pre-shared key authentication using "
        r"(?P<ours>\w+) Mode",
        "negotiation_mode_mismatch",
    ),
    _sign(
        r"found \d+ matching configs?, but none allows (?P<ours>[^,]{1,80}) authentication",
        "authentication_mismatch",
    ),
    _sign(r"no matching peer config found", "identities_unknown_to_peer", _LOOKING),
    _sign(r"no peer config found", "our_identity_unknown", _LOOKING),
    _sign(
        _NO_COMMON,
        "ike_proposal_mismatch",
        r"received proposals: (?P<ours>IKE:.*)",
        r"configured proposals: (?P<theirs>IKE:.*)",
    ),
    _sign(
        _NO_COMMON,
        "esp_proposal_mismatch",
        r"received proposals: (?P<ours>(?:ESP|AH):.*)",
        r"configured proposals: (?P<theirs>(?:ESP|AH):.*)",
    ),
    _sign(r"traffic selectors\s+===\s+unacceptable", "mode_mismatch"),
    _sign(
        r"traffic selectors (?P<theirs>(?:(?!traffic)[^=])+) === (?P<ours>[^=]+) unacceptable",
        "selector_mismatch",
    ),
    _sign(
        r"no matching CHILD_SA config found for (?P<theirs>(?:(?!no )[^=])+) === (?P<ours>.+)",
        "selector_mismatch",
    ),
    _sign(_KERNEL_SA, "peer_kernel_refuses_sa", r"received netlink error: "),
    _sign(_KERNEL_POLICY, "peer_kernel_refuses_policy"),
    _sign(
        r"constraint requires (?P<theirs>[^,]{1,80}) authentication, but (?P<ours>[^,]{1,80}) "
        r"was used",
        "authentication_mismatch",
    ),
    *_certificates("our"),
    _sign(
        r"destroying duplicate IKE_SA for peer '(?P<ours>[^']*)', received INITIAL_CONTACT",
        "replaced_by_same_identity",
    ),
    _sign(r"IDir '(?P<ours>[^']*)' does not match to '(?P<theirs>[^']*)'", "our_identity_unknown"),
)
