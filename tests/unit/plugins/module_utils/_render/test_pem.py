# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of certificates, against the X.509 of `cryptography`."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import pem as reader
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


NAMES = [
    (NameOID.COUNTRY_NAME, "CH"),
    (NameOID.ORGANIZATION_NAME, "Zoë & Söhne"),
    (NameOID.DOMAIN_COMPONENT, "example"),
    (NameOID.EMAIL_ADDRESS, "vpn@example.org"),
    (NameOID.COMMON_NAME, "gw <b>a</b>, 1"),
]


def lasting(start: datetime.datetime, end: datetime.datetime) -> bytes:
    key = KEYS["ed25519"]()
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in NAMES])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "VPN CA")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    return made.sign(key, None).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("year", [1951, 1999, 2026, 2049, 2050, 2099])
def test_names_and_times(year: int) -> None:
    start = datetime.datetime(year, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    end = datetime.datetime(year + 1, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc)
    assert reader.certificate(lasting(start, end)) == reader.Certificate(
        "C=CH, O=Zoë & Söhne, DC=example, E=vpn@example.org, CN=gw <b>a</b>, 1",
        "CN=VPN CA",
        start.isoformat(),
        end.isoformat(),
    )


@pytest.mark.parametrize("length", [0, 1, 40, 100, 200])
def test_names_and_times_of_what_is_no_certificate(length: int) -> None:
    assert reader.certificate(b"") is None
    today = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    body = certificate(KEYS["ed25519"]())
    spoilt = body[: 28 + length] + b"\n-----END CERTIFICATE-----\n"
    assert reader.certificate(spoilt) is None
    assert reader.certificate(lasting(today, today)) is not None
