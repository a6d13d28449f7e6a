# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Every two peers of many, each read once."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import replace

from .._errors import ModelError
from .causes import INFO
from .compare import Read, Result, alone, met, unreadable
from .definition import Peer, Tunnel
from .findings import SIDES
from .matching import Pair, likely, pairs
from .tunnel import NONE

# The names of two peers, in the order of all.
_Couple = tuple[str, str]
_Tunnels = t.Mapping[str, t.Sequence[Tunnel]]


def fleet(read: t.Mapping[str, Read]) -> dict[str, t.Any]:
    """``compared``, the results of those that have to do with each other; ``unmatched`` tunnels.

    ``read`` is by the name of the peer; ``table`` is for people.
    """
    peers, results = _all(read)
    matched = _Matched(peers)
    left = matched.left
    named = _named(left, peers)
    for couple in dict.fromkeys((*matched.pairs, *named)):
        # What is matched with a third one lacks nothing here.
        one, other = (replace(peers[name], tunnels=tuple(left[name])) for name in couple)
        result = met(one, other, matched.pairs.get(couple, ()))
        if result["verdict"] != NONE:
            results.append({"peers": list(couple), **result})
    missed = {id(item) for tunnels in named.values() for item in tunnels}
    unmatched = [
        {
            "peer": name,
            "phase1": item.connection.name,
            "remote_gateway": item.connection.remote_gateway,
        }
        for name, tunnels in left.items()
        for item in tunnels
        if id(item) not in missed
    ]
    return {"compared": results, "unmatched": unmatched, "table": [*_rows(results, unmatched)]}


def _all(read: t.Mapping[str, Read]) -> tuple[dict[str, Peer], list[Result]]:
    """The peers, and what is to be said of those that can't be read, or are at odds themselves."""
    peers, results = {}, []
    for name, reads in read.items():
        try:
            peers[name] = reads()
        except ModelError as error:
            results.append({"peers": [name], **unreadable(name, error)})
            continue
        within = alone(name, peers[name])
        if within:
            results.append({"peers": [name], **within})
    return peers, results


class _Matched:
    """Which tunnels are the two ends of one, of all peers: those that name each other first.

    So only the others have to be looked at closely.
    """

    def __init__(self, peers: t.Mapping[str, Peer]) -> None:
        self._peers = peers
        self._taken: set[int] = set()
        self.pairs: dict[_Couple, tuple[Pair, ...]] = {}
        for couple, tunnels in _named(self.left, peers).items():
            self._match(couple, tunnels)
        left = self.left
        order = {name: number for number, name in enumerate(peers)}
        couples = {
            (one, other) if order[one] < order[other] else (other, one)
            for one, other in (*likely(left), *_named(left, peers))
        }
        for one, other in sorted(couples, key=lambda couple: [order[name] for name in couple]):
            self._match((one, other), (*left[one], *left[other]))

    @property
    def left(self) -> dict[str, list[Tunnel]]:
        return {
            name: [item for item in peer.tunnels if id(item) not in self._taken]
            for name, peer in self._peers.items()
        }

    def _match(self, couple: _Couple, tunnels: t.Sequence[Tunnel]) -> None:
        free = [item for item in tunnels if id(item) not in self._taken]
        local, remote = (
            replace(self._peers[name], tunnels=tuple(item for item in free if item.peer == name))
            for name in couple
        )
        found = pairs(local, remote)
        if found:
            self.pairs[couple] = (*self.pairs.get(couple, ()), *found)
            self._taken.update(id(tunnel) for pair in found for tunnel in pair)


def _named(tunnels: _Tunnels, peers: t.Mapping[str, Peer]) -> dict[_Couple, list[Tunnel]]:
    """The tunnels that name another peer, by the two of them."""
    order = {name: number for number, name in enumerate(peers)}
    by_address = defaultdict(set)
    for name, peer in peers.items():
        for address in (*peer.addresses, name):
            by_address[address].add(name)
    named: dict[_Couple, list[Tunnel]] = defaultdict(list)
    for name, items in tunnels.items():
        for item in items:
            for other in sorted(by_address[item.connection.remote_gateway] - {name}):
                first, second = sorted((name, other), key=order.__getitem__)
                named[first, second].append(item)
    return named


def _rows(results: t.Sequence[Result], unmatched: t.Sequence[Result]) -> t.Iterator[str]:
    """A line for each two peers, and below it what does not fit."""
    for result in results:
        yield f"{' - '.join(result['peers']):<40} {result['verdict']}"
        for finding in result["findings"]:
            if finding["severity"] != INFO:
                yield f"  {finding['severity']:<7} {finding['code']}: {finding['explanation']}"
                yield from _stated(finding, result["peers"])
                yield f"          {finding['next_step']}"
    for item in unmatched:
        at = f"no end of it is at {item['remote_gateway']} in this inventory"
        yield f"not compared: phase 1 {item['phase1']} of {item['peer']}, as {at}"


def _stated(finding: Result, peers: t.Sequence[str]) -> t.Iterator[str]:
    """What each side says."""
    for side, name, value in zip(SIDES, peers, (finding["ours"], finding["theirs"])):
        if finding[f"{side}_option"]:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            where = f"{name}: {finding[f'{side}_object']}: {finding[f'{side}_option']}"
            yield f"          {where}: {'not given' if value is None else shown}"
