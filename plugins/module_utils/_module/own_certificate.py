# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Faults of our own certificate that its file shows."""

from __future__ import annotations

import functools
import time

from .._diagnose.our_side import OwnCertificate
from .._host.files.certificates import loaded_at_start
from .._host.files.credentials import installed
from .._host.host import Host
from .._model.connection import IkeConnection
from .._model.identity import Identity
from .._render.bundle import held
from .._render.chain import Authorities, CertificateChain, chain
from .._render.pem import Certificate, certificate
from .._render.validity import EARLY, EXPIRED, in_words, validity


class OwnCertificates:
    """The certificates of the phase 1 objects of a host, each read once on demand."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._known: dict[str, OwnCertificate | None] = {}

    def of(self, connection: IkeConnection) -> OwnCertificate | None:
        """Return the certificate of a phase 1, or None without a readable one."""
        if connection.name not in self._known:
            self._known[connection.name] = self._read(connection)
        return self._known[connection.name]

    def _read(self, connection: IkeConnection) -> OwnCertificate | None:
        files = self.host.files
        pem = installed(files, connection) if connection.uses_certificates else None
        own = certificate(pem.certificate[0]) if pem else None
        if pem is None or own is None:
            return None
        known = [item for item in map(certificate, (*pem.certificate[1:], *pem.ca)) if item]
        found = chain(own, Authorities(known))
        if not found.rooted:
            found = chain(own, Authorities((*known, *self._elsewhere)))
        return OwnCertificate(str(own), held(own), _faults(connection, own, found, time.time()))

    @functools.cached_property
    def _elsewhere(self) -> tuple[Certificate, ...]:
        return tuple(loaded_at_start(self.host.files).values())


def _faults(
    connection: IkeConnection, own: Certificate, found: CertificateChain, now: float
) -> dict[str, str]:
    """Return the faults of the certificate, by code of the cause."""
    faults = {}
    if connection.identifier and not own.holds(Identity.parse(connection.identifier)):
        faults["our_certificate_lacks_identity"] = (
            f"{connection.identifier}; the certificate holds {held(own)}"
        )
    bad = [item for item in (own, *found.issuers) if validity(item, now) in (EXPIRED, EARLY)]
    if own in bad:
        faults["our_certificate_expired"] = f"{own} {in_words(own, now)}"
    elif bad:
        faults["our_certificate_issuer_expired"] = f"{bad[0]} {in_words(bad[0], now)}"
    if not found.rooted:
        faults["our_certificate_incomplete"] = f"{found.ends}, issued by {found.ends.issuer}"
    return faults
