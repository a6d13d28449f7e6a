# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The id of a certificate's key, against the X.509 of `cryptography`."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import key_id
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

KEYS: dict[str, t.Callable[[], t.Any]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ecdsa": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}


def certificate(key: t.Any, subject: str = "gw.example") -> bytes:
    """In PEM, signed with its own key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    today = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=1))
    )
    hashed = hashes.SHA256() if hasattr(key, "key_size") else None
    return made.sign(key, hashed).public_bytes(serialization.Encoding.PEM)


def expected(key: t.Any) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()


@pytest.mark.parametrize("kind", KEYS)
def test_id(kind: str) -> None:
    key = KEYS[kind]()
    assert key_id(certificate(key)) == expected(key)


def test_text_around_it() -> None:
    key = KEYS["ed25519"]()
    pem = certificate(key).replace(b"\n", b"\r\n")
    assert key_id(b"subject=CN = gw.example\n" + pem + certificate(KEYS["ed25519"]())) == expected(
        key
    )


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"certificate",
        b"-----BEGIN CERTIFICATE-----\n=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
    ],
)
def test_no_certificate(pem: bytes) -> None:
    assert key_id(pem) == ""


def test_any_part_of_a_certificate() -> None:
    """Cut anywhere, it is not read wrongly, and raises nothing."""
    key = KEYS["ed25519"]()
    begin, *lines, end = certificate(key).splitlines(keepends=True)
    body = b"".join(lines).replace(b"\n", b"")
    for length in range(0, len(body), 4):
        assert key_id(begin + body[:length] + b"\n" + end) in ("", expected(key)), length
