# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Chains of certificates: each certificate with its issuer, up to a root.

strongSwan sends the CAs between its own certificate and the root, from any of its files, and never
the root. It accepts a peer if the chain of the peer ends at a root that it has loaded. A loaded
intermediate CA is not enough. Names and ids of keys are compared here. The IKE daemon verifies the
signatures. Measured on strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .pem import Certificate


class Authorities:
    """CAs, found by the certificates that they have issued."""

    def __init__(self, certificates: t.Iterable[Certificate]) -> None:
        self._by_name: dict[str, list[Certificate]] = {}
        for item in certificates:
            if item.is_ca:
                self._by_name.setdefault(item.subject.folded, []).append(item)

    def of(self, certificate: Certificate) -> list[Certificate]:
        """Return the CAs that may have issued a certificate; several if a CA was renewed."""
        named = self._by_name.get(certificate.issuer.folded, ())
        return [item for item in named if certificate.issued_by(item)]


@dataclass(frozen=True)
class CertificateChain:
    """A chain. ``issuers`` are in order from the certificate up.

    ``ends`` is the last certificate if the chain leads to no root.
    """

    issuers: tuple[Certificate, ...]
    rooted: bool
    ends: Certificate

    @property
    def between(self) -> tuple[Certificate, ...]:
        """Return the issuers except the roots."""
        return tuple(item for item in self.issuers if not item.self_issued)


def chain(certificate: Certificate, authorities: Authorities) -> CertificateChain:
    """Return the chain of a certificate, as far as the authorities reach."""
    found = {certificate.data: certificate}
    waiting, ends = [certificate], certificate
    for current in waiting:
        issuers = [] if current.self_issued else authorities.of(current)
        if not issuers and not current.self_issued:
            ends = current
        new = {item.data: item for item in issuers if item.data not in found}
        found.update(new)
        waiting += new.values()
    rooted = any(item.self_issued for item in found.values())
    return CertificateChain(tuple(waiting[1:]), rooted, ends)
