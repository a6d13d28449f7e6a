# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparison of a configured connection with list-conns."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.loaded import (
    expected_view,
    is_loaded,
    other_values,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    bypass_section,
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.swanctl_files import (
    advanced_parts,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    settings,
)

# The defaults of a phase 1 and its phase 2 in list-conns of strongSwan 5.9.8.
LISTED: dict[str, t.Any] = {
    "local_addrs": ["%any"],
    "remote_addrs": ["192.0.2.2"],
    "version": "IKEv2",
    "rekey_time": "10260",
    "unique": "UNIQUE_REPLACE",
    "dpd_delay": "30",
    "local-1": {"class": "pre-shared key"},
    "remote-1": {"class": "pre-shared key", "id": "192.0.2.2"},
    "children": {
        "net": {
            "mode": "TUNNEL",
            "rekey_time": "3060",
            "dpd_action": "start",
            "local-ts": ["10.1.0.0/24"],
            "remote-ts": ["10.2.0.0/24"],
        }
    },
}
NET = LISTED["children"]["net"]


def section(**options: t.Any) -> t.Any:
    return connection_section(connection(child(), **options), settings())


def advanced(text: str) -> t.Any:
    parts = advanced_parts("lan", f"connections {{ x {{ {text} }} }}", DEBIAN)
    return parts.connections["x"]


def listed(**changes: t.Any) -> dict[str, t.Any]:
    return {**LISTED, **changes}


def with_child(**changes: t.Any) -> dict[str, t.Any]:
    return listed(children={"net": {**NET, **changes}})


def without(section: dict[str, t.Any], *keys: str) -> dict[str, t.Any]:
    return {key: value for key, value in section.items() if key not in keys}


def test_loaded() -> None:
    assert is_loaded(section(), LISTED)


@pytest.mark.parametrize(
    "conn",
    [
        None,
        listed(version="IKEv1"),
        listed(local_addrs=["198.51.100.1"]),
        listed(remote_addrs=["192.0.2.3"]),
        listed(remote_addrs=["192.0.2.2", "192.0.2.3"]),
        listed(rekey_time="10000"),
        without(LISTED, "rekey_time"),
        listed(dpd_delay="10"),
        without(LISTED, "dpd_delay"),
        listed(**{"remote-1": {"id": "b@example.org"}}),
        listed(**{"remote-1": {}}),
        listed(children={}),
        listed(children={**LISTED["children"], "other": NET}),
        listed(children={"other": NET}),
        with_child(mode="TRANSPORT"),
        with_child(rekey_time="1"),
        with_child(dpd_action="none"),
        with_child(**{"local-ts": ["10.1.0.0/25"]}),
        with_child(**{"remote-ts": ["10.2.0.0/24", "10.3.0.0/24"]}),
        with_child(**{"remote-ts": []}),
    ],
)
def test_not_loaded(conn: dict[str, t.Any] | None) -> None:
    assert not is_loaded(section(), conn)


# The proposals of the same connection, as strongSwan 6.1.0 shows them.
AES = {"encr": ["AES_CBC_256"], "integ": ["HMAC_SHA2_256_128"], "ke": ["MODP_2048"]}
IKE = {"0": {**AES, "prf": ["PRF_HMAC_SHA2_256"]}}
ESP = {"0": {**AES, "sn": ["NO_EXT_SEQ"]}}
SHOWN = {
    **LISTED,
    "proposals": IKE,
    "children": {"net": {**NET, "esp_proposals": ESP, "ah_proposals": {}}},
}


class TestProposals:
    """Algorithms are compared if the daemon shows them."""

    def test_as_configured(self) -> None:
        assert is_loaded(section(), SHOWN)

    @pytest.mark.parametrize(
        "shown",
        [
            {"0": {**IKE["0"], "encr": ["AES_CBC_128"]}},
            {"0": {**IKE["0"], "ake1": ["ML_KEM_768"]}},
            {"0": {**IKE["0"], "encr": ["AES_CBC_128", "AES_CBC_256"]}},
            {"0": IKE["0"], "1": {**IKE["0"], "ke": ["MODP_1024"]}},
            {},
        ],
    )
    def test_other_algorithms_of_phase1(self, shown: dict[str, t.Any]) -> None:
        assert not is_loaded(section(), {**SHOWN, "proposals": shown})

    @pytest.mark.parametrize(
        "shown",
        [
            {"esp_proposals": {"0": {**ESP["0"], "ke": ["ECP_256"]}}},
            {"esp_proposals": {"0": {**ESP["0"], "sn": ["EXT_SEQ"]}}},
            {"ah_proposals": {"0": {"integ": ["HMAC_SHA1_96"], "sn": ["NO_EXT_SEQ"]}}},
            {"esp_proposals": {}, "ah_proposals": ESP},
        ],
    )
    def test_other_algorithms_of_phase2(self, shown: dict[str, t.Any]) -> None:
        net = {**SHOWN["children"]["net"], **shown}
        assert not is_loaded(section(), {**SHOWN, "children": {"net": net}})

    def test_unknown_forms_are_not_compared(self) -> None:
        assert is_loaded(section(), {**SHOWN, "proposals": {"0": {"cipher": ["AES_CBC_128"]}}})
        made = section()
        made["proposals"] = ("default",)
        assert is_loaded(made, {**SHOWN, "proposals": {"0": {"encr": ["AES_CBC_128"]}}})

    def test_the_difference_names_the_algorithms(self) -> None:
        weak = {"0": {**IKE["0"], "ke": ["MODP_1024"]}}
        net = {**SHOWN["children"]["net"], "mode": "TRANSPORT"}
        conn = {**SHOWN, "proposals": weak, "children": {"net": net}}
        assert other_values(section(), conn) == (
            "proposals AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_1024; "
            "net mode TRANSPORT",
            "proposals AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048; net mode TUNNEL",
        )
        actual, expected = other_values(section(), {**SHOWN, "children": {}})
        assert "net local-ts none" in actual
        assert "net local-ts 10.1.0.0/24" in expected


@pytest.mark.parametrize(
    ("options", "conn"),
    [
        ({"key_exchange": "auto"}, listed(version="IKEv1/2", dpd_timeout="180")),
        ({"key_exchange": "ikev1"}, listed(version="IKEv1", dpd_timeout="180")),
        ({"identifier": "a.example.org"}, listed(**{"local-1": {"id": "a.example.org"}})),
        ({"dpd_action": "none"}, without(with_child(dpd_action="none"), "dpd_delay")),
        ({"dpd_action": "clear"}, with_child(dpd_action="none")),
        ({"dpd_action": "hold"}, with_child(dpd_action="trap")),
        ({"reauth": True}, without(listed(reauth_time="10260"), "rekey_time")),
    ],
)
def test_loaded_as_the_options_say(options: dict[str, t.Any], conn: dict[str, t.Any]) -> None:
    assert is_loaded(section(**options), conn)
    assert not is_loaded(section(**options), LISTED)


@pytest.mark.parametrize(
    "identity",
    ["a@example.org", "CN=b, O=Example", "@#c0ffee", "*.example.org", "10.0.0.0/8", "%any"],
)
def test_an_identity_that_charon_may_show_otherwise_stays_open(identity: str) -> None:
    made = section(peer_identifier=identity)
    assert is_loaded(made, listed(**{"remote-1": {"id": "as charon shows it"}}))


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("2001:DB8:0::7", "2001:db8::7"),
        ("fqdn:b.example.org", "b.example.org"),
        ("@b.example.org", "b.example.org"),
        ("B.example.org", "B.example.org"),
    ],
)
def test_an_identity_is_shown_in_one_way(identity: str, shown: str) -> None:
    made = section(peer_identifier=identity)
    assert is_loaded(made, listed(**{"remote-1": {"id": shown}}))
    for other in ("2001:db8::8", "b.example.com", "b.EXAMPLE.org"):
        assert not is_loaded(made, listed(**{"remote-1": {"id": other}}))


def test_transport_mode_has_dynamic_selectors() -> None:
    item = child(mode="transport", local_network=None, remote_network=None)
    made = connection_section(connection(item), settings())
    dynamic = {"local-ts": ["dynamic"], "remote-ts": ["dynamic"]}
    assert is_loaded(made, with_child(mode="TRANSPORT", **dynamic))
    assert not is_loaded(made, with_child(mode="TRANSPORT"))


@pytest.mark.parametrize("version", ["IKEv1/2", "IKEv2"])
def test_shunt(version: str) -> None:
    conn = {
        "local_addrs": ["%any"],
        "remote_addrs": ["127.0.0.1"],
        "version": version,
        "rekey_time": "14400",
        "children": {
            "lan": {
                "mode": "PASS",
                "rekey_time": "3600",
                "dpd_action": "none",
                "local-ts": ["10.1.0.0/24"],
                "remote-ts": ["10.1.0.0/24"],
            }
        },
    }
    assert is_loaded(bypass_section(("10.1.0.0/24",)), conn)
    assert not is_loaded(bypass_section(("10.9.0.0/24",)), conn)


def test_lifetimes_of_a_shunt_mean_nothing() -> None:
    text = "children { lan { mode = drop\n rekey_time = 1h\n dpd_action = restart\n } }"
    shown = {"mode": "DROP", "local-ts": ["dynamic"], "remote-ts": ["dynamic"]}
    conn = {"version": "IKEv1/2", "remote_addrs": ["%any"], "local_addrs": ["%any"]}
    assert is_loaded(advanced(text), {**conn, "children": {"lan": shown}})


class TestConfText:
    """Conf texts: an author can write the same value in several ways."""

    @pytest.mark.parametrize(
        ("time", "shown"),
        [("4h", "14400"), ("90m", "5400"), ("1d", "86400"), ("30s", "30"), ("7", "7"), ("0", "0")],
    )
    def test_times(self, time: str, shown: str) -> None:
        made = advanced(f"rekey_time = {time}\n")
        conn = listed(version="IKEv1/2", remote_addrs=["%any"], children={})
        assert is_loaded(made, {**conn, "rekey_time": shown})
        assert not is_loaded(made, {**conn, "rekey_time": "15"})

    @pytest.mark.parametrize("time", ["010", "1y", "1.5h", "-1", ""])
    def test_times_that_charon_reads_in_its_own_way_stay_open(self, time: str) -> None:
        assert expected_view(advanced(f"rekey_time = {time}\n"))["rekey_time"] == ""

    @pytest.mark.parametrize(
        ("action", "shown"),
        [
            ("none", "none"),
            ("clear", "none"),
            ("trap", "trap"),
            ("route", "trap"),
            ("start", "start"),
            ("restart", "start"),
        ],
    )
    def test_actions(self, action: str, shown: str) -> None:
        view = expected_view(advanced(f"children {{ net {{ dpd_action = {action}\n }} }}"))
        assert view["children"]["net"]["dpd_action"] == shown

    @pytest.mark.parametrize(
        ("selectors", "seen"),
        [
            ("10.1.0.0/24, fd00::/64", ("10.1.0.0/24", "fd00::/64")),
            ("dynamic, 10.1.0.0/24", ("dynamic", "10.1.0.0/24")),
            ("10.1.0.0/24[tcp/80]", ()),
            ("10.1.0.1", ()),
            ("10.1.0.1/24", ()),
            ("10.1.0.0-10.1.0.9, 10.2.0.0/24", ()),
            ("FD00::/64", ()),
        ],
    )
    def test_selectors(self, selectors: str, seen: tuple[str, ...]) -> None:
        view = expected_view(advanced(f"children {{ net {{ remote_ts = {selectors}\n }} }}"))
        assert view["children"]["net"]["remote-ts"] == seen
        assert view["children"]["net"]["local-ts"] == ("dynamic",)

    def test_what_is_left_out_stays_open(self) -> None:
        made = advanced("remote_addrs = 192.0.2.2\nchildren { net { remote_ts = 10.2.0.0/24\n } }")
        conn = with_child(**{"local-ts": ["dynamic"]})
        # The default is any version before strongSwan 6.1, and IKEv2 since then.
        for version in ("IKEv1/2", "IKEv2"):
            assert is_loaded(made, {**conn, "version": version})
        assert not is_loaded(made, {**conn, "version": "IKEv1"})
        assert is_loaded(advanced("version = ikev2\n"), listed(remote_addrs=["%any"], children={}))
