# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that find a note of the last Gateway do what runs without a note do."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files import known_gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import records
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

FILE = "etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
TASKS = (("vpn_network", NETWORK), ("ipsec_phase1", PHASE1), ("ipsec_phase2", PHASE2))
MODULES = ["ipsec_phase1", "ipsec_phase2", "vpn_network", "ipsec_gateway"]


@pytest.fixture(name="ready")
def _ready(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(known_gateway, "_QUIET", 0)
    Path(machine.host.platform.run_dir).mkdir(exist_ok=True)
    machine.prepare(*TASKS)
    assert note(machine).exists()
    return machine


def note(machine: Machine) -> Path:
    return Path(machine.host.platform.known_gateway)


def again(machine: Machine, module: str, *, check: bool = False) -> dict[str, t.Any]:
    """Run a task of which the host has everything."""
    if module == "ipsec_gateway":
        child = {key: PHASE2[key] for key in PHASE2 if key not in ("phase1", "network")}
        phase1 = {**PHASE1, "phase2": [child]}
        return machine.run(module, check=check, networks=[NETWORK], phase1=[phase1])
    return machine.run(module, check=check, **dict(TASKS)[module])


@pytest.mark.parametrize("module", MODULES)
def test_the_files_of_tunnels_are_not_parsed(
    ready: Machine, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "read_connection", None)
    assert again(ready, module)["changed"] is False
    assert ready.host.log == []


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("module", ["ipsec_phase1", "ipsec_phase2", "ipsec_gateway"])
def test_what_others_changed_is_repaired(ready: Machine, module: str, check: bool) -> None:
    file = ready.host.root / FILE
    before = file.read_text()
    file.write_text(before.replace("remote_addrs", "remote_port"))
    with_note = again(ready, module, check=True)
    note(ready).unlink()
    without = again(ready, module, check=check)
    assert with_note["changed"] is True
    assert with_note["actions"] == without["actions"]
    assert (file.read_text() == before) is not check


def test_the_rules_of_a_tunnel_go_with_its_file(ready: Machine) -> None:
    """The noted rules of a network have the tunnels that it had."""
    other = {
        **PHASE1,
        "name": "site-c",
        "remote_gateway": "192.0.2.3",
        "psk": "key of another site",
    }
    child = {**PHASE2, "phase1": "site-c", "remote_network": ["10.3.0.0/24"]}
    ready.prepare(("ipsec_phase1", other), ("ipsec_phase2", child))
    (ready.host.root / FILE.replace("site-b", "site-c")).unlink()
    with_note = again(ready, "vpn_network", check=True)
    note(ready).unlink()
    without = again(ready, "vpn_network", check=True)
    assert with_note["changed"] is True
    assert with_note["actions"] == without["actions"]


def test_check_mode_leaves_it_alone(ready: Machine) -> None:
    before = note(ready).read_bytes()
    changed = ready.run(
        "ipsec_phase1", check=True, **{**PHASE1, "psk": "another key of 30 characters"}
    )
    assert changed["changed"]
    assert note(ready).read_bytes() == before
    note(ready).unlink()
    again(ready, "ipsec_phase1", check=True)
    assert not note(ready).exists()


def test_a_key_goes_with_its_tunnel(ready: Machine) -> None:
    names = {"name": "site-b", "network": "lan"}
    assert ready.run("ipsec_phase1", **names, state="absent")["changed"]
    assert not note(ready).exists()


def test_the_incomplete_note_of_a_killed_run_goes(ready: Machine) -> None:
    half = note(ready).with_name(f"{note(ready).name}.new")
    half.write_bytes(b"half of a note, with keys")
    assert again(ready, "ipsec_phase1")["changed"] is False
    assert not half.exists()


def test_a_run_that_fails_leaves_no_note(ready: Machine) -> None:
    ready.host.failing = {"load site-b"}
    assert ready.run("ipsec_phase1", **{**PHASE1, "dpd_delay": 77})["failed"]
    assert not note(ready).exists()
    ready.host.failing = set()
    assert again(ready, "ipsec_phase1")["changed"] is False
