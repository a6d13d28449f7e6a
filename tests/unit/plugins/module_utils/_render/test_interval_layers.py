# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No two boxes of one layer overlap, and a new box moves only boxes that contain a part of it."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import overlap
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.interval_layers import (
    Box,
    layers,
)
from hypothesis import given
from hypothesis import strategies as st


# Few different networks, so that many of them overlap.
def networks(version: int) -> st.SearchStrategy[t.Any]:
    kind, bits = (ipaddress.IPv4Network, 32) if version == 4 else (ipaddress.IPv6Network, 128)
    return st.builds(
        lambda address, length: kind((address << (bits - 8), length), strict=False),
        st.integers(0, 31),
        st.integers(0, 8),
    )


BOXES = st.sampled_from((1, 2)).flatmap(
    lambda ends: st.sampled_from((4, 6)).flatmap(
        lambda version: st.lists(st.tuples(*[networks(version)] * ends), max_size=12, unique=True)
    )
)


def overlapping(one: Box, other: Box) -> bool:
    return all(map(overlap, one, other))


def box(*ends: str) -> Box:
    return tuple(map(ipaddress.ip_network, ends))


@given(BOXES)
def test_no_two_boxes_of_a_layer_overlap(boxes: list[Box]) -> None:
    found = layers(boxes)
    for one, other in itertools.combinations(range(len(boxes)), 2):
        if overlapping(boxes[one], boxes[other]):
            assert found[one] != found[other]


@given(BOXES)
def test_no_layer_is_left_out_and_no_box_is_higher_than_it_must_be(boxes: list[Box]) -> None:
    found = layers(boxes)
    assert {*found} == {*range(max(found, default=-1) + 1)}
    for at, layer in enumerate(found):
        below = {
            found[other]
            for other in range(len(boxes))
            if other != at and overlapping(boxes[at], boxes[other])
        }
        assert {*range(layer)} <= below


@given(BOXES)
def test_the_order_of_the_boxes_decides_nothing(boxes: list[Box]) -> None:
    assert layers(boxes[::-1]) == layers(boxes)[::-1]


def test_disjoint_boxes_are_in_one_layer() -> None:
    boxes = [box("10.0.0.0/8", f"192.168.{at}.0/24") for at in range(200)]
    assert layers(boxes) == [0] * 200


def test_boxes_that_cross_overlap() -> None:
    """The source of the one contains the source of the other, and its destination is within."""
    crossing = [box("10.0.0.0/8", "10.2.0.0/24"), box("10.1.0.0/24", "10.2.0.0/16")]
    assert sorted(layers(crossing)) == [0, 1]
    assert layers([*crossing, box("10.1.0.0/24", "10.3.0.0/24")])[2] == 0


def test_a_new_box_moves_only_what_contains_it() -> None:
    sites = [box(f"10.{at}.0.0/24") for at in range(50)]
    assert layers([*sites, box("0.0.0.0/0")]) == [0] * 50 + [1]
    assert layers([*sites, box("10.7.0.128/25")]) == [int(at == 7) for at in range(50)] + [0]
