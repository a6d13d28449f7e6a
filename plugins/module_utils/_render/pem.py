# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Certificates (RFC 5280): subject, issuer, validity, and the names and ids of keys in them.

No Debian release has a package for X.509 installed, so that this much of it is read here. The IKE
daemon verifies the signatures.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

from .._model import der
from .._model.der import Element, element, expected, inner
from .._model.distinguished import Name
from .._model.identity import Identity

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)
_VERSION, _EXTENSIONS = 0xA0, 0xA3
# In a TBSCertificate without its version: serialNumber, signature, issuer, validity, subject, key.
_SERIAL, _ISSUER, _VALIDITY, _SUBJECT, _KEY = 0, 2, 3, 4, 5
_SUBJECT_KEY_ID, _NAMES, _CONSTRAINTS, _AUTHORITY_KEY_ID = (
    f"2.5.29.{number}" for number in (14, 17, 19, 35)
)
# Of a GeneralName (section 4.2.1.6), and of the key in an authorityKeyIdentifier.
_RFC822, _DNS, _DIRECTORY, _URI, _ADDRESS, _KEY_IDENTIFIER = 0x81, 0x82, 0xA4, 0x86, 0x87, 0x80
_KINDS = {_RFC822: "email", _DNS: "fqdn", _URI: "uri"}


@dataclass(frozen=True)
class Certificate:
    """A certificate. Times are in ISO 8601, UTC; ids of keys in hexadecimal digits.

    ``key_id`` is the id by which charon lists the private key. ``names`` are the subjectAltNames
    that may be identities. ``ids`` are the key ids as which charon accepts the certificate.
    """

    subject: Name
    issuer: Name
    not_before: str
    not_after: str
    key_id: str = ""
    names: tuple[Identity, ...] = ()
    is_ca: bool = False
    subject_key_id: str = ""
    authority_key_id: str = ""
    ids: frozenset[str] = field(default=frozenset(), repr=False)
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def read(cls, data: bytes) -> Certificate | None:
        """Return the certificate of DER; None if it can't be read."""
        try:
            return _certificate(data)
        except (ValueError, IndexError):
            return None

    def __str__(self) -> str:
        """Return the subject, or the first other name."""
        return str(self.subject) or ", ".join(map(str, self.names[:1])) or "nobody"

    @property
    def self_issued(self) -> bool:
        """Return whether the certificate is a root, to which strongSwan requires a chain."""
        return self.issued_by(self)

    def issued_by(self, issuer: Certificate) -> bool:
        """Return whether strongSwan would verify the signature with the key of ``issuer``."""
        if self.authority_key_id and issuer.subject_key_id not in ("", self.authority_key_id):
            return False
        return self.issuer.equals(issuer.subject)

    def holds(self, identity: Identity) -> bool:
        """Return whether strongSwan accepts the certificate for an identity without wildcards."""
        if identity.kind == "key":
            return identity.value in self.ids
        return any(name.equals(identity) for name in self.identities)

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Return the subject, if it is not empty, and the other names."""
        return (*([Identity.of(self.subject)] if self.subject.parts else []), *self.names)


# A thousand phase 1 objects may have one CA.
@functools.lru_cache(maxsize=4096)
def certificate(pem: bytes) -> Certificate | None:
    """Return the first certificate of a PEM file; None if none can be read."""
    found = _CERTIFICATE.search(pem)
    try:
        return Certificate.read(base64.b64decode(found[1])) if found else None
    except ValueError:
        return None


def key_id(pem: bytes) -> str:
    """Return the id of the private key that belongs to the first certificate of a PEM file.

    vici's ``load-key`` returns this id and ``get-keys`` lists it: the SHA-1 of the public key, in
    hexadecimal (RFC 5280 section 4.2.1.2, method 1). The id is empty if no certificate can be read,
    which charon reports.
    """
    found = certificate(pem)
    return found.key_id if found else ""


def certificate_in(data: bytes) -> bytes | None:
    """Return the certificate, in DER, at the beginning of ``data``; None if there is none."""
    try:
        whole = element(data)
        fields, algorithm, signature = inner(whole, der.SEQUENCE)
        items = [item for item in inner(fields, der.SEQUENCE) if item.tag != _VERSION]
    except (ValueError, IndexError):
        return None
    outside = (algorithm.tag, signature.tag) == (der.SEQUENCE, der.BIT_STRING)
    return whole.data if outside and len(items) > _KEY and items[_KEY].tag == der.SEQUENCE else None


def _certificate(data: bytes) -> Certificate:
    whole = element(data)
    fields = [
        item for item in inner(inner(whole, der.SEQUENCE)[0], der.SEQUENCE) if item.tag != _VERSION
    ]
    start, end = inner(fields[_VALIDITY], der.SEQUENCE)
    # Without the count of unused bits.
    key = expected(inner(fields[_KEY], der.SEQUENCE)[1], der.BIT_STRING)[1:]
    extensions = _extensions(fields[_KEY + 1 :])
    subject_key_id = _read(_octets, extensions.get(_SUBJECT_KEY_ID)) or ""
    known = (whole.data, fields[_KEY].data, key)
    serial = expected(fields[_SERIAL], der.INTEGER)
    return Certificate(
        Name.decode(fields[_SUBJECT].data),
        Name.decode(fields[_ISSUER].data),
        _time(start),
        _time(end),
        _sha1(key),
        _read(_alternatives, extensions.get(_NAMES)) or (),
        _read(_is_ca, extensions.get(_CONSTRAINTS)) or False,
        subject_key_id,
        _read(_authority, extensions.get(_AUTHORITY_KEY_ID)) or "",
        frozenset({*map(_sha1, known), serial.hex(), serial.lstrip(b"\0").hex(), subject_key_id})
        - {""},
        whole.data,
    )


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _extensions(rest: t.Iterable[Element]) -> dict[str, bytes]:
    """Return the values of the extensions, by object identifier."""
    found = {}
    for item in rest:
        if item.tag == _EXTENSIONS:
            for extension in inner(element(item.content), der.SEQUENCE):
                kind, *_critical, value = inner(extension, der.SEQUENCE)
                number = der.dotted(expected(kind, der.OBJECT_ID))
                found[number] = expected(value, der.OCTET_STRING)
    return found


_T = t.TypeVar("_T")


def _read(reader: t.Callable[[bytes], _T], value: bytes | None) -> _T | None:
    """Return the value of an extension; None if it is missing, or can't be read."""
    try:
        return reader(value) if value is not None else None
    except (ValueError, IndexError):
        return None


def _octets(value: bytes) -> str:
    return expected(element(value), der.OCTET_STRING).hex()


def _authority(value: bytes) -> str:
    parts = inner(element(value), der.SEQUENCE)
    return next((part.content.hex() for part in parts if part.tag == _KEY_IDENTIFIER), "")


def _is_ca(value: bytes) -> bool:
    parts = inner(element(value), der.SEQUENCE)
    return any(part.tag == der.BOOLEAN and part.content != b"\0" for part in parts)


def _alternatives(value: bytes) -> tuple[Identity, ...]:
    """Return the names of the kinds that an identity may have."""
    found = (_alternative(item) for item in inner(element(value), der.SEQUENCE))
    return tuple(item for item in found if item is not None)


def _alternative(item: Element) -> Identity | None:
    try:
        if item.tag == _ADDRESS:
            return Identity.parse(str(ipaddress.ip_address(item.content)))
        if item.tag == _DIRECTORY:
            return Identity.of(Name.decode(item.content))
        kind, text = _KINDS.get(item.tag), item.content.decode("ascii")
    except (ValueError, IndexError):
        return None
    # strongSwan accepts no text with a zero in it.
    return _written(kind, text) if kind and "\0" not in text else None


def _written(kind: str, text: str) -> Identity:
    """Return a name of this kind, with a prefix if the text alone would be of another kind."""
    plain = Identity.parse(text)
    return plain if plain.kind == kind else Identity.parse(f"{kind}:{text}")


def _time(item: Element) -> str:
    """Return a time in ISO 8601.

    UTCTime has two digits of a year from 1950 to 2049, GeneralizedTime all four.
    """
    digits = item.content.decode("ascii").rstrip("Z")
    if item.tag == der.UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    if len(digits) != len("YYYYMMDDhhmmss") or not digits.isdigit():
        raise ValueError("no time of a certificate")
    parts = [digits[:4], *(digits[at : at + 2] for at in range(4, 14, 2))]
    return "{}-{}-{}T{}:{}:{}+00:00".format(*parts)
