# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The sets of the guard against cleartext. Each element counts the packets that the guard drops."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.checks import IPNetwork
from .._model.traffic import is_internet
from .nft_match import ANY_SERVICES, HostPair, RulesetInput, TunnelMatch
from .nft_sets import Layered, TunnelSets, in_layers, sets_in_layers, sets_of
from .nft_text import NftSet


@dataclass(frozen=True)
class GuardSets:
    """The sets of the guard.

    ``tunnels`` are the guarded tunnels, on and off. ``hosts`` are pairs in transport mode.
    ``peers_arriving`` and ``peers_leaving`` are peers in transport mode, for any address of this
    host. ``remote`` are remote networks. ``within`` are the packets within one of these networks,
    in the same order.
    """

    tunnels: TunnelSets
    hosts: TunnelSets
    peers_arriving: tuple[NftSet, ...]
    peers_leaving: tuple[NftSet, ...]
    remote: tuple[NftSet, ...]
    within: tuple[NftSet, ...]

    @property
    def all(self) -> tuple[NftSet, ...]:
        return (
            *self.tunnels.all,
            *self.hosts.all,
            *self.peers_arriving,
            *self.peers_leaving,
            *self.remote,
            *self.within,
        )


def guard_sets(rules: RulesetInput, guarded: t.Sequence[TunnelMatch]) -> GuardSets:
    """Return the sets of the guarded tunnels, and of the pairs in transport mode."""
    tunnels = sets_of(rules, guarded, ("guard_out", "guard_in"), counted=True)
    hosts = sets_of(rules, _pairs(rules), ("guard_host_out", "guard_host_in"), counted=True)
    peers = in_layers(_peers(rules))
    own = {*tunnels.rest}
    remote = in_layers(_remote_networks(tunnel for tunnel in guarded if tunnel not in own))
    return GuardSets(
        tunnels,
        hosts,
        sets_in_layers("guard_peer_in", peers, ("saddr",), counted=True),
        sets_in_layers("guard_peer_out", peers, ("daddr",), counted=True),
        sets_in_layers("guard_remote", remote, ("daddr",), counted=True),
        _within(remote),
    )


def with_ports(rules: RulesetInput) -> tuple[HostPair, ...]:
    """Return the pairs in transport mode that have rules of their own."""
    return tuple(pair for pair in rules.hosts if pair.services != ANY_SERVICES)


def _pairs(rules: RulesetInput) -> t.Iterator[TunnelMatch]:
    """Yield the pairs of two networks in transport mode."""
    for pair in rules.hosts:
        if pair.local is not None and pair.services == ANY_SERVICES:
            yield TunnelMatch(pair.label, pair.local, pair.remote)


def _peers(rules: RulesetInput) -> dict[tuple[IPNetwork, ...], str]:
    labels: dict[tuple[IPNetwork, ...], str] = {}
    for pair in rules.hosts:
        if pair.local is None and pair.services == ANY_SERVICES:
            labels.setdefault((pair.remote,), pair.label)
    return labels


def _remote_networks(tunnels: t.Iterable[TunnelMatch]) -> dict[tuple[IPNetwork, ...], str]:
    found: dict[tuple[IPNetwork, ...], str] = {}
    for tunnel in tunnels:
        if not is_internet(tunnel.remote):
            found.setdefault((tunnel.remote,), f"{tunnel.label}: other")
    return found


def _within(remote: Layered) -> tuple[NftSet, ...]:
    """Return the sets of packets within one remote network.

    Two pairs of one network overlap exactly if the networks do, so that the layers are the same.
    """
    pairs = {
        place: [((*box, *box), label) for box, label in boxes] for place, boxes in remote.items()
    }
    return sets_in_layers("within_remote", pairs, ("saddr", "daddr"))
