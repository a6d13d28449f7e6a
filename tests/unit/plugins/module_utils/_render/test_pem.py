# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts read from certificates, compared with the X.509 of `cryptography`."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import time
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.identity import Identity
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import pem as reader
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import key_id
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import (
    CA,
    GATEWAY,
    Pair,
)
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
    """Return a certificate in PEM, signed with its own key."""
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
    """A truncated certificate never yields a wrong key id, and raises no error."""
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
    found = reader.certificate(lasting(start, end))
    assert found is not None
    assert str(found.subject) == "C=CH, O=Zoë & Söhne, DC=example, E=vpn@example.org, " + (
        "CN=gw <b>a</b>, 1"
    )
    assert str(found.issuer) == "CN=VPN CA"
    assert (found.not_before, found.not_after) == (start.isoformat(), end.isoformat())
    # The certificate has no extensions.
    assert (found.names, found.is_ca, found.subject_key_id, found.authority_key_id) == (
        (),
        False,
        "",
        "",
    )


def made(*names: x509.GeneralName, **options: t.Any) -> reader.Certificate:
    found = reader.certificate(Pair("gw.example", *names, **options).certificate)
    assert found is not None
    return found


class TestExtensions:
    NAMES: t.ClassVar = (
        x509.DNSName("gw-a.example"),
        x509.DNSName("*.example"),
        x509.RFC822Name("vpn@example.org"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.UniformResourceIdentifier("urn:gw-a"),
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gw, a")])),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        # A DNS name that looks like an address.
        x509.DNSName("192.0.2.9"),
    )

    def test_names(self) -> None:
        assert [(item.kind, str(item)) for item in made(*self.NAMES).identities] == [
            ("dn", "CN=gw.example"),
            ("fqdn", "gw-a.example"),
            ("fqdn", "*.example"),
            ("email", "vpn@example.org"),
            ("address", "192.0.2.1"),
            ("address", "2001:db8::1"),
            ("uri", "uri:urn:gw-a"),
            ("dn", "/CN=gw, a"),
            ("fqdn", "fqdn:192.0.2.9"),
        ]

    def test_without_a_subject(self) -> None:
        pair = Pair(x509.Name([]), x509.DNSName("gw.example"), issuer=CA)
        found = reader.certificate(pair.certificate)
        assert found is not None
        assert list(map(str, found.identities)) == ["gw.example"]
        assert str(found) == "gw.example"

    def test_of_a_ca(self) -> None:
        ca, leaf = reader.certificate(CA.certificate), reader.certificate(GATEWAY.certificate)
        assert ca is not None
        assert leaf is not None
        assert (ca.is_ca, leaf.is_ca) == (True, False)
        assert (ca.self_issued, leaf.self_issued) == (True, False)
        assert (leaf.issued_by(ca), ca.issued_by(leaf), leaf.issued_by(leaf)) == (
            True,
            False,
            False,
        )

    def test_of_a_ca_with_the_name_of_another(self) -> None:
        """The key id decides if both certificates have a key id."""
        leaf, other = (
            reader.certificate(pair.certificate) for pair in (GATEWAY, Pair("Test CA", ca=True))
        )
        plain = reader.certificate(Pair("Test CA", plain=True).certificate)
        assert leaf
        assert other
        assert plain
        assert not leaf.issued_by(other)
        assert leaf.issued_by(plain)

    def test_key_ids(self) -> None:
        """Both releases of strongSwan accept a certificate for these identities."""
        pair = Pair("gw.example")
        found = reader.certificate(pair.certificate)
        known = x509.load_pem_x509_certificate(pair.certificate)
        assert found is not None
        assert found.subject_key_id == pair.id == found.key_id
        der = serialization.Encoding.DER
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        expected = {
            pair.id,
            known.fingerprint(hashes.SHA1()).hex(),
            hashlib.sha1(known.public_key().public_bytes(der, info)).hexdigest(),
            f"{known.serial_number:x}".zfill(len(f"{known.serial_number:x}") + 1 & ~1),
        }
        assert {item.lstrip("0") for item in found.ids} == {item.lstrip("0") for item in expected}

    def test_spoilt_ones_are_left_out(self) -> None:
        """Spoilt names are left out. strongSwan refuses a certificate with such a name."""
        whole = made(x509.DNSName("gw.example"))
        names = whole.data.index(b"gw.example", whole.data.index(b"\x55\x1d\x11"))
        spoilt = bytearray(whole.data)
        spoilt[names - 1] = 200
        found = reader.Certificate.read(bytes(spoilt))
        assert found is not None
        assert (found.names, found.subject) == ((), whole.subject)

    def test_a_name_with_a_zero_in_it(self) -> None:
        pair = made(x509.DNSName("gw.example"), x509.DNSName("gw0example"))
        spoilt = reader.Certificate.read(pair.data.replace(b"gw0example", b"gw\0example"))
        assert spoilt is not None
        assert list(map(str, spoilt.names)) == ["gw.example"]


HELD = [
    "gw-a.example",
    "GW-A.Example",
    "@gw-a.example",
    "fqdn:gw-a.example",
    "*.example",
    "vpn@example.org",
    "email:VPN@example.org",
    "192.0.2.1",
    "2001:db8:0::1",
    "uri:urn:gw-a",
    "CN=gw.example",
    "cn = gw.example",
    "/CN=gw, a",
]
NOT_HELD = [
    "gw-b.example",
    # A pattern in a certificate matches only the same text.
    "gw.example",
    "x.example",
    "gw-a.example@",
    "keyid:gw-a.example",
    "192.0.2.2",
    "CN=GW.example",
    "CN=gw, a",
    "urn:gw-a",
    "@#0a0b",
]


@pytest.mark.parametrize("text", HELD)
def test_held(text: str) -> None:
    """Both releases of strongSwan agree, except for the URI, which 5.9.8 does not know."""
    assert made(*TestExtensions.NAMES).holds(Identity.parse(text))


@pytest.mark.parametrize("text", NOT_HELD)
def test_not_held(text: str) -> None:
    assert not made(*TestExtensions.NAMES).holds(Identity.parse(text))


def test_held_by_its_key() -> None:
    found = made()
    for prefix in ("keyid:#", "@#"):
        for name in found.ids:
            assert found.holds(Identity.parse(f"{prefix}{name}"))


def test_a_large_certificate_in_linear_time() -> None:
    """A certificate with 40 times the names takes less than 160 times as long."""
    small, large = (
        Pair("gw", *(x509.DNSName(f"{n}.example") for n in range(count))).certificate
        for count in (100, 4000)
    )
    seconds = []
    for pem in (small, large):
        data = reader.certificate(pem)
        assert data is not None
        began = time.perf_counter()
        reader.Certificate.read(data.data)
        seconds.append(time.perf_counter() - began)
    assert seconds[1] < 160 * max(seconds[0], 0.0005)


@pytest.mark.parametrize("length", [0, 1, 40, 100, 200])
def test_names_and_times_of_what_is_no_certificate(length: int) -> None:
    assert reader.certificate(b"") is None
    today = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    body = certificate(KEYS["ed25519"]())
    spoilt = body[: 28 + length] + b"\n-----END CERTIFICATE-----\n"
    assert reader.certificate(spoilt) is None
    assert reader.certificate(lasting(today, today)) is not None
