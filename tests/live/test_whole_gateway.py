# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway with objects of every kind: three networks, two phase 1, a phase 2 and a conf text.

The gateway already had a connection, a firewall and a bridge of an administrator.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES
from ansible_collections.tunnelwright.ipsec.tests.live.step_gateway import Gateway, State
from ansible_collections.tunnelwright.ipsec.tests.live.step_tables import SCENARIOS

(WHOLE,) = (scenario for scenario in SCENARIOS if str(scenario) == "by_hand, drift")
CONF_D = "/etc/swanctl/conf.d"


@pytest.fixture(name="gateway", params=DEVICES.values())
def _gateway(request: pytest.FixtureRequest, gateways: dict[str, Gateway]) -> t.Iterator[Gateway]:
    gateway = gateways[request.param]
    gateway.reach(WHOLE, 0)
    yield gateway
    gateway.passed(WHOLE, 0, held(gateway))


def held(gateway: Gateway) -> State:
    state: State = gateway.look()["held"]
    return state


def test_connections(gateway: Gateway) -> None:
    state = held(gateway)
    kernel_esp = "kernel-libipsec" not in state["plugins"]
    bypasses = {f"tunnelwright-bypass-{name}" for name in ("office", "attached", "v6")}
    expected = {"by-hand", "hub", "signed", "lab", *(bypasses if kernel_esp else ())}
    listed = gateway.device.sh("swanctl --list-conns")
    assert {line.split(":")[0] for line in listed.splitlines() if line[0] != " "} == expected
    assert "lan: TUNNEL" in listed
    assert state["secrets"] == ["ike-by-hand", "ike-hub", "ike-lab", "ike-partner"]


@pytest.mark.parametrize(
    ("name", "address"),
    [("vpn-office", "10.1.0.1/24"), ("vpn-v6", "fd00:1::1/64"), ("br-office", "192.168.50.1/24")],
)
def test_interface(gateway: Gateway, name: str, address: str) -> None:
    assert f" {address} " in gateway.device.sh(f"ip -o address show dev {name}")


@pytest.mark.parametrize("name", ["office", "attached", "v6"])
def test_unit(gateway: Gateway, name: str) -> None:
    unit = f"tunnelwright-{name}"
    assert gateway.device.sh(f"systemctl is-active {unit}").strip() == "active"
    assert gateway.device.sh(f"systemctl is-enabled {unit}").strip() == "enabled"


def test_rules(gateway: Gateway) -> None:
    rules = gateway.device.sh("nft list table inet tunnelwright-office")
    assert 'comment "hub/lan"' in rules
    assert "maxseg size set 1300" in rules
    assert "tunnelwright-office: IKE" in gateway.device.sh("nft list chain inet filter input")


@pytest.mark.parametrize("pattern", [f"{CONF_D}/tunnelwright.*", "/etc/swanctl/private/*"])
def test_secrets_are_for_root_alone(gateway: Gateway, pattern: str) -> None:
    listed = gateway.device.sh(f"stat -c '%a %U %G' {pattern}")
    assert set(listed.splitlines()) == {"600 root root"}


def test_load_all_changes_nothing(gateway: Gateway) -> None:
    before = held(gateway)
    gateway.device.sh("swanctl --load-all")
    assert held(gateway) == before


def test_load_all_changes_nothing_that_cannot_be_listed(gateway: Gateway) -> None:
    """swanctl changes no connection. charon logs `updated` for an unchanged connection.

    For a changed connection charon logs `added` or `replaced`.
    """
    device = gateway.device
    cursor = device.sh("journalctl -u strongswan -n 0 --show-cursor").split("cursor: ")[1].strip()
    device.sh("swanctl --load-conns")
    logged = device.sh(
        f"journalctl -u strongswan --no-pager --output cat --after-cursor '{cursor}'"
    )
    changes = ("added vici", "replaced vici", "removed vici", "uninstalling", "installing")
    assert "updated vici connection: hub" in logged
    assert [line for line in logged.splitlines() if line.startswith(changes)] == []


def test_restart_restores_everything(gateway: Gateway) -> None:
    before = held(gateway)
    gateway.device.sh("systemctl restart strongswan")
    after = held(gateway)
    assert {**after, "pid": before["pid"]} == before


def test_objects_of_the_administrator_are_unchanged(gateway: Gateway) -> None:
    found, now = gateway.found, held(gateway)
    ours = ("tunnelwright", f"{CONF_D}/tunnelwright")
    for path, file in found["files"].items():
        assert now["files"][path] == file, path
    added = now["files"].keys() - found["files"].keys()
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
