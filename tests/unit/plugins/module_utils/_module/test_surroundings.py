# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks, routes and tunnels that would cut off connections of the host or of the run.

The host has 198.51.100.1/24 on eth0, and a default route.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.host_routes import Way
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import LinkState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.controller import (
    Controller,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine

ROUTE = {
    **{key: item for key, item in RULE.items() if key != "direction"},
    "action": "route",
    "target": "198.51.100.9",
}
BOTH = pytest.mark.parametrize("check", [True, False])


def came_from(machine: Machine, client: str, server: str = "198.51.100.1") -> None:
    addresses = map(ipaddress.ip_address, (client, server))
    machine.host.controlled = Controller(next(addresses), 50022, next(addresses), 22)


@pytest.fixture(autouse=True)
def _default_route(machine: Machine) -> None:
    everything, router = ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_address("198.51.100.254")
    machine.host.ways.others.append(Way(everything, "eth0", router, 100))


def lan(address: str, network: str, **more: t.Any) -> dict[str, t.Any]:
    return {**NETWORK, "ip_address": address, "network_address": network, **more}


def refused(machine: Machine, module: str, *words: str, check: bool, **options: t.Any) -> None:
    """Check that the task fails, that its error has these words, and that nothing changes."""
    before = machine.host.everything()
    done = machine.run(module, check=check, **options)
    assert done.get("failed"), done
    for word in words:
        assert word in done["msg"]
    assert machine.host.everything() == before
    assert machine.changes == []


class TestNetwork:
    @BOTH
    @pytest.mark.parametrize(
        "network", ["198.51.100.0/24", "198.51.100.128/25", "198.51.0.0/16", "198.51.100.0/30"]
    )
    def test_over_another_interface(self, machine: Machine, network: str, check: bool) -> None:
        address = str(ipaddress.ip_network(network)[-3])
        refused(
            machine,
            "vpn_network",
            f"network lan: network_address '{network}': overlaps 198.51.100.0/24, a network of "
            "interface eth0",
            check=check,
            **lan(address, network),
        )

    def test_over_another_interface_in_ipv6(self, machine: Machine) -> None:
        eth0 = machine.host.link.devices["eth0"]
        machine.host.link.devices["eth0"] = replace(eth0, addresses=("2001:db8::1/64",))
        six = lan("2001:db8::5", "2001:db8::/80")
        refused(machine, "vpn_network", "overlaps 2001:db8::/64", "eth0", check=True, **six)

    @BOTH
    def test_over_a_managed_network(self, machine: Machine, check: bool) -> None:
        machine.prepare(("vpn_network", NETWORK))
        refused(
            machine,
            "vpn_network",
            "network dmz: network_address '10.1.0.128/25': overlaps 10.1.0.0/24 of network lan, "
            "which is on vpn-lan",
            check=check,
            **lan("10.1.0.129", "10.1.0.128/25", name="dmz"),
        )

    def test_over_a_managed_network_that_is_stopped(self, machine: Machine) -> None:
        other = lan("10.1.0.129", "10.1.0.128/25", name="dmz")
        machine.prepare(("vpn_network", {**NETWORK, "state": "stopped"}), ("vpn_network", other))
        refused(machine, "vpn_network", "of network dmz", check=False, **NETWORK, state="started")

    @BOTH
    @pytest.mark.parametrize("module", ["phase 1 site-b", "connection by-hand"])
    def test_over_a_peer(self, machine: Machine, module: str, check: bool) -> None:
        machine.prepare(("vpn_network", NETWORK))
        if module == "phase 1 site-b":
            machine.prepare(("ipsec_phase1", {**PHASE1, "remote_gateway": "192.0.2.20"}))
        else:
            section = {"remote_addrs": ["192.0.2.20"], "local": {"auth": "psk"}, "children": {}}
            machine.host.vici.load_conn("by-hand", section)
        refused(
            machine,
            "vpn_network",
            f"network dmz: network_address '192.0.2.0/24': contains 192.0.2.20, the peer of "
            f"{module}, which is reached by interface eth0",
            check=check,
            **lan("192.0.2.1", "192.0.2.0/24", name="dmz"),
        )

    def test_beside_a_peer_with_a_route_of_its_own(self, machine: Machine) -> None:
        host = ipaddress.ip_network("192.0.2.20/32")
        machine.host.ways.others.append(Way(host, "eth0", ipaddress.ip_address("198.51.100.7")))
        machine.prepare(
            ("vpn_network", NETWORK),
            ("ipsec_phase1", {**PHASE1, "remote_gateway": "192.0.2.20"}),
            ("vpn_network", lan("192.0.2.1", "192.0.2.0/24", name="dmz")),
        )

    @BOTH
    def test_over_the_controller(self, machine: Machine, check: bool) -> None:
        came_from(machine, "192.0.2.66")
        refused(
            machine,
            "vpn_network",
            "contains 192.0.2.66, the controller that runs this task, which is reached by "
            "interface eth0",
            check=check,
            **lan("192.0.2.1", "192.0.2.0/24"),
        )

    @BOTH
    def test_over_the_router_of_the_default_route(self, machine: Machine, check: bool) -> None:
        everything = ipaddress.ip_network("0.0.0.0/0")
        machine.host.ways.others[:] = [Way(everything, "eth0", ipaddress.ip_address("192.0.2.254"))]
        words = "contains 192.0.2.254, the router of the default route"
        options = lan("192.0.2.1", "192.0.2.0/24")
        refused(machine, "vpn_network", words, check=check, **options)

    def test_on_the_interface_that_has_it(self, machine: Machine) -> None:
        """A network does not conflict with the interface to which the network is attached."""
        options = lan("198.51.100.77", "198.51.100.0/24", interface_network="eth0")
        machine.prepare(("vpn_network", options))

    def test_what_is_there_already_is_asked_nothing(self, machine: Machine) -> None:
        """A run without changes does not fail because of a later address of another interface."""
        machine.prepare(("vpn_network", NETWORK))
        machine.host.link.devices["eth1"] = LinkState("", 1500, True, ("10.1.0.77/24",))
        assert machine.run("vpn_network", **NETWORK)["changed"] is False


class TestRoute:
    def prepare(self, machine: Machine) -> None:
        phase1 = {**PHASE1, "remote_gateway": "192.0.2.20"}
        machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", phase1))

    @BOTH
    def test_of_a_peer(self, machine: Machine, check: bool) -> None:
        self.prepare(machine)
        refused(
            machine,
            "vpn_rule",
            "rule web of network lan: destination '192.0.2.0/24': contains 192.0.2.20, the peer of "
            "phase 1 site-b, which the host reaches via 198.51.100.254 dev eth0",
            check=check,
            **ROUTE,
            destination=["10.9.0.0/16", "192.0.2.0/24"],
        )

    @pytest.mark.parametrize("destination", ["192.0.2.20/32", "192.0.2.128/25", "10.9.0.0/16"])
    def test_meant(self, machine: Machine, destination: str) -> None:
        self.prepare(machine)
        machine.prepare(("vpn_rule", {**ROUTE, "destination": [destination]}))
        assert machine.run("vpn_rule", **ROUTE, destination=[destination])["changed"] is False

    @BOTH
    @pytest.mark.parametrize("destination", ["192.0.2.66/32", "192.0.0.0/16"])
    def test_of_the_controller(self, machine: Machine, destination: str, check: bool) -> None:
        self.prepare(machine)
        came_from(machine, "192.0.2.66")
        words = "contains 192.0.2.66, the controller that runs this task"
        refused(machine, "vpn_rule", words, check=check, **ROUTE, destination=[destination])

    @BOTH
    def test_of_everything(self, machine: Machine, check: bool) -> None:
        machine.prepare(("vpn_network", NETWORK))
        words = "would replace the default route via 198.51.100.254 dev eth0"
        refused(machine, "vpn_rule", words, check=check, **ROUTE, destination=["0.0.0.0/0"])

    def test_of_everything_where_there_is_none(self, machine: Machine) -> None:
        machine.host.ways.others.clear()
        machine.prepare(
            ("vpn_network", NETWORK), ("vpn_rule", {**ROUTE, "destination": ["0.0.0.0/0"]})
        )


class TestOwnConnection:
    """A phase 2 whose networks contain the connection of the task."""

    def prepare(self, machine: Machine, **network: t.Any) -> None:
        machine.prepare(("vpn_network", {**NETWORK, **network}), ("ipsec_phase1", PHASE1))

    def phase2(self, local: str, remote: str) -> dict[str, t.Any]:
        return {**PHASE2, "local_network": [local], "remote_network": [remote]}

    @pytest.mark.parametrize(
        ("dataplane", "local", "remote"),
        [
            ("kernel", "198.51.100.0/24", "192.0.2.0/24"),
            ("kernel", "198.51.100.1/32[tcp/22]", "192.0.2.0/24"),
            ("kernel", "198.51.100.0/24", "0.0.0.0/0"),
            ("userspace", "198.51.100.0/24", "192.0.2.0/24"),
            ("userspace", "10.1.0.0/24", "192.0.2.0/24"),
            ("userspace", "10.1.0.0/24", "192.0.0.0/16"),
        ],
    )
    def test_taken(self, machine: Machine, dataplane: str, local: str, remote: str) -> None:
        self.prepare(machine, dataplane=dataplane)
        came_from(machine, "192.0.2.66")
        options = self.phase2(local, remote)
        text = (
            f"remote_network '{remote}': with local_network {local.partition('[')[0]} would "
            "capture the connection from 192.0.2.66 to 198.51.100.1 by which this task runs"
        )
        # Check mode shows the same text as a warning.
        predicted = machine.run("ipsec_phase2", check=True, **options)
        assert text in str(predicted["warnings"])
        refused(machine, "ipsec_phase2", text, "ipsec_checkpoint", check=False, **options)
        machine.prepare(("ipsec_checkpoint", {"state": "started"}))
        done = machine.run("ipsec_phase2", **options)
        assert done["changed"], done
        assert text in str(done["warnings"])
        # The warning is shown once.
        assert "would capture the connection" not in str(machine.run("ipsec_phase2", **options))

    @pytest.mark.parametrize(
        ("dataplane", "local", "remote"),
        [
            ("kernel", "10.1.0.0/24", "192.0.2.0/24"),
            ("kernel", "10.1.0.0/24", "0.0.0.0/0"),
            ("kernel", "198.51.100.0/24", "192.0.2.0/26"),
            ("kernel", "198.51.100.1/32[tcp/443]", "192.0.2.0/24"),
            ("kernel", "198.51.100.0/24[udp]", "192.0.2.0/24"),
            ("userspace", "10.1.0.0/24", "0.0.0.0/0"),
            ("userspace", "10.1.0.0/24", "10.2.0.0/24"),
        ],
    )
    def test_not_taken(self, machine: Machine, dataplane: str, local: str, remote: str) -> None:
        self.prepare(machine, dataplane=dataplane)
        came_from(machine, "192.0.2.66")
        done = machine.run("ipsec_phase2", **self.phase2(local, remote))
        assert done["changed"], done
        assert "would capture the connection" not in str(done)

    def test_a_closer_route_wins_where_the_remote_network_is_large(self, machine: Machine) -> None:
        self.prepare(machine, dataplane="userspace")
        came_from(machine, "192.0.2.66")
        machine.host.ways.others.append(Way(ipaddress.ip_network("192.0.2.0/24"), "eth0"))
        machine.prepare(("ipsec_phase2", self.phase2("10.1.0.0/24", "192.0.0.0/16")))

    def test_of_a_host_in_the_own_network(self, machine: Machine) -> None:
        """exclude_my_network keeps the connection of a local controller on this side."""
        self.prepare(machine)
        came_from(machine, "10.1.0.66", "10.1.0.1")
        machine.prepare(("ipsec_phase2", self.phase2("10.1.0.0/24", "0.0.0.0/0")))

    THROUGH: t.ClassVar = {"local_network": ["10.1.0.0/24"], "remote_network": ["10.2.0.0/24"]}

    @pytest.mark.parametrize(
        ("module", "options"),
        [
            ("ipsec_phase2", {"name": "net", "phase1": "site-b", "state": "absent"}),
            ("ipsec_phase2", {"name": "net", "phase1": "site-b", "state": "disabled"}),
            ("ipsec_phase1", {"name": "site-b", "state": "absent"}),
            ("ipsec_phase1", {"name": "site-b", "state": "disabled"}),
            ("vpn_network", {"name": "lan", "state": "stopped"}),
            ("vpn_network", {"name": "lan", "state": "absent", "force": True}),
        ],
    )
    def test_its_tunnel_is_taken_away(
        self, machine: Machine, module: str, options: dict[str, t.Any]
    ) -> None:
        """A tunnel is not removed while a controller at the other site connects through it."""
        self.prepare(machine)
        machine.prepare(("ipsec_phase2", {**PHASE2, **self.THROUGH}))
        came_from(machine, "10.2.0.66", "10.1.0.1")
        given = options if module == "vpn_network" else {**options, "network": "lan"}
        words = (
            "phase 2 net of phase 1 site-b: remote_network '10.2.0.0/24': with local_network "
            "10.1.0.0/24 would no longer carry the connection from 10.2.0.66 to 10.1.0.1"
        )
        predicted = machine.run(module, check=True, **given)
        assert "no longer carry the connection" in str(predicted["warnings"])
        refused(machine, module, words, "ipsec_checkpoint", check=False, **given)
        machine.prepare(("ipsec_checkpoint", {"state": "started"}), (module, given))

    def test_what_leaves_its_tunnel_alone(self, machine: Machine) -> None:
        self.prepare(machine)
        machine.prepare(("ipsec_phase2", {**PHASE2, **self.THROUGH}))
        came_from(machine, "10.2.0.66", "10.1.0.1")
        more = {**PHASE2, **self.THROUGH, "remote_network": ["10.2.0.0/24", "10.3.0.0/24"]}
        machine.prepare(
            ("ipsec_phase2", {**more, "lifetime": 4}),
            ("ipsec_settings", {"network": "lan", "exclude_my_network": False}),
            ("ipsec_phase1", {**PHASE1, "dpd_delay": 9}),
        )

    def test_its_address_behind_the_tunnel_is_taken_away(self, machine: Machine) -> None:
        self.prepare(machine)
        machine.prepare(("ipsec_phase2", {**PHASE2, **self.THROUGH}))
        came_from(machine, "10.2.0.66", "10.1.0.1")
        moved = {**NETWORK, "ip_address": "10.1.0.9"}
        refused(
            machine,
            "vpn_network",
            "'10.1.0.1': would be removed from vpn-lan",
            check=False,
            **moved,
        )

    @BOTH
    def test_its_tunnel_is_closed(self, machine: Machine, check: bool) -> None:
        self.prepare(machine)
        machine.prepare(("ipsec_phase2", {**PHASE2, **self.THROUGH}))
        machine.host.vici.initiate("site-b", "net")
        came_from(machine, "10.2.0.66", "10.1.0.1")
        words = "phase 2 net of phase 1 site-b: state 'disconnected': would close the tunnel that"
        options = {"network": "lan", "state": "disconnected"}
        refused(machine, "ipsec_connection", words, check=check, **options)
        for client in ("192.0.2.66", "10.1.0.66"):
            came_from(machine, client, "10.1.0.1")
            assert not machine.run("ipsec_connection", check=True, **options).get("failed")

    @pytest.mark.parametrize("server", ["10.1.0.1", "198.51.100.1"])
    @pytest.mark.parametrize(
        "options",
        [
            {"name": "lan", "state": "stopped"},
            {"name": "lan", "state": "absent"},
            {**NETWORK, "ip_address": "10.1.0.9"},
            {**NETWORK, "interface": "br7"},
        ],
    )
    def test_its_network_is_taken_away(
        self, machine: Machine, options: dict[str, t.Any], server: str
    ) -> None:
        """An address is not removed while a controller in the local network connects to it."""
        machine.prepare(("vpn_network", NETWORK))
        came_from(machine, "10.1.0.66", server)
        words = (
            "network lan: ip_address '10.1.0.1': would be removed from vpn-lan, which ends the "
            f"connection from 10.1.0.66 to {server}"
        )
        refused(machine, "vpn_network", words, check=False, **options)
        predicted = machine.run("vpn_network", check=True, **options)
        assert "would be removed from vpn-lan" in str(predicted["warnings"])
        machine.prepare(("ipsec_checkpoint", {"state": "started"}), ("vpn_network", options))

    def test_its_network_stays(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", NETWORK))
        came_from(machine, "10.1.0.66", "10.1.0.1")
        machine.prepare(("vpn_network", {**NETWORK, "description": "x", "mtu": 1400}))
        came_from(machine, "192.0.2.66")
        machine.prepare(("vpn_network", {"name": "lan", "state": "stopped"}))

    @pytest.mark.parametrize("state", ["absent", "disabled"])
    def test_its_route_is_taken_away(self, machine: Machine, state: str) -> None:
        rule = {**ROUTE, "destination": ["192.0.2.0/24"]}
        machine.prepare(("vpn_network", NETWORK), ("vpn_rule", rule))
        route = ipaddress.ip_network("192.0.2.0/24")
        router = ipaddress.ip_address("198.51.100.9")
        machine.host.ways.others.append(Way(route, "eth0", router, 84, ours=True))
        came_from(machine, "192.0.2.66")
        gone = {"name": "web", "network": "lan", "state": state}
        words = "destination '192.0.2.0/24': would lose its route via 198.51.100.9 dev eth0"
        refused(machine, "vpn_rule", words, check=False, **gone)
        came_from(machine, "203.0.113.66")
        machine.prepare(("vpn_rule", gone))

    def test_when_a_network_is_started(self, machine: Machine) -> None:
        self.prepare(machine, dataplane="userspace", state="stopped")
        machine.prepare(("ipsec_phase2", self.phase2("10.1.0.0/24", "192.0.2.0/24")))
        came_from(machine, "192.0.2.66")
        words = "phase 2 net of phase 1 site-b", "would capture the connection from 192.0.2.66"
        refused(
            machine,
            "vpn_network",
            *words,
            check=False,
            **{**NETWORK, "dataplane": "userspace", "state": "started"},
        )

    def test_without_ssh(self, machine: Machine) -> None:
        self.prepare(machine)
        machine.prepare(("ipsec_phase2", self.phase2("198.51.100.0/24", "0.0.0.0/0")))
