# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports of each module about tunnels that carry traffic, but not as configured."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels import (
    hand_over,
    initiate,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import (
    Machine,
    Result,
)

PASSIVE = {"connection_behavior": "responder_only"}
BEHAVIORS = ("responder_only", "on_demand", "start")
THREE = ["10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"]
SEVERAL = {**PHASE2, "remote_network": THREE}
LACKING = [{"local_network": "10.1.0.0/24", "remote_network": network} for network in THREE[1:]]
Facts = dict[str, t.Any]


@pytest.fixture(name="gateway")
def _gateway(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a gateway with a tunnel for three networks, and with short waits."""
    for patience in ("IDLE_MEANS_REFUSED_S", "RUNNING_ATTEMPT_S", "SETTLE_S"):
        monkeypatch.setattr(initiate, patience, 0.0)
    for patience in ("IDLE_MEANS_REFUSED_S", "DRAIN_S"):
        monkeypatch.setattr(hand_over, patience, 0.0)
    machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", PHASE1), ("ipsec_phase2", SEVERAL))
    return machine


def connect(machine: Machine, **options: t.Any) -> Result:
    return machine.run("ipsec_connection", **{"network": "lan", "phase1": "site-b", **options})


def seen(machine: Machine) -> tuple[Facts, Facts]:
    """Return the phase 1 and its phase 2 in the result of ipsec_info."""
    (phase1,) = machine.run("ipsec_info")["ipsec_info"]["phase1"]
    (phase2,) = phase1["phase2"]
    return phase1, phase2


def cause(result: Result) -> str:
    (failure,) = result["failures"]
    assert result["failed"]
    return str(failure["cause"])


def state(result: Result) -> str:
    (tunnel,) = result["ipsec_connection"]["tunnels"]
    assert tunnel["up"] == (tunnel["state"] == "up")
    return str(tunnel["state"])


class TestNarrowed:
    @pytest.fixture(autouse=True)
    def _peer(self, gateway: Machine) -> None:
        gateway.host.vici.taken = ("10.2.0.0/24",)

    @pytest.mark.parametrize("again", [False, True])
    @pytest.mark.parametrize("check", [False, True])
    def test_connected_is_not_reached(self, gateway: Machine, again: bool, check: bool) -> None:
        if again or check:
            connect(gateway)
        result = connect(gateway, check=check)
        assert (cause(result), state(result)) == ("selectors_narrowed", "partial")
        assert gateway.changes == ([] if again or check else ["initiate site-b/net"])
        assert result["changed"] == (not (again or check))
        (failure,) = result["failures"]
        assert failure["ours"] == f"10.1.0.0/24 to {', '.join(THREE)}"
        assert failure["theirs"] == "10.1.0.0/24 to 10.2.0.0/24"
        assert failure["evidence"] == ["ours: Child SA net: 10.1.0.0/24 to 10.2.0.0/24"]
        assert "Not carried: 10.1.0.0/24 to 10.3.0.0/24, 10.4.0.0/24." in result["msg"]
        assert "one phase 2 for each pair" in failure["next_step"]

    def test_info(self, gateway: Machine) -> None:
        connect(gateway)
        phase1, phase2 = seen(gateway)
        assert (phase1["state"], phase2["state"]) == ("partial", "partial")
        assert phase2["missing"] == LACKING
        assert phase2["pending"] == phase1["pending"] == []
        assert phase2["explanation"]["cause"] == "selectors_narrowed"
        assert phase1["explanation"] == phase2["explanation"]

    def test_the_probe_of_what_is_not_carried(self, gateway: Machine) -> None:
        result = connect(gateway, probe=["10.3.0.9", "10.2.0.9"])
        assert cause(result) == "selectors_narrowed"
        (failure,) = result["failures"]
        assert failure["evidence"][-1] == (
            "probe of 10.3.0.9 from 10.1.0.1: not sent, because no SA carries this address"
        )
        missed, carried = result["ipsec_connection"]["probes"]
        assert (missed["answered"], carried["answered"]) == (False, True)
        pings = [line for line in gateway.changes if line.startswith("ping")]
        assert [line.rpartition(" ")[2] for line in pings] == ["10.2.0.9"]

    def test_of_a_whole_network_what_waits_for_the_peer_is_remarked(self, gateway: Machine) -> None:
        gateway.prepare(("ipsec_phase1", {**PHASE1, **PASSIVE}))
        gateway.host.vici.up = {"site-b": {"net"}}
        whole = gateway.run("ipsec_connection", network="lan")
        assert not whole.get("failed")
        assert [item["cause"] for item in whole["remarks"]] == ["selectors_narrowed"]
        assert "selectors_narrowed" in str(whole["warnings"])
        assert state(whole) == "partial"
        assert cause(connect(gateway, timeout=1)) == "selectors_narrowed"

    def test_several_sas_carry_together(self, gateway: Machine) -> None:
        gateway.host.vici.taken = ()
        gateway.host.vici.one_by_one = True
        assert state(connect(gateway)) == "up"
        phase1, phase2 = seen(gateway)
        assert (phase1["state"], phase2["missing"], len(phase2["sas"])) == ("up", [], 3)
        (probe,) = connect(gateway, probe=["10.4.0.9"])["ipsec_connection"]["probes"]
        assert (probe["answered"], probe["packets_sent"]) == (True, 3)
        gateway.host.vici.taken = tuple(THREE[:2])
        assert state(connect(gateway)) == "partial"
        assert seen(gateway)[1]["missing"] == LACKING[1:]

    def test_to_a_part_of_a_network(self, gateway: Machine) -> None:
        gateway.host.vici.taken = ("10.2.0.0/25", *THREE[1:])
        result = connect(gateway)
        assert "Not carried: 10.1.0.0/24 to 10.2.0.128/25." in result["msg"]

    def test_ipv6(self, gateway: Machine) -> None:
        six = {"local_network": ["fd00:1::/64"], "remote_network": ["fd00:2::/64", "fd00:3::/64"]}
        gateway.prepare(("ipsec_phase2", {**PHASE2, **six}))
        gateway.host.vici.taken = ("fd00:2::/64",)
        assert "Not carried: fd00:1::/64 to fd00:3::/64." in connect(gateway)["msg"]

    def test_where_any_peer_may_come_each_brings_a_part(self, gateway: Machine) -> None:
        hub = {**PHASE1, **PASSIVE, "remote_gateway": "%any", "peer_identifier": "b.example"}
        gateway.prepare(
            ("ipsec_phase1", {**hub, "identifier": "a.example"}),
            ("ipsec_phase2", {**PHASE2, "remote_network": ["10.0.0.0/8"]}),
        )
        gateway.host.vici.up = {"site-b": {"net"}}
        assert seen(gateway)[1]["state"] == "up"
        result = connect(gateway, probe=["10.3.0.9"])
        assert cause(result) == "selectors_narrowed"


def test_a_mode_that_the_peer_did_not_take(gateway: Machine) -> None:
    gateway.host.vici.mode = "TRANSPORT"
    result = connect(gateway)
    assert (cause(result), state(result)) == ("mode_mismatch", "outdated")
    (failure,) = result["failures"]
    assert (failure["ours"], failure["theirs"]) == ("tunnel", "transport")
    assert seen(gateway)[1]["explanation"]["cause"] == "mode_mismatch"


LESS = {**PHASE2, "remote_network": ["10.9.0.0/24"]}
FOUR = [*THREE, "10.9.0.0/24"]
MORE = {**PHASE2, "remote_network": FOUR}
MOVED = {**PHASE1, "remote_gateway": "192.0.2.3"}
NAMED = {**PHASE1, "identifier": "a.example"}
AES128 = [{"algorithm": "aes", "key_length": 128}]


class TestOutdated:
    @pytest.mark.parametrize(
        ("module", "options", "key", "in_force", "configured"),
        [
            ("ipsec_phase2", LESS, "remote_ts", ", ".join(THREE), "10.9.0.0/24"),
            (
                "ipsec_phase2",
                MORE,
                "remote_ts",
                ", ".join(THREE),
                f"{', '.join(THREE)}, 10.9.0.0/24",
            ),
            ("ipsec_phase2", {**SEVERAL, "encryption": AES128}, "esp_proposals", None, None),
            ("ipsec_phase2", {**SEVERAL, "lifetime": 2}, "life_time", "3600", "7200"),
            ("ipsec_phase1", MOVED, "remote_addrs", "192.0.2.2", "192.0.2.3"),
            ("ipsec_phase1", NAMED, "local.id", "", "a.example"),
            ("ipsec_phase1", {**PHASE1, "dpd_delay": 20}, "dpd_delay", "30", "20"),
            ("ipsec_phase1", {**PHASE1, "encryption": AES128}, "proposals", None, None),
        ],
    )
    @pytest.mark.parametrize(
        ("behavior", "apply"),
        [("responder_only", "graceful"), *((item, "defer") for item in BEHAVIORS)],
    )
    def test_until_it_is_established_anew(
        self,
        gateway: Machine,
        module: str,
        options: Facts,
        key: str,
        in_force: str | None,
        configured: str | None,
        behavior: str,
        apply: str,
    ) -> None:
        own = {"connection_behavior": behavior}
        gateway.prepare(("ipsec_phase1", {**PHASE1, **own}))
        gateway.host.vici.up = {"site-b": {"net"}}
        assert seen(gateway)[1]["state"] == "up"
        changed = {**options, **(own if module == "ipsec_phase1" else {})}
        assert gateway.run(module, **changed, apply=apply)["impact"] == "pending"
        # No other task reads the tunnel in between.
        again = gateway.run(module, **changed, apply=apply)
        assert again["changed"] is False
        assert f"{key}" in str(again["warnings"])
        assert "site-b: SAs keep old values of " in str(again["warnings"])
        phase1, phase2 = seen(gateway)
        assert (phase1["state"], phase2["state"]) == ("outdated", "outdated")
        assert phase2["explanation"]["cause"] == "outdated"
        (found,) = (item for item in phase2["pending"] if item["key"] == key)
        if in_force is not None:
            assert (found["in_force"], found["configured"]) == (in_force, configured)
            assert f"{key} {in_force or 'none'}" in phase2["explanation"]["explanation"]
        assert bool(phase1["pending"]) == (module == "ipsec_phase1")
        for check in (True, False):
            result = connect(gateway, check=check)
            assert (cause(result), state(result)) == ("outdated", "outdated")
            assert (result["changed"], gateway.changes) == (False, [])
        if behavior == "responder_only":
            gateway.host.vici.terminate_ike("site-b")
            gateway.host.vici.up = {"site-b": {"net"}}
        else:
            assert state(connect(gateway, state="reconnected")) == "up"
        assert not gateway.run(module, **changed, apply=apply).get("warnings")
        phase1, phase2 = seen(gateway)
        assert (phase1["state"], phase2["pending"], phase1["pending"]) == ("up", [], [])
        assert gateway.host.pending.read(gateway.host.vici.pid) == {}

    def test_where_the_peer_refuses_the_new_values(self, gateway: Machine) -> None:
        connect(gateway)
        gateway.host.vici.refused = {"site-b"}
        result = gateway.run("ipsec_phase1", **MOVED)
        assert "the peer has not accepted the new values of " in str(result["warnings"])
        assert seen(gateway)[0]["state"] == "outdated"
        message = connect(gateway)["msg"]
        assert "In force: remote.id 192.0.2.2; remote_addrs 192.0.2.2. " in message
        assert " Configured: remote.id 192.0.2.3; remote_addrs 192.0.2.3." in message

    def test_where_the_peer_takes_them(self, gateway: Machine) -> None:
        connect(gateway)
        gateway.prepare(("ipsec_phase1", MOVED))
        assert seen(gateway)[0]["state"] == "up"
        assert state(connect(gateway)) == "up"

    @pytest.mark.parametrize("behavior", BEHAVIORS)
    @pytest.mark.parametrize(("there", "back"), [("defer", "defer"), ("defer", "graceful")])
    @pytest.mark.parametrize(
        ("module", "first", "second"),
        [
            ("ipsec_phase1", PHASE1, {**PHASE1, "dpd_delay": 20}),
            ("ipsec_phase1", PHASE1, MOVED),
            ("ipsec_phase2", SEVERAL, LESS),
            ("ipsec_phase2", SEVERAL, {**SEVERAL, "lifetime": 2}),
        ],
    )
    def test_there_and_back(
        self,
        gateway: Machine,
        behavior: str,
        there: str,
        back: str,
        module: str,
        first: Facts,
        second: Facts,
    ) -> None:
        own = {"connection_behavior": behavior}
        gateway.prepare(("ipsec_phase1", {**PHASE1, **own}))
        gateway.host.vici.up = {"site-b": {"net"}}
        more = own if module == "ipsec_phase1" else {}
        gateway.run(module, **{**second, **more}, apply=there)
        predicted = gateway.run(module, check=True, **{**first, **more}, apply=back)
        done = gateway.run(module, **{**first, **more}, apply=back)
        assert predicted["impact"] == done["impact"] == "none"
        assert done["changed"]
        assert not [line for line in gateway.changes if line.startswith(("initiate", "terminate"))]
        phase1, phase2 = seen(gateway)
        assert (phase1["state"], phase2["pending"], phase1["pending"]) == ("up", [], [])
        assert state(connect(gateway)) == "up"

    def test_what_nobody_has_noted_is_seen(self, gateway: Machine) -> None:
        connect(gateway)
        gateway.run("ipsec_phase2", **LESS, apply="defer")
        (gateway.host.root / "pending").unlink()
        assert seen(gateway)[1]["pending"] == [
            {"key": "remote_ts", "in_force": ", ".join(THREE), "configured": "10.9.0.0/24"}
        ]
        gateway.run("ipsec_phase1", **MOVED, apply="defer")
        (gateway.host.root / "pending").unlink()
        keys = [item["key"] for item in seen(gateway)[0]["pending"]]
        assert keys == ["remote_addrs", "remote.id"]

    def test_a_run_that_is_killed_has_noted_it_before(self, gateway: Machine) -> None:
        """The old values are noted before the daemon loads the connection from the new file."""
        gateway.prepare(("ipsec_phase1", {**PHASE1, **PASSIVE}))
        gateway.host.vici.up = {"site-b": {"net"}}
        gateway.host.failing = {"load site-b"}
        gateway.run("ipsec_phase1", **{**PHASE1, **PASSIVE, "dpd_delay": 20})
        noted = gateway.host.pending.read(gateway.host.vici.pid)["site-b"]
        assert [made["dpd_delay"] for made in noted.ikes.values()] == ["30"]
        # The change was rolled back, so that the SA has the configured values.
        assert seen(gateway)[0]["state"] == "up"


class TestKey:
    NEW = "another key, of twenty characters and more"

    @pytest.fixture(autouse=True)
    def _up(self, gateway: Machine) -> None:
        connect(gateway)

    @pytest.mark.parametrize("apply", ["graceful", "defer"])
    def test_one_that_the_next_authentication_takes(self, gateway: Machine, apply: str) -> None:
        result = gateway.run("ipsec_phase1", **{**PHASE1, "psk": self.NEW}, apply=apply)
        assert result["impact"] == "pending"
        phase1, phase2 = seen(gateway)
        # An established SA does not need the key any more.
        assert (phase1["state"], phase2["pending"]) == ("up", [])
        assert phase1["pending"] == [
            {"key": "psk", "in_force": "the one before", "configured": "the new one"}
        ]
        assert state(connect(gateway)) == "up"
        back = gateway.run("ipsec_phase1", **PHASE1, apply=apply)
        assert (back["changed"], back["impact"], back["impacts"]) == (True, "none", [])
        assert seen(gateway)[0]["pending"] == []
        gateway.run("ipsec_phase1", **{**PHASE1, "psk": self.NEW}, apply=apply)
        connect(gateway, state="reconnected")
        assert seen(gateway)[0]["pending"] == []

    @pytest.mark.parametrize("more", [{}, {"dpd_delay": 20}])
    @pytest.mark.parametrize(
        ("behavior", "again"), [("responder_only", []), ("on_demand", ["initiate site-b/net"])]
    )
    def test_reestablished_with_the_new_one(
        self, gateway: Machine, behavior: str, again: list[str], more: Facts
    ) -> None:
        own = {**PHASE1, "connection_behavior": behavior}
        gateway.run("ipsec_phase1", **own)
        options = {**own, **more, "psk": self.NEW, "apply": "reestablish"}
        predicted = gateway.run("ipsec_phase1", check=True, **options)
        done = gateway.run("ipsec_phase1", **options)
        assert predicted["impacts"] == done["impacts"]
        (impact,) = done["impacts"]
        assert (impact["sa"], impact["impact"]) == ("site-b", "ike")
        assert impact["reason"].startswith("psk")
        calls = [line for line in gateway.changes if line.startswith(("initiate", "terminate"))]
        assert calls == ["terminate site-b", *again]
        if not more:
            # The SA is closed before the file is written, so that a run repeats an interrupted run.
            order = [line for line in gateway.changes if "ike-site-b" in line or "site-b" in line]
            assert order[:2] == ["load secret ike-site-b", "terminate site-b"]
        assert gateway.run("ipsec_phase1", **options)["changed"] is False

    def test_of_a_new_address_the_secret_is_the_same(self, gateway: Machine) -> None:
        """A new address loads the same secret for another peer, without an impact of the secret."""
        result = gateway.run("ipsec_phase1", **MOVED, apply="defer")
        assert "load secret ike-site-b" in result["actions"]
        assert [item["impact"] for item in result["impacts"]] == ["pending"]
        assert "secret" not in result["impacts"][0]["reason"]
