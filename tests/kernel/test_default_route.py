# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remote network is the internet: hosts of the LAN reach the internet only in the tunnel.

The gateway still reaches its LAN, its administrators and its peer.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import is_running
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import End, Pair

EVERYTHING = ["0.0.0.0/0", "::/0"]
# Addresses for documentation, which the peer has on its loopback interface.
OUTSIDE = ("203.0.113.9", "2001:db8:ffff::9")
PING = "ping -q -c 2 -i 0.3 -W 2"


def networks(end: End) -> None:
    end.network()
    six = {"ip_address": f"fd00:{end.number}::1", "network_address": end.lan6}
    end.network(name="lan6", interface_network="vpn-lan", **six)


def outside(end: End, verb: str) -> None:
    for address, length in zip(OUTSIDE, (32, 128), strict=True):
        end.machine.sh(f"ip address {verb} {address}/{length} dev lo")


def routes(end: End, verb: str) -> None:
    """Add or remove default routes to the other end."""
    for via in (end.other.address, end.other.machine.ipv6):
        end.machine.sh(f"ip route {verb} default via {via}")


@pytest.fixture(name="routed")
def _routed(pair: Pair) -> t.Iterator[Pair]:
    pair.both(networks)
    pair.both(lambda end: routes(end, "replace"))
    yield pair
    pair.both(lambda end: routes(end, "delete"))
    pair.configure()


def branch_of(pair: Pair, branch: End) -> None:
    """Configure a tunnel that carries all traffic of one end."""
    own = [branch.lan4, branch.lan6]
    pair.configure(
        settings={"exclude_my_network": True},
        **{
            branch.name: {"phase2": {"local_network": own, "remote_network": EVERYTHING}},
            branch.other.name: {"phase2": {"local_network": EVERYTHING, "remote_network": own}},
        },
    )


def test_a_default_route_through_the_tunnel(routed: Pair) -> None:
    for end in routed.ends:
        outside(end.other, "replace")
        branch_of(routed, end)
        end.initiate()
        own = f"net {end.lan4} or net {end.lan6}"
        with routed.wire(f"esp or {own}") as wire:
            for address in OUTSIDE:
                end.machine.lan(f"{PING} {address}")
        assert sum("ESP(spi=" in line for line in wire) == len(wire) == 8, wire
        keeps_what_is_its_own(end)
        end.machine.sh("systemctl stop strongswan")
        with routed.wire(own) as wire:
            for address in OUTSIDE:
                end.machine.sh(f"ip netns exec lan {PING} {address} || true")
        assert wire == []
        keeps_what_is_its_own(end)
        end.machine.sh("systemctl start strongswan")
        outside(end.other, "delete")


def keeps_what_is_its_own(end: End) -> None:
    """Assert that LAN, management, peer and the gateway's own internet stay reachable."""
    for version, router in ((4, end.router), (6, f"fd00:{end.number}::1")):
        end.machine.lan(f"ip neighbour flush all; {PING} {router}")
        end.machine.sh(f"ip neighbour flush all; {PING} -I {router} {end.host(version)}")
        end.machine.sh(f"{PING} {end.host(version)}")
    assert is_running(end.machine)
    for address in (end.other.address, end.other.machine.ipv6, *OUTSIDE):
        end.machine.sh(f"{PING} {address}")
