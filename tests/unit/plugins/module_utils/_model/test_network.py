# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import (
    VpnNetwork,
    derived_interface,
    in_order,
)

LAN = {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}


def network(**options):
    return VpnNetwork.from_options({**LAN, **options})


def test_a_network_without_interface_network_makes_its_own_interface():
    assert network().device == "vpn-lan"
    assert not network().attached
    assert network().router == "10.1.0.1/24"


def test_a_network_attaches_to_an_interface_that_is_named():
    attached = network(interface_network="eth1")
    assert attached.attached
    assert attached.device == "eth1"


def test_a_vlan_is_made_on_the_interface_that_is_named():
    vlan = network(layer2_type="vlan", layer2_id=7, interface_network="eth1")
    assert not vlan.attached
    assert vlan.device == "vpn-lan"


@pytest.mark.parametrize("name", ["a", "a" * 11, "a" * 12, "a" * 32])
def test_derived_interface_names_fit_and_differ(name):
    derived = derived_interface(name)
    assert len(derived) <= 15
    assert derived != derived_interface(name[:-1] + "b")


def test_options_round_trip():
    full = network(
        description="LAN – Köln",
        firewall_chains=["inet filter input"],
        ike_interfaces=["eth0"],
        mtu=1400,
        dataplane="userspace",
        state="stopped",
    )
    assert VpnNetwork.from_options(full.to_options()) == full


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"ip_address": "10.2.0.1"}, "ip_address"),
        ({"ip_address": "10.1.0.0"}, "ip_address"),
        ({"ip_address": "10.1.0.255"}, "ip_address"),
        ({"ip_address": "fd00::1"}, "ip_address"),
        ({"ip_address": "0.0.0.0", "network_address": "0.0.0.0/32"}, "ip_address"),
        ({"ip_address": "0.0.0.0", "network_address": "0.0.0.0/31"}, "ip_address"),
        ({"ip_address": "::", "network_address": "::/127"}, "ip_address"),
        ({"ip_address": "::ffff:0.0.0.0", "network_address": "::ffff:0:0/128"}, "ip_address"),
        ({"ip_address": None}, "ip_address"),
        ({"network_address": None}, "network_address"),
        ({"ip_address_type": "none"}, "ip_address"),
        ({"layer2_type": "vlan"}, "layer2_id"),
        ({"layer2_type": "vlan", "layer2_id": 7}, "interface_network"),
        ({"layer2_id": 7}, "layer2_id"),
        ({"layer2_type": "vlan", "layer2_id": 4095, "interface_network": "eth1"}, "layer2_id"),
        ({"interface_network": "eth1", "mtu": 1400}, "mtu"),
        ({"interface_network": "eth1", "interface": "lan0"}, "interface"),
        ({"mtu": 67}, "mtu"),
        ({"ip_address": "fd00::1", "network_address": "fd00::/64", "mtu": 1279}, "mtu"),
        ({"firewall_chains": ["input"]}, "firewall_chains[0]"),
        ({"ike_interfaces": ["eth0", "a b"]}, "ike_interfaces[1]"),
        ({"description": "two\nlines"}, "description"),
        ({"dataplane": "magic"}, "dataplane"),
    ],
)
def test_an_illegal_option_is_named_with_its_network(options, option):
    with pytest.raises(ModelError) as raised:
        network(**options)
    assert raised.value.option == option
    assert raised.value.subject == "network lan"


def test_networks_without_broadcast_may_use_every_address():
    assert network(ip_address="10.1.0.0", network_address="10.1.0.0/31").router == "10.1.0.0/31"
    assert network(ip_address="10.1.0.1", network_address="10.1.0.1/32").router == "10.1.0.1/32"


def test_an_address_that_an_earlier_version_took_is_read() -> None:
    old = {**LAN, "ip_address": "0.0.0.0", "network_address": "0.0.0.0/32"}
    assert VpnNetwork.from_record(old).router == "0.0.0.0/32"


def test_networks_follow_the_network_that_makes_their_interface():
    base = network(name="z", interface="br-z")
    vlan = network(name="m", layer2_type="vlan", layer2_id=7, interface_network="br-z")
    guest = network(name="a", interface_network=vlan.device)
    other = network(name="b", interface_network="eth0")
    assert in_order([guest, other, vlan, base]) == ["z", "m", "a", "b"]


def test_networks_that_use_each_other_are_named_once():
    one = network(name="a", interface="v1", layer2_type="vlan", layer2_id=7, interface_network="v2")
    two = network(name="b", interface="v2", layer2_type="vlan", layer2_id=7, interface_network="v1")
    assert sorted(in_order([one, two])) == ["a", "b"]
