# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Combinations of algorithms that the model allows, and combinations that it refuses.

The allowed combinations contain each pair of values of two suboptions at least once. The refused
combinations are minimal: every other refused combination contains one of them.
"""

from __future__ import annotations

import functools
import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH_GROUPS,
    ENCRYPTION_NAMES,
    ENCRYPTIONS,
    HASH_NAMES,
    PRF_NAMES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    Proposal,
    Use,
)

Pair = tuple[tuple[str, t.Any], ...]

VERSIONS = (1, 2)
KEY_LENGTHS = (128, 168, 192, 256)
# Each suboption of `encryption` with its values.
CHOICES: t.Mapping[str, tuple[t.Any, ...]] = {
    "algorithm": ENCRYPTION_NAMES,
    "key_length": KEY_LENGTHS,
    "hash": HASH_NAMES,
    "prf": PRF_NAMES,
    "dh_group": DH_GROUPS,
}
# Mode, IP version between the gateways, IP version within the tunnel, initiator.
WAYS = [
    (mode, outside, inside, initiator)
    for mode, outside, inside in (
        ("tunnel", 4, 4),
        ("transport", 6, 6),
        ("tunnel", 4, 6),
        ("transport", 4, 4),
        ("tunnel", 6, 4),
        ("tunnel", 6, 6),
    )
    for initiator in ("a", "b")
]


@dataclass(frozen=True)
class Case:
    """A tunnel: the algorithms of its IKE SA and its Child SA, and its mode."""

    version: int
    ike: Proposal
    use: Use  # ESP or AH
    child: Proposal
    mode: str
    # The IP version between the gateways, and within the tunnel.
    outside: int
    inside: int
    initiator: str

    def __str__(self) -> str:
        return (
            f"IKEv{self.version} {self.ike.keyword()}, {self.use.name} {self.child.keyword()}, "
            f"{self.mode}, IPv{self.inside} in IPv{self.outside}, from {self.initiator}"
        )


@dataclass(frozen=True)
class Refusal:
    """A minimal set of suboption values that the model refuses. It accepts each smaller set."""

    version: int
    use: Use
    options: tuple[tuple[str, t.Any], ...]

    def __str__(self) -> str:
        given = " ".join(f"{name}={value}" for name, value in self.options)
        return f"IKEv{self.version} {self.use.name} {given}"

    def proposal(self) -> Proposal:
        """Return the proposal that the code would make without the refusal."""
        rest = {"algorithm": "aes", "hash": "sha256", "dh_group": 14, "prf": None}
        if self.use is not Use.IKE:
            rest["dh_group"] = None
        if self.use is Use.AH:
            rest["algorithm"] = None
        given = {**rest, **dict(self.options)}
        row = ENCRYPTIONS.get(given["algorithm"])
        if row is not None:
            given.setdefault("key_length", row.default_key_length)
            if row.aead and "hash" not in dict(self.options):
                given["hash"] = None
        if self.use is Use.IKE and given["prf"] is None:
            given["prf"] = given["hash"] or "sha256"
        return Proposal(**{"key_length": None, **given})


def allowed(options: t.Mapping[str, t.Any], use: Use, version: int) -> Proposal | None:
    """Return the proposal of the model for suboptions and a use, or None if it refuses them."""
    try:
        return Proposal.build(options, use, frozenset({version}))
    except ModelError:
        return None


@functools.cache
def all_proposals(use: Use, version: int) -> tuple[Proposal, ...]:
    """Return every proposal that the model allows, each once."""
    values = itertools.product(*((None, *taken) for taken in CHOICES.values()))
    built = (allowed(dict(zip(CHOICES, items, strict=True)), use, version) for items in values)
    return tuple(dict.fromkeys(proposal for proposal in built if proposal is not None))


def covering(proposals: t.Iterable[Proposal]) -> list[Proposal]:
    """Return few of the ``proposals`` that contain every pair of values in ``proposals``.

    The result is the same each time. The algorithm is greedy: for the first missing pair, it
    chooses the proposal with the most other missing pairs.
    """
    holders: dict[Pair, list[Proposal]] = {}
    for proposal in proposals:
        for pair in pairs(proposal):
            holders.setdefault(pair, []).append(proposal)
    lacking = dict.fromkeys(holders)
    found = []
    while lacking:
        candidates = holders[next(iter(lacking))]
        best = max(candidates, key=lambda item: sum(pair in lacking for pair in pairs(item)))
        for pair in pairs(best):
            lacking.pop(pair, None)
        found.append(best)
    return found


def pairs(proposal: Proposal) -> t.Iterator[Pair]:
    """Return each pair of values. Encryption and key length count as one value."""
    values = (
        ("encryption", (proposal.algorithm, proposal.key_length)),
        ("hash", proposal.hash),
        ("dh_group", proposal.dh_group),
        ("prf", proposal.prf),
    )
    return itertools.combinations(values, 2)


def all_cases() -> list[Case]:
    """Return cases with each pair for an IKE SA, for ESP and for AH, in both versions of IKE."""
    return [case for version in VERSIONS for case in _cases(version)]


def _cases(version: int) -> t.Iterator[Case]:
    ike = itertools.cycle(covering(all_proposals(Use.IKE, version)))
    ways = itertools.cycle(WAYS)
    for use in (Use.ESP, Use.AH):
        for child in covering(all_proposals(use, version)):
            yield Case(version, next(ike), use, child, *next(ways))


def all_refusals() -> list[Refusal]:
    """Return the minimal combinations that the model refuses with any other options."""
    return [refusal for version in VERSIONS for use in Use for refusal in _refusals(use, version)]


def _refusals(use: Use, version: int) -> t.Iterator[Refusal]:
    possible = [proposal.to_options() for proposal in all_proposals(use, version)]
    least: list[frozenset[tuple[str, t.Any]]] = []
    # No rule of the model needs three suboptions. The unit tests would find such a rule.
    for size in (1, 2):
        for names in itertools.combinations(CHOICES, size):
            legal = {tuple(options.get(name) for name in names) for options in possible}
            for values in itertools.product(*(CHOICES[name] for name in names)):
                items = tuple(zip(names, values, strict=True))
                if values not in legal and not any(known <= set(items) for known in least):
                    least.append(frozenset(items))
                    yield Refusal(version, use, items)
