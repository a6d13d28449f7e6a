# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic selectors: their forms and their intersections."""

from __future__ import annotations

import typing as t
from ipaddress import ip_address, ip_network

import netaddr
import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import (
    PROTOCOLS,
    Service,
    TrafficSelector,
    overlap,
    overlapping_numbers,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import refused
from hypothesis import given, settings
from hypothesis import strategies as st


def parse(text: object) -> TrafficSelector:
    return TrafficSelector.parse("remote_network[0]", text)


@pytest.mark.parametrize(
    ("text", "told", "by_number"),
    [
        ("10.2.0.0/24", "10.2.0.0/24", "10.2.0.0/24"),
        ("fd00:2::/64", "fd00:2::/64", "fd00:2::/64"),
        ("10.2.0.0/24[tcp/8080]", "10.2.0.0/24[tcp/8080]", "10.2.0.0/24[6/8080]"),
        ("10.2.0.0/24[17/53]", "10.2.0.0/24[udp/53]", "10.2.0.0/24[17/53]"),
        ("fd00::/8[udp/5000-5010]", "fd00::/8[udp/5000-5010]", "fd00::/8[17/5000-5010]"),
        ("10.2.0.0/24[tcp/80-80]", "10.2.0.0/24[tcp/80]", "10.2.0.0/24[6/80]"),
        ("10.2.0.0/24[tcp]", "10.2.0.0/24[tcp]", "10.2.0.0/24[6]"),
        ("192.0.2.1/32[gre]", "192.0.2.1/32[gre]", "192.0.2.1/32[47]"),
        ("192.0.2.1/32[icmp]", "192.0.2.1/32[icmp]", "192.0.2.1/32[1]"),
        ("fd00::1/128[icmpv6]", "fd00::1/128[ipv6-icmp]", "fd00::1/128[58]"),
        ("10.2.0.0/24[200]", "10.2.0.0/24[200]", "10.2.0.0/24[200]"),
    ],
)
def test_forms(text: str, told: str, by_number: str) -> None:
    made = parse(text)
    assert str(made) == made.to_options() == told
    assert made.by_number == by_number
    assert parse(told) == parse(by_number) == made


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("10.2.0.0/24[http]", "unknown protocol http"),
        ("10.2.0.0/24[0]", "unknown protocol 0"),
        ("10.2.0.0/24[256]", "unknown protocol 256"),
        ("10.2.0.0/24[gre/80]", "gre has no ports"),
        ("10.2.0.0/24[icmp/8]", "icmp has no ports"),
        ("10.2.0.0/24[tcp/0]", "1 to 65535"),
        ("10.2.0.0/24[tcp/65536]", "1 to 65535"),
        ("10.2.0.0/24[tcp/90-80]", "1 to 65535"),
        ("10.2.0.0/24[tcp/]", "CIDR"),
        ("10.2.0.0/24[]", "CIDR"),
        ("10.2.0.0/24[TCP]", "CIDR"),
        ("10.2.0.0/24[tcp/http]", "CIDR"),
        ("10.2.0.0[tcp/80]", "CIDR"),
        ("10.2.0.9/24[tcp/80]", "10.2.0.0/24"),
        ("[tcp/80]", "CIDR"),
        (None, "CIDR"),
    ],
)
def test_refusals(text: object, word: str) -> None:
    with refused("remote_network[0]", "", word):
        parse(text)


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        ("10.0.0.0/8", "10.2.0.0/24[tcp/80]", "10.2.0.0/24[tcp/80]"),
        ("10.2.0.0/24[tcp]", "10.0.0.0/8[tcp/80]", "10.2.0.0/24[tcp/80]"),
        ("10.2.0.0/24[tcp/1-90]", "10.2.0.0/24[tcp/80-99]", "10.2.0.0/24[tcp/80-90]"),
        ("10.2.0.0/24[tcp/80]", "10.2.0.0/24[tcp/81]", None),
        ("10.2.0.0/24[tcp/80]", "10.2.0.0/24[udp/80]", None),
        ("10.2.0.0/24[gre]", "10.3.0.0/24[gre]", None),
        ("0.0.0.0/0", "::/0", None),
    ],
)
def test_common(first: str, second: str, common: str | None) -> None:
    found = parse(first).common(parse(second))
    assert (found and str(found)) == common
    assert parse(first).overlaps(parse(second)) == (common is not None)
    assert parse(first).covers(parse(second)) == (common == second)


SELECTORS = st.builds(
    TrafficSelector,
    st.sampled_from(["10.0.0.0/8", "10.2.0.0/24", "10.3.0.0/24", "fd00::/8"]).map(ip_network),
    st.sampled_from(
        [Service(), Service(6), Service(6, (1, 90)), Service(6, (80, 99)), Service(47)]
    ),
)


@given(SELECTORS, SELECTORS, SELECTORS)
def test_laws_of_common(one: TrafficSelector, two: TrafficSelector, three: TrafficSelector) -> None:
    both = one.common(two)
    assert both == two.common(one)
    assert one.common(one) == one
    if both is not None:
        assert one.covers(both)
        assert two.covers(both)
        other = two.common(three)
        assert both.common(three) == (one.common(other) if other else None)


@pytest.mark.parametrize(
    ("text", "address", "allowed"),
    [
        ("10.2.0.0/24", "10.2.0.9", True),
        ("10.2.0.0/24", "10.3.0.9", False),
        ("10.2.0.0/24", "fd00::1", False),
        ("10.2.0.0/24[icmp]", "10.2.0.9", True),
        ("10.2.0.0/24[ipv6-icmp]", "10.2.0.9", False),
        ("fd00::/8[ipv6-icmp]", "fd00::1", True),
        ("10.2.0.0/24[tcp]", "10.2.0.9", False),
    ],
)
def test_an_echo_request(text: str, address: str, allowed: bool) -> None:
    assert parse(text).allows_echo(ip_address(address)) == allowed


def test_protocols_have_the_numbers_of_iana() -> None:
    import socket

    for name, number in PROTOCOLS.items():
        try:
            assert socket.getprotobyname(name) == number
        except OSError:
            continue


# Few distinct addresses, so that overlapping pairs are as common as disjoint ones.
V4 = st.builds(
    lambda address, length: ip_network((address, length), strict=False),
    st.sampled_from(["0.0.0.0", "10.1.0.0", "10.1.0.1", "10.1.0.128", "10.2.0.0", "192.0.2.1"]),
    st.integers(0, 32),
)
V6 = st.builds(
    lambda address, length: ip_network((address, length), strict=False),
    st.sampled_from(["::", "::a01:0", "fd00:1::", "fd00:1::1", "fd00:1:0:1::", "2001:db8::1"]),
    st.integers(0, 128),
)


@given(V4 | V6, V4 | V6)
@settings(max_examples=200, deadline=None)
def test_overlap_is_that_of_netaddr(first: t.Any, second: t.Any) -> None:
    ours, theirs = (netaddr.IPSet([str(network)]) for network in (first, second))
    assert overlap(first, second) == (not ours.isdisjoint(theirs))


@given(V4 | V6, V4 | V6)
@settings(max_examples=100, deadline=None)
def test_overlap_has_no_order(one: t.Any, other: t.Any) -> None:
    assert len({overlap(*pair) for pair in ((one, other), (other, one))}) == 1


@given(st.lists(V4 | V6, max_size=12))
@settings(max_examples=100, deadline=None)
def test_overlapping_numbers_are_those_of_every_two(networks: list[t.Any]) -> None:
    expected = {
        (one, other)
        for other in range(len(networks))
        for one in range(other)
        if overlap(networks[one], networks[other])
    }
    found = list(overlapping_numbers((item, number) for number, item in enumerate(networks)))
    assert len(found) == len(expected)
    assert {tuple(sorted(pair)) for pair in found} == expected
