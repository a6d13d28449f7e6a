# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the rules of the user: accepted options, and the errors for others."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    RULE,
    gateway,
    network,
    refused,
    rule,
)

SUBJECT = "rule web of network lan"
WEB = {"protocol": "tcp", "destination_ports": ["80", "8000-8100"]}
HIDE = {
    "action": "translate",
    "direction": "outgoing",
    "source": ["192.168.7.0/24"],
    "target": "10.1.0.7",
}
IN = {
    "action": "translate",
    "direction": "incoming",
    "destination": ["10.1.0.9"],
    "target": "192.168.7.20",
}
ROUTE = {
    "action": "route",
    "direction": None,
    "destination": ["10.55.0.0/16", "10.0.0.0/8"],
    "target": "10.1.0.254",
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {**WEB, "log": True, "order": 65535, "description": "näher"},
        {"source": ["10.2.0.0/24", "fd00:2::/64"], "destination": ["fd00:1::7"]},
        {"protocol": "udp", "source_ports": ["1-65535"]},
        HIDE,
        {**HIDE, "target": "10.1.0.0/24", "destination": ["10.2.0.0/24"]},
        {**HIDE, **WEB},
        {**HIDE, "source": ["192.168.7.7"], "target": "10.1.0.7/32"},
        IN,
        {**IN, **WEB, "target_port": 8443, "source": ["10.2.0.0/24"]},
        {**IN, "destination": ["fd00:1::9"], "target": "fd00:7::20"},
        ROUTE,
        {**ROUTE, "target": None, "interface": "eth1"},
        {**ROUTE, "destination": ["0.0.0.0/0"], "interface": "eth1"},
    ],
)
def test_round_trip(options: dict[str, t.Any]) -> None:
    made = rule(**options)
    assert VpnRule.from_options(made.to_options()) == made
    assert rule(**{**options, "state": "disabled"}).enabled is False


def test_addresses_of_hosts_are_networks() -> None:
    made = rule(source=["10.2.0.7", "fd00:2::7"])
    assert made.to_options()["source"] == ["10.2.0.7/32", "fd00:2::7/128"]


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"action": None}, "action", ["is missing", "accept, drop, reject, translate, route"]),
        ({"action": "allow"}, "action", ["allow", "accept, drop"]),
        ({"direction": None}, "direction", ["incoming, outgoing"]),
        ({"direction": "both"}, "direction", ["both", "incoming, outgoing"]),
        ({"protocol": "esp"}, "protocol", ["esp", "any, tcp, udp, icmp"]),
        ({"source": ["10.2.0.1/24"]}, "source[0]", ["10.2.0.1/24", "10.2.0.0/24"]),
        ({"source": ["site-b"]}, "source[0]", ["site-b", "an IPv4 or IPv6 address"]),
        ({"source": ["10.2.0.0/24", "10.2.0.7"]}, "source", ["10.2.0.7/32", "overlap"]),
        ({"source": ["10.2.0.0/24"], "destination": ["fd00::1"]}, "destination", ["IP version"]),
        ({"destination_ports": ["80"]}, "destination_ports", ["80", "protocol any", "tcp or udp"]),
        ({**WEB, "protocol": "icmp"}, "destination_ports", ["protocol icmp"]),
        ({**WEB, "source_ports": ["http"]}, "source_ports[0]", ["http", "1 to 65535"]),
        ({**WEB, "source_ports": ["0"]}, "source_ports[0]", ["0", "1 to 65535"]),
        ({**WEB, "source_ports": ["9-8"]}, "source_ports[0]", ["9-8"]),
        ({**WEB, "source_ports": ["1-"]}, "source_ports[0]", ["1-"]),
        ({**WEB, "source_ports": ["80; drop"]}, "source_ports[0]", ["80; drop"]),
        ({**WEB, "source_ports": ["٣"]}, "source_ports[0]", ["٣"]),
        ({**WEB, "source_ports": ["1-9", "9"]}, "source_ports", ["1-9 and 9"]),
        ({"order": 0}, "order", ["0", "1 to 65535"]),
        ({"order": 65536}, "order", ["65536"]),
        ({"target": "10.1.0.7"}, "target", ["no effect with action accept"]),
        ({"interface": "eth0"}, "interface", ["no effect with action accept"]),
        ({"description": "two\nlines"}, "description", ["one line"]),
        ({**HIDE, "target": None}, "target", ["is missing for action translate"]),
        ({**HIDE, "target": "0.0.0.0"}, "target", ["stands for any address", "192.0.2.1"]),
        ({**IN, "target": "0.0.0.0"}, "target", ["stands for any address"]),
        ({**ROUTE, "target": "0.0.0.0"}, "target", ["stands for any address"]),
        ({**ROUTE, "target": "::"}, "target", ["stands for any address"]),
        ({**HIDE, "source": None}, "source", ["is missing", "outgoing"]),
        ({**HIDE, "target": "fd00:1::7"}, "source", ["IP version", "fd00:1::7", "IPv6"]),
        ({**HIDE, "target": "10.1.0.0/25"}, "target", ["10.1.0.0/25", "192.168.7.0/24"]),
        ({**HIDE, "target": "192.168.7.0/24"}, "target", ["overlaps source"]),
        (
            {**HIDE, "target": "10.1.0.0/24", "source": ["192.168.7.0/24", "192.168.8.0/24"]},
            "target",
            ["one source"],
        ),
        ({**HIDE, **WEB, "target": "10.1.0.0/24"}, "protocol", ["tcp", "address as target"]),
        ({**HIDE, **WEB, "target_port": 80}, "target_port", ["direction outgoing"]),
        ({**HIDE, "target": "10.1.0.7/24"}, "target", ["10.1.0.0/24"]),
        ({**IN, "destination": None}, "destination", ["is missing", "incoming"]),
        (
            {**IN, "target": "192.168.7.0/24"},
            "target",
            ["a translation with direction outgoing"],
        ),
        ({**IN, "target": "fd00::7"}, "destination", ["IP version"]),
        ({**IN, "target_port": 80}, "target_port", ["tcp or udp"]),
        ({**IN, **WEB, "target_port": 0}, "target_port", ["1 to 65535"]),
        ({**ROUTE, "destination": None}, "destination", ["is missing for action route"]),
        ({**ROUTE, "destination": ["10.5.0.1", "10.5.0.1"]}, "destination", ["once"]),
        ({**ROUTE, "target": None}, "target", ["or an interface"]),
        ({**ROUTE, "target": "10.1.0.0/24"}, "target", ["is a network", "an address"]),
        ({**ROUTE, "target": "fd00::1"}, "destination", ["IP version"]),
        ({**ROUTE, "interface": "a b"}, "interface", ["1 to 15 characters of"]),
        ({**ROUTE, "direction": "incoming"}, "direction", ["no effect with action route"]),
        ({**ROUTE, "log": True}, "log", ["no effect with action route"]),
    ],
)
def test_refused(options: dict[str, t.Any], option: str, words: list[str]) -> None:
    with refused(option, SUBJECT, *words):
        rule(**options)


@pytest.mark.parametrize("name", ["", "a b", 'a"', "a;", "a\nb", "ä", "x" * 65, "$(reboot)"])
def test_names_that_nft_would_read(name: str) -> None:
    with refused("name", "", "1 to 64"):
        VpnRule.from_options({**RULE, "name": name})


class TestGateway:
    def test_order(self) -> None:
        made = gateway()
        for name, order in (("b", 7), ("a", 7), ("z", 1), ("c", 100)):
            made = made.with_rule(rule(name=name, order=order))
        assert [item.name for item in made.rules["lan"]] == ["z", "a", "b", "c"]
        made = made.with_rule(rule(name="b", order=1))
        assert [item.name for item in made.rules["lan"]] == ["b", "z", "a", "c"]
        assert made.rule("lan", "b") == rule(name="b", order=1)
        assert made.rule("lan", "d") is made.rule("dmz", "b") is None

    def test_network_must_exist(self) -> None:
        with refused("network", SUBJECT, "does not exist", "vpn_network"):
            Gateway().with_rule(rule())

    def test_rules_go_one_by_one_and_with_their_network(self) -> None:
        made = gateway(rule(), rule(name="more"))
        assert made.without_rule("lan", "more") == gateway(rule())
        assert made.without_rule("lan", "more").without_rule("lan", "web") == gateway()
        assert made.without_rule("dmz", "web") == made
        assert made.without_network("lan", force=False) == Gateway()

    def test_one_route_to_a_place(self) -> None:
        dmz = network(name="dmz", ip_address="10.9.0.1", network_address="10.9.0.0/24")
        made = gateway(network(), dmz, rule(**ROUTE))
        again = {**ROUTE, "destination": ["10.55.0.0/16"]}
        words = ["10.55.0.0/16", "rule web of network lan"]
        with refused("destination", "rule web of network dmz", *words):
            made.with_rule(rule(network="dmz", **again))
        with refused("destination", "rule more of network lan", *words):
            made.with_rule(rule(name="more", **again))
        made.with_rule(rule(**again))
        made.with_rule(rule(name="more", state="disabled", **again))
        made.with_rule(rule(name="more", destination=["10.55.0.0/16"]))


def test_a_target_that_an_earlier_version_took_is_read() -> None:
    for target in ("0.0.0.0", "10.1.0.254"):
        old = {"name": "way", "network": "lan", **ROUTE, "target": target}
        assert str(VpnRule.from_record(old).target) == target
    hidden = {"name": "hide", "network": "lan", **HIDE, "target": "10.1.0.0/24"}
    assert VpnRule.from_record(hidden) == VpnRule.from_options(hidden)
