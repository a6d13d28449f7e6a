# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import fields

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    BEHAVIORS,
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import MASK, Secret
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PHASE1,
    PSK,
    PUBKEY,
    child,
    connection,
    refused,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given, settings

SUBJECT = "phase 1 site-b"
AGGRESSIVE = {"key_exchange": "ikev1", "negotiation_mode": "aggressive"}
CHILD = "phase 2 net of phase 1 site-b"
IKEV1_AEAD = [{"algorithm": "aes-gcm", "key_length": 128}]


# Texts that strongSwan reads as any address or any identity, or a resolver converts to it.
UNSPECIFIED = ("0.0.0.0", "::", "::0", "0::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "::ffff:0:0")
NUMBERS = ("0x0", "0X0", "0x", "0x0.0", "0x0.", "0x0.00.0", "0x7f000001", "0x7f.1")
# Identities that strongSwan would read with another meaning.
MISREAD = (
    ('C = CH, O = "Example, Inc.", CN = gw-a', "/C=CH/O=Example, Inc./CN=gw-a"),
    ("CN=gw-a,O=Example\\, Inc.,C=CH", "in the order of the certificate"),
    ('C=CH, O="Example", CN=gw-a', "C=CH, O=Example, CN=gw-a"),
    ("C=CH, CN=gw\\+a", "docs/identities.md"),
    ("countryName=CH, CN=gw-a", "docs/identities.md"),
    ("a=b@example.org", "email: or keyid:"),
    ("ipv4:192.0.2.1", "Write 192.0.2.1."),
    ("asn1dn:C=CH, CN=gw-a", "Write C=CH, CN=gw-a."),
    ("keyid:#0a0", "pairs of hexadecimal digits"),
    ("@#gg", "pairs of hexadecimal digits"),
)
ANYBODY = ("*", "0.0.0.0", "::", "0::0", "%any6", "{0}:x")


@pytest.mark.parametrize(
    ("options", "option", "word"),
    [
        ({"network": "No Network"}, "network", "a-z"),
        ({"remote_gateway": "not a host"}, "remote_gateway", "FQDN"),
        ({"remote_gateway": "10.0.0.0/8"}, "remote_gateway", "FQDN"),
        ({"description": "two\nlines"}, "description", "one line"),
        ({"key_exchange": "ikev3"}, "key_exchange", "auto, ikev1, ikev2"),
        ({"local_address": "wan.example.org"}, "local_address", "192.0.2.1"),
        ({"local_address": "%any"}, "local_address", "192.0.2.1"),
        ({"encryption": []}, "encryption", "at least one entry"),
        ({"encryption": [{"hash": "sha3"}]}, "encryption[0].hash", "sha256"),
        (
            {"encryption": [{"algorithm": "aes"}, {"algorithm": "rot13"}]},
            "encryption[1].algorithm",
            "chacha20",
        ),
        (
            {"encryption": [{"key_length": 128}, {}, {"key_length": 256}]},
            "encryption[2]",
            "aes256-sha256-modp2048",
        ),
        ({"key_exchange": "ikev1", "encryption": IKEV1_AEAD}, "encryption[0].algorithm", "IKEv1"),
        ({"key_exchange": "auto", "encryption": IKEV1_AEAD}, "encryption[0].algorithm", "auto"),
        ({"lifetime": -1}, "lifetime", "whole number"),
        ({"lifetime": 59, "lifetime_unit": "seconds"}, "lifetime", "60 seconds"),
        ({"lifetime": 69, "lifetime_unit": "years"}, "lifetime", "0 to 68"),
        ({"lifetime_unit": "forever"}, "lifetime_unit", "hours"),
        ({"authentication": "eap"}, "authentication", "psk, pubkey"),
        ({"psk": None}, "psk", "pre-shared key"),
        ({"psk": ""}, "psk", "20 random characters"),
        ({"psk": "caf\udce9"}, "psk", "UTF-8"),
        ({"certificate": "/etc/ssl/gw.pem"}, "certificate", "authentication psk"),
        ({"private_key": "/etc/ssl/gw.key"}, "private_key", "authentication psk"),
        ({"ca": "/etc/ssl/ca.pem"}, "ca", "authentication psk"),
        ({**PUBKEY, "certificate": None}, "certificate", "PEM file"),
        ({**PUBKEY, "private_key": None}, "private_key", "PEM file"),
        ({**PUBKEY, "ca": None}, "ca", "PEM file"),
        ({**PUBKEY, "ca": "ca.pem"}, "ca", "absolute path"),
        ({**PUBKEY, "psk": PSK}, "psk", "authentication pubkey"),
        ({"negotiation_mode": "quick"}, "negotiation_mode", "main, aggressive"),
        ({"negotiation_mode": "aggressive"}, "negotiation_mode", "Set key_exchange to ikev1"),
        (
            {"negotiation_mode": "aggressive", "key_exchange": "auto"},
            "negotiation_mode",
            "Set key_exchange to ikev1",
        ),
        (AGGRESSIVE, "identifier", "local_address"),
        ({**AGGRESSIVE, "connection_behavior": "on_demand"}, "identifier", "responder_only"),
        ({"identifier": " blank"}, "identifier", "without the blank"),
        ({"peer_identifier": "two\nlines"}, "peer_identifier", "511 printable ASCII"),
        ({"connection_behavior": "always"}, "connection_behavior", "on_demand"),
        *(({"remote_gateway": value}, "remote_gateway", "%any") for value in UNSPECIFIED),
        *(({"remote_gateway": value}, "remote_gateway", "%any") for value in NUMBERS),
        *(
            ({"local_address": value}, "local_address", "remove local_address to use")
            for value in UNSPECIFIED
        ),
        *(({"identifier": value}, "identifier", "remove identifier to use") for value in ANYBODY),
        ({"identifier": "%any"}, "identifier", "remove identifier to use"),
        ({"identifier": "*.example.org"}, "identifier", "one identity"),
        ({"identifier": "10.0.0.0/8"}, "identifier", "one identity"),
        *(
            ({option: value}, option, legal)
            for option in ("identifier", "peer_identifier")
            for value, legal in MISREAD
        ),
        *(({"peer_identifier": value}, "peer_identifier", "%any") for value in ANYBODY),
        ({"remote_gateway": "%any"}, "connection_behavior", "responder_only"),
        (
            {"remote_gateway": "%any", "connection_behavior": "start"},
            "connection_behavior",
            "responder_only",
        ),
        ({"keying_tries": -1}, "keying_tries", "0 to 1000"),
        ({"keying_tries": True}, "keying_tries", "0 to 1000"),
        ({"margintime": 0}, "margintime", "set rekey to false"),
        ({"margintime_unit": "weeks"}, "margintime_unit", "hours"),
        ({"margintime": 90}, "lifetime", "more than 10800 seconds"),
        ({"dpd_action": "trap"}, "dpd_action", "hold"),
        ({"dpd_delay": 0}, "dpd_delay", "1 to 86400"),
        ({"dpd_failures": 0}, "dpd_failures", "1 to 100"),
        ({"state": "absent"}, "state", "present, disabled"),
    ],
)
def test_refusals(options: dict[str, t.Any], option: str, word: str) -> None:
    with refused(option, SUBJECT, word):
        connection(**options)


@pytest.mark.parametrize("option", ["remote_gateway", "local_address"])
@pytest.mark.parametrize("address", UNSPECIFIED)
def test_what_an_earlier_version_took_for_an_address_is_read(option: str, address: str) -> None:
    made = IkeConnection.from_record({**PHASE1, option: address})
    assert ipaddress.ip_address(getattr(made, option)) == ipaddress.ip_address(address)


@pytest.mark.parametrize("name", NUMBERS[:-2])
def test_what_an_earlier_version_took_for_a_name_is_read(name: str) -> None:
    assert IkeConnection.from_record({**PHASE1, "remote_gateway": name}).remote_gateway == name


@pytest.mark.parametrize("option", ["identifier", "peer_identifier"])
@pytest.mark.parametrize("identity", [*ANYBODY, "%any", "*.example.org"])
def test_what_an_earlier_version_took_for_an_identity_is_read(option: str, identity: str) -> None:
    assert getattr(IkeConnection.from_record({**PHASE1, option: identity}), option) == identity


@pytest.mark.parametrize(
    "name", ["gw0x0.example", "0x0.example", "00x0", "x0", "1.example", "%any"]
)
def test_names_with_numbers_in_them(name: str) -> None:
    made = connection(remote_gateway=name, connection_behavior="responder_only")
    assert made.remote_gateway == name


@pytest.mark.parametrize(
    "options",
    [
        {"identifier": "gw.example"},
        {"local_address": "198.51.100.1"},
        {"connection_behavior": "responder_only"},
        PUBKEY,
    ],
)
def test_aggressive_mode_needs_an_identity(options: dict[str, t.Any]) -> None:
    assert connection(**AGGRESSIVE, **options).negotiation_mode == "aggressive"


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a" * 65, "tunnelwright-x", None])
def test_names(name: str | None) -> None:
    with refused("name", ""):
        connection(name=name)


@pytest.mark.parametrize("option", ["network", "remote_gateway"])
def test_what_has_no_default_is_in_the_options(option: str) -> None:
    """A record without a required option is refused. AnsibleModule requires the option in tasks."""
    with pytest.raises(TypeError):
        IkeConnection.from_options({key: PHASE1[key] for key in PHASE1 if key != option})


def test_defaults() -> None:
    made = connection()
    assert made.versions == {2}
    assert made.enabled
    assert made.lifetime_seconds == 3 * 3600
    assert made.margin_seconds == 540
    assert [item.keyword() for item in made.encryption] == ["aes256-sha256-modp2048"]
    assert made.peer_identity == "192.0.2.2"
    assert str(made.peer_address) == "192.0.2.2"


@pytest.mark.parametrize(
    ("options", "address", "identity"),
    [
        ({"remote_gateway": "2001:DB8::1"}, "2001:db8::1", "2001:db8::1"),
        ({"remote_gateway": "gw.example.org"}, None, "gw.example.org"),
        ({"remote_gateway": "%any", "connection_behavior": "responder_only"}, None, "%any"),
        ({"peer_identifier": "b@example.org"}, "192.0.2.2", "b@example.org"),
    ],
)
def test_peer(options: dict[str, str], address: str | None, identity: str) -> None:
    made = connection(**options)
    assert (str(made.peer_address) if made.peer_address else None) == address
    assert made.peer_identity == identity


@pytest.mark.parametrize(
    ("key_exchange", "versions"), [("ikev1", {1}), ("ikev2", {2}), ("auto", {1, 2})]
)
def test_versions(key_exchange: str, versions: set[int]) -> None:
    assert connection(key_exchange=key_exchange).versions == versions


@pytest.mark.parametrize("behavior", BEHAVIORS)
def test_a_peer_with_an_address_may_be_called_or_not(behavior: str) -> None:
    assert connection(connection_behavior=behavior).connection_behavior == behavior


class TestOptions:
    FULL: t.ClassVar = {
        "description": "Zweigstelle \u00d6st",
        "key_exchange": "ikev1",
        "local_address": "198.51.100.1",
        "encryption": [{"algorithm": "aes", "key_length": 128, "hash": "sha1", "dh_group": 5}],
        "lifetime": 8,
        "lifetime_unit": "days",
        "negotiation_mode": "aggressive",
        "identifier": "a@example.org",
        "peer_identifier": "CN=b, O=Example",
        "connection_behavior": "start",
        "force_udp_encapsulation": True,
        "keying_tries": 0,
        "rekey": False,
        "reauth": True,
        "mobike": True,
        "margintime": 90,
        "margintime_unit": "seconds",
        "dpd_action": "none",
        "dpd_delay": 7,
        "dpd_failures": 2,
        "state": "disabled",
    }

    @pytest.mark.parametrize("options", [{}, FULL, PUBKEY])
    def test_round_trip(self, options: dict[str, t.Any]) -> None:
        made = connection(**options)
        again = IkeConnection.from_options({**made.to_options(), "psk": made.psk})
        assert again == made

    @settings(max_examples=30, deadline=None)
    @given(gateways())
    def test_round_trip_of_any(self, gateway: t.Any) -> None:
        for made in gateway.connections.values():
            bare = made
            for item in made.children:
                bare = bare.without_child(item.name)
            keys = {"psk": made.psk, "ppk": made.ppk}
            again = IkeConnection.from_options({**made.to_options(), **keys})
            assert again == bare

    def test_every_field_shows_but_the_keys_and_the_children(self) -> None:
        names = {item.name for item in fields(IkeConnection)} - {"psk", "ppk", "children"}
        assert connection().to_options().keys() == names

    def test_values_are_plain(self) -> None:
        options = connection(**self.FULL).to_options()
        assert options["encryption"] == [
            {"algorithm": "aes", "key_length": 128, "hash": "sha1", "dh_group": 5, "prf": "sha1"}
        ]
        assert {key: options[key] for key in self.FULL if key != "encryption"} == {
            key: value for key, value in self.FULL.items() if key != "encryption"
        }

    def test_addresses_become_canonical(self) -> None:
        made = connection(remote_gateway="2001:DB8:0::1", local_address="2001:DB8:0::2")
        assert made.remote_gateway == "2001:db8::1"
        assert made.local_address == "2001:db8::2"


class TestPsk:
    def test_shows_nowhere(self) -> None:
        made = connection(child())
        shown = f"{made!r} {made} {made.to_options()} {made.psk} {made.psk!r}"
        assert "correct horse" not in shown
        assert MASK in repr(made)

    @pytest.mark.parametrize("options", [{"psk": "\udc80 hush"}, {**PUBKEY, "psk": "hush hush"}])
    def test_shows_in_no_error(self, options: dict[str, t.Any]) -> None:
        with pytest.raises(ModelError) as raised:
            connection(**options)
        assert "hush" not in repr(raised.value.args) + str(raised.value)

    @pytest.mark.parametrize("psk", ["x", "0x41", "0sQQ==", "caf\u00e9", 'a"}\n#'])
    def test_is_taken_byte_by_byte(self, psk: str) -> None:
        secret = connection(psk=psk).psk
        assert secret is not None
        assert secret.reveal() == psk.encode("utf-8")

    def test_kept_when_left_out(self) -> None:
        assert IkeConnection.from_options({**PHASE1, "psk": None}, connection()).psk == Secret(
            PSK.encode()
        )

    def test_replaced_when_given(self) -> None:
        changed = IkeConnection.from_options({**PHASE1, "psk": "another"}, connection())
        assert changed.psk == Secret(b"another")

    def test_gone_with_its_authentication(self) -> None:
        assert IkeConnection.from_options({**PHASE1, **PUBKEY}, connection()).psk is None

    def test_missing_where_there_was_none(self) -> None:
        with refused("psk", SUBJECT):
            IkeConnection.from_options({**PHASE1, "psk": None}, connection(**PUBKEY))


class TestChildren:
    def test_added_and_replaced_in_place(self) -> None:
        made = connection(child(), child(name="dmz", remote_network=["10.3.0.0/24"]))
        changed = made.with_child(child(description="x"))
        assert [item.name for item in changed.children] == ["net", "dmz"]
        assert changed.child("net") == child(description="x")
        assert changed.child("other") is None

    def test_removed(self) -> None:
        made = connection(child(), child(name="dmz", remote_network=["10.3.0.0/24"]))
        assert [item.name for item in made.without_child("net").children] == ["dmz"]
        assert made.without_child("other") == made

    def test_kept_by_an_edit_of_the_phase_1(self) -> None:
        known = connection(child())
        changed = IkeConnection.from_options({**PHASE1, "mobike": True}, known)
        assert changed.children == known.children

    @pytest.mark.parametrize(
        ("options", "phase1", "option", "word"),
        [
            (
                {"remote_network": ["10.2.0.0/24", "10.3.0.0/24"]},
                {"key_exchange": "ikev1"},
                "remote_network",
                "only the first",
            ),
            (
                {"local_network": ["10.1.0.0/25", "10.1.0.128/25"]},
                {"key_exchange": "auto"},
                "local_network",
                "only the first",
            ),
            (
                {"encryption": [{"algorithm": "chacha20-poly1305"}]},
                {"key_exchange": "ikev1"},
                "encryption[0].algorithm",
                "IKEv1",
            ),
            (
                {"protocol": "ah"},
                {"force_udp_encapsulation": True},
                "protocol",
                "phase 1 site-b forces",
            ),
            (
                {"lifetime": 30, "lifetime_unit": "minutes"},
                {"margintime": 15},
                "lifetime",
                "more than 1800 seconds",
            ),
        ],
    )
    def test_no_edit_of_the_phase_1_may_make_one_illegal(
        self, options: t.Any, phase1: t.Any, option: str, word: str
    ) -> None:
        known = connection(child(**options))
        with refused(option, CHILD, word):
            IkeConnection.from_options({**PHASE1, **phase1}, known)
        with refused(option, CHILD, word):
            connection(child(**options), **phase1)

    @pytest.mark.parametrize(
        ("lifetime", "options"),
        [
            ({"lifetime": 1801, "lifetime_unit": "seconds"}, {"margintime": 15}),
            ({"lifetime": 60, "lifetime_unit": "seconds"}, {"rekey": False}),
            ({"lifetime_unit": "forever"}, {"margintime": 60}),
        ],
    )
    def test_margins_that_fit(self, lifetime: t.Any, options: t.Any) -> None:
        assert connection(child(**lifetime), **options).children


class TestMargin:
    @pytest.mark.parametrize(("lifetime", "fits"), [(1080, False), (1081, True)])
    def test_twice_the_margin_must_go_in(self, lifetime: int, fits: bool) -> None:
        options = {"lifetime": lifetime, "lifetime_unit": "seconds"}
        if fits:
            assert connection(**options).lifetime_seconds == lifetime
        else:
            with refused("lifetime", SUBJECT, "1080", "540"):
                connection(**options)

    @pytest.mark.parametrize("options", [{"margintime": 0}, {"margintime": 8}])
    def test_means_nothing_without_rekeying(self, options: dict[str, int]) -> None:
        assert connection(rekey=False, margintime_unit="hours", **options)
