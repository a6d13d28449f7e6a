# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The networks that the SAs of a phase 2 carry, and the configured networks that are missing."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.selectors import (
    Pair,
    Selectors,
    grouped,
    missing,
)
from hypothesis import given
from hypothesis import strategies as st

LAN = "10.1.0.0/24"
THREE = ("10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24")


def lacking(wanted, *carried, **how):
    made = [Selectors.of(*sa) for sa in carried]
    return [str(pair) for pair in missing(Selectors.of(*wanted), made, **how)]


def test_one_of_three():
    left = [f"{LAN} to 10.3.0.0/24", f"{LAN} to 10.4.0.0/24"]
    assert lacking(([LAN], THREE), ([LAN], ["10.2.0.0/24"])) == left
    assert lacking(([LAN], THREE)) == [f"{LAN} to {item}" for item in THREE]


def test_several_sas_carry_together():
    assert lacking(([LAN], THREE), *(([LAN], [item]) for item in THREE)) == []
    two = [([LAN], [item]) for item in THREE[:2]]
    assert lacking(([LAN], THREE), *two) == [f"{LAN} to 10.4.0.0/24"]
    # Two equal SAs carry no more than one SA.
    assert len(lacking(([LAN], THREE), two[0], two[0])) == 2


@pytest.mark.parametrize(
    ("wanted", "carried", "left"),
    [
        ("10.2.0.0/24", "10.2.0.0/24", []),
        ("10.2.0.0/24", "10.0.0.0/8", []),
        ("10.2.0.0/24", "10.2.0.0/25", ["10.2.0.128/25"]),
        ("10.2.0.0/24", "10.2.0.64/26", ["10.2.0.0/26", "10.2.0.128/25"]),
        ("10.2.0.0/24", "10.2.0.0..10.2.0.127", ["10.2.0.128/25"]),
        ("10.2.0.0/24", "10.9.0.0/24", ["10.2.0.0/24"]),
        # A remainder of many networks is reported as the whole network.
        ("10.2.0.0/24", "10.2.0.7/32", ["10.2.0.0/24"]),
        ("0.0.0.0/0", "10.2.0.0/24", ["0.0.0.0/0"]),
        ("10.2.0.0/24[tcp/8080]", "10.2.0.0/24[tcp/8080]", []),
        ("10.2.0.0/24[6/8080]", "10.2.0.0/24[tcp/8080]", []),
        ("10.2.0.0/24[tcp/8080]", "10.2.0.0/24[tcp]", []),
        ("10.2.0.0/24[tcp/8080]", "10.2.0.0/24", []),
        ("10.2.0.0/24[tcp/8080]", "10.2.0.0/25[tcp/8080]", ["10.2.0.128/25[tcp/8080]"]),
        ("10.2.0.0/24", "10.2.0.0/24[tcp/8080]", ["10.2.0.0/24"]),
        ("10.2.0.0/24[tcp]", "10.2.0.0/24[tcp/8080]", ["10.2.0.0/24[tcp]"]),
        ("10.2.0.0/24[tcp/80]", "10.2.0.0/24[udp/80]", ["10.2.0.0/24[tcp/80]"]),
        ("10.2.0.0/24[47]", "10.2.0.0/24[gre]", []),
        ("10.2.0.0/24[gre]", "10.2.0.0/24[tcp]", ["10.2.0.0/24[gre]"]),
        # Only the host knows the names of ports.
        ("10.2.0.0/24[tcp/8080]", "10.2.0.0/24[tcp/http-alt]", []),
        ("10.2.0.0/24[tcp/10-20]", "10.2.0.0/24[tcp/10-19]", ["10.2.0.0/24[tcp/10-20]"]),
        ("dynamic", "192.0.2.7/32", []),
        ("dynamic[gre]", "192.0.2.7/32[gre]", []),
        ("dynamic", "192.0.2.7/32[gre]", ["dynamic"]),
        ("no selector", "10.2.0.0/24", []),
    ],
)
def test_parts(wanted, carried, left):
    assert lacking(([LAN], [wanted]), ([LAN], [carried])) == [f"{LAN} to {item}" for item in left]
    turned = lacking(([wanted], [LAN]), ([carried], [LAN]))
    assert turned == [f"{item} to {LAN}" for item in left]


def test_the_remainders_of_both_sides_do_not_overlap():
    quarter = (["10.1.0.0/25"], ["10.2.0.0/25"])
    left = ["10.1.0.128/25 to 10.2.0.0/24", "10.1.0.0/25 to 10.2.0.128/25"]
    assert lacking(([LAN], ["10.2.0.0/24"]), quarter) == left


def test_ipv6_beside_ipv4():
    local, remote = [LAN, "fd00:1::/64"], ["10.2.0.0/24", "fd00:2::/64"]
    assert lacking((local, remote), (local, remote)) == []
    assert lacking((local, remote), ([LAN], ["10.2.0.0/24"])) == ["fd00:1::/64 to fd00:2::/64"]
    assert lacking((local, remote), (["::/0"], ["::/0"])) == [f"{LAN} to 10.2.0.0/24"]
    half = lacking((["fd00:1::/64"], ["fd00:2::/64"]), (["fd00:1::/64"], ["fd00:2::/65"]))
    assert half == ["fd00:1::/64 to fd00:2:0:0:8000::/65"]
    # The numbers are equal, but the IP versions differ.
    assert lacking((["10.1.0.0/24"], ["10.2.0.0/24"]), (["::/64"], ["::/64"]))


def test_a_part_is_enough_where_any_peer_may_come():
    supernet = ([LAN], ["10.0.0.0/8"])
    assert lacking(supernet, ([LAN], ["10.2.0.0/24"]), loosely=True) == []
    left = lacking(([LAN], THREE), ([LAN], ["10.2.0.0/25"]), loosely=True)
    assert left == [f"{LAN} to 10.3.0.0/24", f"{LAN} to 10.4.0.0/24"]


def test_grouped():
    pairs = [Pair("a", "x"), Pair("a", "y"), Pair("b", "x")]
    assert grouped(pairs) == "a to x, y; b to x"


@pytest.mark.parametrize(
    ("local", "remote", "carried"),
    [
        ("10.1.0.1", "10.2.0.9", True),
        ("", "10.2.0.9", True),
        ("10.1.0.1", "10.3.0.9", False),
        ("10.7.0.1", "10.2.0.9", False),
        ("fd00::1", "fd00::2", False),
    ],
)
def test_what_a_packet_needs(local, remote, carried):
    assert Selectors.of([LAN], ["10.2.0.0/24", "10.2.1.0/24"]).covers(local, remote) is carried


def test_between_the_gateways_no_address_is_compared():
    assert Selectors.of([], []).covers("192.0.2.1", "192.0.2.2")


# Only sixteen addresses, so that the test can compare every pair.
networks = st.builds(
    lambda number, length: str(
        ipaddress.ip_network((number & ~((1 << (32 - length)) - 1), length))
    ),
    st.integers(0, 15),
    st.integers(28, 32),
)
sides = st.lists(networks, min_size=1, max_size=3, unique=True)
sas = st.lists(st.tuples(sides, sides), max_size=3)


def addresses(pairs):
    return {
        (local, remote)
        for one, other in pairs
        for local in ipaddress.ip_network(one)
        for remote in ipaddress.ip_network(other)
    }


@given(st.tuples(sides, sides), sas)
def test_what_is_missing_is_wanted_and_not_carried(wanted, carried):
    left = missing(Selectors.of(*wanted), [Selectors.of(*sa) for sa in carried])
    asked, there = (
        addresses((one, other) for local, remote in found for one in local for other in remote)
        for found in ([wanted], carried)
    )
    told = addresses((pair.local, pair.remote) for pair in left)
    assert asked - there <= told <= asked
    assert bool(asked - there) == bool(left)
