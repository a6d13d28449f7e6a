# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The narrowing of traffic selectors."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.selectors import (
    effective,
    host_of,
    likeness,
    narrowed,
    texts,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import (
    Service,
    TrafficSelector,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import child
from hypothesis import given
from hypothesis import strategies as st

networks = st.lists(
    st.builds(
        lambda octet, length, service: TrafficSelector(
            ip_network((octet << 24, length), strict=False), service
        ),
        st.sampled_from((10, 11, 192)),
        st.integers(6, 12),
        st.sampled_from((Service(), Service(), Service(6), Service(6, (80, 80)), Service(47))),
    ),
    max_size=4,
).map(tuple)


def nets(*texts: str) -> tuple:
    return tuple(TrafficSelector.parse("networks", text) for text in texts)


@pytest.mark.parametrize(
    ("configured", "offered", "common"),
    [
        (("10.1.0.0/16",), ("10.1.2.0/24",), ("10.1.2.0/24",)),
        (("10.1.2.0/24",), ("10.1.0.0/16",), ("10.1.2.0/24",)),
        (("10.1.0.0/24",), ("10.2.0.0/24",), ()),
        (("0.0.0.0/0", "::/0"), ("10.1.0.0/24", "fd00::/8"), ("10.1.0.0/24", "fd00::/8")),
        (("10.1.0.0/24", "10.1.0.0/16"), ("10.1.0.0/16",), ("10.1.0.0/16",)),
        (("0.0.0.0/0",), ("::/0",), ()),
        (("10.1.0.0/16[tcp]",), ("10.1.2.0/24[6/443]",), ("10.1.2.0/24[tcp/443]",)),
        (("10.1.0.0/24[tcp/80]",), ("10.1.0.0/16",), ("10.1.0.0/24[tcp/80]",)),
        (("10.1.0.0/24[tcp/1-90]",), ("10.1.0.0/24[tcp/80-99]",), ("10.1.0.0/24[tcp/80-90]",)),
        (("10.1.0.0/24[tcp/80]",), ("10.1.0.0/24[udp/80]",), ()),
    ],
)
def test_narrowed(configured, offered, common):
    assert narrowed(nets(*configured), nets(*offered)) == nets(*common)


@given(networks, networks)
def test_either_side_comes_to_the_same(first, second):
    assert set(narrowed(first, second)) == set(narrowed(second, first))


@given(networks, networks)
def test_narrowing_once_more_changes_nothing(first, second):
    once = narrowed(first, second)
    assert set(narrowed(first, once)) == set(once)


def test_what_is_equal_fits_better_than_what_overlaps_and_the_first_counts_most():
    offered = nets("10.1.0.0/24", "10.2.0.0/24")
    assert likeness(nets("10.1.0.0/24"), offered) == 10
    assert likeness(nets("10.2.0.0/24"), offered) == 5
    assert likeness(nets("10.0.0.0/8"), offered) == 3
    assert likeness(nets("10.3.0.0/24"), offered) == 0


def test_without_networks_it_is_the_peer_itself():
    host = host_of(None, "initiator")
    transport = child(mode="transport", local_network=None, remote_network=None)
    assert texts(effective(transport, (), host, offered=True)) == ["dynamic"]


def test_transport_mode_offers_the_peers_themselves():
    (host,) = nets("192.0.2.1/32")
    transport = child(mode="transport", local_network=None, remote_network=None)
    assert effective(transport, nets("192.0.2.0/24"), host, offered=True) == (host,)
    assert effective(transport, nets("198.51.100.1/32"), host, offered=True) == ()
    assert effective(transport, nets("192.0.2.0/24"), host, offered=False) == nets("192.0.2.0/24")
