# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model import checks
from hypothesis import given
from hypothesis import strategies as st

# Texts that would do harm in swanctl.conf, nft, a shell or a unit file.
HOSTILE = [
    "a;b",
    'a"b',
    "a'b",
    "a}b",
    "a{b",
    "a$(reboot)",
    "a`reboot`",
    "a\nb",
    "a\0b",
    "a b",
    "a#b",
    "a\\b",
    "a/b",
    "../a",
    "a.b",
    "a:b",
    "a%b",
    "ä",
    "",
    "-" * 3 + " ",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("check", [checks.network_name, checks.phase_name])
def test_a_hostile_name_is_refused_with_the_allowed_form(check, value):
    with pytest.raises(ModelError) as raised:
        check("name", value)
    assert raised.value.option == "name"
    assert "a-z" in raised.value.fix


@pytest.mark.parametrize("value", [item for item in HOSTILE if item not in ("a.b",)])
def test_a_hostile_interface_is_refused(value):
    with pytest.raises(ModelError):
        checks.interface_name("interface", value)


@given(st.text())
def test_whatever_passes_for_a_name_is_harmless_everywhere(value):
    try:
        name = checks.phase_name("name", value)
    except ModelError:
        return
    assert name.isascii()
    assert all(character.isalnum() or character in "_-" for character in name)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.network_name, "a" * 33),
        (checks.network_name, "-a"),
        (checks.network_name, "A"),
        (checks.phase_name, "a" * 65),
        (checks.interface_name, "a" * 16),
        (checks.interface_name, "-a"),
    ],
)
def test_names_have_limits(check, value):
    with pytest.raises(ModelError):
        check("name", value)


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("gw.example.org", "gw.example.org"),
        ("gw-1", "gw-1"),
    ],
)
def test_a_host_is_an_address_or_a_name(value, canonical):
    assert checks.host("remote_gateway", value) == canonical


@pytest.mark.parametrize(
    "value", ["999.1.1.1", "1.2.3", "bad host!", "-a.example", "a..b", "", "a" * 254, "ä.example"]
)
def test_what_charon_would_take_for_a_host_but_is_none_is_refused(value):
    with pytest.raises(ModelError):
        checks.host("remote_gateway", value)


@pytest.mark.parametrize(
    "value",
    [
        "10.0.0.0/33",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0",
        "10.0.0.0/8,11.0.0.0/8",
        " 10.0.0.0/8",
        "x/8",
    ],
)
def test_what_charon_would_misread_as_a_network_is_refused(value):
    with pytest.raises(ModelError):
        checks.ip_network("local_network", value)


def test_host_bits_are_refused_with_the_network_that_was_meant():
    with pytest.raises(ModelError) as raised:
        checks.ip_network("local_network", "10.0.0.1/8")
    assert raised.value.fix.startswith("Write 10.0.0.0/8,")


@pytest.mark.parametrize(
    "value",
    ["gw@example.org", "C=DE, O=Example, CN=gw", "192.0.2.1", "@#0a0b", "keyid:abc", "%any"],
)
def test_identities_of_every_kind(value):
    assert checks.identity("identifier", value) == value


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "ä", "a" * 512])
def test_an_identity_that_can_not_be_carried_is_refused(value):
    with pytest.raises(ModelError):
        checks.identity("identifier", value)


def test_a_foreign_chain_is_three_words():
    assert checks.foreign_chain("x", "inet filter input") == ("inet", "filter", "input")
    for value in ("filter input", "arp filter input", "inet f;lush input", "inet filter in put x"):
        with pytest.raises(ModelError):
            checks.foreign_chain("x", value)


def test_booleans_are_no_numbers():
    with pytest.raises(ModelError):
        checks.number("mtu", True, 0, 2)
