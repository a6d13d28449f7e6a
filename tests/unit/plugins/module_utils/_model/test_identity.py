# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identities, which match as in identification_t of strongSwan."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.identity import Identity
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("192.0.2.1", "address"),
        ("2001:db8::1", "address"),
        ("10.0.0.0/8", "net"),
        ("gw.example.org", "fqdn"),
        ("@gw.example.org", "fqdn"),
        ("fqdn:gw.example.org", "fqdn"),
        ("me@example.org", "email"),
        ("@@me@example.org", "email"),
        ("@#0a0b", "key"),
        ("keyid:site", "key"),
        ("some:thing", "key"),
        ("ipv4:gw", "key"),
        # strongSwan does not read this text as an address.
        ("ipv4:192.0.2.1", "key"),
        ("ipv4:#c0000201", "address"),
        ("IPV6:#20010db8000000000000000000000001", "address"),
        ("ipv4net:#c0000200ffffff00", "net"),
        ("192.0.2.1-192.0.2.9", "net"),
        ("192.0.2.9-192.0.2.1", "fqdn"),
        ("10.0.0.0/", "net"),
        ("10.0.0.0/33", "fqdn"),
        ("fe80::1%eth0", "key"),
        ("gw-a.example.org", "fqdn"),
        ("FQDN:gw.example.org", "fqdn"),
        ("fqdn:#67772e6578", "fqdn"),
        ("{2}:gw.example.org", "fqdn"),
        ("{0x3}:me@example.org", "email"),
        ("{010}:#c0000201c0000209", "net"),
        ("{11}:site", "key"),
        ("{200}:site", "type 200"),
        ("{x}:site", "key"),
        ("asn1dn:#3000", "dn"),
        # strongSwan reads no name in these texts.
        ("asn1dn:C=CH", "key"),
        ('O = "Example, Inc."', "key"),
        ("countryName=CH", "key"),
        ("a=b@example.org", "key"),
        ("C=CH, CN=gw", "dn"),
        ("/C=CH/CN=gw", "dn"),
        ("%any", "any"),
        ("0.0.0.0", "any"),
        ("::", "any"),
        ("0::0", "any"),
        ("%any6", "any"),
        ("*", "any"),
        ("{0}:x", "any"),
        # strongSwan reads this text as one address, which no peer has.
        ("0:0:0:0:0:0:0:0", "address"),
    ],
)
def test_a_text_is_read_as_strongswan_does(text: str, kind: str) -> None:
    assert Identity.parse(text).kind == kind


@pytest.mark.parametrize(
    ("proved", "required"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:DB8:0::1"),
        ("192.0.2.1", "192.0.2.0/24"),
        ("GW.example.org", "@gw.Example.org"),
        ("gw.example.org", "*.example.org"),
        ("me@example.org", "*@example.org"),
        ("C=CH,O=x,CN=gw", "C=CH, O=x, CN=*"),
        ("/C=CH/CN=gw", "C=CH, CN=gw"),
        ("@#0A0B", "@#0a:0b"),
        ("C=CH, emailAddress=a@b", "c=CH, E=a@b"),
        ("192.0.2.1", "192.0.2.0-192.0.2.9"),
        ("192.0.2.1", "10.0.0.0/"),
        ("gw.ex", "fqdn:#67772e6578"),
        ("site", "{2}:SITE"),
        ("asn1dn:#300d310b3009060355040613024348", "C=CH"),
        ("/O=Example, Inc./CN=a", "/O=example, inc./CN=*"),
        ("anything", "%any"),
    ],
)
def test_one_proves_another(proved: str, required: str) -> None:
    assert Identity.parse(proved).satisfies(Identity.parse(required))


@pytest.mark.parametrize(
    ("proved", "required"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "198.51.100.0/24"),
        ("192.0.2.1", "gw.example.org"),
        ("gw.example.org", "me@gw.example.org"),
        ("gw.example.org", "*.example.com"),
        ("C=CH, CN=gw", "CN=gw, C=CH"),
        ("C=CH, CN=gw", "C=CH, O=x, CN=gw"),
        ("site", "keyid:site"),
        ("asn1dn:#300d310b3009060355040613024348", "C=DE"),
        ("asn1dn:#3000", "C=CH"),
    ],
)
def test_one_does_not_prove_another(proved: str, required: str) -> None:
    assert not Identity.parse(proved).satisfies(Identity.parse(required))


@pytest.mark.parametrize(
    ("text", "wild"),
    [
        ("%any", True),
        ("*.example.org", True),
        ("10.0.0.0/8", True),
        ("gw", False),
        ("C=CH, CN=*", True),
        # strongSwan reads this value literally, not as a pattern.
        ("C=CH, CN=*.example.org", False),
    ],
)
def test_what_no_peer_can_bear(text: str, wild: bool) -> None:
    assert Identity.parse(text).is_wildcard is wild


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("%any", "gw.example.org"),
        ("*.example.org", "gw.example.org"),
        ("*.example.org", "*.gw.example.org"),
        ("*", "C=CH"),
        ("10.0.0.0/8", "10.1.0.0/16"),
        ("10.0.0.0/8", "10.255.255.255-11.0.0.1"),
        ("C=*, CN=gw", "C=CH, CN=*"),
        ("fqdn:^.*$", "gw.example.org"),
        ("asn1dn:#3003", "C=CH"),
        # The encoding of C=CH.
        ("asn1dn:#300d310b3009060355040613024348", "c=*"),
    ],
)
def test_patterns_overlap(one: str, other: str) -> None:
    assert Identity.parse(one).overlaps(Identity.parse(other))
    assert Identity.parse(other).overlaps(Identity.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*.example.org", "*.example.com"),
        ("*.example.org", "example.org"),
        ("*.example.org", "*@example.org"),
        ("10.0.0.0/8", "11.0.0.0/8"),
        ("0.0.0.0/0", "::/0"),
        ("10.0.0.0/8", "gw"),
        ("C=CH, CN=*", "C=DE, CN=*"),
        ("C=CH, CN=*", "C=CH"),
        ("fqdn:^.*$", "me@example.org"),
    ],
)
def test_patterns_do_not_overlap(one: str, other: str) -> None:
    assert not Identity.parse(one).overlaps(Identity.parse(other))
    assert not Identity.parse(other).overlaps(Identity.parse(one))


LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)
TEXTS = st.one_of(
    LABELS,
    LABELS.map("*.{}".format),
    LABELS.map("*@{}".format),
    LABELS.map("a@{}".format),
    st.integers(0, 8).map("10.0.0.{}".format),
    st.tuples(st.integers(0, 4), st.integers(4, 8)).map(
        lambda ends: "10.0.0.{}-10.0.0.{}".format(*ends)
    ),
    st.integers(28, 32).map("10.0.0.0/{}".format),
    st.lists(st.sampled_from(("C=a", "C=b", "CN=*", "CN=a")), min_size=1).map(", ".join),
)


@given(TEXTS, TEXTS, TEXTS)
def test_what_proves_both_makes_them_overlap(one: str, other: str, peer: str) -> None:
    first, second, proved = map(Identity.parse, (one, other, peer))
    assert first.overlaps(second) is second.overlaps(first)
    if not proved.is_wildcard and proved.satisfies(first) and proved.satisfies(second):
        assert first.overlaps(second)
    if not first.is_wildcard and not second.is_wildcard:
        assert first.overlaps(second) is first.satisfies(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gw.example.org", "@gw.example.org"),
        ("gw.example.org", "dns:gw.example.org"),
        ("a@example.org", "@@a@example.org"),
        ("C=DE, O=x, CN=Gw", "/c=DE/o=x/cn=Gw"),
        ("C=DE, E=a@b", "C=DE,emailAddress=a@b"),
        ("2001:DB8::7", "2001:db8:0::7"),
        ("keyid:ab", "@#61:62"),
        ("", "%any"),
    ],
)
def test_the_same_is_sent(one: str, other: str) -> None:
    first, second = Identity.parse(one), Identity.parse(other)
    assert (first.kind, first.exact) == (second.kind, second.exact)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GW.example.org", "gw.example.org"),
        ("A@example.org", "a@example.org"),
        ("C=DE, CN=GW", "C=DE, CN=gw"),
    ],
)
def test_upper_and_lower_case_is_sent_as_it_is_written(one: str, other: str) -> None:
    first, second = Identity.parse(one), Identity.parse(other)
    assert first == second
    assert first.exact != second.exact
