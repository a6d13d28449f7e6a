# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the owners of pre-shared keys, and of keys that admit the peer of another phase 1.

``tests/live/test_keys.py`` shows the behaviour of charon for each of these pairs.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.coexistence import (
    Neighbors,
    check_connections,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.keys import (
    intrusion,
    way_in,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PUBKEY,
    child,
    connection,
    gateway,
    network,
    refused,
    rule,
    settings,
)
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

ANY = {"remote_gateway": "%any", "connection_behavior": "responder_only"}
V1 = {"key_exchange": "ikev1"}
AUTO = {"key_exchange": "auto"}
AGGRESSIVE = {**V1, "negotiation_mode": "aggressive", "local_address": "198.51.100.1"}
HUB = {"identifier": "hub.example"}
B = {"remote_gateway": "192.0.2.2"}
C = {"remote_gateway": "192.0.2.3"}
KEYS = ("the key of site-b, of one peer", "the key of site-c, of one peer")

Options = t.Mapping[str, t.Any]


def recorded(name: str, options: Options, psk: str) -> IkeConnection:
    """Return a connection from a record of an earlier version, which accepted more values."""
    given = {"name": name, "network": "lan", **options, "psk": psk}
    if "authentication" in options:
        given["psk"] = None
    return IkeConnection.from_record(given)


def pair(one: Options, other: Options) -> tuple[IkeConnection, IkeConnection]:
    return recorded("site-b", one, KEYS[0]), recorded("site-c", other, KEYS[1])


def side_by_side(*connections: IkeConnection, **power: str) -> Gateway:
    """Return a gateway with connections that only an earlier version accepted."""
    return replace(gateway(network(**power)), connections={item.name: item for item in connections})


@pytest.mark.parametrize(
    ("options", "owners"),
    [
        ({}, ("192.0.2.2",)),
        ({"peer_identifier": "b@example.org"}, ("b@example.org",)),
        # With the own identity as owner, the key would be for every peer that sends that identity.
        ({"peer_identifier": "b@example.org", "identifier": "a@example.org"}, ("b@example.org",)),
        (ANY, ()),
        ({**ANY, "identifier": "a@example.org"}, ("a@example.org",)),
        ({**ANY, "peer_identifier": "b@example.org"}, ("b@example.org",)),
        ({**ANY, **HUB, "peer_identifier": "b@example.org"}, ("b@example.org",)),
        # Main Mode finds a key by address if this gateway has no identity.
        (V1, ("192.0.2.2",)),
        ({**V1, "peer_identifier": "b@example.org"}, ("b@example.org", "192.0.2.2")),
        ({**AUTO, "peer_identifier": "b@example.org"}, ("b@example.org", "192.0.2.2")),
        ({**V1, **HUB, "peer_identifier": "b@example.org"}, ("b@example.org",)),
        ({**AUTO, **HUB, "peer_identifier": "b@example.org"}, ("b@example.org",)),
        ({**AGGRESSIVE, "peer_identifier": "b@example.org"}, ("b@example.org",)),
        # A name is no address.
        (
            {**V1, "remote_gateway": "b.example", "peer_identifier": "b@example.org"},
            ("b@example.org",),
        ),
        ({**V1, "remote_gateway": "b.example"}, ("b.example",)),
        ({**V1, "peer_identifier": "%any"}, ("192.0.2.2",)),
        ({**AGGRESSIVE, "peer_identifier": "%any"}, ("192.0.2.2",)),
        ({**V1, **ANY, "peer_identifier": "b@example.org"}, ("b@example.org",)),
        # IKEv2 looks up a key for %any, and a key for an address does not match.
        ({"peer_identifier": "%any"}, ()),
        ({**AUTO, "peer_identifier": "%any"}, ()),
        ({**AUTO, "peer_identifier": "%any", "identifier": "a@example.org"}, ("a@example.org",)),
    ],
)
def test_who_the_psk_is_for(options: dict[str, str], owners: tuple[str, ...]) -> None:
    assert connection(**options).psk_owners == owners


@pytest.mark.parametrize("anything", ["*", "0.0.0.0", "::", "0::0", "%any6"])
@pytest.mark.parametrize("option", ["peer_identifier", "remote_gateway"])
def test_other_spellings_of_any_identity_are_no_owners(option: str, anything: str) -> None:
    if option == "remote_gateway" and anything in ("*", "%any6"):
        with pytest.raises(ModelError):
            recorded("site-b", {option: anything}, KEYS[0])
        return
    made = recorded("site-b", {**B, option: anything}, KEYS[0])
    assert made.psk_owners == ()
    assert replace(made, identifier="a.example").psk_owners == ("a.example",)
    old = recorded("site-b", {**AUTO, **B, option: anything, "peer_identifier": "b.ex"}, KEYS[0])
    assert old.psk_owners == (("b.ex",) if option == "remote_gateway" else ("b.ex", "192.0.2.2"))


def test_certificates_have_no_key() -> None:
    assert connection(**PUBKEY).key is None


# Two phase 1 objects, and words that must be in the error, in either order. The key of `site-b`
# admits too many peers.
DANGEROUS: dict[str, tuple[Options, Options, tuple[str, ...]]] = {
    # One key is for every peer.
    "any peer": (ANY, C, ("for every peer", "peer_identifier of phase 1 site-b")),
    "any peer, twice": (ANY, {**ANY, "peer_identifier": "c.ex"}, ("for every peer",)),
    "any identity": ({**B, "peer_identifier": "%any"}, C, ("for every peer",)),
    "any identity as *": ({**B, "peer_identifier": "*"}, C, ("for every peer",)),
    "any identity as 0.0.0.0": ({**B, "peer_identifier": "0.0.0.0"}, C, ("for every peer",)),
    "any identity as ::": ({**B, "peer_identifier": "::"}, C, ("for every peer",)),
    "any identity as %any6": ({**B, "peer_identifier": "%any6"}, C, ("for every peer",)),
    "any identity by number": ({**B, "peer_identifier": "{0}:x"}, C, ("for every peer",)),
    "any address, of a record": ({"remote_gateway": "0.0.0.0"}, C, ("for every peer",)),
    "any address of IPv6": ({"remote_gateway": "::"}, C, ("for every peer",)),
    "any peer with IKEv1": ({**V1, **ANY}, {**V1, **C}, ("for every peer",)),
    "any peer, one own identity": (
        {**ANY, **HUB},
        {**C, **HUB},
        ("accepts every identity", "peer_identifier of phase 1 site-b"),
    ),
    "any peer, no own identity": ({**ANY, **HUB}, C, ("accepts every identity",)),
    "any peer, other own identities": (
        {**ANY, "identifier": "road.example"},
        {**C, **HUB},
        ("lets the holder of the psk of phase 1 site-c", "accepts every identity"),
    ),
    "any identity with IKEv1 at one address": (
        {**V1, **B, "peer_identifier": "%any"},
        {**V1, **C},
        ("accepts every identity",),
    ),
    # The identities of the two peers.
    "one identity": (
        {**B, "peer_identifier": "b.ex"},
        {**C, "peer_identifier": "B.EX"},
        ("b.ex", "B.EX"),
    ),
    "one identity, typed": (
        {**B, "peer_identifier": "FQDN:b.ex"},
        {**C, "peer_identifier": "@b.ex"},
        ("FQDN:b.ex", "@b.ex"),
    ),
    "one identity, in hexadecimal digits": (
        {**B, "peer_identifier": "fqdn:#622e6578"},
        {**C, "peer_identifier": "b.ex"},
        ("fqdn:#622e6578", "b.ex"),
    ),
    "one identity, by the number of its type": (
        {**B, "peer_identifier": "{0x2}:b.ex"},
        {**C, "peer_identifier": "b.ex"},
        ("{0x2}:b.ex",),
    ),
    "one address": (
        B,
        {**C, "peer_identifier": "192.0.2.2"},
        ("192.0.2.2", "peer_identifier of phase 1 site-b", "the same psk"),
    ),
    "one address, typed": (
        {**B, "peer_identifier": "ipv4:#c0000203"},
        C,
        ("ipv4:#c0000203", "192.0.2.3"),
    ),
    "one address of IPv6": (
        {"remote_gateway": "2001:db8::2"},
        {**C, "peer_identifier": "2001:DB8:0::2"},
        ("2001:db8::2",),
    ),
    "one name": (
        {"remote_gateway": "b.example"},
        {**C, "peer_identifier": "B.example"},
        ("b.example",),
    ),
    "one key id": (
        {**B, "peer_identifier": "keyid:ab"},
        {**C, "peer_identifier": "@#6162"},
        ("keyid:ab",),
    ),
    "one distinguished name": (
        {**B, "peer_identifier": "C=CH,  CN=b, E=b@ex"},
        {**C, "peer_identifier": "/C=CH/CN=b/emailAddress=b@ex"},
        ("C=CH,  CN=b, E=b@ex",),
    ),
    "a pattern of names": (
        {**B, "peer_identifier": "*.example"},
        {"remote_gateway": "c.example"},
        ("*.example", "c.example"),
    ),
    "a pattern of e-mail addresses": (
        {**B, "peer_identifier": "*@example.org"},
        {**C, "peer_identifier": "c@example.org"},
        ("*@example.org",),
    ),
    "a pattern of distinguished names": (
        {**B, "peer_identifier": "C=CH, CN=*"},
        {**C, "peer_identifier": "C=CH, CN=c"},
        ("C=CH, CN=*",),
    ),
    "patterns that overlap": (
        {**B, "peer_identifier": "*.example"},
        {**C, "peer_identifier": "*.c.example"},
        ("*.example",),
    ),
    "a network": ({**B, "peer_identifier": "192.0.2.0/24"}, C, ("192.0.2.0/24",)),
    "a network without a length": (
        {**B, "peer_identifier": "10.0.0.0/"},
        C,
        ("10.0.0.0/", "192.0.2.3"),
    ),
    "networks that overlap": (
        {**B, "peer_identifier": "10.0.0.0/8"},
        {**C, "peer_identifier": "10.1.0.0/16"},
        ("10.0.0.0/8",),
    ),
    "a range": ({**B, "peer_identifier": "192.0.2.3-192.0.2.9"}, C, ("192.0.2.3-",)),
    "a regular expression": (
        {**B, "peer_identifier": "fqdn:^.*$"},
        {**C, "peer_identifier": "c.ex"},
        ("fqdn:^.*$",),
    ),
    "IKEv1 beside IKEv2": ({**V1, **B}, {**C, "peer_identifier": "192.0.2.2"}, ("192.0.2.2",)),
    # The own identities of the gateway.
    "our own identity": (
        {**B, "peer_identifier": "hub.example"},
        {**C, **HUB},
        ("the own identity of phase 1 site-c is hub.example", "identifier of phase 1 site-c"),
    ),
    "our own identity in a pattern": (
        {**B, "peer_identifier": "*.example"},
        {**C, "identifier": "HUB.example"},
        ("the own identity of phase 1 site-c is HUB.example",),
    ),
    # IKEv1 Main Mode.
    "IKEv1 from any address": (
        {**V1, **ANY, **HUB, "peer_identifier": "b.ex"},
        {**V1, **ANY, **HUB, "peer_identifier": "c.ex"},
        ("IKEv1 chooses a psk by the addresses", "Set key_exchange of one of the two to ikev2"),
    ),
    "any version from any address": (
        {**AUTO, **ANY, **HUB, "peer_identifier": "b.ex"},
        {**AUTO, **ANY, **HUB, "peer_identifier": "c.ex"},
        ("IKEv1 chooses a psk by the addresses",),
    ),
    "IKEv1 from one address": (
        {**V1, **B, **HUB, "peer_identifier": "b.ex"},
        {**AUTO, **B, **HUB, "peer_identifier": "c.ex"},
        ("IKEv1 chooses a psk by the addresses",),
    ),
    "IKEv1 from an address among any": (
        {**V1, **B, **HUB},
        {**V1, **ANY, **HUB, "peer_identifier": "c.ex"},
        ("IKEv1 chooses a psk by the addresses",),
    ),
    "Aggressive beside Main Mode": (
        {**AGGRESSIVE, **B, **HUB},
        {**V1, **ANY, **HUB, "peer_identifier": "c.ex"},
        ("IKEv1 chooses a psk by the addresses",),
    ),
    "IKEv1 looks by the address of an IKEv2 peer": (
        B,
        {**V1, **ANY, "peer_identifier": "c.ex"},
        (
            "this key is for 192.0.2.2, and phase 1 site-c chooses a psk by the address",
            "identifier of phase 1 site-c",
        ),
    ),
    "IKEv1 looks by an address in the network of an IKEv2 key": (
        {**B, "peer_identifier": "192.0.2.0/24"},
        {**V1, **ANY, "peer_identifier": "c.ex"},
        ("this key is for 192.0.2.0/24, and phase 1 site-c chooses a psk by the address",),
    ),
    # The peer chooses the identity of a gateway without an own identity.
    "no own identity": (
        B,
        {**ANY, "peer_identifier": "c.ex"},
        ("may address this gateway by any identity", "identifier of phase 1 site-c"),
    ),
    "no own identity, twice": (
        {**ANY, "peer_identifier": "b.ex"},
        {**ANY, "peer_identifier": "c.ex"},
        ("may address this gateway by any identity",),
    ),
    "no own identity, behind one address": (
        {**B, "peer_identifier": "b.ex"},
        {**B, "peer_identifier": "c.ex"},
        ("may address this gateway by any identity",),
    ),
    "no own identity, behind one name": (
        {"remote_gateway": "nat.example.", "peer_identifier": "b.ex"},
        {"remote_gateway": "NAT.example", "peer_identifier": "c.ex"},
        ("may address this gateway by any identity",),
    ),
}
dangerous = pytest.mark.parametrize("case", DANGEROUS)


class TestRefused:
    """Refused pairs: the error names both objects, the effect and the fix, in either order."""

    @dangerous
    @pytest.mark.parametrize("turned", [False, True])
    def test_beside_each_other(self, case: str, turned: bool) -> None:
        one, other, words = DANGEROUS[case]
        first, second = pair(one, other)[:: -1 if turned else 1]
        with pytest.raises(ModelError) as raised:
            side_by_side(first).with_connection(second)
        text = str(raised.value)
        assert raised.value.subject == f"phase 1 {second.name}"
        assert "connect as the peer of phase 1 site-" in text
        for word in ("phase 1 site-b", "phase 1 site-c", "lets the holder of the psk of", *words):
            assert word in text, text
        assert not any(key in text for key in KEYS)

    @dangerous
    def test_when_one_is_enabled(self, case: str) -> None:
        first, second = pair(*DANGEROUS[case][:2])
        made = side_by_side(first).with_connection(replace(second, state="disabled"))
        with pytest.raises(ModelError):
            made.with_connection(second)

    @dangerous
    def test_when_their_network_is_started(self, case: str) -> None:
        made = side_by_side(*pair(*DANGEROUS[case][:2]), state="stopped")
        with refused("state", "network lan", "phase 1 site-b", "phase 1 site-c", "lets the holder"):
            made.with_network(network())
        off = replace(made.connections["site-b"], state="disabled")
        assert made.with_connection(off).with_network(network())

    def test_across_networks(self) -> None:
        dmz = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
        one, other = pair(ANY, {**C, "network": "dmz"})
        made = side_by_side(one).with_network(replace(dmz, state="stopped"))
        with refused("psk", "phase 1 site-c", "phase 1 site-b"):
            made.with_connection(other)
        old = replace(made, connections={"site-b": one, "site-c": other})
        with refused("state", "network dmz", "phase 1 site-b", "phase 1 site-c"):
            old.with_network(dmz)
        # A connection that is not loaded does no harm.
        off = old.with_network(network(state="stopped"))
        with refused("state", "network lan", "phase 1 site-b", "phase 1 site-c"):
            off.with_network(dmz).with_network(network())
        assert off.with_network(network())

    @pytest.mark.parametrize(
        ("one", "other", "option", "value"),
        [
            (C, ANY, "peer_identifier", None),
            (ANY, C, "psk", "********"),
            (C, {**ANY, "peer_identifier": "%any"}, "peer_identifier", "%any"),
            ({**B, "peer_identifier": "hub.example"}, {**C, **HUB}, "identifier", "hub.example"),
            ({**C, **HUB}, {**B, "peer_identifier": "hub.example"}, "psk", "********"),
            ({**V1, **B, **HUB}, {**V1, **ANY, "peer_identifier": "c"}, "key_exchange", "ikev1"),
            (B, {**ANY, "peer_identifier": "c.ex"}, "identifier", None),
        ],
    )
    def test_the_option_is_one_of_the_phase_1_that_is_edited(
        self, one: Options, other: Options, option: str, value: object
    ) -> None:
        first, second = pair(one, other)
        with pytest.raises(ModelError) as raised:
            side_by_side(first).with_connection(second)
        assert (raised.value.option, raised.value.value) == (option, value)


class TestWaysOut:
    """Changes beside a pair that an earlier version accepted. The pair blocks no change."""

    @dangerous
    def test_one_is_removed_or_disabled(self, case: str) -> None:
        made = side_by_side(*pair(*DANGEROUS[case][:2]))
        for name, other in (("site-b", "site-c"), ("site-c", "site-b")):
            off = replace(made.connections[name], state="disabled")
            left = (made.without_connection(name), made.with_connection(off))
            for each in left:
                assert each.with_connection(each.connections[other])

    @dangerous
    def test_anything_else_is_edited(self, case: str) -> None:
        one, other = pair(*DANGEROUS[case][:2])
        children = (
            child(*one.versions),
            child(*other.versions, phase1="site-c", remote_network=["10.3.0.0/24"]),
        )
        made = side_by_side(one.with_child(children[0]), other.with_child(children[1]))
        for edited in (
            made.with_settings(settings(mss_clamp=1300)),
            made.with_rule(rule()),
            made.with_network(network(description="x")),
            made.with_network(network(state="stopped")),
            made.with_child(replace(children[0], lifetime=2)),
            made.without_child("site-c", "net"),
        ):
            assert edited.connections.keys() == {"site-b", "site-c"}
        assert made.without_network("lan", force=True) == Gateway()

    def test_another_tunnel_is_edited(self) -> None:
        far = recorded("site-d", {**HUB, "remote_gateway": "192.0.2.4"}, "a key of site-d")
        made = side_by_side(
            *pair({**B, "peer_identifier": "x.ex"}, {**C, "peer_identifier": "x.ex"})
        )
        assert "site-d" in made.with_connection(far).connections

    @dangerous
    def test_the_same_key_in_both(self, case: str) -> None:
        one, other = (
            recorded(name, options, "".join(KEYS))
            for name, options in zip(("site-b", "site-c"), DANGEROUS[case][:2], strict=True)
        )
        assert side_by_side(one).with_connection(other)

    def test_certificates(self) -> None:
        one, other = pair(ANY, {**C, **PUBKEY})
        assert side_by_side(one).with_connection(other)
        assert side_by_side(other).with_connection(one)


HARMLESS: dict[str, tuple[Options, Options]] = {
    "addresses": (B, C),
    "addresses of both versions": (B, {"remote_gateway": "2001:db8::2"}),
    "addresses with IKEv1": ({**V1, **B}, {**V1, **C}),
    "addresses, one with IKEv1": ({**AUTO, **B, **HUB}, {**V1, **C}),
    "names": ({"remote_gateway": "b.example"}, {"remote_gateway": "c.example"}),
    "a name and an address": ({"remote_gateway": "b.example"}, C),
    "identities of different kinds": (
        {**B, "peer_identifier": "b.ex"},
        {**C, "peer_identifier": "keyid:b.ex"},
    ),
    "a name and an e-mail address": (
        {**B, "peer_identifier": "b.ex"},
        {**C, "peer_identifier": "@@b.ex"},
    ),
    "one own identity": ({**B, **HUB}, {**C, **HUB}),
    "any address with names": (
        {**ANY, **HUB, "peer_identifier": "b.ex"},
        {**ANY, **HUB, "peer_identifier": "c.ex"},
    ),
    "any address beside one": ({**ANY, **HUB, "peer_identifier": "b.ex"}, C),
    "any address beside IKEv1": ({**ANY, **HUB, "peer_identifier": "b.ex"}, {**V1, **C}),
    "IKEv1 from any address beside IKEv2": ({**V1, **ANY, **HUB, "peer_identifier": "b.ex"}, C),
    "any peer beside certificates": (ANY, {**C, **PUBKEY}),
    "behind one address": (
        {**B, **HUB, "peer_identifier": "b.ex"},
        {**B, **HUB, "peer_identifier": "c.ex"},
    ),
    "behind one address, one with IKEv1": (
        {**V1, **B, **HUB, "peer_identifier": "b.ex"},
        {**B, **HUB},
    ),
    "Aggressive Mode from any address": (
        {**AGGRESSIVE, **ANY, **HUB, "peer_identifier": "b.ex"},
        {**AGGRESSIVE, **ANY, **HUB, "peer_identifier": "c.ex"},
    ),
    "IKEv1 at different own addresses": (
        {**V1, **ANY, **HUB, "peer_identifier": "b.ex", "local_address": "198.51.100.1"},
        {**V1, **ANY, **HUB, "peer_identifier": "c.ex", "local_address": "198.51.100.2"},
    ),
    "patterns": (
        {**ANY, **HUB, "peer_identifier": "*.b.ex"},
        {**ANY, **HUB, "peer_identifier": "*.c.ex"},
    ),
    "a pattern and another name": (
        {**ANY, **HUB, "peer_identifier": "*.b.ex"},
        {**C, "peer_identifier": "b.ex"},
    ),
    "networks": (
        {**ANY, **HUB, "peer_identifier": "10.1.0.0/16"},
        {**ANY, **HUB, "peer_identifier": "10.2.0.0/16"},
    ),
    "distinguished names": (
        {**B, "peer_identifier": "C=CH, O=b, CN=*"},
        {**C, "peer_identifier": "C=CH, O=c, CN=*"},
    ),
}


@pytest.mark.parametrize("case", HARMLESS)
@pytest.mark.parametrize("turned", [False, True])
def test_what_stays_legal(case: str, turned: bool) -> None:
    first, second = pair(*HARMLESS[case])[:: -1 if turned else 1]
    made = side_by_side(first).with_connection(second)
    assert made.connections.keys() == {"site-b", "site-c"}
    off = made.with_network(network(state="stopped"))
    assert off.with_network(network()).connections == made.connections


IDENTITIES = st.sampled_from(
    (
        *("192.0.2.7", "2001:db8::7", "b.ex", "c.ex", "hub.example", "b@example.org", "%any"),
        *("*.ex", "*@example.org", "192.0.2.0/24", "10.0.0.0/8", "192.0.2.1-192.0.2.9", "*"),
        *("keyid:b.ex", "@#622e6578", "fqdn:#622e6578", "C=CH, CN=b", "C=CH, CN=*", "{2}:b.ex"),
    )
)


@st.composite
def phases(draw: st.DrawFn, name: str) -> IkeConnection:
    options = {
        "remote_gateway": draw(st.sampled_from(("%any", "192.0.2.7", "192.0.2.8", "b.ex"))),
        "key_exchange": draw(st.sampled_from(("ikev1", "ikev2", "auto"))),
        "local_address": draw(st.sampled_from((None, "198.51.100.1", "198.51.100.2"))),
        "connection_behavior": "responder_only",
    }
    for option in ("identifier", "peer_identifier"):
        options[option] = draw(st.none() | IDENTITIES)
    if options["key_exchange"] == "ikev1":
        options["negotiation_mode"] = draw(st.sampled_from(("main", "aggressive")))
    return recorded(name, options, f"the key of {name}")


@profile(max_examples=400, deadline=None)
@given(phases("site-b"), phases("site-c"))
def test_both_orders_come_to_the_same(one: IkeConnection, other: IkeConnection) -> None:
    found = intrusion(one.key, other.key)
    assert (found is None) == (intrusion(other.key, one.key) is None)
    assert one.key is not None
    assert other.key is not None
    # The quick check misses no case.
    assert (found is None) == (way_in(one.key, other.key) is None)


@profile(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from("bcdefg").flatmap(phases), min_size=2, max_size=5))
def test_neighbors_are_all_connections_that_clash(made: list[IkeConnection]) -> None:
    neighbors = Neighbors(made)
    for one, other in itertools.permutations(made, 2):
        try:
            check_connections(one, other)
        except ModelError:
            assert other in neighbors.of(one)
    assert all(len(neighbors.of(item)) <= len(made) for item in made)


def test_a_usual_site_has_no_neighbor_but_itself() -> None:
    made = [recorded(f"s{at}", {"remote_gateway": f"192.0.2.{at}"}, f"{at}") for at in range(9)]
    neighbors = Neighbors(made)
    assert [neighbors.of(item) for item in made] == [[item] for item in made]


Fleet = list[dict[str, t.Any]]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Draw sites in a usual configuration: each site has its own key, address or name."""
    hub = draw(st.none() | st.sampled_from(("hub.example", "203.0.113.1", "hub@example.org")))
    sites = []
    for number in range(1, 2 + draw(st.integers(1, 8))):
        version = draw(st.sampled_from(("ikev1", "ikev2", "ikev2", "auto")))
        kind = draw(st.sampled_from(("ipv4", "ipv6", "name", "mobile" if hub else "ipv4")))
        site: dict[str, t.Any] = {"key_exchange": version, "identifier": hub}
        site["remote_gateway"] = {
            "ipv4": f"192.0.2.{number}",
            "ipv6": f"2001:db8::{number:x}",
            "name": f"gw{number}.example.org",
            "mobile": "%any",
        }[kind]
        if kind == "mobile":
            site.update(connection_behavior="responder_only", key_exchange="ikev2")
        if kind == "mobile" or draw(st.booleans()):
            names = (f"site{number}.example.com", f"site{number}@example.com", f"C=CH, CN={number}")
            site["peer_identifier"] = draw(st.sampled_from(names))
        sites.append(site)
    return sites


@profile(max_examples=150, deadline=None)
@given(fleets(), st.randoms(use_true_random=False))
def test_usual_fleets_are_taken_in_any_order(fleet: Fleet, chance: t.Any) -> None:
    made = [
        connection(**{**site, "name": f"s{number}", "psk": f"the key of site number {number}"})
        for number, site in enumerate(fleet)
    ]
    chance.shuffle(made)
    host = gateway(*made)
    assert len(host.connections) == len(fleet)
    for one, other in itertools.combinations(made, 2):
        assert intrusion(one.key, other.key) is None
