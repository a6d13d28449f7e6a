# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The drawing of the sites of a fleet: hubs in the middle, other sites around them. Pure."""

from __future__ import annotations

import math
import typing as t

# Width and height of the drawing in pixels by the number of sites: small enough for a phone, large
# enough for the names side by side.
_SIZES = ((2, 400, 110), (6, 400, 280), (14, 460, 420), (30, 760, 640), (80, 1100, 940))
_LARGEST = (1600, 1400)
# Room for a name beside the outermost sites.
_MARGIN_X, _MARGIN_Y = 60, 44
# A hub has at least this number of neighbours, and twice as many as the average site.
_HUB = 3

Point = tuple[int, int]


def size_of(sites: int) -> tuple[int, int]:
    """Return width and height of the drawing in pixels."""
    return next(((width, height) for most, width, height in _SIZES if sites <= most), _LARGEST)


def placed(
    sites: t.Sequence[str], pairs: t.Collection[tuple[str, str]], size: tuple[int, int]
) -> dict[str, Point]:
    """Return the place of each site in pixels. ``pairs`` are the sites with a tunnel between."""
    neighbours: dict[str, set[str]] = {site: set() for site in sites}
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    hubs = _hubs(neighbours)
    order = {hub: index for index, hub in enumerate(hubs)}
    around = [site for site in sites if site not in order]
    if hubs and around:
        # Near their hubs, so that lines do not cross.
        around.sort(
            key=lambda site: min((order[it] for it in neighbours[site] if it in order), default=0)
        )
    inner = _ring(hubs, size, 0.0 if len(hubs) == 1 else 0.38)
    return {**inner, **_ring(around, size, 1.0)}


def _hubs(neighbours: t.Mapping[str, set[str]]) -> list[str]:
    if not neighbours:
        return []
    average = sum(map(len, neighbours.values())) / len(neighbours)
    least = max(_HUB, 2 * average)
    return [site for site, others in neighbours.items() if len(others) >= least]


def _ring(sites: t.Sequence[str], size: tuple[int, int], reach: float) -> dict[str, Point]:
    """Return places on an ellipse: two sites left and right, more sites from the top on."""
    width, height = size
    begin = math.pi if len(sites) == 2 else -math.pi / 2
    places = {}
    for index, site in enumerate(sites):
        angle = begin + 2 * math.pi * index / len(sites)
        places[site] = (
            round(width / 2 + math.cos(angle) * reach * (width / 2 - _MARGIN_X)),
            round(height / 2 + math.sin(angle) * reach * (height / 2 - _MARGIN_Y)),
        )
    return places
