# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that an earlier version of the collection has configured, with a tunnel that is up.

``earlier.json`` has the files of version 0.1.0 as commit 7fb0c31 wrote them.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES, Rig

EARLIER = json.loads((HERE / "earlier.json").read_text())
LAN, GUARD = "tunnelwright-lan.service", "tunnelwright-lan.guard.service"
TABLE = "nft list table inet tunnelwright-lan"


@pytest.fixture(name="rig", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> t.Iterator[Rig]:
    rig = rigs[request.param]
    rig.device.wipe()
    for path, file in EARLIER.items():
        text = file["text"].replace("@PEER@", rig.address())
        rig.device.sh(f"mkdir -p $(dirname {path}); cat >{path}; chmod {file['mode']} {path}", text)
    rig.device.sh(
        f"""
        systemctl daemon-reload
        systemctl --quiet enable --now {LAN}
        systemctl restart strongswan
        """
    )
    rig.device.wait_for("site-b/net")
    yield rig
    rig.device.wipe()


def test_the_next_run_brings_the_guard(rig: Rig) -> None:
    """The next run adds the guard against cleartext, and touches no SA.

    Check mode and the run report the same actions.
    """
    device = rig.device
    before = device.sas()
    foreseen = device.run("vpn_network", rig.network(), check=True)
    done = device.apply("vpn_network", rig.network())
    for run in (foreseen, done):
        assert run.result["actions"] == [
            "write /etc/tunnelwright/lan.nft",
            "write /etc/tunnelwright/lan.sh",
            f"write /etc/systemd/system/{GUARD}",
            f"write /etc/systemd/system/{LAN}",
            "reload systemd's unit files",
            "replace the nftables rules of network lan",
            f"start {GUARD}",
            f"enable {GUARD}",
            "write /etc/tunnelwright/lan.json",
        ]
        assert run.result["impact"] == "none"
        headers = {item["before_header"] for item in run.result["diff"]}
        assert {f"unit {GUARD}", "network lan: blocks against cleartext"} <= headers
    assert device.sas() == before
    assert not device.run("vpn_network", rig.network()).changed
    for module, options in (("ipsec_phase1", rig.phase1()), ("ipsec_phase2", rig.phase2())):
        assert not device.run(module, options).changed
    # A stop of the services no longer removes the rules.
    device.sh(f"systemctl stop {LAN} {GUARD}")
    assert "no_cleartext_in" in device.sh(TABLE)
    device.sh(f"systemctl start {LAN} {GUARD}")
    device.sh("ping -q -c 3 -i 0.2 -W 1 -I 10.1.0.1 10.2.0.1 || true")
    assert device.sas() == before


@pytest.mark.parametrize("module", ["ipsec_settings", "vpn_rule", "ipsec_phase2"])
def test_any_run_that_has_to_do_with_the_network(rig: Rig, module: str) -> None:
    tasks = {
        "ipsec_settings": {"network": "lan"},
        "vpn_rule": {"name": "x", "network": "lan", "action": "drop", "direction": "incoming"},
        "ipsec_phase2": rig.phase2("more", remote_network=["10.3.0.0/24"]),
    }
    rig.device.apply(module, tasks[module])
    assert "no_cleartext_in" in rig.device.sh(TABLE)
    assert rig.device.sh(f"systemctl is-enabled {GUARD}").strip() == "enabled"
    assert not rig.device.run("vpn_network", rig.network()).changed


def test_it_can_be_removed_at_once(rig: Rig) -> None:
    device = rig.device
    device.apply("vpn_network", {"name": "lan", "state": "absent", "force": True})
    left = device.sh("find /etc -name '*tunnelwright*'; nft list tables; ip rule; ip route")
    assert "tunnelwright" not in left
    assert "116" not in left
