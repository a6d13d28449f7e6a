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
_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
_END = datetime.datetime(2120, 1, 1, tzinfo=datetime.timezone.utc)

# The formats of a private key.
FORMATS = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
    "openssh": serialization.PrivateFormat.OpenSSH,
}


class Pair:
    """A key with a certificate that is signed by the ``issuer``, or self-signed.

    ``subject`` is a common name or a whole name; ``names`` are the subjectAltNames. The certificate
    is valid from ``begin`` to ``end``.
    """

    def __init__(
        self,
        subject: str | x509.Name,
        *names: x509.GeneralName,
        issuer: Pair | None = None,
        ca: bool = False,
        elliptic: bool = False,
        begin: datetime.datetime = _BEGIN,
        end: datetime.datetime = _END,
        key: t.Any = None,
        plain: bool = False,
    ) -> None:
        self.made: t.Any = key or (
            ec.generate_private_key(ec.SECP256R1())
            if elliptic
            else ed25519.Ed25519PrivateKey.generate()
        )
        self.name = (
            subject
            if isinstance(subject, x509.Name)
            else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        )
        self.hash = hashes.SHA256() if elliptic else None
        signer = issuer or self
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.made.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )
        if not plain:
            made = made.add_extension(x509.BasicConstraints(ca, None), critical=True)
            made = made.add_extension(_key_of(self.made), critical=False)
            made = made.add_extension(
                x509.AuthorityKeyIdentifier(_key_of(signer.made).digest, None, None), critical=False
            )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.certificate = made.sign(signer.made, signer.hash).public_bytes(_PEM)
        self.key = self.key_as("pkcs8")
        self.id = key_id(self.key)

    def key_as(self, form: str, passphrase: bytes = b"") -> bytes:
        protected: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            protected = serialization.BestAvailableEncryption(passphrase)
        return bytes(self.made.private_bytes(_PEM, FORMATS[form], protected))

    @property
    def crl(self) -> bytes:
        """Return a revocation list that the pair signs as a CA."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(_BEGIN)
            .next_update(_END)
        )
        return made.sign(self.made, self.hash).public_bytes(_PEM)


def key_id(key: bytes) -> str:
    """Return the id by which charon identifies a private key."""
    return _key_of(serialization.load_pem_private_key(key, None)).digest.hex()


def _key_of(key: t.Any) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def block(label: str, content: bytes) -> bytes:
    """Return bytes as a block of PEM."""
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (
        label.encode(),
        base64.encodebytes(content),
        label.encode(),
    )


def content(pem: bytes) -> bytes:
    """Return the bytes of the only block of a PEM text."""
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


CA = Pair("Test CA", ca=True)
GATEWAY, RENEWED = (
    Pair("gw.example", x509.DNSName("gw.example"), issuer=CA) for _number in range(2)
)
