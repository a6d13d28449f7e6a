# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes in certificates: a certificate that is missing, or that one side refuses."""

from __future__ import annotations

from .cause import Cause, of_ours, of_theirs

# Faults of a certificate: code, explanation for the peer's and for our certificate, next step, and
# the log line of the side that refuses it.
CERTIFICATE_FAULTS = (
    (
        "revoked",
        "The certificate of the peer was revoked.",
        "Our certificate was revoked, according to the peer.",
        "Issue a new certificate, and load it on the side that sends it.",
        "certificate was revoked on ...",
    ),
    (
        "status_unknown",
        "This side can't check the certificate of the peer for revocation, but strict_crl requires "
        "the check.",
        "The peer can't check our certificate for revocation, but its settings require the check.",
        "Make the CRL or the OCSP server reachable, or relax strict_crl in ipsec_settings.",
        "constraint check failed: RULE_CRL_VALIDATION is ..., but requires at least ...",
    ),
    (
        "expired",
        "The certificate of the peer is expired, or not valid yet.",
        "Our certificate is expired, or not valid yet.",
        "Renew the certificate. If its dates are right, check the clocks of both sides.",
        "subject certificate invalid (valid from ... to ...)",
    ),
    (
        "issuer_expired",
        "A CA in the chain of the peer's certificate is expired, or not valid yet.",
        "A CA in the chain of our certificate is expired, or not valid yet.",
        "Renew the certificate of the CA. Load it with certificate of phase 1 on the side that "
        "sends it, and with ca on the side that refuses it. If its dates are right, check the "
        "clocks of both sides.",
        "issuer certificate invalid (valid from ... to ...), and before it the CA",
    ),
    (
        "lacks_identity",
        "The certificate of the peer does not contain the identity that the peer sends.",
        "Our certificate does not contain the identity that this side sends.",
        "On the side that sends the certificate, set identifier of phase 1 to a name in it. Set "
        "peer_identifier of the other side to the same name. Or issue a certificate with the "
        "identity. docs/identities.md describes the forms of names.",
        "no trusted ... public key found for '<identity>', and before it received end entity cert, "
        "with no line using certificate between them",
    ),
    (
        "missing",
        "The peer has sent no certificate, although this side has requested one.",
        "This side has sent no certificate, although the peer has requested one.",
        "Make the side send its certificate. strongSwan does not send it with send_cert = never. "
        "Another peer may send it only on request for its own CA. Load this CA with ca of "
        "phase 1.",
        "no trusted ... public key found for '<identity>', with a line sending cert request for, "
        "and no line received end entity cert",
    ),
    (
        "untrusted",
        "The chain of the peer's certificate does not end at a CA that this side trusts.",
        "The chain of our certificate does not end at a CA that the peer trusts.",
        "On the side that refuses the certificate, load its root CA with ca of phase 1. For an "
        "intermediate CA, append its certificate to the file of option certificate on the other "
        "side, which then sends both.",
        "no issuer certificate found for ..., and after it issuer is ...; or peer not "
        "authenticated by CA ...",
    ),
)

CERTIFICATES = (
    *(
        cause
        for fault, theirs, ours, remedy, line in CERTIFICATE_FAULTS
        for cause in (
            Cause(
                f"peer_certificate_{fault}",
                theirs,
                (*of_theirs("ipsec_phase1 certificate"), *of_ours("ipsec_phase1 ca")),
                remedy,
                aspect="peer_identity",
                only="pubkey",
            ),
            Cause(
                f"our_certificate_{fault}",
                ours,
                (*of_ours("ipsec_phase1 certificate"), *of_theirs("ipsec_phase1 ca")),
                remedy,
                look_for=line,
                aspect="certificate",
                only="pubkey",
            ),
        )
    ),
    Cause(
        "our_certificate_incomplete",
        "The peer does not have the CA that issued our certificate, and this side does not send "
        "it.",
        (*of_ours("ipsec_phase1 certificate"), *of_theirs("ipsec_phase1 ca")),
        "Append the certificate of the CA to the file of option certificate, and run the task of "
        "the phase 1 again. If the CA is a root, load it on the peer.",
        look_for="no issuer certificate found for ..., and after it issuer is ...",
        aspect="certificate",
        only="pubkey",
    ),
)
