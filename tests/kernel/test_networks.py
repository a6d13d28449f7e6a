# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VPN network: its interface, its rules beside the rules of the host, its power state."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import End, Pair, until

ENDS = pytest.mark.parametrize("name", ["a", "b"])

# A common firewall: it drops incoming and forwarded packets that no rule accepts.
FIREWALL = """
table inet host {
    chain input {
        type filter hook input priority 0; policy drop
        iifname { "lo", "eth0" } accept
        ct state established,related accept
        meta l4proto { icmp, icmpv6 } accept
    }
    chain forward {
        type filter hook forward priority 0; policy drop
        ct state established,related accept
    }
}
"""
CHAINS = ["inet host input", "inet host forward"]
GUARD = {"no_cleartext_in", "no_leak_forward", "no_leak_postrouting"}


def link(end: End, device: str) -> dict[str, t.Any]:
    told = end.machine.sh(f"ip -j -d address show dev {device} 2>/dev/null || echo '[]'")
    found = json.loads(told)
    return dict(found[0]) if found else {}


def addresses(end: End, device: str) -> list[str]:
    return [
        f"{item['local']}/{item['prefixlen']}"
        for item in link(end, device).get("addr_info", [])
        if item["scope"] == "global"
    ]


@pytest.fixture(name="spare")
def _spare(pair: Pair) -> t.Iterator[str]:
    """Yield the name of a second network, and remove it afterwards."""
    yield "spare"
    pair.both(lambda end: end.network(name="spare", state="absent", force=True))


@ENDS
@proves(
    "vpn_network.name", "a name", "inet tunnelwright-<name>, vpn-<name>", "table, interface, unit"
)
@proves("vpn_network.description", "a text", "nothing", "kept in the record")
@proves("vpn_network.ip_address_type", "static", "an address", "the LAN reaches its router")
@proves("vpn_network.ip_address_type", "none", "no address", "ip address, before and after")
@proves("vpn_network.ip_address", "IPv4 and IPv6", "an address", "the LAN reaches its router")
@proves("vpn_network.network_address", "IPv4 and IPv6", "a prefix length, exemptions", "ip address")
@proves("vpn_network.interface", "omitted", "vpn-<name>", "ip link")
@proves("vpn_network.interface", "a name", "that name", "ip link")
@proves("vpn_network.interface_network", "omitted", "a bridge of its own", "ip link")
@proves("vpn_network.layer2_type", "none", "a bridge of its own", "ip link")
@proves("vpn_network.mtu", "a number", "the MTU of the interface", "a packet too big for it")
def test_interface_and_addresses(pair: Pair, spare: str, name: str) -> None:
    end = getattr(pair, name)
    six = {"ip_address": f"fd00:7{end.number}::1", "network_address": f"fd00:7{end.number}::/64"}
    end.network(name=spare, description="A spare network", mtu=1400, **six)
    assert link(end, "vpn-spare")["linkinfo"]["info_kind"] == "bridge"
    assert addresses(end, "vpn-spare") == [f"{six['ip_address']}/64"]
    assert "A spare network" in end.machine.sh("cat /etc/tunnelwright/spare.json")
    # A host of that network.
    end.machine.sh(
        f"""
        ip link add cable type veth peer name eth9 netns lan
        ip link set cable master vpn-spare up
        ip -n lan link set eth9 up
        ip -n lan address add fd00:7{end.number}::10/64 dev eth9 nodad
        """
    )
    try:
        end.machine.lan(f"ping -q -c 2 -i 0.3 -W 5 {six['ip_address']}")
        too_big = f"ping -M do -c 1 -s 1360 fd00:7{end.number}::10 2>&1 || true"
        assert "message too long" in end.machine.sh(too_big).lower()
    finally:
        end.machine.sh("ip link delete cable")
    four = {"ip_address": "10.77.0.1", "network_address": "10.77.0.0/24"}
    end.network(name=spare, interface="office", **four)
    assert addresses(end, "office") == ["10.77.0.1/24"]
    assert link(end, "vpn-spare") == {}
    end.network(
        name=spare,
        interface="office",
        ip_address_type="none",
        ip_address=None,
        network_address=None,
    )
    assert link(end, "office")
    assert addresses(end, "office") == []


@proves("vpn_network.layer2_type", "vlan", "a VLAN interface", "the tag on the wire")
@proves("vpn_network.layer2_id", "a number", "the tag", "the tag on the wire")
@proves("vpn_network.interface_network", "a name", "an address on that interface", "its neighbours")
def test_layer_2(pair: Pair, spare: str, machines: dict[str, Machine]) -> None:
    for options, seen in (
        ({"layer2_type": "vlan", "layer2_id": 77, "interface_network": "eth1"}, "vlan 77"),
        ({"interface_network": "eth1"}, "> 10.77.0."),
    ):
        pair.both(
            lambda end, options=options: end.network(
                name=spare,
                **{"ip_address": f"10.77.0.{end.number}", "network_address": "10.77.0.0/24"},
                **options,
            )
        )
        tagged = "vlan and icmp" if "layer2_id" in options else "icmp"
        with machines["other"].capturing("eth1", tagged) as wire:
            pair.a.machine.sh("ping -q -c 3 -i 0.3 -W 5 10.77.0.2")
        assert len(wire) == 6
        pair.both(lambda end: end.network(name="spare", state="absent", force=True))
        assert seen


@ENDS
@proves(
    "vpn_network.firewall_chains", "omitted", "nothing elsewhere", "a default drop stops the peer"
)
@proves(
    "vpn_network.firewall_chains",
    "a list",
    "rules in these chains",
    "peer and LANs pass a default drop",
)
@proves("vpn_network.ike_interfaces", "omitted", "no iifname", "the peer comes in by any interface")
@proves("vpn_network.ike_interfaces", "a list", "iifname", "the peer comes in by these alone")
def test_rules_beside_a_firewall(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.both(lambda item: item.terminate())
    end.machine.sh("nft -f -", FIREWALL)
    passive = {"phase1": {"connection_behavior": "responder_only"}}
    try:
        for options, passes in (
            ({}, False),
            ({"firewall_chains": CHAINS, "ike_interfaces": ["eth0"]}, False),
            ({"firewall_chains": CHAINS, "ike_interfaces": ["eth1"]}, True),
            ({"firewall_chains": CHAINS}, True),
        ):
            pair.configure(**{name: {**passive, "network": options}})
            # The firewall accepts packets of existing connections.
            end.machine.sh("conntrack --flush")
            if passes:
                end.other.initiate()
                pair.ping()
            else:
                end.other.machine.sh(
                    "swanctl --initiate --child net --timeout 3 >&2 && exit 1 || true"
                )
                assert not end.sas()
                end.other.terminate()
    finally:
        end.network()
        left = end.machine.sh("nft list table inet host")
        end.machine.sh("nft delete table inet host")
    assert "tunnelwright" not in left


@ENDS
@proves(
    "vpn_network.state",
    "started",
    "the unit runs, and is enabled",
    "interface, rules, after a reboot",
)
@proves(
    "vpn_network.state",
    "stopped",
    "the unit is stopped, and disabled; the unit of the guard runs",
    "no interface, and the guard alone, after a reboot too",
)
@proves("vpn_network.state", "present", "as it was", "stopped stays stopped, started stays started")
@proves("vpn_network.state", "absent", "nothing", "no file, table, interface or unit")
@proves("vpn_network.force", False, "nothing", "a network with a phase 1 is not removed")
@proves("vpn_network.force", True, "its phase 1 objects go first", "nothing of them is left")
def test_power_states(pair: Pair, spare: str, name: str) -> None:
    end = getattr(pair, name)
    own = {"name": spare, "ip_address": "10.77.0.1", "network_address": "10.77.0.0/24"}

    def exists() -> tuple[bool, bool]:
        """Return whether the interface and the table exist."""
        tables = end.machine.sh("nft list tables")
        return bool(link(end, "vpn-spare")), "tunnelwright-spare" in tables

    def is_off() -> bool:
        """Return whether only the guard's rules and units are left, without an interface."""
        chains = end.machine.sh("nft list table inet tunnelwright-spare")
        found = set(re.findall(r"chain (\w+)", chains))
        units = end.machine.sh(
            "for unit in tunnelwright-spare tunnelwright-spare.guard; do "
            "systemctl is-enabled $unit || true; systemctl is-active $unit || true; done"
        )
        told = ["disabled", "inactive", "enabled", "active"]
        return exists() == (False, True) and found <= GUARD and units.split() == told

    end.network(**own)
    assert exists() == (True, True)
    for state, off in (("present", False), ("stopped", True), ("present", True)):
        end.network(**own, state=state)
        assert is_off() is off
    end.machine.restart()
    assert is_off()
    assert link(end, "vpn-lan")
    end.network(**own, state="started")
    assert exists() == (True, True)
    assert not is_off()
    inside = {"name": "inside", "network": spare, "remote_gateway": "192.0.2.1", "psk": "x" * 20}
    end.machine.apply("ipsec_phase1", inside)
    refused = end.machine.run("vpn_network", {"name": spare, "state": "absent"})
    assert refused.failed
    assert "inside" in refused.result["msg"]
    end.network(**own, state="absent", force=True)
    assert exists() == (False, False)
    assert "inside" not in end.machine.sh("ls /etc/swanctl/conf.d")
    assert end.machine.sh("find /etc -name '*tunnelwright*spare*'") == ""


@proves("vpn_network.dataplane", "auto", "kernel-netlink where it has ESP", "ESP on the wire")
@proves("vpn_network.dataplane", "kernel", "kernel-netlink", "ESP on the wire, ip xfrm state")
@proves(
    "vpn_network.dataplane",
    "userspace",
    "kernel-libipsec",
    "UDP 4500 on the wire, no SA in the kernel",
)
def test_data_planes(pair: Pair) -> None:
    for plane in ("userspace", "kernel", "auto"):
        pair.both(lambda end, plane=plane: end.network(dataplane=plane))
        with pair.wire("esp or udp port 4500") as wire:
            pair.tunnel(network={"dataplane": plane})
        for end in pair.ends:
            in_kernel = "proto esp" in end.machine.sh("ip xfrm state")
            assert in_kernel is (plane != "userspace")
        assert wire
        kinds = {"UDP-encap" in line for line in wire if "ESP(spi=" in line}
        assert kinds == {plane == "userspace"}
    until(lambda: not pair.a.machine.sh("ip -o link | grep ipsec0 || true"), "the end of ipsec0")
