# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries of the playbook upgrade_check, on a machine in memory, and the filter after them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._upgrade import upgrade_check
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

SETTINGS = {
    "network": NETWORK["name"],
    "configuration_mode": "advanced",
    "swanctl_conf": "connections { extra { version = 1\n remote_addrs = 192.0.2.99\n"
    " local { auth = psk }\n remote { auth = psk }\n children { x { } } } }\n",
}
DPKG = "installed\tlibstrongswan\t6.0.1-6+deb13u7\tstrongswan\t6.0.1-6+deb13u7\n"


@pytest.fixture(name="gateway")
def _gateway(machine: Machine) -> Machine:
    machine.prepare(
        ("vpn_network", NETWORK),
        ("ipsec_settings", SETTINGS),
        ("ipsec_phase1", {**PHASE1, "key_exchange": "ikev1"}),
        ("ipsec_phase2", PHASE2),
    )
    machine.host.dpkg = DPKG
    return machine


@pytest.mark.parametrize("check", [False, True])
def test_nothing_changes_on_the_gateway(gateway: Machine, check: bool) -> None:
    before = gateway.host.everything()
    results = queried(gateway, check=check)
    assert [result["changed"] for result in results] == [False, False]
    assert gateway.host.log == []
    assert gateway.host.everything() == before


def test_phase1_and_conf_text(gateway: Machine) -> None:
    info, configuration = queried(gateway)
    files = configuration["ipsec_diagnostics"]["files"]
    found = upgrade_check(info["ipsec_info"], files, "debian14")
    effects = {item["name"]: (item["kind"], item["effect"]) for item in found["connections"]}
    assert effects == {"site-b": ("phase 1", "stops"), "extra": ("conf text", "stops")}


def queried(machine: Machine, *, check: bool = False) -> list[dict[str, t.Any]]:
    results = [
        machine.run("ipsec_info", check=check),
        machine.run("ipsec_diagnostics", check=check, query="configuration"),
    ]
    assert not any(result.get("failed") for result in results), results
    return results
