# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.checks import IPNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import ROUTES
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.cleartext_blocks import (
    cleartext_blocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_match import (
    RulesetInput,
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
