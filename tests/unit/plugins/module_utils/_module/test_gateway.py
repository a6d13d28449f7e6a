# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of ipsec_gateway on a machine in memory."""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import memory_host, pki
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryVici,
)
from cryptography import x509

Options = dict[str, t.Any]

NETWORK: Options = {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}
DMZ: Options = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
SETTINGS: Options = {"network": "lan", "mss_clamp": 1300}
RULE: Options = {"name": "web", "network": "lan", "action": "drop", "direction": "incoming"}


def site(number: int, **options: t.Any) -> Options:
    """Return an entry for a phase 1 with one phase 2."""
    lan = {
        "name": "net",
        "local_network": ["10.1.0.0/24"],
        "remote_network": [f"10.{number}.0.0/24"],
    }
    return {
        "name": f"s{number}",
        "network": "lan",
        "remote_gateway": f"192.0.2.{number}",
        "psk": f"the key of site number {number}",
        "phase2": [lan],
        **options,
    }


def whole(*sites: Options) -> Options:
    return {
        "networks": [NETWORK],
        "settings": [SETTINGS],
        "phase1": [*sites],
        "rules": [RULE],
    }


def run(machine: Machine, **options: t.Any) -> Options:
    """Run the module in check mode, and without. Check mode must predict the run."""
    foreseen = machine.run("ipsec_gateway", check=True, **options)
    # The daemon validates a key by loading it.
    assert [
        line for line in machine.changes if not line.startswith(("load key", "unload key"))
    ] == []
    done = machine.run("ipsec_gateway", **options)
    for key in ("failed", "msg", "changed", "actions", "diff", "summary", "objects", "impacts"):
        assert foreseen.get(key) == done.get(key), key
    return done


def counts(result: Options) -> dict[str, int]:
    assert not result.get("failed"), result["msg"]
    return {word: count for word, count in result["summary"].items() if count}


def becomes(result: Options) -> dict[tuple[str, str], str]:
    return {(item["kind"], item["name"]): item["becomes"] for item in result["objects"]}


def one_by_one(machine: Machine, options: Options) -> None:
    """Make the same objects with the single modules."""
    for entry in options["networks"]:
        machine.prepare(("vpn_network", entry))
    for entry in options["settings"]:
        machine.prepare(("ipsec_settings", entry))
    for entry in options["phase1"]:
        machine.prepare(("ipsec_phase1", {k: v for k, v in entry.items() if k != "phase2"}))
        for child in entry["phase2"]:
            place = {"phase1": entry["name"], "network": entry["network"]}
            machine.prepare(("ipsec_phase2", {**child, **place}))
    for entry in options["rules"]:
        machine.prepare(("vpn_rule", entry))


class TestReplaced:
    def test_from_nothing(self, machine: Machine) -> None:
        made = run(machine, **whole(site(2), site(3)))
        assert made["changed"]
        assert counts(made) == {"made": 7}
        assert becomes(made)["phase2", "s3/net"] == "made"
        again = run(machine, **whole(site(2), site(3)))
        assert (again["changed"], again["actions"], again["objects"]) == (False, [], [])
        assert counts(again) == {"unchanged": 7}
        assert machine.changes == []

    def test_the_single_modules_make_the_same(self, machine: Machine) -> None:
        options = whole(site(10), site(2), site(3, connection_behavior="responder_only"))
        one_by_one(machine, options)
        again = run(machine, **options)
        assert (again["changed"], again["actions"]) == (False, [])

    def test_afterwards_the_single_modules_change_nothing(self, machine: Machine) -> None:
        options = whole(site(10), site(2), site(3))
        run(machine, **options)
        for module, entry in (("vpn_network", NETWORK), ("ipsec_settings", SETTINGS)):
            assert not machine.run(module, **entry)["changed"], module

    def test_one_of_many_is_changed(self, machine: Machine) -> None:
        run(machine, **whole(*map(site, range(2, 9))))
        changed = whole(*map(site, range(2, 8)), site(8, dpd_delay=10))
        done = run(machine, **changed)
        assert becomes(done) == {("phase1", "s8"): "changed"}
        assert all("s8" in action for action in done["actions"])

    def test_what_no_entry_names_stays(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        assert counts(run(machine, phase1=[site(4)])) == {"made": 2, "unchanged": 7}

    def test_an_option_that_is_left_out_gets_its_default(self, machine: Machine) -> None:
        run(machine, **whole(site(2, dpd_delay=10)))
        assert becomes(run(machine, **whole(site(2)))) == {("phase1", "s2"): "changed"}

    def test_drift_is_repaired(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        del machine.host.vici.conns["s3"]
        done = run(machine, **whole(site(2), site(3)))
        assert becomes(done) == {("phase1", "s3"): "repaired"}
        assert counts(done) == {"repaired": 1, "unchanged": 6}

    def test_an_absent_entry(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        gone = {"name": "s2", "network": "lan", "state": "absent"}
        done = run(machine, **whole(gone, site(3)))
        assert becomes(done) == {("phase1", "s2"): "removed", ("phase2", "s2/net"): "removed"}

    def test_two_tunnels_exchange_their_networks(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        turned = whole(site(2, phase2=site(3)["phase2"]), site(3, phase2=site(2)["phase2"]))
        assert becomes(run(machine, **turned)) == {
            ("phase2", "s2/net"): "changed",
            ("phase2", "s3/net"): "changed",
        }

    def test_two_networks_exchange_their_addresses(self, machine: Machine) -> None:
        run(machine, networks=[NETWORK, DMZ])
        turned = [{**NETWORK, "name": "dmz"}, {**DMZ, "name": "lan"}]
        assert set(becomes(run(machine, networks=turned)).values()) == {"changed"}

    def test_a_network_and_its_name_go_to_others_in_one_task(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        gone = {"name": "s2", "network": "lan", "state": "absent"}
        renamed = {**site(2), "name": "branch"}
        done = run(machine, **whole(gone, renamed))
        assert becomes(done)["phase1", "branch"] == "made"
        assert becomes(done)["phase1", "s2"] == "removed"


class TestMerged:
    def test_what_is_left_out_stays(self, machine: Machine) -> None:
        run(machine, **whole(site(2, dpd_delay=10, description="Branch")))
        entry = {"name": "s2", "network": "lan", "dpd_failures": 3, "key_exchange": "ikev1"}
        run(machine, state="merged", phase1=[entry])
        full = site(2, dpd_delay=10, description="Branch", dpd_failures=3, key_exchange="ikev1")
        assert not run(machine, **whole(full))["changed"]

    def test_of_each_kind(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        merged = run(
            machine,
            state="merged",
            networks=[{"name": "lan", "description": "The LAN"}],
            settings=[{"network": "lan", "ipcomp": True}],
            phase1=[
                {
                    "name": "s2",
                    "network": "lan",
                    "phase2": [{"name": "net", "lifetime": 2}],
                }
            ],
            rules=[{"name": "web", "network": "lan", "log": True}],
        )
        assert becomes(merged) == {
            ("network", "lan"): "changed",
            ("settings", "lan"): "changed",
            ("phase2", "s2/net"): "changed",
            ("rule", "lan/web"): "changed",
        }
        options = whole(site(2))
        options["networks"] = [{**NETWORK, "description": "The LAN"}]
        options["settings"] = [{**SETTINGS, "ipcomp": True}]
        options["phase1"][0]["phase2"][0]["lifetime"] = 2
        options["rules"] = [{**RULE, "log": True}]
        assert not run(machine, **options)["changed"]

    def test_a_network_keeps_every_option_that_is_left_out(self, machine: Machine) -> None:
        stopped = {**NETWORK, "mtu": 1400, "description": "the office", "state": "stopped"}
        run(machine, networks=[stopped])
        for change in ({}, {"ip_address": "10.1.0.7"}, {"state": "present"}, {"mtu": 1300}):
            stopped = {**stopped, **change, "state": "stopped"}
            run(machine, state="merged", networks=[{"name": "lan", **change}])
            assert not run(machine, networks=[stopped])["changed"], change

    def test_conf_texts_stay(self, machine: Machine) -> None:
        text = "connections {\n    road {\n        remote_addrs = 192.0.2.77\n    }\n}\n"
        advanced = {"network": "lan", "configuration_mode": "advanced", "swanctl_conf": text}
        run(machine, networks=[NETWORK], settings=[advanced])
        assert not run(machine, state="merged", settings=[{"network": "lan"}])["changed"]
        run(machine, state="merged", settings=[{"network": "lan", "mss_clamp": 1300}])
        file = machine.host.files.read("/etc/swanctl/conf.d/tunnelwright.advanced.lan.conf")
        assert file is not None
        assert text in file.data.decode()
        found = machine.run("ipsec_gateway", state="gathered")["gathered"]
        assert not run(machine, state="merged", **found)["changed"]

    def test_a_new_object_needs_its_definition(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        refused = run(machine, state="merged", phase1=[{"name": "s9", "network": "lan"}])
        assert refused["msg"] == (
            "phase1[0] s9: remote_gateway: is missing for a new phase 1. "
            "Give the address or FQDN of the peer, or %any."
        )


class TestOverridden:
    def test_what_no_entry_names_goes(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        run(machine, networks=[DMZ])
        done = run(machine, state="overridden", **whole(site(3)))
        assert becomes(done) == {
            ("network", "dmz"): "removed",
            ("phase1", "s2"): "removed",
            ("phase2", "s2/net"): "removed",
        }
        assert not run(machine, state="overridden", **whole(site(3)))["changed"]

    def test_a_phase_2_and_a_rule(self, machine: Machine) -> None:
        more = {"name": "more", "remote_network": ["10.77.0.0/24"]}
        full = site(2)
        full["phase2"].append({**full["phase2"][0], **more})
        run(machine, **whole(full))
        options = {**whole(site(2)), "rules": []}
        assert becomes(run(machine, state="overridden", **options)) == {
            ("phase2", "s2/more"): "removed",
            ("rule", "lan/web"): "removed",
        }

    def test_the_last_tunnel_stays_without_a_word(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        refused = run(machine, state="overridden", networks=[NETWORK])
        assert refused["msg"] == (
            "gateway: state 'overridden': would remove the last tunnel of this host. "
            "Describe the tunnels that stay, or set purge_all to true."
        )
        done = run(machine, state="overridden", networks=[NETWORK], purge_all=True)
        assert becomes(done)["phase1", "s2"] == "removed"

    def test_unmanaged_connections_stay(self, machine: Machine) -> None:
        machine.host.vici.conns["by-hand"] = {"children": {"x": {}}}
        run(machine, **whole(site(2)))
        run(machine, state="overridden", purge_all=True)
        assert {*machine.host.vici.conns} == {"by-hand"}


class TestDeleted:
    def test_a_tunnel(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        done = run(machine, state="deleted", phase1=[{"name": "s2", "network": "lan"}])
        assert becomes(done) == {("phase1", "s2"): "removed", ("phase2", "s2/net"): "removed"}
        again = run(machine, state="deleted", phase1=[{"name": "s2", "network": "lan"}])
        assert not again["changed"]

    def test_a_network_with_everything_in_it(self, machine: Machine) -> None:
        run(machine, **whole(site(2), site(3)))
        done = run(machine, state="deleted", networks=[{"name": "lan"}])
        assert counts(done) == {"removed": 7}
        assert not [path for path in machine.host.everything() if "lan" in path]

    def test_a_rule(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        done = run(machine, state="deleted", rules=[{"name": "web", "network": "lan"}])
        assert becomes(done) == {("rule", "lan/web"): "removed"}

    def test_settings_get_their_defaults(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        result = run(machine, state="deleted", settings=[{"network": "lan"}])
        assert becomes(result) == {("settings", "lan"): "removed"}
        assert not run(machine, state="deleted", settings=[{"network": "lan"}])["changed"]


class TestErrors:
    def test_each_entry_is_named_and_nothing_is_changed(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        before = machine.host.everything()
        wrong = site(6)
        wrong["phase2"][0]["remote_network"] = ["10.2.0.0/25"]
        refused = run(
            machine,
            networks=[{**DMZ, "mtu": 1}],
            phase1=[
                site(3, remote_gateway="a b"),
                site(4, network="nowhere"),
                site(5, dpd_delay=-1),
                wrong,
                site(7, phase2=[{"name": "x y"}]),
                site(8),
                site(8),
            ],
            rules=[{**RULE, "target_port": 80}],
        )
        assert [error.split(": ")[:2] for error in refused["errors"]] == [
            ["networks[0] dmz", "mtu 1"],
            ["phase1[0] s3", "remote_gateway 'a b'"],
            ["phase1[1] s4", "network 'nowhere'"],
            ["phase1[2] s5", "dpd_delay -1"],
            ["phase1[3].phase2[0] net", "remote_network '10.2.0.0/25'"],
            ["phase1[4].phase2[0] x y", "name 'x y'"],
            ["phase1[6] s8", "name 's8'"],
            ["rules[0] web", "target_port 80"],
        ]
        assert refused["msg"].splitlines() == [
            "8 entries are refused. Nothing was changed.",
            *refused["errors"],
        ]
        assert machine.host.everything() == before

    def test_types_and_names_of_options(self, machine: Machine) -> None:
        refused = run(
            machine,
            networks=[{"ip_address": "10.1.0.1"}],
            phase1=[site(3, dpd_delay="soon"), site(4, pks="a key"), site(5, state="up")],
        )
        told = [error.partition(": ")[0] for error in refused["errors"]]
        assert told == ["networks[0]", "phase1[0] s3", "phase1[1] s4", "phase1[2] s5"]
        assert "pks" in refused["errors"][2]

    def test_twenty_at_most(self, machine: Machine) -> None:
        refused = run(
            machine, networks=[NETWORK], phase1=[site(at, dpd_delay=-1) for at in range(2, 40)]
        )
        assert len(refused["errors"]) == 20
        assert refused["msg"].splitlines()[0] == (
            "more than 20 entries are refused. Nothing was changed."
        )

    def test_one_alone_is_one_line(self, machine: Machine) -> None:
        refused = run(machine, networks=[NETWORK], phase1=[site(2, dpd_delay=-1)])
        assert refused["msg"].startswith("phase1[0] s2: dpd_delay -1: ")
        assert refused["errors"] == [refused["msg"]]

    @pytest.mark.parametrize("entry", ["text", 3, ["a"]])
    def test_no_dictionary(self, machine: Machine, entry: object) -> None:
        refused = machine.run("ipsec_gateway", networks=[entry])
        assert refused["failed"]
        assert "networks[0]" in refused["msg"]
        assert "dictionary" in refused["msg"]

    def test_a_fault_of_the_host_names_the_entry(self, machine: Machine) -> None:
        refused = run(
            machine,
            networks=[NETWORK, {**DMZ, "interface_network": "eth7"}],
        )
        assert refused["msg"].startswith("networks[1] dmz: interface_network 'eth7': ")

    LOST: t.ClassVar = {
        "name": "out",
        "network": "lan",
        "action": "route",
        "destination": ["10.55.0.0/16"],
        "interface": "eth7",
    }

    def test_start_of_a_network_with_objects_that_cannot_be(self, machine: Machine) -> None:
        """The objects of the network have no entry, and check mode finds them nevertheless."""
        run(machine, networks=[{**NETWORK, "state": "stopped"}], rules=[self.LOST])
        on = {**NETWORK, "state": "started"}
        refused = run(machine, state="merged", networks=[on])
        assert refused["errors"][0].startswith(
            "rule out of network lan: interface 'eth7': does not exist on this host."
        )
        refused = run(machine, networks=[on], rules=[self.LOST])
        assert [text.partition(":")[0] for text in refused["errors"]] == ["rules[0] out"]

    def test_interface_that_an_object_of_another_network_uses(self, machine: Machine) -> None:
        by_dmz = {**self.LOST, "network": "dmz", "interface": "vpn-lan"}
        run(machine, networks=[NETWORK, DMZ], rules=[by_dmz])
        stopped = {**NETWORK, "state": "stopped"}
        refused = run(machine, networks=[stopped, DMZ], rules=[by_dmz])
        assert refused["errors"][0].startswith(
            "networks[0] lan: interface 'vpn-lan': is used by rule out of network dmz, which would"
        )
        moved = {**by_dmz, "interface": "eth0"}
        assert run(machine, networks=[stopped, DMZ], rules=[moved])["changed"]

    def test_interface_of_a_network_that_goes(self, machine: Machine) -> None:
        by_dmz = {**self.LOST, "network": "dmz", "interface": "vpn-lan"}
        run(machine, networks=[NETWORK, DMZ], rules=[by_dmz])
        refused = run(machine, state="overridden", networks=[DMZ], rules=[by_dmz])
        assert refused["errors"][0].startswith("network lan: interface 'vpn-lan': is used by")
        stopped = {**NETWORK, "state": "stopped"}
        assert run(machine, state="overridden", networks=[stopped, DMZ])["changed"]
        refused = run(machine, rules=[by_dmz])
        assert refused["errors"][0].startswith("rules[0] out: interface 'vpn-lan': does not exist")

    def test_what_the_daemon_lacks_is_named_for_each_entry(self, machine: Machine) -> None:
        machine.host.vici.algorithms = lambda: {"integrity": frozenset({"HMAC_SHA2_256_128"})}
        refused = run(machine, networks=[NETWORK], phase1=[site(2), site(3, dpd_delay=3), site(4)])
        assert [
            text.partition(": could not use encryption of phase 1 s")[0]
            for text in refused["errors"]
        ] == ["phase1[0] s2", "phase1[1] s3", "phase1[2] s4"]

    @pytest.mark.parametrize("check", [True, False])
    def test_each_entry_of_ikev1_is_named_on_a_daemon_without_ikev1(
        self, machine: Machine, check: bool
    ) -> None:
        machine.host.vici.ikev1, machine.host.vici.release = False, "6.1.0"
        auto, old = {"key_exchange": "auto"}, {"key_exchange": "ikev1"}
        entries = [site(2, **old), site(3, **auto), site(4), site(5, **auto), site(6, **old)]
        settings = [{**SETTINGS, "cisco_extensions": True, "unencrypted_main_mode": True}]
        refused = machine.run(
            "ipsec_gateway", check=check, networks=[NETWORK], settings=settings, phase1=entries
        )
        assert [text.partition(": ")[0] for text in refused["errors"]] == [
            "settings[0] lan",
            "phase1[0] s2",
            "phase1[4] s6",
        ]
        assert all("strongSwan 6.1.0" in text for text in refused["errors"])
        assert machine.host.log == []
        done = machine.run("ipsec_gateway", check=check, networks=[NETWORK], phase1=entries[1:4])
        (told,) = (text for text in map(str, done["warnings"]) if "exchange auto" in text)
        assert "phase 1 s3, phase 1 s5: key_exchange auto means IKEv2" in told

    def test_ikev1_of_before_an_upgrade_stops_nothing_but_its_own_entry(
        self, machine: Machine
    ) -> None:
        run(machine, networks=[NETWORK], phase1=[site(2, key_exchange="ikev1"), site(3)])
        machine.host.vici.ikev1, machine.host.vici.release = False, "6.1.0"
        done = run(machine, phase1=[site(3, dpd_delay=7)])
        assert counts(done)["changed"] == 1
        assert run(machine, phase1=[site(2, key_exchange="ikev1")])["failed"]
        gone = run(machine, phase1=[{"name": "s2", "network": "lan", "state": "absent"}])
        assert counts(gone)["removed"] == 2
        assert "s2" not in machine.host.vici.conns

    def test_one_entry_for_each_object(self, machine: Machine) -> None:
        twice = site(2)
        twice["phase2"] = [*twice["phase2"], {"name": "net", "state": "absent"}]
        refused = run(
            machine,
            networks=[NETWORK, NETWORK],
            settings=[SETTINGS, SETTINGS],
            phase1=[twice, {"name": "s2", "network": "lan", "state": "absent"}],
            rules=[RULE, {**RULE, "action": "accept"}],
        )
        assert [text.partition(": is the name in an earlier")[0] for text in refused["errors"]] == [
            "networks[1] lan: name 'lan'",
            "settings[1] lan: network 'lan'",
            "phase1[0].phase2[1] net: name 'net'",
            "phase1[1] s2: name 's2'",
            "rules[1] web: name 'web'",
        ]

    def test_names_in_files_of_others(self, machine: Machine) -> None:
        conf = machine.host.root / "etc/swanctl/conf.d/admin.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text("connections {\n s3 {\n }\n}\nsecrets {\n ike-s4 {\n }\n}\n")
        refused = run(machine, **whole(site(2), site(3), site(4)))
        first, second = refused["errors"]
        assert first.startswith("phase1[1] s3: name 's3': makes the connection s3, which is in")
        assert second.startswith("phase1[2] s4: name 'ike-s4': makes the secret ike-s4")


class TestSecrets:
    def test_no_key_is_shown(self, machine: Machine) -> None:
        result = run(machine, **whole(site(2), site(3)))
        assert "the key of site number" not in str(result)

    def test_not_even_in_a_misspelt_option(self, machine: Machine) -> None:
        refused = machine.run(
            "ipsec_gateway", networks=[NETWORK], phase1=[site(2, pks="hush hush")]
        )
        assert refused["failed"]
        assert "hush" not in str(refused)
        assert "the key of site number" not in str(refused)

    def test_a_key_in_another_option(self, machine: Machine) -> None:
        entry = site(2, description="with the key of site number 2, by mistake")
        result = machine.run("ipsec_gateway", **whole(entry, site(3)))
        assert not result.get("failed"), result
        assert "the key of site number" not in str(result)

    def test_a_short_key_in_another_option(self, machine: Machine) -> None:
        result = machine.run("ipsec_gateway", **whole(site(2, psk="k3y!", description="is k3y!.")))
        assert not result.get("failed"), result
        assert "k3y!" not in str(result)

    def test_a_misspelt_option_of_a_phase_2(self, machine: Machine) -> None:
        entry = site(2)
        entry["phase2"][0]["psk"] = "hush hush"
        refused = machine.run("ipsec_gateway", networks=[NETWORK], phase1=[entry])
        assert refused["failed"]
        assert "hush" not in str(refused)


class TestVerified:
    def test_a_host_that_changes_back_is_a_failure(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another program unloads the connection as soon as it is loaded."""
        run(machine, **whole(site(2)))
        vici = machine.host.vici
        load = vici.load_conn

        def load_and_lose(name: str, section: t.Any) -> None:
            load(name, section)
            if name == "s3":
                del vici.conns[name]

        monkeypatch.setattr(vici, "load_conn", load_and_lose)
        failed = machine.run("ipsec_gateway", phase1=[site(3)])
        assert failed["failed"]
        assert "the host still differs from the configuration" in failed["msg"]
        assert "load connection s3" in failed["msg"]
        assert failed["changed"]
        assert failed["summary"]["made"] == 2


class TestTrials:
    def trials(self, machine: Machine, *sites: Options) -> int:
        machine.run("ipsec_gateway", check=True, **whole(*sites))
        return machine.host.log.count("load tunnelwright-trial")

    def test_connections_of_one_shape_are_tried_once(self, machine: Machine) -> None:
        # The shunt of the network has a trial too.
        assert self.trials(machine, *map(site, range(2, 22))) == 2

    def test_other_algorithms_have_a_trial_of_their_own(self, machine: Machine) -> None:
        other = site(3, encryption=[{"algorithm": "aes", "key_length": 128}])
        assert self.trials(machine, site(2), other, site(4, dpd_delay=7)) == 4


def of_every_kind() -> Options:
    """Return options with many values that are not defaults."""
    certified = {
        "authentication": "pubkey",
        "psk": None,
        "identifier": "gw-a.example.com",
        "peer_identifier": "gw-b.example.com",
        **{name: f"/etc/pki/{name}.pem" for name in ("certificate", "private_key", "ca")},
    }
    route = {"name": "far", "network": "lan", "action": "route", "destination": ["10.70.0.0/16"]}
    return {
        "networks": [
            {**NETWORK, "mtu": 1400, "description": "the office"},
            {"name": "off", "ip_address_type": "none", "state": "stopped"},
        ],
        "settings": [SETTINGS],
        "phase1": [
            site(2, lifetime=2, keying_tries=0, local_address="198.51.100.1"),
            site(3, key_exchange="ikev1", dpd_failures=3, state="disabled"),
            site(4, **certified),
        ],
        "rules": [RULE, {**route, "target": "10.1.0.254"}],
    }


def install_certificates(machine: Machine) -> None:
    """Install the files that the options of ``of_every_kind`` name."""
    ca = pki.Pair("A CA", ca=True)
    pair = pki.Pair("gw-a.example.com", x509.DNSName("gw-a.example.com"), issuer=ca)
    for name, data in (
        ("certificate", pair.certificate),
        ("private_key", pair.key),
        ("ca", ca.certificate),
    ):
        path = machine.host.root / f"etc/pki/{name}.pem"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class TestGathered:
    def gathered(self, machine: Machine) -> Options:
        result = machine.run("ipsec_gateway", state="gathered")
        assert not result["changed"]
        assert machine.host.log == []
        found: Options = result["gathered"]
        return found

    def test_nothing(self, machine: Machine) -> None:
        assert self.gathered(machine) == {"networks": [], "settings": [], "phase1": [], "rules": []}

    def test_merged_they_change_nothing(self, machine: Machine) -> None:
        install_certificates(machine)
        run(machine, **of_every_kind())
        found = self.gathered(machine)
        assert not run(machine, state="merged", **found)["changed"]

    def test_with_the_keys_they_describe_the_gateway(self, machine: Machine) -> None:
        install_certificates(machine)
        options = of_every_kind()
        run(machine, **options)
        found = self.gathered(machine)
        keys = {entry["name"]: entry["psk"] for entry in options["phase1"]}
        for entry in found["phase1"]:
            assert "psk" not in entry
            entry["psk"] = keys[entry["name"]]
        assert not run(machine, state="overridden", **found)["changed"]

    def test_a_dead_daemon_hides_nothing(self, machine: Machine) -> None:
        run(machine, **whole(site(2)))
        machine.host.dead = True
        assert [entry["name"] for entry in self.gathered(machine)["phase1"]] == ["s2"]


class TestRendered:
    def test_the_files_of_a_run(self, machine: Machine) -> None:
        options = whole(site(2), site(3))
        result = machine.run("ipsec_gateway", state="rendered", show_secrets=True, **options)
        assert not result["changed"]
        assert machine.host.log == []
        run(machine, **options)
        made = {path: file.data.decode() for path, file in machine.host.everything().items()}
        assert result["rendered"] == made

    def test_secrets_are_masked(self, machine: Machine) -> None:
        result = machine.run("ipsec_gateway", state="rendered", **whole(site(2)))
        path = "/etc/swanctl/conf.d/tunnelwright.phase1.s2.conf"
        assert "secret = ********\n" in result["rendered"][path]
        assert "the key of site number" not in str(result)

    def test_only_the_files_show_secrets(self, machine: Machine) -> None:
        options = whole(site(2))
        result = machine.run("ipsec_gateway", state="rendered", show_secrets=True, **options)
        path = "/etc/swanctl/conf.d/tunnelwright.phase1.s2.conf"
        key = base64.b64encode(b"the key of site number 2").decode()
        assert f"secret = 0s{key}\n" in result.pop("rendered")[path]
        assert key not in str(result)
        assert "the key of site number" not in str(result)

    def test_the_host_has_no_part_in_it(self, machine: Machine) -> None:
        """A phase 1 of the host has the peer and the networks of the entry."""
        run(machine, **whole(site(2)))
        machine.host.dead = True
        other = {**site(2), "name": "other"}
        result = machine.run("ipsec_gateway", state="rendered", **whole(other))
        assert not result.get("failed"), result

    def test_a_refused_entry(self, machine: Machine) -> None:
        result = machine.run("ipsec_gateway", state="rendered", phase1=[site(2)])
        assert result["msg"].startswith("phase1[0] s2: network 'lan': does not exist")


class TestFirstRun:
    def test_a_network_of_the_task_brings_the_address_of_a_tunnel(self, machine: Machine) -> None:
        """The userspace data plane of strongSwan 5 needs an address in the local network."""
        machine.host.vici.release = "5.9.8"
        options = whole(site(2, connection_behavior="start"))
        options["networks"] = [{**NETWORK, "dataplane": "userspace"}]
        result = machine.run("ipsec_gateway", check=True, **options)
        assert "has no address in" not in str(result)
        options["networks"] = [
            {
                **NETWORK,
                "dataplane": "userspace",
                "ip_address_type": "none",
                "ip_address": None,
                "network_address": None,
            }
        ]
        result = machine.run("ipsec_gateway", check=True, **options)
        assert "The gateway has no address in 10.1.0.0/24" in str(result)


class TestFromNothing:
    def test_check_mode_shows_what_would_be_made(self, machine: Machine) -> None:
        machine.host.dead = True
        foreseen = machine.run("ipsec_gateway", check=True, **whole(site(2)))
        assert counts(foreseen) == {"made": 5}
        assert machine.host.log == []
        assert "load connection s2" in foreseen["actions"]
        (warning,) = (text for text in map(str, foreseen["warnings"]) if "lacks" in text)
        assert "could not reach the IKE daemon: Connection refused" in warning

    def test_missing_files_of_a_missing_package_are_no_warning(self, machine: Machine) -> None:
        machine.host.dead = True
        for path in ("strongswan.conf", "swanctl/swanctl.conf"):
            (machine.host.root / "etc" / path).unlink()
        foreseen = machine.run("ipsec_gateway", check=True, **whole(site(2)))
        assert "does not exist" not in str(foreseen["warnings"])
        machine.host.dead, machine.host.missing = False, frozenset()
        machine.host.use(MemoryVici(machine.host))
        foreseen = machine.run("ipsec_gateway", check=True, **whole(site(2)))
        assert "swanctl.conf does not exist" in str(foreseen["warnings"])

    def test_it_predicts_the_run_with_a_daemon(self, machine: Machine) -> None:
        machine.host.dead = True
        foreseen = machine.run("ipsec_gateway", check=True, **whole(site(2)))
        machine.host.dead, machine.host.missing = False, frozenset()
        machine.host.use(MemoryVici(machine.host))
        done = machine.run("ipsec_gateway", **whole(site(2)))
        for key in ("changed", "actions", "diff", "summary", "objects", "impacts"):
            assert foreseen[key] == done[key], key

    def test_a_run_fails(self, machine: Machine) -> None:
        machine.host.dead = True
        failed = machine.run("ipsec_gateway", **whole(site(2)))
        assert failed["msg"] == "could not reach the IKE daemon: Connection refused."

    def test_certificates_that_are_not_there_yet(self, machine: Machine) -> None:
        machine.host.dead = True
        foreseen = machine.run("ipsec_gateway", check=True, **of_every_kind())
        assert "certificates of phase 1 s4" in str(foreseen["warnings"])

    def test_errors_are_still_found(self, machine: Machine) -> None:
        machine.host.dead = True
        refused = machine.run("ipsec_gateway", check=True, phase1=[site(2, lifetime=0)])
        assert "phase1[0] s2: " in refused["msg"]

    def test_without_the_rights_for_the_lock(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.host.dead, machine.host.may_lock = True, False
        monkeypatch.setattr(machine.host, "exclusive", None)
        assert counts(machine.run("ipsec_gateway", check=True, **whole(site(2)))) == {"made": 5}


BASE: Options = {
    "name": "z-base",
    "ip_address": "10.9.0.1",
    "network_address": "10.9.0.0/24",
    "interface": "br-base",
}
GUEST: Options = {
    "name": "a-guest",
    "ip_address": "10.8.0.1",
    "network_address": "10.8.0.0/24",
    "interface_network": "br-base",
}


class TestNetworksOnNetworks:
    """The network a-guest is attached to the interface that the network z-base makes."""

    def test_in_one_task(self, machine: Machine) -> None:
        result = run(machine, networks=[GUEST, BASE])
        assert counts(result)["made"] == 2
        starts = [line for line in result["actions"] if line.startswith("start network")]
        assert starts == sorted(starts, reverse=True)

    def test_both_go_in_one_task(self, machine: Machine) -> None:
        run(machine, networks=[GUEST, BASE])
        names = [{"name": "z-base"}, {"name": "a-guest"}]
        assert counts(run(machine, networks=names, state="deleted")) == {"removed": 2}
        assert machine.host.everything() == {}

    def test_overridden(self, machine: Machine) -> None:
        run(machine, networks=[GUEST, BASE])
        assert counts(run(machine, state="overridden")) == {"removed": 2}

    def test_the_base_alone_does_not_go(self, machine: Machine) -> None:
        run(machine, networks=[GUEST, BASE])
        refused = run(machine, networks=[{"name": "z-base"}], state="deleted")
        assert refused["msg"].startswith("networks[0] z-base: interface 'br-base': is used by")


MLKEM: Options = {"dh_group": 31, "additional_key_exchange": ["mlkem768"]}
NOT_SAFE = "aes256-sha256-modp2048"
LACKS = f"which is not quantum safe: {NOT_SAFE}"


class TestQuantumSafe:
    def test_a_task_requires_it_of_each_entry(self, machine: Machine) -> None:
        safe, ignored = site(3, encryption=[MLKEM]), site(4, quantum_safe="ignore")
        ignored["phase2"][0]["quantum_safe"] = "ignore"
        refused = run(machine, **whole(site(2), safe, ignored, site(5)), quantum_safe="require")
        assert [error.partition(": is not")[0] for error in refused["errors"]] == [
            f"phase1[0] s2: encryption '{NOT_SAFE}'",
            f"phase1[3] s5: encryption '{NOT_SAFE}'",
        ]

    def test_a_warning_is_about_a_phase_1_and_stands_for_its_phase_2(
        self, machine: Machine
    ) -> None:
        made = run(machine, **whole(site(2), site(3, quantum_safe="ignore")), quantum_safe="warn")
        about = [text for text in map(str, made["warnings"]) if "quantum" in text]
        assert len(about) == 2
        assert f"phase 2 net of phase 1 s3: takes its keys from phase 1 s3, {LACKS}" in about[0]
        assert f"phase 1 s2: not quantum safe: {NOT_SAFE}" in about[1]

    def test_a_phase_2_that_requires_more_than_its_phase_1(self, machine: Machine) -> None:
        entry = site(2)
        entry["phase2"][0]["quantum_safe"] = "require"
        refused = run(machine, **whole(entry))
        assert refused["msg"].startswith(
            "phase1[0].phase2[0] net: quantum_safe 'require': takes its keys from phase 1 s2"
        )

    def test_rounds_are_gathered_and_rendered(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds = [["mlkem768", "none"], "mlkem1024"]
        entry = site(2, encryption=[{**MLKEM, "additional_key_exchange": rounds}])
        refused = run(machine, **whole(entry))
        release = "strongSwan 6.0.2 or later with OpenSSL 3.5 or later"
        assert refused["msg"] == (
            "phase1[0] s2: could not use encryption of phase 1 s2: the IKE daemon lacks algorithms:"
            " dh_group 31 (CURVE_25519): package libstrongswan-standard-plugins; "
            f"additional_key_exchange mlkem768 (ML_KEM_768): {release}; "
            f"additional_key_exchange mlkem1024 (ML_KEM_1024): {release}. "
            "Install the packages and restart the IKE daemon, or use other algorithms."
        )
        has = {"MODP_2048", "CURVE_25519", "ML_KEM_768", "ML_KEM_1024"}
        monkeypatch.setitem(memory_host.ALGORITHMS, "ke", has)
        run(machine, **whole(entry))
        (found,) = machine.run("ipsec_gateway", state="gathered")["gathered"]["phase1"]
        assert found["encryption"][0]["additional_key_exchange"] == rounds
        again = run(machine, **whole({**entry, "encryption": found["encryption"]}))
        assert not again["changed"]
        texts = machine.run("ipsec_gateway", **whole(entry), state="rendered")["rendered"]
        assert any("-ke1_mlkem768-ke1_none-ke2_mlkem1024" in text for text in texts.values())


def test_a_function_that_can_derive_no_key(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin aesni lists PRF_AES128_XCBC, and the plugin kdf is not loaded."""
    monkeypatch.setitem(memory_host.ALGORITHMS, "prf", {"PRF_AES128_XCBC"})
    monkeypatch.setitem(memory_host.ALGORITHMS, "integrity", {"AES_XCBC_96"})
    entry = site(2, encryption=[{"algorithm": "aes", "hash": "aesxcbc", "dh_group": 14}])
    refused = run(machine, **whole(entry))["msg"]
    assert "hash aesxcbc (PRF_AES128_XCBC): package libstrongswan-extra-plugins" in refused
    machine.host.vici.loaded_plugins |= {"kdf"}
    assert "lacks algorithms" not in str(run(machine, **whole(entry)).get("msg"))
