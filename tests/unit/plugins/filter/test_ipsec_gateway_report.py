# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The short report of a gateway: states of tunnels, and objects that no variable defines."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_gateway_report import (
    ipsec_gateway_report as report,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import examples
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.fleets import (
    WHY,
    host,
    phase1,
    phase2,
)

Facts = dict[str, t.Any]


def info(*connections: Facts, networks: t.Sequence[Facts] = (), running: bool = True) -> Facts:
    found = host("203.0.113.10", *connections)["ipsec_info"]
    return {
        **found,
        "daemon": {**found["daemon"], "running": running},
        "networks": list(networks) or [network("lan")],
    }


def network(name: str, *rules: str, **options: t.Any) -> Facts:
    made = examples.network(name=name, **options)
    settings = examples.settings(network=name)
    return {
        "name": name,
        "interface": made.device,
        "options": made.to_options(),
        "settings": settings.to_options(),
        "rules": [{"name": rule} for rule in rules],
    }


def peer(name: str, *children: Facts, behaves: str = "start", **more: t.Any) -> Facts:
    return phase1(name, "203.0.113.20", *children, **more, options={"connection_behavior": behaves})


def down(name: str, **why: t.Any) -> Facts:
    return {
        **phase2(name, "down"),
        "explanation": {**WHY, **why} if why.get("cause") != "" else None,
    }


def test_tunnels_that_are_well_are_one_line() -> None:
    found = report(
        info(
            peer("a", phase2("x"), phase2("y")),
            peer("b", phase2("x", "idle"), behaves="on_demand"),
            peer("c", phase2("x", "idle"), behaves="responder_only"),
            peer("d", phase2("x", "disabled")),
        )
    )
    assert found["tunnels"] == [
        "waiting for traffic: b/x",
        "waiting for the peer: c/x",
        "up: a/x, a/y",
        "switched off: d/x",
    ]
    assert found["down"] == []


def test_what_is_not_up_comes_first_with_its_cause() -> None:
    candidate = {"cause": "psk_mismatch", "explanation": "?"}
    refused = {"cause": "peer_refused_authentication", "candidates": [candidate]}
    found = report(
        info(
            peer("a", phase2("x")),
            peer("b", down("x"), down("y"), phase2("z")),
            peer("c", down("x", **refused)),
            peer("d", down("x", cause="")),
            peer("e", phase2("x", "connecting")),
        )
    )
    told = f"{WHY['explanation']} [psk_mismatch] {WHY['next_step']}"
    refusal = f"{WHY['explanation']} [peer_refused_authentication] {WHY['next_step']}"
    assert found["tunnels"] == [
        f"down: b/x, b/y. {told}",
        f"down: c/x. {refusal} Candidates: psk_mismatch.",
        "down: d/x. The log shows no reason.",
        "being negotiated: e/x.",
        "up: a/x, b/z",
    ]
    assert found["down"] == ["b/x", "b/y", "c/x", "d/x", "e/x"]


def test_a_daemon_that_is_silent_is_the_cause() -> None:
    found = report(info(peer("a", down("x", cause="")), running=False))
    assert found["tunnels"] == ["down: a/x. The IKE daemon does not answer."]


def test_a_state_that_is_not_known_is_none_to_be_content_with() -> None:
    child = {**phase2("x"), "state": "outdated", "explanation": None}
    found = report(info(peer("a", child), peer("b", phase2("x"))))
    assert found["tunnels"] == ["outdated: a/x.", "up: b/x"]
    assert found["down"] == ["a/x"]


@pytest.mark.parametrize("state", ["up", "down"])
def test_a_phase_1_without_phase_2_carries_nothing(state: str) -> None:
    (line,) = report(info(peer("a", state=state)))["tunnels"]
    assert line.startswith(f"{state}: a (no phase 2)")


def test_without_tunnels_it_says_so() -> None:
    assert report(info())["tunnels"] == ["no tunnel is configured"]


def test_a_thousand_tunnels_are_a_few_lines() -> None:
    well = [peer(f"w{index}", phase2("x")) for index in range(1000)]
    bad = [peer(f"b{index}", down("x")) for index in range(30)]
    found = report(info(*well, *bad))
    assert len(found["tunnels"]) == 22
    assert found["tunnels"][20] == "and 10 more"
    assert found["tunnels"][21].endswith("and 980 more")
    assert len(found["down"]) == 30


# --- Objects that no variable defines


LISTED = {
    "gateway_networks": [{"name": "lan"}, {"name": "dmz"}],
    "gateway_settings": None,
    "gateway_phase1": [
        {"name": "a", "network": "lan", "phase2": [{"name": "x"}]},
        {"name": "b", "network": "lan", "phase2": None},
    ],
    "gateway_rules": [{"name": "web", "network": "lan"}],
}


def test_all_that_is_listed_is_no_matter() -> None:
    networks = [network("lan", "web"), network("dmz")]
    seen = info(peer("a", phase2("x")), peer("b"), networks=networks)
    assert report(seen, LISTED)["unlisted"] == []


def test_what_is_not_in_the_variables_is_named() -> None:
    changed = network("dmz", "web")
    changed["settings"].update({"mss_clamp": 1300, "unique_ids": "never"})
    seen = info(
        peer("a", phase2("x"), phase2("y")),
        peer("b", phase2("x")),
        peer("c", phase2("x")),
        networks=[network("lan", "web", "ssh"), changed, network("old", "web")],
    )
    assert report(seen, LISTED)["unlisted"] == [
        "rule ssh of network lan",
        "IPsec settings of network dmz: mss_clamp, unique_ids",
        "rule web of network dmz",
        "network old",
        "rule web of network old",
        "phase 2 y of phase 1 a",
        "phase 2 x of phase 1 b",
        "phase 1 c of network lan",
    ]


def test_without_variables_everything_is_named() -> None:
    seen = info(peer("a", phase2("x")), networks=[network("lan", "web")])
    assert report(seen)["unlisted"] == [
        "network lan",
        "rule web of network lan",
        "phase 1 a of network lan",
    ]
    assert report(seen, dict.fromkeys(LISTED))["unlisted"] == report(seen)["unlisted"]


def test_names_are_bounded() -> None:
    seen = info(networks=[network(f"n{index}") for index in range(30)])
    assert len(report(seen)["unlisted"]) == 21
    assert len(report(seen)["removal_order"]) == 30


# --- The order of a removal


VLAN = {"layer2_type": "vlan", "layer2_id": 7}


@pytest.mark.parametrize("backwards", [False, True])
def test_networks_go_after_those_that_are_attached_to_them(backwards: bool) -> None:
    networks = [
        network("lan"),
        network("lan6", interface_network="vpn-lan"),
        network("tagged", interface_network="vpn-lan", **VLAN),
        network("upon", interface_network="vpn-tagged"),
        network("wan", interface_network="eth0"),
        network("wan6", interface_network="eth0"),
    ]
    if backwards:
        networks.reverse()
    removal = report(info(networks=networks))["removal_order"]
    guests = {item["name"]: item["attached_networks"] for item in removal}
    assert guests == {
        "lan": ["lan6", "tagged"],
        "lan6": [],
        "tagged": ["upon"],
        "upon": [],
        "wan": [],
        "wan6": [],
    }
    order = [item["name"] for item in removal]
    assert all(order.index(guest) < order.index(name) for name in order for guest in guests[name])


def test_a_circle_is_removed_too() -> None:
    one = {**network("one", interface_network="vpn-two", **VLAN), "interface": "vpn-one"}
    two = {**network("two", interface_network="vpn-one", **VLAN), "interface": "vpn-two"}
    removal = report(info(networks=[one, two]))["removal_order"]
    assert [item["name"] for item in removal] == ["one", "two"]
