# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of the rules of users. tests/netns shows their effect on packets."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import rule

LAN, FAR = ipaddress.ip_network("10.1.0.0/24"), ipaddress.ip_network("10.2.0.0/24")
LAN6, FAR6 = ipaddress.ip_network("fd00:1::/64"), ipaddress.ip_network("fd00:2::/64")
TUNNEL, TUNNEL6 = nft.TunnelMatch("b/four", LAN, FAR), nft.TunnelMatch("b/six", LAN6, FAR6)

IN = "ip saddr 10.2.0.0/24 ip daddr 10.1.0.0/24"
OUT = "ip saddr 10.1.0.0/24 ip daddr 10.2.0.0/24"
# The same packets, looked up in a set of the table, or in a set in the rule.
ALL_IN, ALL_OUT = "ip saddr . ip daddr @in4", "ip saddr . ip daddr @out4"
ONE_IN = "ip saddr . ip daddr { 10.2.0.0/24 . 10.1.0.0/24 }"
ONE_OUT = "ip saddr . ip daddr { 10.1.0.0/24 . 10.2.0.0/24 }"
HIDDEN = "ip saddr 192.168.7.0/24 ip daddr 10.2.0.0/24"
SHOWN = "ip saddr 10.2.0.0/24 ip daddr 192.168.7.0/24"


def rules(*wanted: VpnRule, **options: t.Any) -> nft.RulesetInput:
    return nft.RulesetInput("n", **{"tunnels": (TUNNEL,), **options}, vpn_rules=wanted)


def chains(*wanted: VpnRule, **options: t.Any) -> dict[str, list[str]]:
    made = nft.table(rules(*wanted, **options)).chains
    return {item.name: [str(line) for line in item.rules] for item in made}


def hide(**options: t.Any) -> VpnRule:
    values = {"source": ["192.168.7.0/24"], "target": "10.1.0.7", "direction": "outgoing"}
    return rule(**{"action": "translate", "name": "hide", **values, **options})


def show(**options: t.Any) -> VpnRule:
    values = {"destination": ["10.1.0.9"], "target": "192.168.7.20"}
    return rule(**{"action": "translate", "name": "show", **values, **options})


def test_no_rules_no_chains() -> None:
    guard = ["no_cleartext_in", "no_leak_forward", "no_leak_postrouting"]
    assert list(chains()) == ["allow_input", "nat_exemption", *guard]
    assert list(chains(rule(), tunnels=())) == ["allow_input", "incoming"]


class TestFilters:
    def test_jumps_from_the_traffic_of_tunnels(self) -> None:
        made = chains(rule(), rule(name="x", direction="outgoing"), tunnels=(TUNNEL, TUNNEL6))
        back = f'{ALL_IN} meta ipsec exists jump incoming comment "tunnels"'
        away = f'{ALL_OUT} jump outgoing comment "tunnels"'
        assert [line for line in made["rules_forward"] if "ip6" not in line] == [back, away]
        assert [line for line in made["rules_input"] if "ip6" not in line] == [back]
        assert [line for line in made["rules_output"] if "ip6" not in line] == [away]
        assert len(made["rules_forward"]) == 4

    def test_of_the_userspace_data_plane(self) -> None:
        made = chains(rule(), userspace=True)
        assert made["rules_input"] == [f'{ALL_IN} iifname "ipsec0" jump incoming comment "tunnels"']

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, ["counter accept"]),
            ({"action": "drop"}, ["counter drop"]),
            (
                {"action": "reject"},
                [
                    "meta l4proto 6 counter reject with tcp reset",
                    "counter reject with icmpx admin-prohibited",
                ],
            ),
            (
                {"action": "reject", "protocol": "tcp"},
                ["meta l4proto 6 counter reject with tcp reset"],
            ),
            (
                {"action": "reject", "protocol": "icmp"},
                ["meta l4proto { 1, 58 } counter reject with icmpx admin-prohibited"],
            ),
            (
                {"protocol": "udp", "source_ports": ["53"], "destination_ports": ["1-9", "11"]},
                ["meta l4proto 17 udp sport 53 udp dport { 1-9, 11 } counter accept"],
            ),
            (
                {"source": ["10.2.0.7", "10.2.0.128/25", "fd00:2::/64"]},
                [
                    "ip saddr { 10.2.0.7/32, 10.2.0.128/25 } counter accept",
                    "ip6 saddr fd00:2::/64 counter accept",
                ],
            ),
            (
                {"source": ["10.2.0.7"], "destination": ["10.1.0.1", "fd00:1::1"]},
                ["ip saddr 10.2.0.7/32 ip daddr 10.1.0.1/32 counter accept"],
            ),
            (
                {"log": True},
                [
                    'ct state new limit rate 10/second log prefix "tunnelwright-n web: "',
                    "counter accept",
                ],
            ),
        ],
    )
    def test_what_a_rule_becomes(self, options: t.Any, expected: list[str]) -> None:
        first, *rest = chains(rule(**options))["incoming"]
        assert first == 'ct direction reply accept comment "replies"'
        assert rest == [f'{line} comment "web"' for line in expected]

    def test_in_the_order_that_they_come_in(self) -> None:
        made = chains(rule(name="b"), rule(name="a", action="drop"), rule(name="c"))
        assert [line.split()[-1] for line in made["incoming"][1:]] == ['"b"', '"a"', '"c"']

    def test_accepts_are_hooked(self) -> None:
        wanted = rules(
            rule(protocol="tcp", destination_ports=["22"]),
            rule(name="no", action="drop"),
            rule(name="out", direction="outgoing", source=["10.1.0.1", "fd00:1::1"]),
            tunnels=(TUNNEL, TUNNEL6),
        )
        ssh = "meta ipsec exists meta l4proto 6 tcp dport 22 counter accept"
        found = [
            str(line) for line in nft.hook_rules(wanted, "input", "ip") if "ipsec" in str(line)
        ]
        assert found == [f'{ONE_IN} {ssh} comment "tunnelwright-n: web"']
        ours = [str(line) for line in nft.hook_rules(wanted, "output") if "out" in line.comment]
        assert ours == [
            f'{ONE_OUT} ip saddr 10.1.0.1/32 counter accept comment "tunnelwright-n: out"',
            "ip6 saddr . ip6 daddr { fd00:1::/64 . fd00:2::/64 } ip6 saddr fd00:1::1/128"
            ' counter accept comment "tunnelwright-n: out"',
        ]

    def test_what_nft_would_find_contradictory_is_left_out(self) -> None:
        tcp, udp = hide(protocol="tcp"), rule(direction="outgoing", protocol="udp")
        found = [line.expression for line in nft.hook_rules(rules(tcp, udp), "output")]
        assert [line for line in found if "l4proto 17" in line] == [
            f"{ONE_OUT} meta l4proto 17 counter accept"
        ]


class TestTranslations:
    def test_of_a_source(self) -> None:
        made = chains(hide(protocol="udp", destination_ports=["53"]))
        match = f"{HIDDEN} meta l4proto 17 udp dport 53"
        assert made["translate_source"] == [f'{match} snat ip to 10.1.0.7 comment "hide"']
        assert "translate_destination" not in made
        assert made["no_leak_forward"][0] == f'{match} accept comment "hide"'
        assert made["no_leak_postrouting"][4:6] == [
            'rt ipsec missing ip saddr . ip daddr @guard_out4 counter drop comment "tunnels"',
            f'{match} rt ipsec missing counter drop comment "hide"',
        ]
        assert "unblocked" not in made
        # No cleartext reaches the hidden host, by its own or by its translated address.
        hidden = "ip saddr 10.2.0.0/24 ip daddr 192.168.7.0/24"
        assert made["no_cleartext_in"][-1] == (
            f'{hidden} meta ipsec missing counter drop comment "hide"'
        )

    @pytest.mark.parametrize("place", ["tunnels", "dormant"])
    def test_of_a_source_that_another_tunnel_would_block(self, place: str) -> None:
        """The kernel looks for a block before it translates."""
        whole = nft.TunnelMatch("c/all", ipaddress.ip_network("192.168.0.0/16"), FAR)
        options: t.Any = {"tunnels": (TUNNEL, whole)}
        if place == "dormant":
            options = {"dormant": (whole,)}
        mark = "meta mark set meta mark | 0x80000000"
        assert chains(hide(), **options)["unblocked"] == [f'{HIDDEN} {mark} comment "hide"']
        assert "unblocked" not in chains(hide(), userspace=True, **options)
        assert "unblocked" not in chains(show(), **options)

    def test_of_a_destination(self) -> None:
        made = chains(show(protocol="tcp", destination_ports=["80"], target_port=8080))
        assert made["translate_destination"] == [
            "ip saddr 10.2.0.0/24 ip daddr 10.1.0.9/32 meta ipsec exists meta l4proto 6"
            ' tcp dport 80 dnat ip to 192.168.7.20:8080 comment "show"'
        ]
        assert "translate_source" not in made
        shown = "ip saddr 10.2.0.0/24 ip daddr 192.168.7.20/32"
        assert made["nat_exemption"][2:] == [f'{shown} snat ip to ip saddr comment "show"']
        assert len(made["no_leak_forward"]) == 1

    def test_of_an_ipv6_destination(self) -> None:
        service = {"protocol": "tcp", "target_port": 8080}
        wanted = show(destination=["fd00:1::9"], target="fd00:7::20", **service)
        (line,) = chains(wanted, tunnels=(TUNNEL6,))["translate_destination"]
        assert "dnat ip6 to [fd00:7::20]:8080" in line

    def test_one_to_one(self) -> None:
        made = chains(hide(target="10.1.0.0/24"))
        assert made["translate_source"] == [
            f'{HIDDEN} snat ip prefix to 10.1.0.0/24 comment "hide"'
        ]
        assert made["translate_destination"] == [
            f'{IN} meta ipsec exists dnat ip prefix to 192.168.7.0/24 comment "hide"'
        ]
        assert f'{SHOWN} snat ip to ip saddr comment "hide"' in made["nat_exemption"]

    @pytest.mark.parametrize(
        ("options", "matches"),
        [
            ({}, [HIDDEN]),
            ({"destination": ["10.2.0.7"]}, [f"{HIDDEN[:-11]}10.2.0.7/32"]),
            ({"destination": ["10.0.0.0/8"]}, [HIDDEN]),
            ({"destination": ["10.3.0.0/24"]}, []),
            ({"target": "10.7.0.7"}, []),
            # The tunnel would carry only a part of the translated packets.
            ({"source": ["192.168.0.0/16"], "target": "10.1.0.0/16"}, []),
            ({"source": ["fd00:7::/64"], "target": "fd00:1::7"}, []),
            (
                {"source": ["192.168.7.0/24", "192.168.9.9"]},
                [HIDDEN, "ip saddr 192.168.9.9/32 ip daddr 10.2.0.0/24"],
            ),
        ],
    )
    def test_in_the_tunnels_that_carry_the_target(self, options: t.Any, matches: t.Any) -> None:
        made = chains(hide(**options)).get("translate_source", [])
        assert [line.split(" snat ")[0] for line in made] == matches

    def test_everything_but_what_is_near(self) -> None:
        """The translation leaves out local networks, which 0.0.0.0/0 contains by number."""
        whole = nft.TunnelMatch("b/all", LAN, ipaddress.ip_network("0.0.0.0/0"))
        own = ipaddress.ip_network("10.9.0.0/24")
        (line,) = chains(hide(), tunnels=(whole,), own=own)["translate_source"]
        (aside,) = [part.split("}")[0] for part in line.split("!= {")[1:]]
        near = {"10.1.0.0/24", "10.9.0.0/24", "192.168.7.0/24", "224.0.0.0/4"}
        assert near <= {item.strip() for item in aside.split(",")}

    def test_hooked_into_forward(self) -> None:
        found = [str(line) for line in nft.hook_rules(rules(hide(target="10.1.0.0/24")), "forward")]
        ending = 'counter accept comment "tunnelwright-n: hide"'
        assert found[2:] == [
            f"{SHOWN} meta ipsec exists {ending}",
            f"{HIDDEN} {ending}",
        ]
        found = [str(line) for line in nft.hook_rules(rules(show()), "forward")]
        assert found[3].startswith("ip saddr 192.168.7.20/32 ip daddr 10.2.0.0/24 ct status dnat")
        assert len(nft.hook_rules(rules(hide()), "forward", "ip6")) == 0

    def test_filters_see_the_local_side(self) -> None:
        made = chains(hide(protocol="tcp"), show(), rule(), rule(name="x", direction="outgoing"))
        assert made["rules_input"] == [
            f'{ALL_IN} meta ipsec exists jump incoming comment "tunnels"',
            f'{SHOWN} meta ipsec exists jump incoming comment "hide"',
            "ip saddr 10.2.0.0/24 ip daddr 192.168.7.20/32 meta ipsec exists jump incoming"
            ' comment "show"',
        ]
        assert made["rules_output"] == [
            f'{ALL_OUT} jump outgoing comment "tunnels"',
            f'{HIDDEN} meta l4proto 6 jump outgoing comment "hide"',
        ]

    def test_logged_once_for_each_connection(self) -> None:
        first, second = chains(hide(log=True))["translate_source"]
        assert first.startswith(f"{HIDDEN} ct state new limit rate 10/second log prefix")
        assert second.startswith(f"{HIDDEN} snat")
