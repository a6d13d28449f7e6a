# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The division of boxes of networks into layers without an overlap.

A box is a network, or a pair of networks. The kernel refuses an nftables set in which two elements
overlap, so each layer becomes a set of its own.
"""

from __future__ import annotations

import itertools
import typing as t

from .._model.checks import IPNetwork

Box = tuple[IPNetwork, ...]
# Length and bits of a prefix.
_Prefix = tuple[int, int]
# A prefix, and whether it stands for a network within it.
_Key = tuple[tuple[_Prefix, bool], ...]


def layers(boxes: t.Sequence[Box]) -> list[int]:
    """Return the layer of each box, 0 for the first one. All boxes differ, and have one IP version.

    Small boxes come first. A new box therefore moves only boxes that contain a part of it. The time
    is linear in the number of boxes, and grows with the count of prefix lengths.
    """
    prefixes = [tuple(_prefix(network) for network in box) for box in boxes]
    lengths = [sorted({prefix[0] for prefix in column}) for column in zip(*prefixes)]
    occupied: dict[_Key, int] = {}
    found = [0] * len(boxes)
    for at in sorted(range(len(boxes)), key=lambda at: _size(prefixes[at])):
        used = 0
        for key in _overlapping(prefixes[at], lengths):
            used |= occupied.get(key, 0)
        free = ~used & (used + 1)
        for key in _found_by(prefixes[at], lengths):
            occupied[key] = occupied.get(key, 0) | free
        found[at] = free.bit_length() - 1
    return found


def _prefix(network: IPNetwork) -> _Prefix:
    host_bits = network.max_prefixlen - network.prefixlen
    return network.prefixlen, int(network.network_address) >> host_bits


def _size(box: tuple[_Prefix, ...]) -> tuple[int, tuple[_Prefix, ...]]:
    """Return the key by which small boxes are first."""
    return -sum(length for length, _bits in box), box


def _overlapping(
    box: tuple[_Prefix, ...], lengths: t.Sequence[t.Sequence[int]]
) -> t.Iterator[_Key]:
    """Yield the keys under which a box that overlaps this box is found.

    Two prefixes overlap if they are equal, or if one is within the other.
    """
    columns = (
        [(prefix, True), (prefix, False), *((outer, False) for outer in _outer(prefix, known))]
        for prefix, known in zip(box, lengths)
    )
    return itertools.product(*columns)


def _found_by(box: tuple[_Prefix, ...], lengths: t.Sequence[t.Sequence[int]]) -> t.Iterator[_Key]:
    """Yield the keys of a box: of its own prefixes, and of the prefixes that contain them."""
    columns = (
        [(prefix, False), *((outer, True) for outer in _outer(prefix, known))]
        for prefix, known in zip(box, lengths)
    )
    return itertools.product(*columns)


def _outer(prefix: _Prefix, lengths: t.Sequence[int]) -> t.Iterator[_Prefix]:
    """Yield the shorter prefixes that contain a prefix."""
    own, bits = prefix
    return ((length, bits >> (own - length)) for length in lengths if length < own)
