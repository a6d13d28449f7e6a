# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run after an interrupted run on a network removes each interface without a network.

The interrupted run is killed at each of its effects. The next run has other options.
"""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import NETWORK
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

RECORD = "/etc/tunnelwright/lan.json"
# No run of these tests has so many effects.
EFFECTS = 11
# The options before, the options of the interrupted run, and the options of the next run.
CHANGES = {
    "moved": ({}, {"interface": "lan0"}, {"interface": "lan1"}),
    "moved back": ({}, {"interface": "lan0"}, {}),
    "switched on": ({"state": "stopped"}, {"state": "started"}, {"interface": "lan1"}),
    "switched on and off": ({"state": "stopped"}, {"interface": "lan0"}, {"state": "stopped"}),
    "switched off": ({}, {"state": "stopped"}, {"interface": "lan1"}),
}


class Killed(BaseException):
    """The kill of a process, which the code of the process can't handle."""


def kill(machine: Machine, monkeypatch: pytest.MonkeyPatch, effect: int) -> None:
    """Make the run end at the effect with this number."""
    did, left = machine.host.did, [effect]

    def die(what: str) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        did(what)

    monkeypatch.setattr(machine.host, "did", die)


@pytest.mark.parametrize("effect", range(EFFECTS))
@pytest.mark.parametrize("change", CHANGES)
def test_no_interface_is_left(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, change: str, effect: int
) -> None:
    before, killed, after = ({**NETWORK, **options} for options in CHANGES[change])
    machine.prepare(("vpn_network", before))
    with monkeypatch.context() as patch:
        kill(machine, patch, effect)
        # A run with fewer effects is complete.
        with contextlib.suppress(Killed):
            machine.run("vpn_network", **killed)
    machine.prepare(("vpn_network", after))
    interface = after.get("interface", "vpn-lan")
    started = after.get("state", "started") == "started"
    devices = machine.host.link.devices.keys()
    assert devices - {"eth0"} == ({interface} if started else set())
    record = json.loads(machine.host.everything()[RECORD].data)
    assert [item["device"] for item in record["interfaces"]] == ([interface] if started else [])
    assert not machine.run("vpn_network", **after)["changed"]
