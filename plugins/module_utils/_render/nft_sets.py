# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The sets of a network. One lookup finds the tunnel of a packet among all tunnels.

A tunnel is in the sets if its selectors are two networks without ports. A tunnel with ports, and a
tunnel whose remote network contains networks of this side, has rules of its own.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .interval_layers import Box, layers
from .nft_match import (
    ANY_SERVICES,
    IP,
    RulesetInput,
    Services,
    TunnelMatch,
    on_this_side,
    selector,
    traffic,
)
from .nft_text import NftSet, SetElement, shortened

# The comment of a rule that looks up the tunnels.
TUNNELS = "tunnels"


@dataclass(frozen=True)
class TunnelTraffic:
    """Packets of one tunnel, or of all tunnels in a set, in one direction."""

    match: str
    label: str
    version: int
    services: Services = ANY_SERVICES
    protocol: str = "any"


@dataclass(frozen=True)
class TunnelSets:
    """Tunnels as sets of source and destination, for packets that leave and that arrive.

    ``rest`` are the tunnels that have rules of their own.
    """

    leaving: tuple[NftSet, ...] = ()
    arriving: tuple[NftSet, ...] = ()
    rest: tuple[TunnelMatch, ...] = ()

    @property
    def all(self) -> tuple[NftSet, ...]:
        return self.leaving + self.arriving

    def traffic(
        self, rules: RulesetInput, *, inwards: bool, apart: bool = False, inline: bool = False
    ) -> list[TunnelTraffic]:
        """Return the packets of the tunnels in one direction.

        ``apart`` leaves out packets to networks of this side. ``inline`` is for rules of other
        tables, which can't look up a set of our table.
        """
        found = [
            TunnelTraffic(item.inline if inline else item.lookup, TUNNELS, item.version)
            for item in (self.arriving if inwards else self.leaving)
        ]
        match = traffic if apart else _all_traffic
        for tunnel in self.rest:
            packets = match(rules, tunnel, inwards=inwards)
            version = tunnel.local.version
            found.append(TunnelTraffic(packets, tunnel.label, version, tunnel.services))
        return found


def _all_traffic(_rules: RulesetInput, tunnel: TunnelMatch, *, inwards: bool) -> str:
    return selector(tunnel, inwards=inwards)


def tunnel_sets(rules: RulesetInput) -> TunnelSets:
    """Return the sets of the tunnels that are on."""
    return sets_of(rules, rules.tunnels, ("out", "in"))


def sets_of(
    rules: RulesetInput,
    tunnels: t.Iterable[TunnelMatch],
    names: tuple[str, str],
    *,
    counted: bool = False,
) -> TunnelSets:
    """Return the sets of tunnels. ``names`` are their names for leaving and arriving packets."""
    labels: dict[Box, str] = {}
    rest = []
    for tunnel in tunnels:
        if tunnel.services.protocol or on_this_side(rules, tunnel):
            rest.append(tunnel)
        else:
            labels.setdefault((tunnel.local, tunnel.remote), tunnel.label)
    layered = in_layers(labels)
    leaving, arriving = names
    return TunnelSets(
        sets_in_layers(leaving, layered, ("saddr", "daddr"), counted=counted),
        sets_in_layers(arriving, layered, ("daddr", "saddr"), counted=counted),
        tuple(rest),
    )


# The IP version and the layer of a set, with its boxes and their labels.
Layered = t.Mapping[tuple[int, int], t.Sequence[tuple[Box, str]]]


def in_layers(labels: t.Mapping[Box, str]) -> Layered:
    """Divide boxes with their labels by IP version and layer."""
    found: dict[tuple[int, int], list[tuple[Box, str]]] = {}
    for version in IP:
        boxes = [box for box in labels if box[0].version == version]
        for box, layer in zip(boxes, layers(boxes)):
            found.setdefault((version, layer), []).append((box, labels[box]))
    return found


def sets_in_layers(
    name: str, layered: Layered, ends: t.Sequence[str], *, counted: bool = False
) -> tuple[NftSet, ...]:
    """Return a set for each layer. The networks of a box are the addresses at ``ends``.

    The source is always the first part of an element.
    """
    order = sorted(range(len(ends)), key=lambda at: ends[at], reverse=True)
    found = []
    for (version, layer), boxes in sorted(layered.items()):
        elements = tuple(
            SetElement(" . ".join(_address(box[at]) for at in order), shortened(label))
            for box, label in boxes
        )
        typeof = " . ".join(f"{IP[version]} {ends[at]}" for at in order)
        number = f"_{layer + 1}" if layer else ""
        found.append(NftSet(f"{name}{version}{number}", typeof, elements, counted=counted))
    return tuple(found)


def _address(network: t.Any) -> str:
    """Return a network as nft lists it: an address without the length of its prefix."""
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address if alone else network)
