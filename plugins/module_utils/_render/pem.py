# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which private key a certificate belongs to: as much of X.509 as that takes."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)
_BIT_STRING, _SEQUENCE, _VERSION = 0x03, 0x30, 0xA0
# Of a TBSCertificate without its version: serialNumber, signature, issuer, validity, subject.
_BEFORE_KEY = 5


def key_id(pem: bytes) -> str:
    """The id of the private key that belongs to the first certificate of a PEM file.

    It is the one that vici's ``load-key`` returns and ``get-keys`` lists: the SHA-1 of the public
    key, in hexadecimal (RFC 5280 section 4.2.1.2, method 1). Empty where there is no certificate
    that can be read, which is for charon to say.
    """
    found = _CERTIFICATE.search(pem)
    if found is None:
        return ""
    try:
        public_key = _public_key(base64.b64decode(found[1]))
    except (ValueError, IndexError):
        return ""
    return hashlib.sha1(public_key, usedforsecurity=False).hexdigest()


def _public_key(certificate: bytes) -> bytes:
    """The value of subjectPublicKey (RFC 5280 section 4.1), without the count of unused bits."""
    tbs = _inner(certificate, _SEQUENCE)[0]
    fields = [item for item in _items(_content(tbs, _SEQUENCE)) if item[0] != _VERSION]
    _algorithm, public_key = _inner(fields[_BEFORE_KEY], _SEQUENCE)
    return _content(public_key, _BIT_STRING)[1:]


def _inner(item: bytes, tag: int) -> list[bytes]:
    return list(_items(_content(item, tag)))


def _content(item: bytes, tag: int) -> bytes:
    if item[0] != tag:
        raise ValueError(f"tag {item[0]:#x} in the place of {tag:#x}")
    return item[_header(item) :]


def _items(data: bytes) -> t.Iterator[bytes]:
    """The DER elements (X.690 section 8.1) that follow each other, whole."""
    while data:
        end = _header(data) + _length(data)
        if end > len(data):
            raise ValueError("an element ends too early")
        yield data[:end]
        data = data[end:]


def _header(item: bytes) -> int:
    return 2 + (item[1] & 0x7F if item[1] & 0x80 else 0)


def _length(item: bytes) -> int:
    if item[1] & 0x80:
        return int.from_bytes(item[2 : _header(item)], "big")
    return item[1]
