# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selectors with a protocol and ports, negotiated by real daemons, and packets for them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES, Rig

SELECTORS = (
    ("10.1.0.0/24", "10.2.0.0/24[tcp/8080]"),
    ("10.1.0.0/24[udp/5000-5010]", "10.2.0.0/24[udp]"),
    ("10.1.0.0/24[gre]", "10.2.0.0/24[gre]"),
    ("10.1.0.0/24[icmp]", "10.2.0.0/24[icmp]"),
    ("10.1.0.0/24[200]", "10.2.0.0/24[200]"),
    ("fd00:1::/64[tcp]", "fd00:2::/64[tcp/443]"),
    ("fd00:1::/64", "fd00:2::/64[ipv6-icmp]"),
)


@pytest.fixture(name="rig", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> Rig:
    rig = rigs[request.param]
    rig.device.wipe()
    rig.device.apply("vpn_network", rig.network())
    six = {"name": "lan6", "ip_address": "fd00:1::1", "network_address": "fd00:1::/64"}
    rig.device.apply("vpn_network", six)
    rig.device.apply("ipsec_phase1", rig.phase1())
    return rig


def phase2(host: Host) -> dict[str, t.Any]:
    """Return the report of ``ipsec_info`` on the only phase 2, without drift."""
    run = host.run("ipsec_info", {})
    assert not run.failed, run.result
    (connection,) = run.result["ipsec_info"]["phase1"]
    assert run.result["ipsec_info"]["drift"] == connection["drift"] == []
    (found,) = connection["phase2"]
    return t.cast("dict[str, t.Any]", found)


@pytest.mark.parametrize(("local", "remote"), SELECTORS)
def test_negotiated(rig: Rig, local: str, remote: str) -> None:
    """The SA has exactly these selectors. There is no drift, and the next run changes nothing."""
    host = rig.device
    options = rig.phase2(local_network=[local], remote_network=[remote])
    host.apply("ipsec_phase2", options)
    host.wait_for("site-b/net")
    found = phase2(host)
    assert found["state"] == "up"
    (sa,) = found["sas"]
    assert (sa["local_network"], sa["remote_network"]) == ([local], [remote])
    again = host.apply("ipsec_phase2", options)
    assert (again.changed, again.writing) == (False, ())
    assert host.run("ipsec_phase2", options, check=True).changed is False


def test_on_the_wire(rig: Rig) -> None:
    """Matching packets go through the tunnel. Other packets are dropped in this data plane."""
    host = rig.device
    options = rig.phase2(local_network=["10.1.0.0/24"], remote_network=["10.2.0.0/24[tcp/8080]"])
    host.apply("ipsec_phase2", options)
    host.wait_for("site-b/net")

    def sent(script: str) -> int:
        before = phase2(host)["sas"][0]["packets_out"]
        host.sh(f"timeout 2 sh -c '{script}' || true")
        return int(phase2(host)["sas"][0]["packets_out"] - before)

    connect = 'python3 -c "import socket; socket.create_connection((\\"10.2.0.1\\", {port}), 1)"'
    with host.capturing("eth0", "net 10.2.0.0/24") as heard:
        assert sent(connect.format(port=8080)) > 0
        assert sent(connect.format(port=8081)) == 0
        assert sent("ping -c 2 -i 0.2 -W 1 -I 10.1.0.1 10.2.0.1") == 0
    assert heard == []
