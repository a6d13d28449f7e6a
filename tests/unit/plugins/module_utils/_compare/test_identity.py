# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identities; what matches what is as strongSwan's identification_t does it."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.identity import Identity


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
        ("C=CH, CN=gw", "dn"),
        ("/C=CH/CN=gw", "dn"),
        ("%any", "any"),
        ("0.0.0.0", "any"),
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
        ("anything", "%any"),
    ],
)
def test_one_proves_another(proved: str, required: str) -> None:
    assert Identity.parse(proved).proves(Identity.parse(required))


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
    ],
)
def test_one_does_not_prove_another(proved: str, required: str) -> None:
    assert not Identity.parse(proved).proves(Identity.parse(required))


@pytest.mark.parametrize(
    ("text", "wild"), [("%any", True), ("*.example.org", True), ("10.0.0.0/8", True), ("gw", False)]
)
def test_what_no_peer_can_bear(text: str, wild: bool) -> None:
    assert Identity.parse(text).wild is wild
