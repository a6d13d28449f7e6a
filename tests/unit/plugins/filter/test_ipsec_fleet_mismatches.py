# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ipsec_fleet_mismatches, which compares all pairs of many hosts."""

from __future__ import annotations

import time
import typing as t

import yaml
from ansible_collections.tunnelwright.ipsec.plugins.filter import ipsec_fleet_mismatches as plugin
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import (
    Compared,
    local,
    remote,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK

fleet = plugin.ipsec_fleet_mismatches


def mesh(size: int, **options: t.Any) -> dict[str, t.Any]:
    """Return ``size`` hosts with a tunnel between every two hosts."""
    return {
        f"gw{one}": {
            "inventory_hostname": f"gw{one}",
            "gateway_phase1": [
                tunnel(one, other, **options) for other in range(size) if one != other
            ],
        }
        for one in range(size)
    }


def tunnel(one: int, other: int, **options: t.Any) -> dict[str, t.Any]:
    networks = {
        "local_network": [f"10.{one}.0.0/24"],
        "remote_network": [f"10.{other}.0.0/24"],
    }
    return {
        "name": f"to{other}",
        "network": "lan",
        "psk": PSK,
        "local_address": f"192.0.2.{one + 1}",
        "remote_gateway": f"192.0.2.{other + 1}",
        "phase2": [{"name": "net", **networks}],
        **options,
    }


def verdicts(report: dict[str, t.Any]) -> dict[tuple[str, ...], str]:
    return {tuple(item["peers"]): item["verdict"] for item in report["compared"]}


def test_each_two_are_compared():
    report = fleet(mesh(4))
    assert len(report["compared"]) == 6
    assert set(verdicts(report).values()) == {"up"}
    assert not report["unmatched"]


def test_without_addresses_the_networks_tell():
    report = fleet(mesh(4, local_address=None))
    assert len(report["compared"]) == 6
    assert set(verdicts(report).values()) == {"up"}


def test_each_result_is_that_of_the_two():
    hosts = mesh(3)
    hosts["gw0"]["gateway_phase1"][0]["psk"] = "another key than the peer has"
    for item in fleet(hosts)["compared"]:
        one, other = (hosts[name] for name in item["peers"])
        assert item == {"peers": item["peers"], **Compared(one, other).result}


def test_a_mistyped_address_is_found():
    hosts = mesh(3)
    hosts["gw0"]["gateway_phase1"][0]["remote_gateway"] = "192.0.2.99"
    report = fleet(hosts)
    assert verdicts(report) == {("gw0", "gw1"): "down", ("gw0", "gw2"): "up", ("gw1", "gw2"): "up"}
    assert not report["unmatched"]
    assert any("address_mismatch" in row for row in report["table"])


def test_a_missing_end_is_found():
    hosts = mesh(3)
    del hosts["gw2"]["gateway_phase1"][0]
    report = fleet(hosts)
    assert verdicts(report)["gw0", "gw2"] == "down"
    assert any("gw2 has no phase 1 for gw0" in row for row in report["table"])


def test_an_end_elsewhere_is_told():
    hosts = mesh(2)
    partner = tunnel(0, 77, name="partner", remote_gateway="198.51.100.77")
    hosts["gw0"]["gateway_phase1"].append(partner)
    report = fleet(hosts)
    assert report["unmatched"] == [
        {"peer": "gw0", "phase1": "partner", "remote_gateway": "198.51.100.77"}
    ]
    assert "not compared: phase 1 partner of gw0" in report["table"][-1]


def test_one_definition_that_is_not_legal_does_not_hide_the_others():
    hosts = mesh(3)
    hosts["gw1"]["gateway_phase1"][0]["lifetime"] = "long"
    report = fleet(hosts)
    assert verdicts(report) == {("gw1",): "down", ("gw0", "gw2"): "up"}
    assert "definition_invalid" in report["table"][1]


def test_a_large_fleet_takes_seconds():
    started = time.monotonic()
    assert len(fleet(mesh(12))["compared"]) == 66
    assert time.monotonic() - started < 10


def test_documentation():
    document = yaml.safe_load(plugin.DOCUMENTATION)
    assert document["name"] == "ipsec_fleet_mismatches"
    returned = yaml.safe_load(plugin.RETURN)["_value"]["contains"]
    (task,) = yaml.safe_load(plugin.EXAMPLES)
    definitions = task["vars"]["definitions"]
    partner = {**remote({}, **{"network": "lan"}), "remote_gateway": "192.0.2.77"}
    definitions["gw-a"]["gateway_phase1"].append({**partner, "name": "partner"})
    report = fleet(definitions)
    assert set(report) == set(returned)
    assert verdicts(report) == {("gw-a", "gw-b"): "degraded"}
    assert report["unmatched"] == [
        {key: item["sample"] for key, item in returned["unmatched"]["contains"].items()}
    ]
    fitting = {
        "gw-a": {"gateway_phase1": [local({}, network="lan")]},
        "gw-b": {"gateway_phase1": [remote({}, network="lan")]},
    }
    assert fleet(fitting)["table"] == returned["table"]["sample"]


def test_it_is_a_filter():
    assert plugin.FilterModule().filters() == {"ipsec_fleet_mismatches": fleet}


def test_tunnels_of_one_host_that_endanger_each_other():
    hosts = mesh(3, psk=PSK)
    road = {"remote_gateway": "%any", "connection_behavior": "responder_only", "psk": "another"}
    hosts["gw1"]["gateway_phase1"].append({**road, "name": "road", "network": "lan"})
    report = fleet(hosts)
    assert verdicts(report)["gw1",] == "degraded"
    (own,) = (item for item in report["compared"] if item["peers"] == ["gw1"])
    assert [item["code"] for item in own["findings"]] == ["psk_accepts_another_peer"] * 2
    assert {item for item in verdicts(report) if len(item) == 2} == {
        ("gw0", "gw1"),
        ("gw0", "gw2"),
        ("gw1", "gw2"),
    }
    table = "\n".join(report["table"])
    assert "gw1: phase 1 road: peer_identifier: not given" in table
    assert "the peer of phase 1 to0" in table
    assert "the peer of phase 1 to2" in table
    assert "another" not in table.replace("psk_accepts_another_peer", "")


def test_a_host_without_ikev1() -> None:
    hosts = mesh(3, key_exchange="auto")
    hosts["gw1"]["gateway_phase1"] = [
        {**item, "key_exchange": "ikev1"} for item in hosts["gw1"]["gateway_phase1"]
    ]
    hosts["gw0"]["gateway_capabilities"] = {"version": "6.1.0", "ike_versions": [2]}
    hosts["gw2"]["gateway_capabilities"] = {"version": "6.0.1"}
    found = {"".join(item["peers"]): item for item in fleet(hosts)["compared"]}
    verdicts = {couple: item["verdict"] for couple, item in found.items()}
    assert verdicts["gw0gw1"] == "down"
    assert verdicts["gw0gw2"] == "up"
    named = [item for item in found["gw0gw1"]["findings"] if item["code"] == "ikev1_not_supported"]
    assert [(item["local_option"], item["ours"]) for item in named] == [("key_exchange", "auto")]
    assert "gw0 needs IKEv1" in named[0]["explanation"]
    assert "ikev1_not_supported" not in {item["code"] for item in found["gw1gw2"]["findings"]}
