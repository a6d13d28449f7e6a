# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distinguished names, as identification.c of strongSwan reads and compares them."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.distinguished import Name
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st


def read(text: str) -> Name:
    found = Name.read(text)
    assert found is not None
    return found


# The identity that strongSwan 5.9.8 and 6.0.1 showed for each text.
READ = [
    ("C=CH, O=Test, CN=gw-a", "C=CH, O=Test, CN=gw-a"),
    ("C=CH,O=Test,CN=gw-a", "C=CH, O=Test, CN=gw-a"),
    ("C = CH, O = Test, CN = gw-a", "C=CH, O=Test, CN=gw-a"),
    ("c=CH, o=Test, cn=gw-a", "C=CH, O=Test, CN=gw-a"),
    ("/C=CH/O=Example, Inc./CN=gw-a", "C=CH, O=Example, Inc., CN=gw-a"),
    (" /C=CH/CN=a/", "C=CH, CN=a"),
    ("C=CH, ", "C=CH"),
    ("CN=", "CN="),
    ("CN==x", "CN=x"),
    ("CN gw=1", "CN=gw=1"),
    ("C=CH, O=a/b", "C=CH, O=a/b"),
    ('O="Test"', 'O="Test"'),
    ("Email=a@b, emailAddress=c@d, E=e@f", "E=a@b, E=c@d, E=e@f"),
    ("EN=1, UN=2, UA=3", "employeeNumber=1, unstructuredName=2, unstructuredAddress=3"),
]
# strongSwan reads these texts as key ids, or as no identity.
UNREAD = [
    "",
    "gw.example",
    'C = CH, O = "Example, Inc.", CN = gw-a',
    "CN=gw-a,O=Example\\, Inc.,C=CH",
    "C=CH, O=Example, Inc., CN=gw-a",
    "countryName=CH",
    "2.5.4.6=CH",
    "GN=a",
    "C=CH,, O=x",
    "C=CH, foo",
    "=x",
    "//C=CH",
    ", ".join(["CN=a"] * 21),
]


@pytest.mark.parametrize(("text", "shown"), READ)
def test_read(text: str, shown: str) -> None:
    assert str(read(text)) == shown


@pytest.mark.parametrize("text", UNREAD)
def test_unread(text: str) -> None:
    assert Name.read(text) is None


def test_twenty_parts() -> None:
    assert len(read(", ".join(["CN=a"] * 20)).parts) == 20


def encoded(*attributes: x509.NameAttribute) -> Name:
    return Name.decode(x509.Name(attributes).public_bytes())


def test_decoded() -> None:
    found = encoded(
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Zoë & Söhne"),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "vpn@example.org"),
        x509.NameAttribute(NameOID.GIVEN_NAME, "a", _ASN1Type.BMPString),
        x509.NameAttribute(x509.ObjectIdentifier("2.999.77777"), "x"),
    )
    assert str(found) == "C=CH, O=Zoë & Söhne, E=vpn@example.org, G=a, 2.999.77777=x"


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x03\x31\x05\x00", b"\x31\x00", b"C=CH"])
def test_no_name(data: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        Name.decode(data)


ORGANIZATION = NameOID.ORGANIZATION_NAME


class TestEquals:
    """Comparison as in both releases: case matters in UTF-8, but not in a PrintableString."""

    def test_case(self) -> None:
        printable = encoded(x509.NameAttribute(ORGANIZATION, "Test", _ASN1Type.PrintableString))
        utf8 = encoded(x509.NameAttribute(ORGANIZATION, "Test"))
        assert read("O=test").equals(printable)
        assert not read("O=test").equals(utf8)
        assert read("O=Test").equals(printable)
        assert read("O=Test").equals(utf8)

    def test_case_of_an_email_address(self) -> None:
        mail = encoded(x509.NameAttribute(NameOID.EMAIL_ADDRESS, "VPN@example.org"))
        assert read("E=vpn@EXAMPLE.org").equals(mail)

    def test_order(self) -> None:
        name, other = read("C=CH, O=Test, CN=a"), read("CN=a, O=test, C=CH")
        assert not name.equals(other)
        assert name.reordered(other)
        assert not name.reordered(name)
        assert not name.reordered(read("CN=b, O=Test, C=CH"))

    def test_several_in_one_set_follow_each_other(self) -> None:
        joined = x509.RelativeDistinguishedName(
            [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(ORGANIZATION, "b")]
        )
        found = Name.decode(x509.Name([joined]).public_bytes())
        assert found.equals(read("CN=a, O=b"))


class TestWritten:
    @pytest.mark.parametrize(
        ("values", "text"),
        [
            (("Test", "a"), "O=Test, CN=a"),
            (("Example, Inc.", "a"), "/O=Example, Inc./CN=a"),
            (("a/b", "c"), "O=a/b, CN=c"),
            (("a, b", "c/d"), ""),
            (("Zoë", "a"), ""),
            ((" a", "b"), ""),
            (("=a", "b"), ""),
            (("a b", 'x"y'), 'O=a b, CN=x"y'),
        ],
    )
    def test_as_strongswan_reads_it(self, values: tuple[str, str], text: str) -> None:
        name = encoded(
            x509.NameAttribute(ORGANIZATION, values[0]),
            x509.NameAttribute(NameOID.COMMON_NAME, values[1]),
        )
        assert name.identity == text

    def test_an_attribute_that_strongswan_does_not_know(self) -> None:
        known = x509.NameAttribute(x509.ObjectIdentifier("2.5.4.15"), "a")
        assert encoded(known).identity == ""

    @given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1))
    def test_what_is_written_is_read_back(self, values: list[str]) -> None:
        name = encoded(*(x509.NameAttribute(ORGANIZATION, value[:64]) for value in values[:20]))
        assert not name.identity or read(name.identity).equals(name)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        (read("C=CH, CN=a"), True),
        (encoded(x509.NameAttribute(ORGANIZATION, "Zoë")), False),
        (encoded(x509.NameAttribute(x509.ObjectIdentifier("2.5.4.15"), "a")), False),
        (read(", ".join(["CN=abcdefghijklmnopqrstuvwxyzabcdefgh"] * 14)), False),
    ],
)
def test_shown_as_it_is(name: Name, same: bool) -> None:
    assert name.shown_as_it_is is same
