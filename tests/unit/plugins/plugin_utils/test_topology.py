# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import math

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._topology import placed, size_of


def names(count: int) -> list[str]:
    return [f"s{index}" for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 15, 31, 80, 81, 300])
@pytest.mark.parametrize("kind", ["star", "mesh", "alone"])
def test_everybody_has_a_place_of_their_own(count: int, kind: str) -> None:
    sites = names(count)
    pairs = {
        "star": [("s0", other) for other in sites[1:]],
        "mesh": list(itertools.combinations(sites, 2)),
        "alone": [],
    }[kind]
    width, height = size_of(count)
    places = placed(sites, pairs, (width, height))
    assert places.keys() == set(sites)
    assert len({*places.values()}) == count
    for x, y in places.values():
        # Each place has room for a name.
        assert 50 <= x <= width - 50
        assert 30 <= y <= height - 30


def test_a_hub_is_in_the_middle() -> None:
    sites = names(6)
    assert placed(sites, [("s3", other) for other in sites if other != "s3"], (400, 280))["s3"] == (
        200,
        140,
    )


def test_two_hubs_are_within_the_others() -> None:
    sites = names(20)
    pairs = [(hub, other) for hub in ("s0", "s1") for other in sites[2:]]
    places = placed(sites, pairs, (760, 640))
    middle = (380, 320)
    distances = {site: math.dist(place, middle) for site, place in places.items()}
    assert max(distances["s0"], distances["s1"]) < min(distances[site] for site in sites[2:])


def test_two_sites_are_side_by_side() -> None:
    places = placed(["a", "b"], [("a", "b")], size_of(2))
    assert places["a"][1] == places["b"][1]
    assert places["a"][0] < places["b"][0]


def test_nobody() -> None:
    assert placed([], [], size_of(0)) == {}
