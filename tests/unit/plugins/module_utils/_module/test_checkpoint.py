# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of ipsec_checkpoint and of its rollback, on a machine in memory."""

from __future__ import annotations

import copy
import dataclasses
import fcntl
import json
import os
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback import (
    rollback,
    rollback_main,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback.timer import (
    SERVICE,
    TIMER,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PSK,
    PUBKEY,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.holder import (
    HANGS,
    WORKS,
    Run,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import CA
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import GATEWAY as PAIR

NEW_PSK = "another secret of 20 characters"
SITE_B = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
UNITS = [f"/etc/systemd/system/{unit}" for unit in (TIMER, SERVICE)]

LAN = ("vpn_network", NETWORK)
PEER = ("ipsec_phase1", PHASE1)
TUNNEL = ("ipsec_phase2", PHASE2)
WAY = {
    "name": "way",
    "network": "lan",
    "action": "route",
    "destination": ["10.55.0.0/16"],
    "interface": "eth0",
}
GATEWAY = (LAN, PEER, TUNNEL, ("vpn_rule", WAY))
DMZ = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
OTHER = {"name": "site-c", "network": "dmz", "remote_gateway": "192.0.2.3", "psk": NEW_PSK}

# Changes of a play that a rollback has to undo.
CHANGES: dict[str, list[tuple[str, dict[str, t.Any]]]] = {
    "nothing": [],
    "values": [
        ("vpn_network", {**NETWORK, "ip_address": "10.1.0.2", "mtu": 1400}),
        ("ipsec_settings", {"network": "lan", "cisco_extensions": True, "mss_clamp": 1300}),
        ("ipsec_phase1", {**PHASE1, "psk": NEW_PSK, "mobike": True}),
        ("ipsec_phase2", {**PHASE2, "remote_network": ["10.3.0.0/24"]}),
    ],
    "interface": [("vpn_network", {**NETWORK, "interface": "lan0"})],
    "attached": [("vpn_network", {**NETWORK, "interface_network": "eth0"})],
    "more": [
        ("vpn_network", DMZ),
        ("ipsec_phase1", OTHER),
        (
            "ipsec_phase2",
            {
                "name": "dmz",
                "network": "dmz",
                "phase1": "site-c",
                "local_network": ["10.9.0.0/24"],
                "remote_network": ["10.8.0.0/24"],
            },
        ),
        (
            "ipsec_settings",
            {
                "network": "dmz",
                "configuration_mode": "advanced",
                "swanctl_conf": "connections { road { remote_addrs = 203.0.113.7\n } }\n",
                "strongswan_conf": "charon {\n}\n",
            },
        ),
    ],
    "stopped": [("vpn_network", {"name": "lan", "state": "stopped"})],
    "less": [("ipsec_phase1", {"name": "site-b", "network": "lan", "state": "absent"})],
    "all gone": [("vpn_network", {"name": "lan", "state": "absent", "force": True})],
    "rules": [
        ("vpn_rule", RULE),
        ("vpn_rule", {**WAY, "destination": ["10.56.0.0/16"]}),
        ("vpn_rule", {**WAY, "name": "another", "target": "198.51.100.9"}),
    ],
    "another route": [("vpn_rule", {**WAY, "target": "198.51.100.9"})],
    "no route": [("vpn_rule", {"name": "way", "network": "lan", "state": "absent"})],
    "certificates": [("ipsec_phase1", {**PHASE1, **PUBKEY})],
    "userspace": [("vpn_network", {**NETWORK, "dataplane": "userspace"})],
}

every_change = pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)


class Always(set):
    """A set of failures that never end, so that every attempt fails."""

    def discard(self, _item: str) -> None:
        pass


def checkpoint(machine: Machine, state: str = "started", **options: t.Any) -> dict[str, t.Any]:
    return machine.run("ipsec_checkpoint", state=state, **options)


def held(machine: Machine) -> tuple[t.Any, ...]:
    """Return the state of the host and of the collection, without the files of checkpoints."""
    host = machine.host
    files = {path: file for path, file in host.everything().items() if DEBIAN.state_dir not in path}
    return copy.deepcopy(
        (
            {path: file for path, file in files.items() if path not in UNITS},
            host.vici.connections(),
            host.vici.shared,
            host.vici.private,
            host.vici.plugins(),
            host.nft.tables,
            host.link.devices,
            host.link.made_routes,
            host.systemd.enabled - {TIMER},
            host.systemd.active - {TIMER},
        )
    )


@pytest.fixture(name="pem", autouse=True)
def _pem(machine: Machine) -> None:
    given = {"certificate": PAIR.certificate, "private_key": PAIR.key, "ca": CA.certificate}
    for option, data in given.items():
        path = machine.host.root / str(PUBKEY[option])[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def changed(machine: Machine, changes: t.Any) -> None:
    """Run the changes without ``graceful``, which would wait for SAs that never exist."""
    for module, options in changes:
        result = machine.run(module, **options)
        assert result.get("changed"), result


class TestStarted:
    def test_what_it_leaves(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        before = machine.host.everything()
        result = checkpoint(machine, timeout=30)
        assert result["changed"] is True
        assert result["ipsec_checkpoint"]["state"] == "started"
        assert result["ipsec_checkpoint"]["timeout"] == 30
        assert (result["differences"], result["diff"], result["impact"]) == ([], [], "none")
        added = machine.host.everything().keys() - before.keys()
        assert added == {DEBIAN.checkpoint_file, DEBIAN.rollback_program, *UNITS}
        assert {**machine.host.everything(), **before} == machine.host.everything()
        assert TIMER in machine.host.systemd.enabled
        assert machine.host.log[-2:] == [f"restart {TIMER}", f"restart {SERVICE}"]
        assert b"OnActiveSec=30\n" in machine.host.everything()[UNITS[0]].data

    def test_what_is_in_it_is_for_root_alone(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        root = machine.host.root
        for path in (DEBIAN.checkpoint_file, DEBIAN.rollback_program):
            assert (root / path[1:]).stat().st_mode & 0o7777 == 0o600
        for path in (DEBIAN.state_dir, DEBIAN.checkpoint_dir):
            assert (root / path[1:]).stat().st_mode & 0o7777 == 0o700
        assert PSK.encode() not in machine.host.everything()[DEBIAN.rollback_program].data

    def test_the_program_is_tried_before_it_is_relied_on(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = machine.host.everything()
        monkeypatch.setattr(machine.host, "failing", Always({f"restart {SERVICE}"}))
        result = checkpoint(machine)
        assert result["msg"] == (
            "could not try the rollback program: it was not to be. Nothing was changed."
        )
        assert machine.host.everything() == before
        assert f"stop {SERVICE}" in machine.host.log
        assert not {TIMER, SERVICE} & (machine.host.systemd.active | machine.host.systemd.enabled)

    def test_where_no_mount_namespace_is_allowed_it_does_without(self, machine: Machine) -> None:
        machine.host.systemd.confined = True
        assert not checkpoint(machine).get("failed")
        text = machine.host.everything()[UNITS[1]].data.decode()
        assert "NoNewPrivileges=yes" in text
        assert "PrivateTmp" not in text
        assert TIMER in machine.host.systemd.active

    @pytest.mark.parametrize("failing", [f"write {UNITS[0]}", "daemon-reload", f"restart {TIMER}"])
    def test_a_failure_leaves_nothing(self, machine: Machine, failing: str) -> None:
        machine.prepare(*GATEWAY)
        before = machine.host.everything()
        machine.host.failing = {failing}
        assert checkpoint(machine)["msg"].endswith(". Nothing was changed.")
        assert machine.host.everything() == before
        assert TIMER not in machine.host.systemd.enabled | machine.host.systemd.active

    def test_again(self, machine: Machine) -> None:
        """A second checkpoint keeps the older state as last good state, with the new timeout."""
        machine.prepare(*GATEWAY)
        since = checkpoint(machine, timeout=30)["ipsec_checkpoint"]["since"]
        before = held(machine)
        changed(machine, CHANGES["values"])
        result = checkpoint(machine, timeout=60)
        assert result["changed"] is False
        assert result["ipsec_checkpoint"] == {"state": "started", "timeout": 60, "since": since}
        assert f"{SITE_B}: changed" in result["differences"]
        assert machine.host.log[-2:] == [f"restart {TIMER}", f"restart {SERVICE}"]
        assert b"OnActiveSec=60\n" in machine.host.everything()[UNITS[0]].data
        assert machine.time_passes() == 0
        assert held(machine) == before

    def test_again_at_once(self, machine: Machine) -> None:
        """A repeated checkpoint changes only timer and state, because the timer may expire now."""
        checkpoint(machine)
        checkpoint(machine)
        assert machine.host.log == [
            f"write {DEBIAN.checkpoint_file}",
            "daemon-reload",
            f"restart {TIMER}",
            f"restart {SERVICE}",
        ]

    def test_a_pipe_can_not_be_kept(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        (machine.host.root / SITE_B[1:]).unlink()
        os.mkfifo(machine.host.root / SITE_B[1:])
        assert checkpoint(machine)["msg"] == (
            f"could not read {SITE_B}: it is a pipe, not a regular file."
        )
        assert machine.host.log == []

    def test_check(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        before = machine.host.everything()
        predicted = checkpoint(machine, check=True)
        assert (machine.host.log, machine.host.everything()) == ([], before)
        done = checkpoint(machine)
        for result in (predicted, done):
            result["ipsec_checkpoint"].pop("since")
        assert predicted == done
        assert checkpoint(machine, check=True)["changed"] is False
        assert machine.host.log == []

    @pytest.mark.parametrize("timeout", [9, 86401])
    def test_timeout(self, machine: Machine, timeout: int) -> None:
        assert checkpoint(machine, timeout=timeout)["msg"] == (
            f"ipsec_checkpoint: timeout {timeout}: is "
            + ("less than 10" if timeout < 10 else "more than 86400")
            + ". Use a whole number from 10 to 86400."
        )

    def test_a_network_may_be_called_rollback(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", {**NETWORK, "name": "rollback"}))
        before = held(machine)
        checkpoint(machine)
        assert machine.time_passes() == 0
        assert held(machine) == before


class TestConfirmed:
    def test_nothing_is_left(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        before = held(machine)
        predicted = checkpoint(machine, "confirmed", check=True)
        assert machine.host.log == []
        done = checkpoint(machine, "confirmed")
        assert done == predicted
        assert done["changed"] is True
        assert f"{SITE_B}: changed" in done["differences"]
        assert held(machine) == before
        assert not (machine.host.root / DEBIAN.state_dir[1:]).exists()
        assert not [path for path in UNITS if path in machine.host.everything()]
        assert TIMER not in machine.host.systemd.enabled | machine.host.systemd.active
        assert checkpoint(machine, "confirmed")["changed"] is False

    def test_without_a_checkpoint(self, machine: Machine) -> None:
        for check in (True, False):
            result = checkpoint(machine, "confirmed", check=check)
            assert (result["changed"], result["actions"]) == (False, [])
            assert machine.host.log == []

    def test_diff_hides_secrets(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, CHANGES["values"] + CHANGES["certificates"])
        shown = checkpoint(machine, "confirmed")
        text = json.dumps(shown)
        assert SITE_B in text
        assert "********" in text
        assert PAIR.certificate.decode().split("\n")[1] in text
        assert PAIR.key.decode().split("\n")[1] not in text
        assert NEW_PSK not in text

    def test_too_late(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine, timeout=30)
        changed(machine, CHANGES["values"])
        machine.time_passes()
        predicted = checkpoint(machine, "confirmed", check=True)
        assert "the changes were rolled back at" in str(predicted["warnings"])
        for _again in range(2):
            result = checkpoint(machine, "confirmed")
            assert result["failed"] is True
            start = "could not confirm the changes: the changes were rolled back at 20"
            assert result["msg"].startswith(start)
            assert "because the controller did not contact this host for 30 s" in result["msg"]
            assert f"{SITE_B}: changed" in result["msg"]
        checkpoint(machine)
        assert checkpoint(machine, "confirmed")["changed"] is True
        assert not (machine.host.root / DEBIAN.state_dir[1:]).exists()

    def test_what_a_run_that_died_has_left(self, machine: Machine) -> None:
        checkpoint(machine)
        machine.host.files.remove(DEBIAN.checkpoint_file)
        for check in (True, False):
            assert checkpoint(machine, "confirmed", check=check)["changed"] is True
        assert not (machine.host.root / DEBIAN.state_dir[1:]).exists()
        assert checkpoint(machine, "confirmed")["changed"] is False


class TestRolledBack:
    @every_change
    def test_everything_is_as_it_was(self, machine: Machine, changes: t.Any) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, changes)
        files = machine.host.everything()
        predicted = checkpoint(machine, "rolled_back", check=True)
        assert (machine.changes, machine.host.everything()) == ([], files)
        done = checkpoint(machine, "rolled_back")
        assert done == predicted
        assert done["changed"] is True
        assert "warnings" not in done
        assert bool(done["differences"]) == bool(done["diff"]) == bool(changes)
        assert held(machine) == before
        assert not (machine.host.root / DEBIAN.checkpoint_dir[1:]).exists()
        assert checkpoint(machine, "rolled_back")["changed"] is False

    @every_change
    def test_by_the_timer(self, machine: Machine, changes: t.Any) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, changes)
        assert machine.time_passes() == 0
        assert held(machine) == before
        record = json.loads(machine.host.everything()[DEBIAN.rollback_record].data)
        assert record["reason"] == "timeout"
        assert (record["errors"], record["left"]) == ([], [])
        assert bool(record["restored"]) == bool(changes)
        assert len(machine.journal) == 1
        assert not [path for path in UNITS if path in machine.host.everything()]
        assert TIMER not in machine.host.systemd.enabled | machine.host.systemd.active

    def test_to_nothing(self, machine: Machine) -> None:
        before = held(machine)
        checkpoint(machine)
        changed(machine, [*GATEWAY, *CHANGES["more"]])
        assert machine.time_passes() == 0
        assert held(machine) == before
        assert not (machine.host.root / "etc/tunnelwright").exists()

    def test_other_tunnels_are_left_alone(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, CHANGES["more"])
        machine.host.vici.up = {"site-b": {"net"}, "site-c": {"dmz"}}
        result = checkpoint(machine, "rolled_back")
        assert result["impact"] == "ike"
        assert machine.host.vici.up == {"site-b": {"net"}}
        assert not [line for line in machine.host.log if line.endswith("site-b")]

    def test_a_changed_tunnel_does_not_stay_up(self, machine: Machine) -> None:
        """The rollback closes a changed tunnel at once, because the tunnel may cut off the host."""
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, [("ipsec_phase2", {**PHASE2, "remote_network": ["0.0.0.0/0"]})])
        machine.host.vici.up = {"site-b": {"net"}}
        machine.time_passes()
        assert "terminate site-b" in machine.host.log

    def test_a_spoilt_file_comes_back(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        for path in (SITE_B, "/etc/tunnelwright/lan.json", "/etc/tunnelwright/lan.nft"):
            (machine.host.root / path[1:]).write_text("{")
        stray = "/etc/swanctl/conf.d/tunnelwright.phase1.copy.conf"
        (machine.host.root / stray[1:]).write_text("{")
        result = checkpoint(machine, "rolled_back")
        assert "warnings" not in result
        assert f"{stray}: added" in result["differences"]
        assert held(machine) == before

    @pytest.mark.parametrize(
        "path", [SITE_B, "/etc/tunnelwright/lan.json", "/etc/tunnelwright/lan.nft"]
    )
    @pytest.mark.parametrize("asked", [True, False])
    def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
        self, machine: Machine, path: str, asked: bool
    ) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        (machine.host.root / path[1:]).unlink()
        os.mkfifo(machine.host.root / path[1:])
        if asked:
            mode = "0600" if path == SITE_B else "0644"
            told = f"{path}: changed (mode 0000 instead of {mode})"
            assert told in checkpoint(machine, "rolled_back")["differences"]
        else:
            assert machine.time_passes() == 0
        assert held(machine) == before

    def test_what_somebody_had_changed_by_hand_comes_back_as_it_was(self, machine: Machine) -> None:
        """The rollback restores a file that was changed by hand, and loads the rules in it."""
        machine.prepare(*GATEWAY)
        rules = machine.host.root / "etc/tunnelwright/lan.nft"
        rules.write_text(f"{rules.read_text()}# by hand\n")
        rules.chmod(0o600)
        machine.host.script("/etc/tunnelwright/lan.sh", "rules")
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        checkpoint(machine, "rolled_back")
        assert held(machine) == before

    def test_a_step_that_undoes_another(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rollback restores addresses that the kernel removes with the first of a network."""
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        link = machine.host.link

        def greedy(device: str, _address: str) -> None:
            link.devices[device] = dataclasses.replace(link.devices[device], addresses=())

        monkeypatch.setattr(link, "delete_address", greedy)
        checkpoint(machine, "rolled_back")
        assert held(machine) == before

    def test_the_mtu_that_was_not_given(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, [("vpn_network", {**NETWORK, "mtu": 1400})])
        result = checkpoint(machine, "rolled_back")
        assert "MTU of vpn-lan: was 1500, is 1400" in result["differences"]
        assert "set the MTU of vpn-lan to 1500" in result["actions"]
        assert "mtu vpn-lan 1500" in machine.host.log

    def test_without_a_checkpoint(self, machine: Machine) -> None:
        result = checkpoint(machine, "rolled_back")
        assert (result["changed"], result["actions"], machine.host.log) == (False, [], [])

    def test_after_the_timer(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        machine.time_passes()
        result = checkpoint(machine, "rolled_back")
        assert result["changed"] is False
        assert "the controller did not contact this host" in str(result["warnings"])

    def test_no_secret_is_said(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        shown = json.dumps(checkpoint(machine, "rolled_back"))
        said = [
            shown,
            *machine.journal,
            machine.host.everything()[DEBIAN.rollback_record].data.decode(),
        ]
        assert SITE_B in shown
        for text in said:
            assert PSK not in text
            assert NEW_PSK not in text


class TestAnotherRun:
    """A rollback that is due while another run holds the lock."""

    @pytest.mark.parametrize("verb", ["timeout", "now"])
    @pytest.mark.parametrize(
        ("does", "told"), [(HANGS, "held {lock} and showed no progress"), (WORKS, "")]
    )
    def test_the_rollback_is_done(self, machine: Machine, verb: str, does: str, told: str) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        lock = Path(f"{machine.host.root}.lock")
        machine.host.systemd.active.discard(TIMER)
        with Run(lock, does).wait_until_in() as run:
            assert rollback_main.main(["rollback.pyz", verb]) == 0
            assert run.process.wait(1) == (-signal.SIGTERM if told else 0)
        assert held(machine) == before
        errors = json.loads(machine.host.everything()[DEBIAN.rollback_record].data)["errors"]
        assert len(errors) == bool(told)
        assert told.format(lock=lock) in "".join(errors)
        assert told.format(lock=lock) in machine.journal[-1]

    def test_a_program_that_is_not_ours_is_left_alone(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        lock = Path(f"{machine.host.root}.lock")
        lock.write_bytes(b"")
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            assert machine.time_passes() == 0
        assert held(machine) == before
        record = json.loads(machine.host.everything()[DEBIAN.rollback_record].data)
        assert record["errors"] == [
            f"could not get the lock {lock}: it is held by a program that is no run of this "
            "collection. It continued without the lock."
        ]

    def test_a_lock_that_can_not_be_taken(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        lock = Path(f"{machine.host.root}.lock")
        lock.unlink()
        lock.mkdir()
        assert machine.time_passes() == 0
        assert held(machine) == before
        (error,) = json.loads(machine.host.everything()[DEBIAN.rollback_record].data)["errors"]
        assert error.startswith(f"could not get the lock {lock}: Is a directory")


class TestWithoutAPlan:
    """A rollback that restores the files, and has each program load these files."""

    @every_change
    @pytest.mark.parametrize("dead", [True, False], ids=["dead", "alive"])
    def test_everything_is_as_it_was(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, changes: t.Any, dead: bool
    ) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, changes)
        machine.host.dead = dead
        if not dead:
            monkeypatch.setattr(rollback, "make_plan", lambda *_given: 1 / 0)
        userspace = "userspace" in str(changes)
        assert machine.time_passes() == 0
        assert ("restart" in machine.host.log) == (dead or userspace)
        assert held(machine) == before
        record = json.loads(machine.host.everything()[DEBIAN.rollback_record].data)
        (error,) = record["errors"]
        assert error.startswith(
            "could not reach the IKE daemon" if dead else "ZeroDivisionError in "
        )
        assert record["left"] == []

    def test_a_tunnel_that_was_changed_does_not_stay_up(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.prepare(*GATEWAY)
        checkpoint(machine)
        changed(machine, CHANGES["more"])
        machine.host.vici.up = {"site-b": {"net"}, "site-c": {"dmz"}}
        monkeypatch.setattr(rollback, "make_plan", lambda *_given: 1 / 0)
        machine.time_passes()
        assert machine.host.vici.up == {"site-b": {"net"}}

    def test_a_failed_plan(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        machine.host.failing = {"load site-b"}
        result = checkpoint(machine, "rolled_back")
        assert result["changed"] is True
        assert "load site-b: it was not to be" in str(result["warnings"])
        assert held(machine)[0] == before[0]
        assert "restore the files, and make each program load them" in result["actions"]

    def test_a_daemon_that_was_off_before_stays_so(self, machine: Machine) -> None:
        machine.prepare(*GATEWAY)
        machine.host.dead = True
        checkpoint(machine)
        machine.host.files.remove(SITE_B)
        machine.time_passes()
        assert machine.host.dead is True
        assert SITE_B in machine.host.everything()

    def test_until_the_files_are_there(self, machine: Machine) -> None:
        """A failed step is tried again. The last good state is kept until the step succeeds."""
        machine.prepare(*GATEWAY)
        before = held(machine)
        checkpoint(machine)
        changed(machine, CHANGES["values"])
        machine.host.failing = Always([f"write {SITE_B}"])
        assert machine.time_passes() == 1
        assert f"NOT restored: {SITE_B}: changed" in machine.journal[-1]
        assert machine.time_passes() == 1
        machine.host.failing = set()
        assert machine.time_passes() == 0
        assert held(machine)[0] == before[0]
        record = json.loads(machine.host.everything()[DEBIAN.rollback_record].data)
        assert "/etc/tunnelwright/lan.nft: changed" in record["restored"]
        assert f"{SITE_B}: changed" in record["restored"]


class TestSignsOfLife:
    def test_every_module_starts_the_timer_anew(self, machine: Machine) -> None:
        checkpoint(machine)
        for module, options in GATEWAY:
            machine.run(module, **options)
            assert machine.changes[0] == machine.changes[-1] == f"restart {TIMER}"

    def test_a_failure_is_one_too(self, machine: Machine) -> None:
        machine.prepare(LAN)
        checkpoint(machine)
        machine.host.failing = {f"write {SITE_B}"}
        assert machine.run("ipsec_phase1", **PHASE1)["failed"] is True
        assert machine.changes[-1] == f"restart {TIMER}"

    def test_not_in_check_mode(self, machine: Machine) -> None:
        checkpoint(machine)
        machine.run("vpn_network", check=True, **NETWORK)
        assert machine.changes == []

    def test_not_without_a_checkpoint(self, machine: Machine) -> None:
        machine.prepare(LAN)
        assert f"restart {TIMER}" not in machine.changes

    def test_a_timer_that_does_not_start_is_told_before_anything_is_changed(
        self, machine: Machine
    ) -> None:
        checkpoint(machine)
        machine.host.failing = {f"restart {TIMER}"}
        result = machine.run("vpn_network", **NETWORK)
        assert result["msg"] == f"could not restart {TIMER}: it was not to be."
        assert machine.changes == [f"restart {TIMER}"]

    def test_one_that_came_while_the_rollback_had_to_wait(self, machine: Machine) -> None:
        checkpoint(machine)
        changed(machine, [LAN])
        before = machine.host.everything()
        # A module has held the lock meanwhile, and has restarted the timer.
        assert TIMER in machine.host.systemd.active
        assert rollback_main.main(["rollback.pyz", "timeout"]) == 0
        assert machine.host.everything() == before
