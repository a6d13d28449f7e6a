# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.filter import ipsec_fleet
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._fleet import fleet
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.fleets import (
    LOG,
    MISSING,
    NOW,
    PENDING,
    WHY,
    WHYS,
    child,
    host,
    ike,
    phase1,
    phase2,
)

A, B = "203.0.113.10", "203.0.113.20"


def certificate(not_after: str, subject: str = "CN=gw-a") -> dict[str, t.Any]:
    return {"option": "certificate", "subject": subject, "not_after": not_after}


def made(*connections: t.Any, **more: t.Any) -> t.Any:
    return fleet({"gw-a": host(A, *connections, **more)})


class TestTunnels:
    def test_each_phase2_is_one(self) -> None:
        found = made(phase1("site-b", B, phase2("v4"), phase2("v6", "down")))["tunnels"]
        assert [(item["phase2"], item["state"]) for item in found] == [
            ("v6", "down"),
            ("v4", "up"),
        ]

    def test_a_phase1_without_any_is_one(self) -> None:
        (found,) = made(phase1("site-b", B))["tunnels"]
        assert (found["phase2"], found["state"], found["local_network"]) == (None, "down", [])

    def test_what_is_in_use(self) -> None:
        (found,) = made(phase1("site-b", B, phase2("lan")))["tunnels"]
        assert found["ike"] == ike(B)["algorithms"]
        assert (found["algorithms"], found["protocol"]) == (child()["algorithms"], "esp")
        assert (found["age"], found["rekey_in"]) == (2400, 1834)

    def test_a_ppk_in_use(self) -> None:
        site = {**phase1("site-b", B, phase2("lan")), "sas": [{**ike(B), "ppk": True}]}
        (found,) = made(site)["tunnels"]
        assert found["ike"] == f"{ike(B)['algorithms']} PPK"

    def test_bytes_of_all_its_sas(self) -> None:
        lan = {**phase2("lan"), "sas": [child(rekey_in=None), child(rekey_in=5, bytes_out=1)]}
        (found,) = made(phase1("site-b", B, lan))["tunnels"]
        assert (found["bytes_in"], found["bytes_out"], found["rekey_in"]) == (168000000, 1250001, 5)

    def test_why_only_of_what_is_not_up(self) -> None:
        lan = phase2("lan", "down")
        (found,) = made(phase1("site-b", B, lan))["tunnels"]
        assert (found["explanation"], found["log"]) == (WHY, LOG)
        up = {**phase2("lan"), "explanation": WHY}
        (found,) = made({**phase1("site-b", B, up), "log": LOG})["tunnels"]
        assert (found["explanation"], found["log"]) == (None, [])

    def test_the_worst_come_first(self) -> None:
        found = made(
            phase1("a", "192.0.2.1", phase2("x")),
            phase1("b", "192.0.2.2", phase2("x", "disabled")),
            phase1("c", "192.0.2.3", phase2("x", "idle")),
            phase1("d", "192.0.2.4", phase2("x", "down")),
        )
        assert [item["phase1"] for item in found["tunnels"]] == ["d", "c", "a", "b"]
        assert found["counts"] == {"down": 1, "idle": 1, "up": 1, "disabled": 1}
        assert list(found["counts"]) == ["down", "idle", "up", "disabled"]


def test_a_key_that_is_pending_is_told_of_each_tunnel() -> None:
    key = {"key": "psk", "in_force": "the one before", "configured": "the new one"}
    found = made(phase1("site-b", B, phase2("v4"), phase2("v6", "outdated"), pending=[key]))
    assert [item["pending"] for item in found["tunnels"]] == [[*PENDING, key], [key]]
    # A key that is listed twice has no effect.
    assert found["counts"] == {"outdated": 1, "up": 1}


def test_a_tunnel_of_a_conf_text() -> None:
    (found,) = made(phase1("legacy", B, phase2("lan"), advanced=True))["tunnels"]
    assert found["advanced"]


@pytest.mark.parametrize(
    ("not_after", "days"),
    [
        ("2026-02-01T11:59:59+00:00", 0),
        ("2026-02-01T12:00:00+00:00", 1),
        ("2026-01-31T11:59:59+00:00", -1),
    ],
)
def test_certificate(not_after: str, days: int) -> None:
    later = certificate("2036-01-01T00:00:00+00:00", "CN=CA")
    unreadable = {"option": "ca", "subject": None, "not_after": None}
    listed = [unreadable, later, certificate(not_after)]
    (found,) = made(phase1("site-b", B, certificates=listed))["tunnels"]
    assert found["certificate"] == {"subject": "CN=gw-a", "not_after": not_after, "days": days}
    (found,) = made(phase1("site-b", B, certificates=[unreadable]))["tunnels"]
    assert found["certificate"] is None


class TestPeers:
    def peer(self, connection: t.Any, **more: t.Any) -> str:
        hosts = {"gw-a": host(A, connection), "gw-b": host(B)}
        found = fleet(hosts, more or None)["tunnels"]
        return str(found[0]["peer"])

    def test_another_host_of_the_fleet(self) -> None:
        assert self.peer(phase1("x", B)) == "gw-b"
        assert self.peer(phase1("x", "gw-b")) == "gw-b"

    def test_one_known_by_the_inventory(self) -> None:
        assert self.peer(phase1("x", "192.0.2.9"), **{"gw-b": "192.0.2.9"}) == "gw-b"

    def test_one_that_called(self) -> None:
        called = {**phase1("x", "%any", phase2("lan")), "sas": [ike(B)]}
        assert self.peer(called) == "gw-b"
        called = {**phase1("x", "%any", phase2("lan")), "sas": [ike("192.0.2.9")]}
        assert self.peer(called) == "192.0.2.9"

    def test_somebody_else(self) -> None:
        assert self.peer(phase1("x", "192.0.2.9")) == "192.0.2.9"
        assert self.peer(phase1("x", "%any")) == "%any"

    def test_never_itself(self) -> None:
        assert self.peer(phase1("x", A)) == A


class TestGateways:
    def test_one_that_could_not_be_asked(self) -> None:
        found = fleet({"gw-a": {"unreachable": True, "msg": "No route to host"}})
        (gateway,) = found["gateways"]
        assert (gateway["error"], gateway["running"]) == ("No route to host", False)
        assert found["tunnels"] == []
        assert [site["state"] for site in found["topology"]["sites"]] == ["unknown"]

    def test_what_is_told_of_it(self) -> None:
        drift = [
            {"object": "network lan: nftables rules", "actual": "not loaded", "expected": "loaded"}
        ]
        found = made(drift=drift, unmanaged=["road"])
        (gateway,) = found["gateways"]
        assert (gateway["error"], gateway["version"]) == (None, "6.0.1")
        assert (gateway["drift"], gateway["unmanaged"]) == (drift, ["road"])


class TestTroubles:
    def test_once_for_a_phase1(self) -> None:
        untold = {**phase2("v4", "down"), "explanation": None}
        (found,) = made(phase1("site-b", B, untold, phase2("v6", "down"), phase2("x")))["problems"]
        assert (found["phase2"], found["explanation"]) == (["v4", "v6"], WHY)

    def test_two_ends_stand_together(self) -> None:
        down = phase2("lan", "down")
        hosts = {
            "gw-a": host(A, phase1("c", "192.0.2.9", down), phase1("b", B, down)),
            "gw-b": host(B, phase1("a", A, down)),
        }
        found = [(item["gateway"], item["peer"]) for item in fleet(hosts)["problems"]]
        assert found == [("gw-a", "192.0.2.9"), ("gw-a", "gw-b"), ("gw-b", "gw-a")]

    @pytest.mark.parametrize("state", ["partial", "outdated"])
    def test_what_carries_something_and_not_as_it_should(self, state: str) -> None:
        found = made(phase1("site-b", B, phase2("lan", state)))
        (trouble,) = found["problems"]
        assert (trouble["state"], trouble["explanation"]) == (state, WHYS[state])
        (tunnel,) = found["tunnels"]
        assert tunnel["explanation"] == WHYS[state]
        assert tunnel["missing"] == (MISSING if state == "partial" else [])
        assert tunnel["pending"] == (PENDING if state == "outdated" else [])
        assert found["counts"] == {state: 1}

    def test_waiting_is_none(self) -> None:
        assert made(phase1("site-b", B, phase2("lan", "idle")))["problems"] == []


@pytest.mark.parametrize(
    ("states", "together"),
    [
        ("up up", "up"),
        ("up down", "partial"),
        ("up connecting", "partial"),
        ("up partial", "partial"),
        ("up outdated", "outdated"),
        ("partial outdated", "partial"),
        ("up idle", "idle"),
        ("up disabled", "up"),
        ("disabled", "disabled"),
        ("down idle", "down"),
    ],
)
def test_lines(states: str, together: str) -> None:
    children = [phase2(f"p{index}", state) for index, state in enumerate(states.split())]
    (line,) = made(phase1("site-b", B, *children))["topology"]["lines"]
    assert (line["state"], line["between"]) == (together, [B, "gw-a"])
    assert line["tunnels"] == len(children)


def test_it_is_as_documented() -> None:
    document = yaml.safe_load(ipsec_fleet.RETURN)["_value"]["contains"]
    found = made(phase1("site-b", B, phase2("lan")))
    assert found.keys() == document.keys()
    text = str(document)
    for part in ("gateways", "tunnels"):
        untold = {key for key in found[part][0] if f"C({key})" not in text} - {"name"}
        # The documentation describes these two keys without C().
        assert untold <= {"local_network", "remote_network"}, part
    assert NOW.endswith("+00:00")


def test_quantum_safety_is_told_of_each_tunnel() -> None:
    children = [phase2("lan"), {**phase2("dmz"), "quantum_safe": True}, phase2("old", "down")]
    found = {
        item["phase2"]: item["quantum_safe"] for item in made(phase1("b", B, *children))["tunnels"]
    }
    assert found == {"lan": False, "dmz": True, "old": None}
    # A result of an earlier version of the collection.
    earlier = phase2("lan")
    del earlier["quantum_safe"]
    (tunnel,) = made(phase1("b", B, earlier))["tunnels"]
    assert tunnel["quantum_safe"] is None
