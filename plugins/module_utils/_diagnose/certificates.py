# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Causes that lie in certificates: who is shown one, and why it is not taken."""

from __future__ import annotations

from .cause import Cause, of_ours, of_theirs

# What may be wrong with a certificate, in the words of both sides, what to do, and what the side
# that refuses it logs.
CERTIFICATE_FAULTS = (
    (
        "revoked",
        "The certificate of the peer was revoked.",
        "Our certificate was revoked, says the peer.",
        "Issue a new certificate, and load it on the side whose certificate it is.",
        "certificate was revoked on ...",
    ),
    (
        "status_unknown",
        "The certificate of the peer can't be checked for revocation, and must be.",
        "Our certificate can't be checked for revocation, and must be, says the peer.",
        "Make the CRL or the OCSP server reachable, or relax strict_crl.",
        "constraint check failed: RULE_CRL_VALIDATION is ..., but requires at least ...",
    ),
    (
        "expired",
        "The certificate of the peer is expired, or not valid yet.",
        "Our certificate is expired, or not valid yet.",
        "Renew it. If it is in date, look at the clocks of both sides.",
        "subject certificate invalid (valid from ... to ...)",
    ),
    (
        "issuer_expired",
        "A CA in the chain of the peer's certificate is expired, or not valid yet.",
        "A CA in the chain of our certificate is expired, or not valid yet.",
        "Renew the certificate of that CA, in certificate of the side that has it issued and in "
        "ca of the side that refuses it. If it is in date, look at the clocks of both sides.",
        "issuer certificate invalid (valid from ... to ...), and before it the CA",
    ),
    (
        "lacks_identity",
        "The certificate of the peer does not hold the identity that the peer calls itself.",
        "Our certificate does not hold the identity that we call ourselves.",
        "Set identifier, on the side whose certificate it is, to a name that the certificate "
        "holds, and peer_identifier of the other side to the same name; or issue a certificate "
        "that holds it. docs/identities.md says how names are written.",
        "no trusted ... public key found for '<identity>', and before it received end entity cert, "
        "with no line using certificate between them",
    ),
    (
        "missing",
        "The peer has sent no certificate, though it was asked for one.",
        "We have sent no certificate, says the peer, though it has asked for one.",
        "Have that side send it. strongSwan does not with send_cert = never. Another peer may send "
        "it only if it is asked for one of its own CA, which then must be in ca.",
        "no trusted ... public key found for '<identity>', with a line sending cert request for, "
        "and no line received end entity cert",
    ),
    (
        "untrusted",
        "The certificate of the peer does not lead to a CA that is trusted here.",
        "Our certificate does not lead to a CA that is trusted by the peer.",
        "Load the root CA of this certificate on the side that refuses it, as ca. If its issuer is "
        "an intermediate CA, append that to the file certificate of the other side, which sends "
        "it then.",
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
        "The peer does not have the CA that issued our certificate, and we do not send it.",
        (*of_ours("ipsec_phase1 certificate"), *of_theirs("ipsec_phase1 ca")),
        "Append the certificate of that CA to the file certificate, and run the task of the phase "
        "1 again. If it is a root, load it on the peer.",
        look_for="no issuer certificate found for ..., and after it issuer is ...",
        aspect="certificate",
        only="pubkey",
    ),
)
