# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.checks import IPNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import Service
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import (
    CHARON_TABLE,
    ROUTES,
    Block,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.cleartext_blocks import (
    cleartext_blocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_match import (
    RulesetInput,
    Services,
    TunnelMatch,
)

LAN = ip_network("10.1.0.0/24")


def routes(local: str, remote: str, own: IPNetwork | None = LAN, peer: str = "") -> set[str]:
    tunnel = TunnelMatch(
        "site-b/net",
        ip_network(local),
        ip_network(remote),
        peer=ip_address(peer) if peer else None,
    )
    rules = RulesetInput("lan", own=own, tunnels=(tunnel,), userspace=True)
    return {str(block) for block in cleartext_blocks(rules) if block.kind in ROUTES}


@pytest.mark.parametrize(
    ("local", "remote", "peer", "expected"),
    [
        ("192.0.2.1/32", "192.0.2.2/32", "192.0.2.2", {"throw route to 192.0.2.2/32"}),
        (
            "192.0.2.0/25",
            "192.0.2.128/25",
            "192.0.2.200",
            {"unreachable route to 192.0.2.128/25", "throw route to 192.0.2.200/32"},
        ),
        (
            "2001:db8::1/128",
            "2001:db8::2/128",
            "2001:db8::2",
            {"throw route to 2001:db8::2/128"},
        ),
        # IKE comes from the WAN address, which is not in the VPN network.
        ("10.1.0.0/25", "192.0.2.0/24", "192.0.2.2", {"unreachable route to 192.0.2.0/24"}),
        ("192.0.2.1/32", "10.2.0.0/24", "192.0.2.2", {"unreachable route to 10.2.0.0/24"}),
        ("192.0.2.1/32", "10.2.0.0/24", "2001:db8::2", {"unreachable route to 10.2.0.0/24"}),
        # The peer is a name or any address.
        ("192.0.2.1/32", "192.0.2.2/32", "", {"unreachable route to 192.0.2.2/32"}),
    ],
)
def test_no_unreachable_route_stops_ike_to_the_peer(
    local: str, remote: str, peer: str, expected: set[str]
) -> None:
    assert routes(local, remote, peer=peer) == expected


def test_without_an_address_range_of_its_own_a_network_may_hold_any_address() -> None:
    assert routes("10.1.0.0/24", "192.0.2.0/24", own=None, peer="192.0.2.2") == {
        "unreachable route to 192.0.2.0/24",
        "throw route to 192.0.2.2/32",
    }


def rules_of(local: str, remote: str, **options: t.Any) -> RulesetInput:
    tunnel = TunnelMatch("site-b/net", ip_network(local), ip_network(remote), **options)
    return RulesetInput("lan", own=ip_network(local), tunnels=(tunnel,))


def test_a_policy_has_the_port_at_the_end_that_offers_the_service() -> None:
    """Packets that leave have the remote port as destination, packets that arrive as source."""
    services = Services(remote=Service(6, (443, 443)), local=Service(6))
    rules = rules_of("10.1.0.0/24", "10.2.0.0/24", services=services)
    found = {
        block.direction: block.service for block in cleartext_blocks(rules) if block.kind == "block"
    }
    arriving = ("proto", "6", "sport", "443")
    assert found == {"out": ("proto", "6", "dport", "443"), "fwd": arriving, "in": arriving}


@pytest.mark.parametrize(
    ("local", "remote", "large"),
    [
        ("172.16.1.0/24", "10.0.0.0/16", True),
        ("172.16.1.0/24", "10.0.0.0/17", False),
        ("fd00:1::/64", "fd00:2::/48", True),
        ("fd00:1::/64", "fd00:2::/49", False),
    ],
)
def test_a_large_remote_network_leaves_other_interfaces_their_networks(
    local: str, remote: str, large: bool
) -> None:
    """Packets of the gateway use a more specific route of the main table first."""
    found = [
        str(block) for block in cleartext_blocks(rules_of(local, remote)) if block.suppress > 0
    ]
    length = remote.partition("/")[2]
    rule = f"routing rule from all to {remote} lookup main suppress_prefixlength {length}"
    assert found == ([rule] if large else [])


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        ("10.1.0.1/32", "from 10.1.0.1 lookup 220"),
        ("10.1.0.0/24", "from 10.1.0.0/24 lookup 220"),
        ("fd00::1/128", "from fd00::1 lookup 220"),
        ("fd00::/64", "from fd00::/64 lookup 220"),
        ("::/0", "from all lookup 220"),
    ],
)
def test_a_routing_rule_is_found_in_the_list_of_the_kernel(source: str, listed: str) -> None:
    """The kernel lists a host without its prefix length."""
    assert Block("rule", source, table=CHARON_TABLE).listed == listed
