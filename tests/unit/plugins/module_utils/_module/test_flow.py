# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of the modules, with the real AnsibleModule, on a machine in memory."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host import daemon_effects
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run import lock
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.lock import exclusive
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

SITE_B = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
RECORD = "/etc/tunnelwright/lan.json"
WEAK = [{"algorithm": "3des", "hash": "sha1", "dh_group": 2}]
TEXT = "connections { road { remote_addrs = 203.0.113.7\n } }\n"


LAN = ("vpn_network", NETWORK)
PEER = ("ipsec_phase1", PHASE1)
TUNNEL = ("ipsec_phase2", PHASE2)
PEER_NAMED = {"name": "site-b", "network": "lan"}
TUNNEL_NAMED = {**PEER_NAMED, "name": "net", "phase1": "site-b"}

RULE_NAMED = {"name": "web", "network": "lan"}
HIDE = {
    "action": "translate",
    "direction": "outgoing",
    "source": ["192.168.7.0/24"],
    "target": "10.1.0.7",
}
ROUTE = {"action": "route", "destination": ["10.55.0.0/16"], "target": "10.1.0.254"}

# For each module: required objects, and tasks that create, modify and remove its object.
STORIES: dict[str, tuple[list[t.Any], list[dict[str, t.Any]]]] = {
    "vpn_network": (
        [],
        [
            NETWORK,
            {**NETWORK, "ip_address": "10.1.0.2", "mtu": 1400, "description": "x"},
            {**NETWORK, "interface": "lan0"},
            {"name": "lan", "state": "stopped"},
            {"name": "lan", "state": "started"},
            {"name": "lan", "state": "absent"},
        ],
    ),
    "ipsec_settings": (
        [LAN, PEER, TUNNEL],
        [
            {"network": "lan", "unique_ids": "never", "cisco_extensions": True, "mss_clamp": 1300},
            {
                "network": "lan",
                "configuration_mode": "advanced",
                "swanctl_conf": TEXT,
                "strongswan_conf": "charon {\n}\n",
            },
            {"network": "lan", "exclude_my_network": False},
            {"network": "lan"},
        ],
    ),
    "ipsec_phase1": (
        [LAN],
        [
            PHASE1,
            {**PHASE1, "peer_identifier": "b@example.org", "mobike": True, "psk": None},
            {**PHASE1, "psk": "another secret of 20 characters"},
            {**PHASE1, "key_exchange": "ikev1", "dpd_failures": 9},
            {**PEER_NAMED, "state": "disabled"},
            PHASE1,
            {**PEER_NAMED, "state": "absent"},
        ],
    ),
    "ipsec_phase2": (
        [LAN, PEER],
        [
            PHASE2,
            {**PHASE2, "remote_network": ["10.2.0.0/24", "10.3.0.0/24"], "lifetime": 2},
            {**TUNNEL_NAMED, "state": "disabled"},
            PHASE2,
            {**TUNNEL_NAMED, "state": "absent"},
        ],
    ),
    "vpn_rule": (
        [LAN, PEER, TUNNEL, ("vpn_rule", {**RULE, "name": "other"})],
        [
            RULE,
            {**RULE, "action": "reject", "protocol": "tcp", "destination_ports": ["22"]},
            {**RULE_NAMED, "state": "disabled"},
            {**RULE_NAMED, **HIDE},
            {**RULE_NAMED, **ROUTE},
            {**RULE_NAMED, **ROUTE, "target": "10.1.0.253"},
            {**RULE_NAMED, **ROUTE, "destination": ["10.56.0.0/16"], "target": "198.51.100.9"},
            {**RULE_NAMED, "state": "absent"},
        ],
    ),
}


@pytest.mark.parametrize("module", STORIES)
class TestStories:
    def test_check_run_check_run(self, machine: Machine, module: str) -> None:
        before, story = STORIES[module]
        machine.prepare(*before)
        for options in story:
            files = machine.host.everything()
            predicted = machine.run(module, check=True, **options)
            assert machine.changes == []
            assert machine.host.everything() == files
            done = machine.run(module, **options)
            assert done == predicted
            assert done["changed"] is True
            assert done["diff"]
            assert len(machine.changes) >= len(done["actions"])
            for check in (True, False):
                again = machine.run(module, check=check, **options)
                assert (again["changed"], again["actions"], again["diff"]) == (False, [], [])
                assert (again["impact"], again[module]) == ("none", done[module])
                assert machine.host.log == []

    def test_files_alone_are_enough(self, machine: Machine, module: str) -> None:
        """The daemon loads the files after a restart, and no drift remains."""
        before, story = STORIES[module]
        machine.prepare(*before)
        for options in story:
            machine.run(module, **options)
            loaded = machine.host.vici.connections(), machine.host.vici.shared
            machine.host.vici.start()
            assert (machine.host.vici.connections(), machine.host.vici.shared) == loaded
            assert machine.run(module, **options)["changed"] is False

    def test_nothing_is_left(self, machine: Machine, module: str) -> None:
        before, story = STORIES[module]
        machine.prepare(*before)
        for options in story:
            machine.run(module, **options)
        machine.prepare(("vpn_network", {"name": "lan", "state": "absent", "force": True}))
        host = machine.host
        assert host.everything() == {}
        assert (host.vici.conns, host.vici.shared) == ({}, {})
        assert host.nft.tables == {}
        assert host.link.devices.keys() == {"eth0"}
        assert host.link.routes() == ()
        assert (host.systemd.enabled, host.systemd.active) == (set(), set())


class TestResult:
    def test_keys(self, machine: Machine) -> None:
        machine.prepare(LAN)
        result = machine.run("ipsec_phase1", **PHASE1)
        assert result.keys() >= {"changed", "ipsec_phase1", "actions", "impact", "diff"}
        assert result["actions"] == [
            # The address of the peer narrows the rules.
            "write /etc/tunnelwright/lan.nft",
            "replace the nftables rules of network lan",
            "load secret ike-site-b",
            f"write {SITE_B}",
            "load connection site-b",
        ]
        assert "diff" not in machine.run("ipsec_phase1", diff=False, **PHASE1)

    def test_warnings(self, machine: Machine) -> None:
        machine.prepare(LAN)
        options = {**PHASE1, "encryption": WEAK, "psk": "short"}
        shown = str(machine.run("ipsec_phase1", **options)["warnings"])
        assert "weak cryptography: 3des, sha1, DH group 2" in shown
        assert "fewer than 20 characters" in shown

    def test_wait(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "_NOTICEABLE", 0)
        shown = str(machine.run("vpn_network", **NETWORK)["warnings"])
        assert "waited 0 s for another run to finish" in shown

    @pytest.mark.parametrize(
        ("apply", "impact", "handed_over"),
        [("graceful", "child", 1), ("defer", "pending", 0), ("reestablish", "ike", 1)],
    )
    def test_impact(
        self,
        machine: Machine,
        monkeypatch: pytest.MonkeyPatch,
        apply: str,
        impact: str,
        handed_over: int,
    ) -> None:
        calls = []
        monkeypatch.setattr(
            daemon_effects, "hand_over", lambda *given: calls.append(given) or "a note"
        )
        machine.prepare(LAN, PEER, TUNNEL)
        machine.host.vici.up = {"site-b": {"net"}}
        result = machine.run("ipsec_phase2", **{**PHASE2, "lifetime": 2}, apply=apply)
        assert result["impact"] == impact
        assert len(calls) == handed_over
        assert len(result.get("warnings", ())) == handed_over
        gone = {**PEER_NAMED, "state": "absent"}
        assert machine.run("ipsec_phase1", **gone)["impact"] == "ike"
        assert machine.host.vici.up == {}

    def test_scope(self, machine: Machine) -> None:
        """A task on one tunnel neither repairs nor reports the drift of another tunnel."""
        other = {**PHASE1, "name": "site-c", "remote_gateway": "192.0.2.3"}
        machine.prepare(LAN, PEER, ("ipsec_phase1", other))
        machine.host.vici.conns.pop("site-b")
        machine.host.nft.tables.clear()
        assert machine.run("ipsec_phase1", **other)["changed"] is False
        assert machine.run("ipsec_phase1", **PHASE1)["actions"] == ["load connection site-b"]
        assert machine.run("vpn_network", **NETWORK)["actions"] == [
            "load the nftables rules of network lan"
        ]


class TestAlgorithms:
    """Another administrator loads a connection with other algorithms alone."""

    @pytest.mark.parametrize("place", ["phase 1", "phase 2"])
    @pytest.mark.parametrize("up", [True, False])
    def test_repaired_if_the_daemon_shows_them(
        self, machine: Machine, place: str, up: bool
    ) -> None:
        machine.host.vici.release = "6.1.0"
        machine.prepare(LAN, PEER, TUNNEL)
        tasks = {"phase 1": ("ipsec_phase1", PHASE1), "phase 2": ("ipsec_phase2", PHASE2)}
        module, options = tasks[place]
        assert machine.run(module, **options)["changed"] is False
        machine.host.vici.up = {"site-b": {"net"}} if up else {}
        self.load(machine, place)
        (drift,) = machine.run("ipsec_info")["ipsec_info"]["phase1"][0]["drift"]
        assert drift["object"] == "connection site-b in the IKE daemon"
        assert "proposals" in drift["actual"]
        assert "AES_CBC_128/HMAC_SHA2_256_128" in drift["actual"]
        assert "AES_CBC_256/HMAC_SHA2_256_128" in drift["expected"]
        foreseen = machine.run(module, check=True, **options)
        done = machine.run(module, **options)
        assert done["changed"]
        for key in ("changed", "actions", "diff", "impacts"):
            assert foreseen[key] == done[key]
        assert machine.run(module, **options)["changed"] is False
        assert machine.run("ipsec_info")["ipsec_info"]["phase1"][0]["drift"] == []

    @pytest.mark.parametrize("place", ["phase 1", "phase 2"])
    def test_not_noticed_if_it_does_not(self, machine: Machine, place: str) -> None:
        machine.prepare(LAN, PEER, TUNNEL)
        self.load(machine, place)
        for module, options in (PEER, TUNNEL):
            assert machine.run(module, **options)["changed"] is False

    def load(self, machine: Machine, place: str) -> None:
        section = dict(machine.host.vici.conns["site-b"])
        other = ("aes128-sha256-modp2048",)
        if place == "phase 1":
            section["proposals"] = other
        else:
            net = {**section["children"]["net"], "esp_proposals": other}
            section["children"] = {**section["children"], "net": net}
        machine.host.vici.conns["site-b"] = section


class TestRoutes:
    """Routes are the only part of a network outside of its interface and its table."""

    WAN: t.ClassVar = {"action": "route", "destination": ["10.55.0.0/16"], "interface": "eth0"}

    @pytest.fixture(name="machine")
    def _routed(self, machine: Machine) -> Machine:
        machine.prepare(LAN, ("vpn_rule", {**RULE_NAMED, **self.WAN}))
        return machine

    def routes(self, machine: Machine) -> list[str]:
        return [str(route) for route in machine.host.link.routes()]

    def test_with_the_power_of_the_network(self, machine: Machine) -> None:
        assert self.routes(machine) == ["10.55.0.0/16 dev eth0"]
        done = machine.run("vpn_network", name="lan", state="stopped")
        assert "delete route 10.55.0.0/16 dev eth0" in done["actions"]
        assert self.routes(machine) == []
        machine.run("vpn_network", name="lan", state="started")
        assert self.routes(machine) == ["10.55.0.0/16 dev eth0"]

    @pytest.mark.parametrize("module", ["vpn_network", "vpn_rule"])
    def test_drift(self, machine: Machine, module: str) -> None:
        options = {"vpn_network": NETWORK, "vpn_rule": {**RULE_NAMED, **self.WAN}}[module]
        right = machine.host.link.made_routes
        stray = dataclasses.replace(
            *right.values(), destination=ipaddress.ip_network("10.9.0.0/24")
        )
        for wrong in ({}, {**right, "10.9.0.0/24": stray}):
            machine.host.link.made_routes = dict(wrong)
            done = machine.run(module, **options)
            assert done["changed"]
            assert done["diff"]
            assert machine.host.link.made_routes == right
            assert machine.run(module, **options)["changed"] is False

    def test_others_do_not_ask(self, machine: Machine) -> None:
        machine.prepare(PEER)
        machine.host.link.made_routes = {}
        machine.prepare(PEER)
        assert self.routes(machine) == []

    @pytest.mark.parametrize("state", ["absent", "disabled", "present"])
    def test_taken_back(self, machine: Machine, state: str) -> None:
        before = self.routes(machine)
        machine.host.failing = {f"write {RECORD}"}
        other = {**self.WAN, "destination": ["10.56.0.0/16"]} if state == "present" else {}
        done = machine.run("vpn_rule", **RULE_NAMED, **other, state=state)
        assert done["failed"]
        assert "The changes of this run were undone." in done["msg"]
        assert self.routes(machine) == before
        assert machine.run("vpn_rule", **RULE_NAMED, **self.WAN)["changed"] is False


class TestFailure:
    @pytest.mark.parametrize(
        ("module", "options", "message"),
        [
            (
                "ipsec_phase1",
                {**PHASE1, "remote_gateway": "a b"},
                "phase 1 site-b: remote_gateway 'a b': is neither an IP address nor a host name. "
                "Write an IPv4 or IPv6 address, or a FQDN.",
            ),
            (
                "ipsec_phase1",
                {**PHASE1, "name": "a;b"},
                "ipsec_phase1: name 'a;b': is not a valid name. Use 1 to 64 characters of",
            ),
            (
                "ipsec_phase2",
                {**PHASE2, "phase1": "site-x"},
                "phase 2 net of phase 1 site-x: phase1 'site-x': does not exist in network lan",
            ),
            (
                "ipsec_settings",
                {"network": "lan", "mss_clamp": 7},
                "IPsec settings of network lan: mss_clamp 7: is less than 536",
            ),
            (
                "vpn_network",
                {**NETWORK, "interface_network": "eth7"},
                "network lan: interface_network 'eth7': does not exist on this host",
            ),
        ],
    )
    def test_options(self, machine: Machine, module: str, options: t.Any, message: str) -> None:
        machine.prepare(LAN)
        result = machine.run(module, **options)
        assert result["failed"] is True
        assert result["msg"].startswith(message)
        assert machine.host.log == []

    def test_trial(self, machine: Machine) -> None:
        machine.prepare(LAN)
        machine.host.failing = {"load tunnelwright-trial"}
        result = machine.run("ipsec_phase1", **PHASE1)
        assert result["msg"] == (
            "could not load connection site-b: it was not to be. Nothing was changed."
        )
        assert machine.changes == []

    def test_trial_that_a_run_was_killed_over(self, machine: Machine) -> None:
        machine.prepare(LAN, ("ipsec_phase1", PHASE1))
        machine.host.vici.conns["tunnelwright-trial"] = {"version": "2"}
        half = machine.host.root / "unfinished.new"
        half.write_text("{")
        assert not machine.run("ipsec_phase1", **PHASE1)["changed"]
        assert "tunnelwright-trial" not in machine.host.vici.conns
        assert not half.exists()

    def test_host(self, machine: Machine) -> None:
        machine.prepare(LAN)
        files = machine.host.everything()
        machine.host.failing = {f"write {SITE_B}"}
        result = machine.run("ipsec_phase1", **PHASE1)
        assert result["failed"] is True
        assert result["msg"] == (
            f"could not write {SITE_B}: it was not to be. The changes of this run were undone."
        )
        assert machine.host.everything() == files
        assert machine.host.vici.shared == {}
        assert "site-b" not in machine.host.vici.conns

    @pytest.mark.parametrize("check", [False, True])
    def test_another_run(self, machine: Machine, check: bool) -> None:
        """A run does not read the host while another run, which may be half done, has the lock."""
        with exclusive("ipsec_phase1", path=f"{machine.host.root}.lock"):
            result = machine.run("vpn_network", check=check, **NETWORK)
        assert "more by ipsec_phase1 (process" in result["msg"]
        assert not machine.host.log
        assert not machine.host.everything()

    def test_spoilt_record(self, machine: Machine) -> None:
        machine.prepare(LAN)
        (machine.host.root / RECORD[1:]).write_text("{")
        result = machine.run("ipsec_phase1", **PHASE1)
        assert result["msg"].startswith(f"{RECORD}: ")

    def test_a_pipe_in_the_place_of_a_record(self, machine: Machine) -> None:
        machine.prepare(LAN)
        (machine.host.root / RECORD[1:]).unlink()
        os.mkfifo(machine.host.root / RECORD[1:])
        assert machine.run("ipsec_phase1", **PHASE1)["msg"] == (
            f"{RECORD}: cannot be read: it is a pipe, not a regular file. Restore the file, or "
            "remove it and run the module again."
        )

    def test_algorithms(self, machine: Machine) -> None:
        machine.prepare(LAN)
        result = machine.run("ipsec_phase1", **PHASE1, encryption=[{"dh_group": 31}])
        assert "dh_group 31 (CURVE_25519)" in result["msg"]
        assert machine.host.log == []


class TestUserspace:
    def test_daemon_is_restarted_once(self, machine: Machine) -> None:
        machine.host.link.esp = False
        result = machine.run("vpn_network", **NETWORK)
        assert [action for action in result["actions"] if "restart" in action] == [
            "restart the IKE daemon: the plugin kernel-libipsec must be loaded for the userspace "
            "data plane"
        ]
        assert machine.run("vpn_network", **NETWORK)["changed"] is False
        assert "kernel-libipsec" in machine.host.vici.plugins()

    def test_tunnels_survive_the_change(self, machine: Machine) -> None:
        machine.prepare(LAN, PEER, TUNNEL)
        machine.run("vpn_network", **NETWORK, dataplane="userspace")
        assert "restart" in machine.host.log
        for module, options in (PEER, TUNNEL, ("vpn_network", {"name": "lan"})):
            assert machine.run(module, **options)["changed"] is False
        machine.run("vpn_network", **NETWORK)
        assert "kernel-libipsec" not in machine.host.vici.plugins()
        assert machine.run("ipsec_phase1", **PHASE1)["changed"] is False


class TestMisspelt:
    """Misspelt options. Ansible shows the options of a failed task with -vvv."""

    KEY = "a key under an option that has no key"

    @pytest.mark.parametrize(
        ("module", "options"),
        [
            ("ipsec_phase1", {**PHASE1, "pks": KEY}),
            ("ipsec_phase1", {**PHASE1, "pks": [{"psk": KEY}]}),
            ("ipsec_phase1", {**PHASE1, "encryption": [{"algorithm": "aes", "secret": KEY}]}),
            ("ipsec_settings", {"network": "lan", "swanctl_config": KEY}),
            ("ipsec_info", {"psk": KEY}),
            ("ipsec_checkpoint", {"psk": KEY}),
            ("ipsec_connection", {"network": "lan", "psk": KEY}),
        ],
    )
    def test_value_is_not_shown(self, machine: Machine, module: str, options: t.Any) -> None:
        result = machine.run(module, **options)
        assert "Unsupported parameters" in result["msg"]
        assert self.KEY not in str(result)
        assert "********" in str(result["invocation"])

    def test_known_options_are(self, machine: Machine) -> None:
        given = {**PHASE1, "encryption": [{"algorithm": "aes"}], "pks": self.KEY}
        shown = machine.run("ipsec_phase1", **given)["invocation"]["module_args"]
        assert shown["remote_gateway"] == "192.0.2.2"
        assert shown["encryption"][0]["algorithm"] == "aes"
        assert shown["pks"] == "********"
        assert shown["psk"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
