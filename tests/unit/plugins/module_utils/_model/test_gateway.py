# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PUBKEY,
    child,
    connection,
    gateway,
    network,
    refused,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile

OTHER = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
SITE_C = {"name": "site-c", "remote_gateway": "192.0.2.3"}


class TestNetworks:
    def test_settings_are_the_defaults_where_none_were_made(self) -> None:
        assert gateway().settings_of("lan") == IpsecSettings("lan")
        assert gateway(settings(ipcomp=True)).settings_of("lan").ipcomp

    def test_replaced_by_name(self) -> None:
        changed = gateway().with_network(network(description="x"))
        assert changed.networks == {"lan": network(description="x")}

    def test_no_two_make_the_same_interface(self) -> None:
        with refused("interface", "network dmz", "vpn-lan", "network lan"):
            gateway().with_network(network(**OTHER, interface="vpn-lan"))
        assert gateway().with_network(network(interface="vpn-lan"))

    VLAN: t.ClassVar = {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth1"}

    def test_no_two_make_the_same_vlan(self) -> None:
        with refused("layer2_id", "network dmz", "7: is the tag of network lan on interface eth1"):
            gateway(network(**self.VLAN)).with_network(network(**OTHER, **self.VLAN))

    @pytest.mark.parametrize(
        "options",
        [
            {**VLAN, "layer2_id": 8},
            {**VLAN, "interface_network": "eth2"},
            {"interface_network": "eth1"},
            {},
        ],
    )
    def test_different_vlans(self, options: t.Any) -> None:
        assert gateway(network(**self.VLAN)).with_network(network(**OTHER, **options))
        assert gateway(network()).with_network(network(**OTHER, **options))

    @pytest.mark.parametrize("first", [{}, {"interface_network": "eth1"}])
    def test_one_may_be_attached_to_the_interface_of_another(self, first: dict[str, str]) -> None:
        made = gateway(network(**first))
        device = made.networks["lan"].device
        assert made.with_network(network(**OTHER, interface_network=device))

    @pytest.mark.parametrize(
        ("one", "other", "fits"),
        [
            ("kernel", "userspace", False),
            ("userspace", "kernel", False),
            ("kernel", "kernel", True),
            ("auto", "userspace", True),
            ("kernel", "auto", True),
        ],
    )
    def test_one_daemon_has_one_data_plane(self, one: str, other: str, fits: bool) -> None:
        made = gateway(network(dataplane=one))
        if fits:
            assert made.with_network(network(**OTHER, dataplane=other))
        else:
            with refused("dataplane", "network dmz", "network lan", one):
                made.with_network(network(**OTHER, dataplane=other))

    def test_an_edit_is_not_compared_with_what_it_replaces(self) -> None:
        made = gateway(network(dataplane="kernel"))
        assert made.with_network(network(dataplane="userspace"))

    def test_removed_with_its_settings(self) -> None:
        made = gateway(network(), network(**OTHER), settings(ipcomp=True))
        left = made.without_network("lan", force=False)
        assert left == gateway(network(**OTHER))

    def test_removed_with_its_phase_1_objects_only_when_forced(self) -> None:
        others = connection(**SITE_C, network="dmz")
        made = gateway(
            network(), network(**OTHER), connection(name="b"), connection(name="a", **PEER), others
        )
        with refused("state", "network lan", "has phase 1 a, b.", "set force to true"):
            made.without_network("lan", force=False)
        left = made.without_network("lan", force=True)
        assert left == gateway(network(**OTHER), others)


PEER = {"remote_gateway": "192.0.2.9"}


class TestPower:
    @pytest.mark.parametrize(
        ("power", "state", "active"),
        [
            ("started", "present", True),
            ("started", "disabled", False),
            ("stopped", "present", False),
        ],
    )
    def test_loaded_when_enabled_in_a_network_that_is_on(
        self, power: str, state: str, active: bool
    ) -> None:
        item = connection(state=state)
        assert gateway(network(state=power), item).is_active(item) is active

    def test_not_without_its_network(self) -> None:
        assert not Gateway(connections={"site-b": connection()}).is_active(connection())


class TestReferences:
    def test_settings_need_their_network(self) -> None:
        with refused("network", "IPsec settings of network wan", "'wan'", "dmz, lan"):
            gateway(network(), network(**OTHER), settings(network="wan"))

    def test_a_phase_1_needs_its_network(self) -> None:
        with refused("network", "phase 1 site-b", "'lan'", "vpn_network"):
            Gateway().with_connection(connection())

    def test_a_name_is_taken_once_on_the_host(self) -> None:
        made = gateway(network(), network(**OTHER), connection())
        with refused("name", "phase 1 site-b", "network lan"):
            made.with_connection(connection(network="dmz", **PEER))

    @pytest.mark.parametrize(
        ("options", "known"),
        [
            ({"phase1": "site-x"}, "site-b, site-c"),
            ({"phase1": "site-d"}, "site-b, site-c"),
            ({"network": "wan"}, "ipsec_phase1"),
        ],
    )
    def test_a_phase_2_needs_its_phase_1(self, options: dict[str, str], known: str) -> None:
        made = gateway(
            network(),
            network(**OTHER),
            connection(**SITE_C),
            connection(),
            connection(name="site-d", network="dmz", **PEER),
        )
        item = child(**options)
        with refused("phase1", f"phase 2 net of phase 1 {item.phase1}", known):
            made.with_child(item)

    def test_connections_by_network(self) -> None:
        made = gateway(network(), network(**OTHER), connection(), connection(**SITE_C))
        assert [item.name for item in made.connections_of("lan")] == ["site-b", "site-c"]
        assert made.connections_of("dmz") == ()


class TestPeers:
    """Distinct phase 1 objects: a responder accepts the first configuration that matches a peer."""

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"peer_identifier": "192.0.2.2"},
            {**PUBKEY},
            {"key_exchange": "auto"},
        ],
    )
    def test_the_same_twice(self, options: dict[str, t.Any]) -> None:
        with refused("remote_gateway", "phase 1 site-c", "192.0.2.2", "phase 1 site-b"):
            gateway(connection()).with_connection(connection(name="site-c", **options))

    @pytest.mark.parametrize(
        "options",
        [
            {"remote_gateway": "192.0.2.3"},
            {"local_address": "198.51.100.1"},
            {"identifier": "a@example.org"},
            {"peer_identifier": "b@example.org"},
            {"state": "disabled"},
        ],
    )
    def test_told_apart(self, options: dict[str, str]) -> None:
        assert gateway(connection()).with_connection(connection(name="site-c", **options))

    def test_found_when_enabled(self) -> None:
        made = gateway(connection(), connection(name="site-c", state="disabled"))
        with refused("remote_gateway", "phase 1 site-c", "phase 1 site-b"):
            made.with_connection(connection(name="site-c"))

    def test_removed(self) -> None:
        made = gateway(connection(), connection(**SITE_C)).without_connection("site-b")
        assert made == gateway(connection(**SITE_C))
        assert made.without_connection("site-b") == made


class TestSelectors:
    """No two tunnels may carry the same packets."""

    COLLIDES: t.ClassVar = {"name": "all", "remote_network": ["10.0.0.0/8"]}

    @pytest.mark.parametrize("phase1", ["site-b", "site-c"])
    def test_overlap(self, phase1: str) -> None:
        made = gateway(connection(child()), connection(**SITE_C))
        with refused(
            "remote_network",
            f"phase 2 all of phase 1 {phase1}",
            "'10.0.0.0/8'",
            "10.1.0.0/24 to 10.2.0.0/24",
            "phase 2 net of phase 1 site-b",
        ):
            made.with_child(child(**self.COLLIDES, phase1=phase1))

    def test_overlap_across_networks(self) -> None:
        made = gateway(network(), network(**OTHER), connection(child()))
        made = made.with_connection(connection(**SITE_C, network="dmz"))
        with refused("remote_network", "phase 2 all of phase 1 site-c", "phase 1 site-b"):
            made.with_child(child(**self.COLLIDES, phase1="site-c", network="dmz"))

    @pytest.mark.parametrize(
        "options",
        [
            {"remote_network": ["10.3.0.0/24"]},
            {"local_network": ["10.9.0.0/24"]},
            {"local_network": ["fd00:1::/64"], "remote_network": ["fd00:2::/64"]},
            {"state": "disabled"},
        ],
    )
    def test_no_overlap(self, options: dict[str, t.Any]) -> None:
        made = gateway(connection(child()), connection(**SITE_C))
        made = made.with_child(child(name="other", phase1="site-c", **options))
        assert made.connections["site-c"].child("other")

    def test_no_overlap_with_a_disabled_one(self) -> None:
        made = gateway(connection(child(state="disabled")))
        assert made.with_child(child(**self.COLLIDES))

    def test_an_edit_is_not_compared_with_what_it_replaces(self) -> None:
        made = gateway(connection(child())).with_child(child(remote_network=["10.0.0.0/8"]))
        (item,) = made.connections["site-b"].children
        assert str(item.remote_network[0]) == "10.0.0.0/8"

    def test_a_disabled_phase_1_carries_nothing_until_it_is_enabled(self) -> None:
        standby = connection(child(phase1="site-c"), **SITE_C, state="disabled")
        made = gateway(connection(child()), standby)
        with refused("remote_network", "phase 2 net of phase 1 site-c", "phase 1 site-b"):
            made.with_connection(replace(standby, state="present"))
        off = made.with_connection(replace(made.connections["site-b"], state="disabled"))
        assert off.with_connection(replace(standby, state="present"))

    def test_a_disabled_phase_1_is_not_contradictory_in_itself(self) -> None:
        made = gateway(connection(child(), state="disabled"))
        with refused("remote_network", "phase 2 all of phase 1 site-b", "phase 2 net"):
            made.with_child(child(**self.COLLIDES))

    def test_the_rules_of_the_phase_1_hold(self) -> None:
        made = gateway(connection(force_udp_encapsulation=True))
        with refused("protocol", "phase 2 net of phase 1 site-b", "phase 1 site-b"):
            made.with_child(child(protocol="ah"))


@profile(max_examples=30, deadline=None)
@given(gateways())
def test_what_was_accepted_is_accepted_in_any_order(made: Gateway) -> None:
    again = Gateway()
    for network_name in reversed(made.networks):
        again = again.with_network(made.networks[network_name])
    for item in made.settings.values():
        again = again.with_settings(item)
    for name in reversed(made.connections):
        again = again.with_connection(made.connections[name])
    for rules in made.rules.values():
        for rule in reversed(rules):
            again = again.with_rule(rule)
    assert again == made


class TestManyConnections:
    def many(self, count: int) -> list[IkeConnection]:
        return [
            connection(name=f"p{number}", remote_gateway=f"192.0.2.{number}").with_child(
                child(phase1=f"p{number}", remote_network=[f"10.{number}.0.0/16"])
            )
            for number in range(2, 2 + count)
        ]

    def test_together_they_are_as_one_after_the_other(self) -> None:
        items = self.many(5)
        one_by_one = gateway(*items)
        assert gateway().with_connections(items) == one_by_one
        assert gateway(items[0]).with_connections(items) == one_by_one

    def test_two_with_the_same_traffic(self) -> None:
        one, other = self.many(2)
        same = replace(other.children[0], remote_network=one.children[0].remote_network)
        clash = replace(other, children=(same,))
        with refused("remote_network", "phase 2 net of phase 1 p2", "phase 2 net of phase 1 p3"):
            gateway().with_connections([one, clash])
        assert gateway().with_connections([one, replace(clash, state="disabled")])

    def test_two_with_the_same_peer(self) -> None:
        one, other = self.many(2)
        with refused("remote_gateway", "phase 1 p2", "phase 1 p3"):
            gateway().with_connections([one, replace(other, remote_gateway=one.remote_gateway)])

    def test_a_network_that_does_not_exist(self) -> None:
        with refused("network", "phase 1 site-b", "Use one of: lan"):
            gateway().with_connections([connection(network="dmz")])
