# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.host_routes import (
    Way,
    Ways,
    to,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_run import (
    ScriptedRun,
)

ADDRESSES = [
    {
        "ifname": "lo",
        "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}, {}],
    },
    {
        "ifname": "eth0",
        "addr_info": [
            {"local": "192.0.2.1", "prefixlen": 24, "scope": "global"},
            {"local": "2001:db8::1", "prefixlen": 64, "scope": "global"},
            {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
        ],
    },
]
ROUTES = [
    {"dst": "default", "gateway": "192.0.2.254", "dev": "eth0", "protocol": "dhcp", "metric": 100},
    {"dst": "10.9.0.0/16", "gateway": "192.0.2.3", "dev": "eth0", "protocol": "116", "metric": 84},
    {"dst": "192.0.2.0/24", "dev": "eth0", "protocol": "kernel"},
    {"dst": "10.8.0.0/16", "nexthops": [{"gateway": "192.0.2.4", "dev": "eth0"}, {"dev": "eth1"}]},
    {"dst": "10.7.0.0/16", "via": {"family": "inet6", "host": "fe80::9"}, "dev": "eth0"},
    {"type": "unreachable", "dst": "10.6.0.0/16", "metric": 4294967295},
    {"dst": "203.0.113.7", "dev": "wg0"},
]


def shown(command: str, output: t.Any) -> Ways:
    """Return the Ways of a host on which ``command`` prints ``output``."""
    run = ScriptedRun()
    run.expect(command, output)
    return Ways(run)


def net(text: str) -> t.Any:
    return ipaddress.ip_network(text)


def test_connected() -> None:
    ways = shown("ip -j address show", ADDRESSES)
    assert ways.connected() == (
        ("lo", net("127.0.0.0/8")),
        ("eth0", net("192.0.2.0/24")),
        ("eth0", net("2001:db8::/64")),
    )


def test_the_main_table() -> None:
    ways = shown("ip -j -4 route show table main", ROUTES).main(4)
    router = ipaddress.ip_address
    assert ways == (
        Way(net("0.0.0.0/0"), "eth0", router("192.0.2.254"), 100),
        Way(net("10.9.0.0/16"), "eth0", router("192.0.2.3"), 84, True),
        Way(net("192.0.2.0/24"), "eth0"),
        Way(net("10.8.0.0/16"), "eth0", router("192.0.2.4")),
        Way(net("10.8.0.0/16"), "eth1"),
        Way(net("10.7.0.0/16"), "eth0", router("fe80::9")),
        Way(net("203.0.113.7/32"), "wg0"),
    )
    assert str(ways[0]) == "via 192.0.2.254 dev eth0"
    assert str(ways[2]) == "dev eth0"


@pytest.mark.parametrize(
    ("address", "device"),
    [("203.0.113.7", "wg0"), ("203.0.113.8", "eth0"), ("10.8.0.1", "eth0"), ("2001:db8::9", "")],
)
def test_the_closest_route(address: str, device: str) -> None:
    ways = shown("ip -j -4 route show table main", ROUTES).main(4)
    way = to(ways, ipaddress.ip_address(address))
    assert (way.device if way else "") == device


@pytest.mark.parametrize(
    ("network", "device"),
    [
        ("10.1.0.0/24", "eth0"),
        ("0.0.0.0/0", "eth0"),
        ("10.9.7.0/24", "eth0"),
        ("10.6.1.0/24", ""),
        ("10.6.0.0/15", "eth0"),
        ("203.0.113.7/32", "wg0"),
        ("10.5.0.0/24", "wg0"),
    ],
)
def test_the_way_out(network: str, device: str) -> None:
    """The closest route counts, and of two routes to one network the first."""
    twice = [{"dst": "10.5.0.0/16", "dev": "wg0"}, {"dst": "10.5.0.0/16", "dev": "eth9"}]
    ways = shown("ip -j -4 route show table main", [*ROUTES, *twice])
    assert ways.out([net(network)]) == {net(network): device}


@pytest.mark.parametrize(
    ("network", "device"), [("10.8.0.0/15", "eth0"), ("10.6.0.0/16", ""), ("10.4.0.0/16", "")]
)
def test_the_way_out_without_a_default_route(network: str, device: str) -> None:
    """A route to a part of a network is a way out."""
    ways = shown("ip -j -4 route show table main", ROUTES[1:])
    assert ways.out([net(network)]) == {net(network): device}


def test_the_ways_out_of_many_networks_are_one_listing_for_each_version() -> None:
    run = ScriptedRun()
    run.expect("ip -j -4 route show table main", ROUTES)
    run.expect("ip -j -6 route show table main", [])
    networks = [net(f"10.1.{number}.0/24") for number in range(200)]
    found = Ways(run).out([*networks, net("2001:db8:1::/64")])
    assert found == {**dict.fromkeys(networks, "eth0"), net("2001:db8:1::/64"): ""}
