# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The strongSwan key and text of each option."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    bypass_section,
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.phase1 import (
    credential_file,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.section import (
    split_list,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.writer import (
    render,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PUBKEY,
    child,
    connection,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile

ANY = {"remote_gateway": "%any", "connection_behavior": "responder_only"}


def section(made: IkeConnection, **options: t.Any) -> t.Any:
    return connection_section(made, settings(**options))


def ike(**options: t.Any) -> t.Any:
    """Return the section of a phase 1 with one phase 2."""
    return section(connection(child(1, 2), **options))


def net(*, phase1: t.Any = None, **options: t.Any) -> t.Any:
    """Return the section of a phase 2."""
    made = connection(child(**options), **(phase1 or {}))
    return section(made)["children"]["net"]


def test_defaults() -> None:
    assert section(connection(child())) == {
        "version": "2",
        "local_addrs": ("%any",),
        "remote_addrs": ("192.0.2.2",),
        "proposals": ("aes256-sha256-modp2048",),
        "unique": "replace",
        "encap": "no",
        "mobike": "no",
        "keyingtries": "3",
        "dpd_delay": "30",
        "rekey_time": "10260",
        "reauth_time": "0",
        "over_time": "540",
        "rand_time": "540",
        "local": {"auth": "psk"},
        "remote": {"auth": "psk", "id": "192.0.2.2"},
        "children": {
            "net": {
                "mode": "tunnel",
                "local_ts": ("10.1.0.0/24",),
                "remote_ts": ("10.2.0.0/24",),
                "esp_proposals": ("aes256-sha256-modp2048",),
                "life_time": "3600",
                "rekey_time": "3060",
                "rand_time": "540",
                "start_action": "trap",
                "dpd_action": "restart",
                "ipcomp": "no",
            }
        },
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"key_exchange": "auto"}, {"version": "0", "aggressive": "no", "dpd_timeout": "180"}),
        ({"key_exchange": "ikev1"}, {"version": "1", "aggressive": "no", "dpd_timeout": "180"}),
        (
            {"key_exchange": "ikev1", "negotiation_mode": "aggressive", "identifier": "a.example"},
            {"aggressive": "yes"},
        ),
        ({"local_address": "198.51.100.1"}, {"local_addrs": ("198.51.100.1",)}),
        ({"remote_gateway": "gw.example.org"}, {"remote_addrs": ("gw.example.org",)}),
        (ANY, {"remote_addrs": ("%any",)}),
        (
            {"encryption": [{"algorithm": "aes-gcm", "dh_group": 31}, {}]},
            {"proposals": ("aes256gcm16-prfsha256-curve25519", "aes256-sha256-modp2048")},
        ),
        ({"force_udp_encapsulation": True}, {"encap": "yes"}),
        ({"mobike": True}, {"mobike": "yes"}),
        ({"keying_tries": 0}, {"keyingtries": "0"}),
        ({"dpd_delay": 7, "key_exchange": "ikev1"}, {"dpd_delay": "7", "dpd_timeout": "42"}),
        ({"dpd_failures": 1, "key_exchange": "ikev1"}, {"dpd_timeout": "60"}),
        ({"dpd_action": "none"}, {"dpd_delay": "0"}),
        ({"identifier": "a@example.org"}, {"local": {"auth": "psk", "id": "a@example.org"}}),
        ({"peer_identifier": "b.example.org"}, {"remote": {"auth": "psk", "id": "b.example.org"}}),
        (ANY, {"remote": {"auth": "psk", "id": "%any"}}),
        (
            {"lifetime": 8, "margintime": 20, "margintime_unit": "seconds"},
            {"rekey_time": "28780", "over_time": "20", "rand_time": "20", "reauth_time": "0"},
        ),
        ({"reauth": True}, {"rekey_time": "0", "reauth_time": "10260", "over_time": "540"}),
        (
            {"rekey": False},
            {"rekey_time": "0", "reauth_time": "0", "over_time": "0", "rand_time": "0"},
        ),
        (
            {"rekey": False, "reauth": True},
            {"rekey_time": "0", "reauth_time": "0", "over_time": "0", "rand_time": "0"},
        ),
    ],
)
def test_phase_1(options: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    made = ike(**options)
    assert {key: made[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ({}, {"aggressive", "dpd_timeout"}),
        ({"key_exchange": "ikev1", "dpd_action": "none"}, {"dpd_timeout"}),
    ],
)
def test_left_out_where_it_means_nothing(options: dict[str, t.Any], left_out: set[str]) -> None:
    assert not left_out & ike(**options).keys()


@pytest.mark.parametrize(
    ("behavior", "action"),
    [("responder_only", "none"), ("on_demand", "trap"), ("start", "trap|start")],
)
@pytest.mark.parametrize(
    ("dpd", "dpd_action"),
    [("clear", "clear"), ("hold", "trap"), ("restart", "restart"), ("none", "clear")],
)
def test_behavior(behavior: str, action: str, dpd: str, dpd_action: str) -> None:
    made = net(phase1={"connection_behavior": behavior, "dpd_action": dpd})
    assert made["start_action"] == action
    # A restart or a trap would make the responder an initiator.
    assert made["dpd_action"] == ("clear" if behavior == "responder_only" else dpd_action)
    # With unique = replace on both sides, SAs would replace each other without end.
    assert "close_action" not in made


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "transport", "local_network": None, "remote_network": None}, "transport"),
        ({}, "tunnel"),
    ],
)
def test_mode(options: dict[str, t.Any], expected: str) -> None:
    made = net(**options)
    assert made["mode"] == expected
    assert ("local_ts" in made, "remote_ts" in made) == (expected == "tunnel",) * 2


def test_selectors() -> None:
    made = net(
        local_network=["10.1.0.0/24", "fd00:1::/64"],
        remote_network=["10.2.0.0/24", "10.3.0.0/24", "fd00:2::/64"],
    )
    assert made["local_ts"] == ("10.1.0.0/24", "fd00:1::/64")
    assert made["remote_ts"] == ("10.2.0.0/24", "10.3.0.0/24", "fd00:2::/64")


@pytest.mark.parametrize(
    ("options", "key", "keywords"),
    [
        ({"encryption": [{"key_length": 128}]}, "esp_proposals", ("aes128-sha256",)),
        ({"protocol": "ah"}, "ah_proposals", ("sha256-modp2048",)),
    ],
)
def test_protocol(options: dict[str, t.Any], key: str, keywords: tuple[str, ...]) -> None:
    made = net(**options)
    assert {name: made[name] for name in made if name.endswith("proposals")} == {key: keywords}


@pytest.mark.parametrize(
    ("options", "phase1", "times"),
    [
        ({}, {}, ("3600", "3060", "540")),
        ({"lifetime": 2}, {"margintime": 1}, ("7200", "7140", "60")),
        ({"lifetime_unit": "forever"}, {}, ("0", "0", "0")),
        ({"lifetime_unit": "forever"}, {"rekey": False}, ("0", "0", "0")),
        ({}, {"rekey": False}, ("3600", "0", "0")),
    ],
)
def test_lifetimes(options: t.Any, phase1: t.Any, times: tuple[str, str, str]) -> None:
    """All three times are always written.

    charon rekeys without end if rekey_time is 0 and rand_time is the default of charon.
    """
    made = net(phase1=phase1, **options)
    assert (made["life_time"], made["rekey_time"], made["rand_time"]) == times


@profile(max_examples=40, deadline=None)
@given(gateways())
def test_lifetimes_of_any(gateway: t.Any) -> None:
    for made in gateway.connections.values():
        whole = connection_section(made, gateway.settings_of(made.network))
        _times_hold(whole)
        renewal = int(whole["rekey_time"]) + int(whole["reauth_time"])
        if made.rekey:
            assert renewal + int(whole["over_time"]) == made.lifetime_seconds
        else:
            assert renewal == 0
        assert whole["children"].keys() == {item.name for item in made.children if item.enabled}
        for item in whole["children"].values():
            _times_hold(item)
            assert int(item["rekey_time"]) < max(1, int(item["life_time"]))


def _times_hold(section: t.Any) -> None:
    """Check that rand_time is below the time of the renewal, or that nothing is renewed."""
    times = {key: int(value) for key, value in section.items() if key.endswith("_time")}
    start = times["rekey_time"] or times.get("reauth_time", 0)
    assert times["rand_time"] < start or start == times["rand_time"] == 0


@pytest.mark.parametrize(
    ("options", "expected"), [("yes", "replace"), ("no", "no"), ("never", "never")]
)
def test_unique_ids(options: str, expected: str) -> None:
    assert section(connection(), unique_ids=options)["unique"] == expected


@pytest.mark.parametrize(("given", "expected"), [(True, "yes"), (False, "no")])
def test_ipcomp(given: bool, expected: str) -> None:
    made = section(connection(child()), ipcomp=given)
    assert made["children"]["net"]["ipcomp"] == expected


@pytest.mark.parametrize(
    ("strict_crl", "revocation"), [("yes", "strict"), ("ifuri", "ifuri"), ("no", "relaxed")]
)
def test_certificates(strict_crl: str, revocation: str) -> None:
    made = section(connection(**PUBKEY), strict_crl=strict_crl)
    assert made["local"] == {"auth": "pubkey", "certs": ("tunnelwright.site-b.pem",)}
    assert made["remote"] == {
        "auth": "pubkey",
        "id": "192.0.2.2",
        "cacerts": ("tunnelwright.site-b.pem",),
        "revocation": revocation,
    }
    assert credential_file(connection(**PUBKEY)) == "tunnelwright.site-b.pem"


def test_no_revocation_without_certificates() -> None:
    assert "revocation" not in section(connection(), strict_crl="yes")["remote"]


def test_disabled_children_are_left_out() -> None:
    made = connection(child(), child(name="off", state="disabled", remote_network=["10.3.0.0/24"]))
    assert section(made)["children"].keys() == {"net"}


def test_bypass() -> None:
    assert bypass_section(("10.1.0.0/24",)) == {
        "remote_addrs": ("127.0.0.1",),
        "children": {
            "lan": {
                "mode": "pass",
                "local_ts": ("10.1.0.0/24",),
                "remote_ts": ("10.1.0.0/24",),
                "start_action": "trap",
            }
        },
    }


@profile(max_examples=40, deadline=None)
@given(gateways())
def test_the_file_says_what_the_daemon_is_told(gateway: t.Any) -> None:
    for made in gateway.connections.values():
        told = connection_section(made, gateway.settings_of(made.network))
        assert _same(parse(render(told)), told)


def _same(read: t.Any, told: t.Any) -> bool:
    if isinstance(told, tuple):
        return split_list(read) == told
    if isinstance(told, str):
        return bool(read == told)
    return read.keys() == told.keys() and all(_same(read[key], told[key]) for key in told)
