# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes: the routes of rules, and whether the kernel shows them."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.routes import (
    Route,
    lines,
    routes,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    network,
    rule,
)

WAY: dict[str, t.Any] = {"action": "route", "direction": None}


def made(**options: t.Any) -> list[str]:
    return [str(route) for route in routes(network(), [rule(**WAY, **options)])]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"target": "192.0.2.9"}, "10.5.0.0/16 via 192.0.2.9"),
        ({"target": "192.0.2.9", "interface": "eth0"}, "10.5.0.0/16 via 192.0.2.9 dev eth0"),
        ({"interface": "eth0"}, "10.5.0.0/16 dev eth0"),
        # The interface of the network leads to a router inside the network.
        ({"target": "10.1.0.254"}, "10.5.0.0/16 via 10.1.0.254 dev vpn-lan"),
        ({"target": "10.1.0.254", "interface": "eth0"}, "10.5.0.0/16 via 10.1.0.254 dev eth0"),
    ],
)
def test_one_for_each_destination(options: t.Any, expected: str) -> None:
    assert made(destination=["10.5.0.0/16", "10.6.0.0/16"], **options) == [
        expected,
        expected.replace("10.5", "10.6"),
    ]


def test_of_rules_that_are_routes() -> None:
    assert routes(network(), [rule(), rule(action="drop")]) == ()


def test_lines() -> None:
    both = [
        *routes(network(), [rule(**WAY, destination=["10.5.0.0/16"], interface="eth0")]),
        *routes(network(), [rule(**WAY, destination=["fd00:5::/32"], interface="eth0")]),
        *routes(network(), [rule(**WAY, destination=["::/0"], target="2001:db8::9")]),
    ]
    assert lines(both) == [
        "wait_for eth0",
        "ip -4 route replace 10.5.0.0/16 dev eth0 proto 116 metric 84",
        "ip -6 route replace fd00:5::/32 dev eth0 proto 116 metric 84",
        "ip -6 route replace ::/0 via 2001:db8::9 proto 116 metric 84",
    ]
    assert lines([]) == []


@pytest.mark.parametrize(
    ("wanted", "shown", "met"),
    [
        (("10.5.0.0/16", "192.0.2.9", ""), ("10.5.0.0/16", "192.0.2.9", "eth0"), True),
        (("10.5.0.0/16", "192.0.2.9", "eth0"), ("10.5.0.0/16", "192.0.2.9", "eth0"), True),
        (("10.5.0.0/16", "192.0.2.9", "eth1"), ("10.5.0.0/16", "192.0.2.9", "eth0"), False),
        (("10.5.0.0/16", "192.0.2.8", ""), ("10.5.0.0/16", "192.0.2.9", "eth0"), False),
        (("10.5.0.0/16", None, "eth0"), ("10.5.0.0/16", "192.0.2.9", "eth0"), False),
        (("10.5.0.0/17", None, "eth0"), ("10.5.0.0/16", None, "eth0"), False),
    ],
)
def test_whether_it_is_there(wanted: t.Any, shown: t.Any, met: bool) -> None:
    assert route(*wanted).is_met_by(route(*shown)) == met


def route(destination: str, router: str | None, device: str) -> Route:
    via = ipaddress.ip_address(router) if router else None
    return Route(ipaddress.ip_network(destination), via, device)
