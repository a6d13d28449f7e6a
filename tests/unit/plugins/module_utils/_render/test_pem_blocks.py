# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copied and the shown blocks of PEM files, found in linear time."""

from __future__ import annotations

import base64
import time

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import certificate_in
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem_blocks import (
    blocks,
    certificates,
    others,
    private_key,
    shown,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import (
    CA,
    GATEWAY,
    Pair,
    block,
    content,
)
from hypothesis import given
from hypothesis import strategies as st

CURVE = Pair("curve.example", elliptic=True)
DER = content(GATEWAY.certificate)
# OpenSSL adds these bytes to a trusted certificate.
TRUST = b"\x30\x0c\x30\x0a\x06\x08+\x06\x01\x05\x05\x07\x03\x01"
CERT, KEY = GATEWAY.certificate, GATEWAY.key


def relabelled(pem: bytes, label: bytes) -> bytes:
    return pem.replace(b"CERTIFICATE", label)


class TestCopied:
    @pytest.mark.parametrize(
        "data",
        [
            CERT,
            CERT.replace(b"\n", b"\r\n"),
            CERT.replace(b"\n", b""),
            CERT.replace(b"\n", b"\n   "),
            b"\xef\xbb\xbf" + CERT,
            b"subject=CN = gw.example\n" + CERT + b"notes\n",
            relabelled(CERT, b"X509 CERTIFICATE"),
            block("CERTIFICATE", DER),
            block("CERTIFICATE", DER + content(KEY)),
            block("TRUSTED CERTIFICATE", DER + TRUST),
            CERT + KEY,
            KEY + CERT,
            KEY[:-30] + CERT,
            CERT + CERT[:40],
        ],
    )
    def test_a_certificate(self, data: bytes) -> None:
        """Every form of a certificate is copied in one form."""
        assert certificates(data) == (CERT,)

    def test_all_of_them_in_order(self) -> None:
        data = CERT + KEY + CA.certificate + CA.crl + CURVE.certificate
        assert certificates(data) == (CERT, CA.certificate, CURVE.certificate)

    @pytest.mark.parametrize("form", ["pkcs8", "traditional"])
    @pytest.mark.parametrize("change", [lambda pem: pem, lambda pem: pem.replace(b"\n", b"\r\n")])
    def test_a_key(self, form: str, change: object) -> None:
        assert callable(change)
        key = CURVE.key_as(form)
        (found,) = blocks(change(key))
        assert private_key(found) == key

    @pytest.mark.parametrize(
        ("data", "encrypted"),
        [
            (CURVE.key_as("traditional", b"xyzzy"), True),
            (CURVE.key_as("pkcs8", b"xyzzy"), True),
            (CURVE.key_as("traditional"), False),
            (CURVE.key, False),
        ],
    )
    def test_encrypted(self, data: bytes, encrypted: bool) -> None:
        (found,) = blocks(data)
        assert found.is_key
        assert found.encrypted is encrypted


# Contents that are no certificate, even in a block with the label CERTIFICATE.
DISGUISED = [
    content(KEY),
    content(CURVE.key_as("traditional")),
    content(CURVE.key_as("pkcs8", b"xyzzy")),
    b"",
    b"\x30",
    b"\x30\x82",
    DER[:-1],
    b"\x00" + DER,
]


@pytest.mark.parametrize("data", DISGUISED, ids=range(len(DISGUISED)))
def test_a_key_that_is_called_a_certificate(data: bytes) -> None:
    assert certificate_in(data) is None
    disguised = block("CERTIFICATE", data)
    assert certificates(disguised + CERT) == (CERT,)
    assert shown(disguised.decode() + CERT.decode()) == f"********\n{CERT.decode()}"


class TestOthers:
    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (CERT, ""),
            (b"\n  \n" + CERT + b"\r\n\n", ""),
            (b"\xef\xbb\xbf" + CERT, ""),
            (CERT + KEY, "PRIVATE KEY"),
            (KEY + CERT + KEY + CA.crl, "PRIVATE KEY (2) and X509 CRL"),
            (b"a" + KEY + CERT + CA.crl, "PRIVATE KEY, X509 CRL and text"),
            (CERT + b"a", "text"),
            (b"a" + CERT, "text"),
            (CERT + KEY[:-30], "PRIVATE KEY without its end"),
            (CERT + block("EC PARAMETERS", b"x"), ""),
            (CERT + block("DH PARAMETERS", b"x"), "DH PARAMETERS"),
            (CERT + block("my password: xyzzy", b"x"), "block of another name"),
        ],
    )
    def test_words(self, data: bytes, words: str) -> None:
        assert others(data, lambda found: found.is_certificate) == words


class TestShown:
    @pytest.mark.parametrize("key", [KEY, CURVE.key_as("openssh"), CURVE.key_as("pkcs8", b"x")])
    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("{cert}{key}", "{cert}********\n"),
            ("{key}{cert}", "********\n{cert}"),
            ("a {key}b {cert}", "a ********\nb {cert}"),
            ("{cut}{cert}", "********\n{cert}"),
            ("{cert}{cut}", "{cert}********\n"),
            ("-----BEGIN CERTIFICATE-----\n{key}", "********\n********\n"),
        ],
    )
    def test_no_key_in_a_text(self, key: bytes, form: str, expected: str) -> None:
        parts = {"cert": CERT.decode(), "key": key.decode(), "cut": key.decode()[:-9] + "\n"}
        assert shown(form.format(**parts)) == expected.format(**parts)

    def test_of_a_place_for_certificates_nothing_else(self) -> None:
        body = "".join(KEY.decode().splitlines()[1:-1])
        text = f"{body}\n{CERT.decode()}Private-Lines: 1\n{body}\n"
        hidden = f"********\n{CERT.decode()}********\n"
        assert shown(text, certificates_only=True) == hidden
        assert shown(body, certificates_only=True) == "********"

    @pytest.mark.parametrize("certificates_only", [True, False])
    def test_certificates_are(self, certificates_only: bool) -> None:
        text = (CERT + CA.certificate).decode()
        assert shown(text, certificates_only=certificates_only) == text
        assert shown("", certificates_only=certificates_only) == ""

    def test_other_texts_are(self) -> None:
        assert shown("table inet x {\n}\n") == "table inet x {\n}\n"
        assert shown("caf\u00e9 \udcff") == "caf\u00e9 \ufffd"


PIECES = [
    *(CERT, KEY, CA.certificate, CURVE.key_as("traditional"), CA.crl),
    *(b"\n", b"text\n", b"-----", b"-----BEGIN ", b"-----END CERTIFICATE-----\n"),
    *(b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN PRIVATE KEY-----\n", b"MIIB"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_whatever_is_put_together(pieces: list[bytes]) -> None:
    """No copied and no shown text contains a line of a private key."""
    data = b"".join(pieces)
    lines = {line for key in (KEY, CURVE.key_as("traditional")) for line in key.split(b"\n")[1:-2]}
    text = shown(data.decode())
    for line in lines:
        assert line not in b"".join(certificates(data))
        assert line.decode() not in text
    assert certificates(b"".join(certificates(data))) == certificates(data)
    copied = b"".join(certificates(data)).decode()
    assert shown(copied) == copied


@pytest.mark.parametrize(
    "piece",
    [
        b"-----BEGIN PRIVATE KEY-----\n",
        b"-----BEGIN ",
        b"-",
        b"-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"\x30\x84" * 99) + b"\n",
    ],
)
def test_linear_time(piece: bytes) -> None:
    """A megabyte of the piece takes less than 5 seconds, not minutes."""
    data = piece * (2**20 // len(piece))
    begun = time.process_time()
    certificates(data)
    others(data, lambda found: found.is_certificate)
    shown(data.decode("latin-1"))
    assert time.process_time() - begun < 5
