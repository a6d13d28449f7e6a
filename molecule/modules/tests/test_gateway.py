# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway that the scenario leaves: three networks, two phase 1, a phase 2, a conf text.

And what was made by hand before the modules came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from testinfra.host import Host

State = Mapping[str, Any]

CONF_D = "/etc/swanctl/conf.d"


def state(host: Host) -> State:
    return json.loads(host.check_output("gateway-state"))["held"]


@pytest.fixture
def found(host: Host) -> State:
    """What the host held before."""
    return json.loads(host.file("/root/found.json").content_string)["held"]


@pytest.fixture
def kernel_esp(host: Host) -> bool:
    return "kernel-libipsec" not in state(host)["plugins"]


def test_connections(host: Host, kernel_esp: bool) -> None:
    bypasses = {f"tunnelwright-bypass-{name}" for name in ("office", "attached", "v6")}
    expected = {"by-hand", "hub", "signed", "lab", *(bypasses if kernel_esp else ())}
    listed = host.check_output("swanctl --list-conns")
    assert {line.split(":")[0] for line in listed.splitlines() if line[0] != " "} == expected
    assert "lan: TUNNEL" in listed
    assert state(host)["secrets"] == ["ike-by-hand", "ike-hub", "ike-lab", "ike-partner"]


@pytest.mark.parametrize(
    ("name", "address"),
    [("vpn-office", "10.1.0.1/24"), ("vpn-v6", "fd00:1::1/64"), ("br-office", "192.168.50.1/24")],
)
def test_interface(host: Host, name: str, address: str) -> None:
    assert host.interface(name).exists
    assert f" {address} " in host.check_output("ip -o address show dev %s", name)


@pytest.mark.parametrize("name", ["office", "attached", "v6"])
def test_unit(host: Host, name: str) -> None:
    unit = host.service(f"tunnelwright-{name}")
    assert unit.is_running
    assert unit.is_enabled


def test_rules(host: Host) -> None:
    rules = host.check_output("nft list table inet tunnelwright-office")
    assert 'comment "hub/lan"' in rules
    assert "maxseg size set 1300" in rules
    assert "tunnelwright-office: IKE" in host.check_output("nft list chain inet filter input")


@pytest.mark.parametrize("pattern", [f"{CONF_D}/tunnelwright.*", "/etc/swanctl/private/*"])
def test_secrets_are_for_root_alone(host: Host, pattern: str) -> None:
    listed = host.check_output(f"stat -c '%a %U %G' {pattern}")
    assert set(listed.splitlines()) == {"600 root root"}


def test_load_all_changes_nothing(host: Host) -> None:
    before = state(host)
    host.check_output("swanctl --load-all")
    assert state(host) == before


def test_load_all_changes_nothing_that_cannot_be_listed(host: Host) -> None:
    """charon says `updated` of a connection that it has already, else `added` or `replaced`."""
    cursor = host.check_output("journalctl -u strongswan -n 0 --show-cursor").split("cursor: ")[1]
    host.check_output("swanctl --load-conns")
    said = host.check_output(
        "journalctl -u strongswan --no-pager --output cat --after-cursor %s", cursor
    )
    changes = ("added vici", "replaced vici", "removed vici", "uninstalling", "installing")
    assert "updated vici connection: hub" in said
    assert [line for line in said.splitlines() if line.startswith(changes)] == []


def test_restart_brings_everything_back(host: Host) -> None:
    before = state(host)
    host.check_output("systemctl restart strongswan")
    after = state(host)
    assert {**after, "pid": before["pid"]} == before


def test_what_was_made_by_hand_is_as_it_was(host: Host, found: State) -> None:
    now = state(host)
    ours = ("tunnelwright", f"{CONF_D}/tunnelwright")
    for path, file in found["files"].items():
        assert now["files"][path] == file, path
    added = [path for path in now["files"].keys() - found["files"].keys()]
    assert [path for path in added if not any(name in path for name in ours)] == []
    assert now["connections"]["by-hand"] == found["connections"]["by-hand"]
    assert set(found["secrets"]) <= set(now["secrets"])
    assert now["tables"]["ip by-hand"] == found["tables"]["ip by-hand"]
    kept = [
        line for line in now["tables"]["inet filter"].splitlines() if "tunnelwright-" not in line
    ]
    assert kept == found["tables"]["inet filter"].splitlines()
    for name, link in found["links"].items():
        addresses = now["links"][name]["addresses"]
        assert [item for item in link["addresses"] if item not in addresses] == []
