# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No run makes the networks of a gateway, its peer or the controller unreachable."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES, Rig

BOTH = pytest.mark.parametrize("check", [True, False])

# A host behind the gateway, in its own network namespace.
NEIGHBOURS = """
ip netns add {name}
ip link add {name} type veth peer name up0 netns {name}
ip link set {name} up {master}
ip -n {name} link set lo up
ip -n {name} link set up0 up
ip -n {name} address add {address} dev up0 nodad
ip -n {name} route add default via {router}
"""


@pytest.fixture(name="rig", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> t.Iterator[Rig]:
    rig = rigs[request.param]
    rig.device.wipe()
    rig.device.sh(f"ip route replace default via {rig.address(2)}")
    yield rig
    rig.device.sh("ip route delete default")
    rig.device.sh("for name in lan0 dmz0; do ip netns delete $name || true; done")
    rig.device.environment = ""
    rig.device.start()
    rig.device.wipe()


def neighbour(host: Host, name: str, address: str, router: str, master: str = "") -> None:
    words = {"name": name, "address": address, "router": router}
    host.sh(NEIGHBOURS.format(**words, master=f"master {master}" if master else ""))


def came_from(host: Host, client: str) -> None:
    """Set SSH_CONNECTION, as sshd does for a run from the controller ``client``."""
    host.environment = f"SSH_CONNECTION='{client} 50022 {host.ipv4} 22'"
    host.start()


def refused(host: Host, module: str, options: dict[str, t.Any], *words: str, check: bool) -> None:
    ways = host.sh("ip -4 route; ip -6 route; ip rule")
    run = host.run(module, options, check=check)
    assert run.failed
    for word in words:
        assert word in run.result["msg"]
    assert host.sh("ip -4 route; ip -6 route; ip rule") == ways


def around(address: str, prefix: int) -> str:
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


@BOTH
def test_a_network_over_the_wan(rig: Rig, check: bool) -> None:
    """The module refuses a network over the WAN, because its route would hide the peer."""
    host, peer = rig.device, ipaddress.ip_address(rig.address())
    half = around(str(peer), 25)
    taken = rig.network(ip_address=str(peer + 9), network_address=half)
    wan = around(host.ipv4, 24)
    words = f"network_address '{half}': overlaps {wan}, a network of interface eth0"
    refused(host, "vpn_network", taken, words, check=check)
    six = ipaddress.ip_address(host.ipv6) + 99
    taken = rig.network(ip_address=str(six), network_address=around(str(six), 80))
    refused(host, "vpn_network", taken, "a network of interface eth0", check=check)


@BOTH
def test_a_network_or_a_route_over_the_controller(rig: Rig, check: bool) -> None:
    host = rig.device
    came_from(host, "203.0.113.66")
    taken = rig.network(ip_address="203.0.113.1", network_address="203.0.113.0/24")
    words = "contains 203.0.113.66, the controller that runs this task"
    refused(host, "vpn_network", taken, words, check=check)
    host.apply("vpn_network", rig.network())
    route = {"name": "r", "network": "lan", "action": "route", "target": rig.address(1)}
    for destination in ("203.0.113.0/24", "203.0.113.66/32"):
        options = {**route, "destination": [destination]}
        refused(host, "vpn_rule", options, words, "which the host reaches via", check=check)
    options = {**route, "destination": ["0.0.0.0/0"]}
    run = host.run("vpn_rule", options, check=check)
    # The default route has no metric here, so that it precedes the routes of the collection.
    assert not run.failed
    assert "via " in host.sh("ip route get 203.0.113.66")


def test_the_connection_of_a_run(rig: Rig) -> None:
    host = rig.device
    host.apply("vpn_network", rig.network())
    host.apply("ipsec_phase1", rig.phase1(connection_behavior="responder_only"))
    came_from(host, "203.0.113.66")
    options = rig.phase2(remote_network=["203.0.113.0/24"])
    words = "would capture the connection from 203.0.113.66", "ipsec_checkpoint"
    predicted = host.run("ipsec_phase2", options, check=True)
    assert predicted.changed
    assert words[0] in str(predicted.result["warnings"])
    refused(host, "ipsec_phase2", options, *words, check=False)
    host.apply("ipsec_checkpoint", {"state": "started", "timeout": 300})
    done = host.apply("ipsec_phase2", options)
    assert words[0] in str(done.result["warnings"])
    host.apply("ipsec_checkpoint", {"state": "rolled_back"})
    assert host.run("ipsec_info", {}).result["ipsec_info"]["phase1"][0]["phase2"] == []


def test_everything_through_a_tunnel(rig: Rig) -> None:
    """A phase 2 to 0.0.0.0/0 leaves networks, peer and controller reachable for the gateway."""
    host = rig.device
    host.apply("vpn_network", rig.network())
    neighbour(host, "lan0", "10.1.0.7/24", "10.1.0.1", "vpn-lan")
    neighbour(host, "dmz0", "172.31.9.7/24", "172.31.9.1")
    host.sh("ip address add 172.31.9.1/24 dev dmz0")
    came_from(host, "203.0.113.66")
    host.apply("ipsec_phase1", rig.phase1())
    options = rig.phase2(remote_network=["0.0.0.0/0"])
    host.apply("ipsec_phase2", options)
    host.wait_for("site-b/net")

    def reached(address: str, *, source: str = "") -> bool:
        ping = f"ping -c 1 -W 2 {address} >/dev/null && echo yes || echo no"
        return host.sh(f"{source} sh -c '{ping}'").strip() == "yes"

    lan = "ip netns exec lan0"
    assert reached("10.1.0.7")
    assert reached("10.1.0.1", source=lan)
    assert reached("172.31.9.7")
    # All packets of a host in the local network go through the tunnel, to any destination.
    assert not reached("172.31.9.7", source=lan)
    assert reached(rig.address())
    for address in (rig.address(3), "203.0.113.66"):
        # The packets of the gateway keep using its routes.
        assert "ipsec0" not in host.sh(f"ip route get {address}")
    with host.capturing("eth0", "net 203.0.113.0/24") as heard:
        before = _packets_out(host)
        host.sh(f"{lan} ping -c 3 -i 0.2 -W 1 203.0.113.99 || true")
        assert _packets_out(host) - before == 3
    assert heard == []
    assert not host.run("ipsec_phase2", options).changed
    assert host.run("ipsec_info", {}).result["ipsec_info"]["drift"] == []


def _packets_out(host: Host) -> int:
    (connection,) = host.run("ipsec_info", {}).result["ipsec_info"]["phase1"]
    return int(connection["phase2"][0]["sas"][0]["packets_out"])


def test_an_unmanaged_tunnel_with_the_same_networks(rig: Rig) -> None:
    host = rig.device
    host.apply("vpn_network", rig.network())
    host.apply("ipsec_phase1", rig.phase1(connection_behavior="responder_only"))
    conn = {
        "remote_addrs": [rig.address(5)],
        "local": {"auth": "psk", "id": "else.example"},
        "remote": {"auth": "psk"},
        "children": {"x": {"local_ts": ["10.1.0.0/25"], "remote_ts": ["10.2.0.0/16"]}},
    }
    host.vici("load-conn", {"by-hand": conn})
    try:
        run = host.run("ipsec_phase2", rig.phase2())
        assert not run.failed
        words = (
            "10.1.0.0/24 to 10.2.0.0/24 overlaps 10.1.0.0/25 to 10.2.0.0/16 of child x of "
            "connection by-hand"
        )
        assert words in str(run.result["warnings"])
        assert words in str(host.run("ipsec_info", {}).result["warnings"])
    finally:
        host.vici("unload-conn", {"name": "by-hand"})
