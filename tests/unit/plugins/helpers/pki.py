# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates and private keys, made by `cryptography`, in PEM."""

from __future__ import annotations

import base64
import datetime
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM
_TODAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

# Each way to write an EC key, and an encrypted one.
FORMATS = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
    "openssh": serialization.PrivateFormat.OpenSSH,
}


class Pair:
    """A key with a certificate that it has signed itself."""

    def __init__(self, subject: str, *, elliptic: bool = False) -> None:
        self.made: t.Any = (
            ec.generate_private_key(ec.SECP256R1())
            if elliptic
            else ed25519.Ed25519PrivateKey.generate()
        )
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        self.hash = hashes.SHA256() if elliptic else None
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.made.public_key())
            .serial_number(1)
            .not_valid_before(_TODAY)
            .not_valid_after(_TODAY + datetime.timedelta(days=1))
            .sign(self.made, self.hash)
            .public_bytes(_PEM)
        )
        self.key = self.key_as("pkcs8")
        self.id = key_id(self.key)

    def key_as(self, form: str, passphrase: bytes = b"") -> bytes:
        protected: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            protected = serialization.BestAvailableEncryption(passphrase)
        return bytes(self.made.private_bytes(_PEM, FORMATS[form], protected))

    @property
    def crl(self) -> bytes:
        """A revocation list of the pair, as a CA has one."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(_TODAY)
            .next_update(_TODAY + datetime.timedelta(days=1))
        )
        return made.sign(self.made, self.hash).public_bytes(_PEM)


def key_id(key: bytes) -> str:
    """By which charon knows a private key."""
    loaded = serialization.load_pem_private_key(key, None)
    return x509.SubjectKeyIdentifier.from_public_key(loaded.public_key()).digest.hex()  # type: ignore[arg-type]


def block(label: str, content: bytes) -> bytes:
    """Any bytes as a block of PEM."""
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (
        label.encode(),
        base64.encodebytes(content),
        label.encode(),
    )


def content(pem: bytes) -> bytes:
    """The bytes of the one block of a PEM text."""
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


GATEWAY, RENEWED, CA = Pair("gw.example"), Pair("gw.example"), Pair("Test CA")
