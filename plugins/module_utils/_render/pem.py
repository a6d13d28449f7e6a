# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Whose a certificate is, until when it is good and which private key belongs to it.

That much of X.509, since no Debian release has a package for it installed.
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t
from dataclasses import dataclass

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)
_BIT_STRING, _SEQUENCE, _VERSION = 0x03, 0x30, 0xA0
_SET, _OBJECT_ID, _UTC_TIME, _UTF16 = 0x31, 0x06, 0x17, 0x1E
# In a TBSCertificate without its version: serialNumber, signature, issuer, validity, subject.
_ISSUER, _VALIDITY, _SUBJECT, _KEY = 2, 3, 4, 5
# Names of attributes as strongSwan writes them (X.520 and RFC 4519), by object identifier.
_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x05": "serialNumber",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "E",
}


@dataclass(frozen=True)
class Certificate:
    """Names as ``C=CH, O=example, CN=gw-a``; times in ISO 8601, UTC."""

    subject: str
    issuer: str
    not_before: str
    not_after: str


def certificate(pem: bytes) -> Certificate | None:
    """The first certificate of a PEM file; None where none can be read."""
    try:
        fields = _fields(pem)
        if not fields:
            return None
        start, end = _inner(fields[_VALIDITY], _SEQUENCE)
        return Certificate(
            _name(fields[_SUBJECT]), _name(fields[_ISSUER]), _time(start), _time(end)
        )
    except (ValueError, IndexError):
        return None


def key_id(pem: bytes) -> str:
    """The id of the private key that belongs to the first certificate of a PEM file.

    It is the one that vici's ``load-key`` returns and ``get-keys`` lists: the SHA-1 of the public
    key, in hexadecimal (RFC 5280 section 4.2.1.2, method 1). Empty where there is no certificate
    that can be read, which is for charon to say.
    """
    try:
        fields = _fields(pem)
        if not fields:
            return ""
        _algorithm, public_key = _inner(fields[_KEY], _SEQUENCE)
        # Without the count of unused bits.
        bits = _content(public_key, _BIT_STRING)[1:]
    except (ValueError, IndexError):
        return ""
    return hashlib.sha1(bits, usedforsecurity=False).hexdigest()


def certificate_in(data: bytes) -> bytes | None:
    """The certificate, in DER, with which ``data`` begins; None where there is none."""
    try:
        found = data[: _header(data) + _length(data)]
        fields, algorithm, signature = _inner(found, _SEQUENCE)
        items = [item for item in _inner(fields, _SEQUENCE) if item[0] != _VERSION]
    except (ValueError, IndexError):
        return None
    outside = (algorithm[0], signature[0]) == (_SEQUENCE, _BIT_STRING)
    return found if outside and len(items) > _KEY and items[_KEY][0] == _SEQUENCE else None


def _fields(pem: bytes) -> list[bytes]:
    """The fields of the TBSCertificate (RFC 5280 section 4.1) but its version; or nothing."""
    found = _CERTIFICATE.search(pem)
    if found is None:
        return []
    tbs = _inner(base64.b64decode(found[1]), _SEQUENCE)[0]
    return [item for item in _items(_content(tbs, _SEQUENCE)) if item[0] != _VERSION]


def _name(item: bytes) -> str:
    """A distinguished name, in the order in which it is encoded."""
    return ", ".join(
        _attribute(attribute)
        for relative in _inner(item, _SEQUENCE)
        for attribute in _inner(relative, _SET)
    )


def _attribute(item: bytes) -> str:
    kind, value = _inner(item, _SEQUENCE)
    encoding = "utf-16-be" if value[0] == _UTF16 else "utf-8"
    text = value[_header(value) :].decode(encoding, "replace")
    identifier = _content(kind, _OBJECT_ID)
    return f"{_ATTRIBUTES.get(identifier, identifier.hex())}={text}"


def _time(item: bytes) -> str:
    """UTCTime has two digits of a year from 1950 to 2049, GeneralizedTime all four."""
    digits = item[_header(item) :].decode("ascii").rstrip("Z")
    if item[0] == _UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    if len(digits) != len("YYYYMMDDhhmmss") or not digits.isdigit():
        raise ValueError("no time of a certificate")
    parts = [digits[:4], *(digits[at : at + 2] for at in range(4, 14, 2))]
    return "{}-{}-{}T{}:{}:{}+00:00".format(*parts)


def _inner(item: bytes, tag: int) -> list[bytes]:
    return list(_items(_content(item, tag)))


def _content(item: bytes, tag: int) -> bytes:
    if item[0] != tag:
        raise ValueError(f"tag {item[0]:#x} in the place of {tag:#x}")
    return item[_header(item) :]


def _items(data: bytes) -> t.Iterator[bytes]:
    """The DER elements (X.690 section 8.1) that follow each other, whole."""
    at = 0
    while at < len(data):
        # No header is longer.
        head = data[at : at + 129]
        end = at + _header(head) + _length(head)
        if end > len(data):
            raise ValueError("an element ends too early")
        yield data[at:end]
        at = end


def _header(item: bytes) -> int:
    return 2 + (item[1] & 0x7F if item[1] & 0x80 else 0)


def _length(item: bytes) -> int:
    if item[1] & 0x80:
        return int.from_bytes(item[2 : _header(item)], "big")
    return item[1]
