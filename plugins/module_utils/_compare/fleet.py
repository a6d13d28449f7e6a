# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare all pairs of many peers, and read each peer once."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import replace

from .._errors import ModelError
from .compare import Read, Result, compare_peers, compare_with_itself, invalid_definition
from .definition import Peer, TunnelEnd
from .matching import Pair, likely, pairs
from .mismatch import SIDES
from .mismatch_kind import INFO
from .tunnel import NONE

# The names of two peers, in the order of all.
_Couple = tuple[str, str]
_Ends = t.Mapping[str, t.Sequence[TunnelEnd]]


def compare_fleet(read: t.Mapping[str, Read]) -> dict[str, t.Any]:
    """Return the results of each two peers with a tunnel, and the tunnels without another end.

    ``read`` is by the name of the peer. ``table`` has the same as lines for people.
    """
    peers, results = _read_all(read)
    matching = _Matching(peers)
    free = matching.free()
    by_couple = _with_gateway(free, peers)
    for couple in dict.fromkeys((*matching.pairs, *by_couple)):
        # An end that is matched with a third peer needs no counterpart here.
        one, other = (replace(peers[name], tunnels=tuple(free[name])) for name in couple)
        result = compare_peers(one, other, matching.pairs.get(couple, ()))
        if result["verdict"] != NONE:
            results.append({"peers": list(couple), **result})
    compared = {_key(end) for ends in by_couple.values() for end in ends}
    unmatched = [
        {
            "peer": name,
            "phase1": end.connection.name,
            "remote_gateway": end.connection.remote_gateway,
        }
        for name, ends in free.items()
        for end in ends
        if _key(end) not in compared
    ]
    return {"compared": results, "unmatched": unmatched, "table": [*_rows(results, unmatched)]}


def _read_all(read: t.Mapping[str, Read]) -> tuple[dict[str, Peer], list[Result]]:
    """Return the peers, and the results of definitions with an error or a mismatch within."""
    peers, results = {}, []
    for name, read_peer in read.items():
        try:
            peers[name] = read_peer()
        except ModelError as error:
            results.append({"peers": [name], **invalid_definition(name, error)})
            continue
        within = compare_with_itself(name, peers[name])
        if within:
            results.append({"peers": [name], **within})
    return peers, results


def _key(end: TunnelEnd) -> tuple[str, int]:
    """Return the key of an end: the name of its peer, and its number there."""
    return end.peer, end.number


class _Matching:
    """The ends that are one tunnel, for all pairs of peers.

    Ends with the address of another peer are matched first, so that few ends remain for the slower
    comparison of names, identities and networks.
    """

    def __init__(self, peers: t.Mapping[str, Peer]) -> None:
        self._peers = peers
        self._matched: set[tuple[str, int]] = set()
        self.pairs: dict[_Couple, tuple[Pair, ...]] = {}
        for couple, ends in _with_gateway(self.free(), peers).items():
            self._match(couple, ends)
        free = self.free()
        order = {name: number for number, name in enumerate(peers)}
        couples = {
            (one, other) if order[one] < order[other] else (other, one)
            for one, other in (*likely(free), *_with_gateway(free, peers))
        }
        for one, other in sorted(couples, key=lambda couple: [order[name] for name in couple]):
            self._match((one, other), (*free[one], *free[other]))

    def free(self) -> dict[str, list[TunnelEnd]]:
        """Return the ends without a match, by the name of their peer."""
        return {
            name: [end for end in peer.tunnels if _key(end) not in self._matched]
            for name, peer in self._peers.items()
        }

    def _match(self, couple: _Couple, ends: t.Sequence[TunnelEnd]) -> None:
        free = [end for end in ends if _key(end) not in self._matched]
        local, remote = (
            replace(self._peers[name], tunnels=tuple(end for end in free if end.peer == name))
            for name in couple
        )
        matched = pairs(local, remote)
        if matched:
            self.pairs[couple] = (*self.pairs.get(couple, ()), *matched)
            self._matched.update(_key(end) for pair in matched for end in pair)


def _with_gateway(
    ends_by_peer: _Ends, peers: t.Mapping[str, Peer]
) -> dict[_Couple, list[TunnelEnd]]:
    """Return the ends whose remote_gateway is another peer, by the two peers."""
    order = {name: number for number, name in enumerate(peers)}
    by_address = defaultdict(set)
    for name, peer in peers.items():
        for address in (*peer.addresses, name):
            by_address[address].add(name)
    by_couple: dict[_Couple, list[TunnelEnd]] = defaultdict(list)
    for name, ends in ends_by_peer.items():
        for end in ends:
            for other in sorted(by_address[end.connection.remote_gateway] - {name}):
                first, second = sorted((name, other), key=order.__getitem__)
                by_couple[first, second].append(end)
    return by_couple


def _rows(results: t.Sequence[Result], unmatched: t.Sequence[Result]) -> t.Iterator[str]:
    """Yield a line for each two peers, and their mismatches below it."""
    for result in results:
        yield f"{' - '.join(result['peers']):<40} {result['verdict']}"
        for finding in result["findings"]:
            if finding["severity"] != INFO:
                yield f"  {finding['severity']:<7} {finding['code']}: {finding['explanation']}"
                yield from _value_rows(finding, result["peers"])
                yield f"          {finding['next_step']}"
    for item in unmatched:
        why = f"no host of this inventory has the address {item['remote_gateway']}"
        yield f"not compared: phase 1 {item['phase1']} of {item['peer']}, because {why}"


def _value_rows(finding: Result, peers: t.Sequence[str]) -> t.Iterator[str]:
    """Yield a line for the value of each side."""
    for side, name, value in zip(SIDES, peers, (finding["ours"], finding["theirs"])):
        if finding[f"{side}_option"]:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            where = f"{name}: {finding[f'{side}_object']}: {finding[f'{side}_option']}"
            yield f"          {where}: {'not given' if value is None else shown}"
