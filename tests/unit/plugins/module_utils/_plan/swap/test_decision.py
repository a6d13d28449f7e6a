# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision table, row by row, for every combination of facts and every value of apply."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swap import (
    swap_impacts,
    swap_steps,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swap.decision import (
    APPLY,
    Decision,
    Facts,
    decide,
)

FACTS = tuple(field.name for field in dataclasses.fields(Facts))
ALL = [
    (Facts(*values), apply)
    for values in itertools.product((False, True), repeat=len(FACTS))
    for apply in APPLY
]


class Row(t.NamedTuple):
    """A row of the decision table.

    ``when`` lists facts, with ``!`` before a false fact. An empty ``apply`` fits any value.
    """

    when: str
    apply: str
    decision: Decision

    def fits(self, facts: Facts, apply: str) -> bool:
        return self.apply in ("", apply) and all(
            getattr(facts, word.lstrip("!")) is not word.startswith("!")
            for word in self.when.split()
        )


_NO = "!children_up"
_UP = "children_up"
_CHILD = "children_up !needs_new_ike_sa outdated"
_IKE = "children_up needs_new_ike_sa"
# Each combination fits exactly one row.
TABLE = [
    Row(f"{_NO} !idle_ike_sa", "", Decision.LOAD),
    Row(f"{_NO} idle_ike_sa !needs_new_ike_sa !children_changed", "", Decision.LOAD),
    Row(f"{_NO} idle_ike_sa needs_new_ike_sa ike_sa_up", "", Decision.CLOSE_IDLE),
    Row(f"{_NO} idle_ike_sa needs_new_ike_sa !ike_sa_up", "", Decision.ABANDON_ATTEMPT),
    Row(f"{_NO} idle_ike_sa !needs_new_ike_sa children_changed ike_sa_up", "", Decision.CLOSE_IDLE),
    Row(
        f"{_NO} idle_ike_sa !needs_new_ike_sa children_changed !ike_sa_up",
        "",
        Decision.ABANDON_ATTEMPT,
    ),
    Row(f"{_UP} !needs_new_ike_sa !outdated", "", Decision.KEEP),
    Row(_CHILD, "defer", Decision.DEFER_CHILDREN),
    Row(f"{_CHILD} !initiates", "graceful", Decision.DEFER_CHILDREN),
    Row(f"{_CHILD} initiates !unnoticed", "graceful", Decision.SWAP_CHILDREN),
    Row(f"{_CHILD} initiates unnoticed all_affected", "graceful", Decision.REESTABLISH_IKE),
    Row(f"{_CHILD} initiates unnoticed !all_affected", "graceful", Decision.REESTABLISH_CHILDREN),
    Row(f"{_CHILD} all_affected", "reestablish", Decision.REESTABLISH_IKE),
    Row(f"{_CHILD} !all_affected", "reestablish", Decision.REESTABLISH_CHILDREN),
    Row(_IKE, "defer", Decision.DEFER_IKE),
    Row(f"{_IKE} !initiates", "graceful", Decision.DEFER_IKE),
    Row(f"{_IKE} initiates !unnoticed", "graceful", Decision.SWAP_IKE),
    Row(f"{_IKE} initiates unnoticed", "graceful", Decision.REESTABLISH_IKE),
    Row(_IKE, "reestablish", Decision.REESTABLISH_IKE),
]


def test_every_combination_of_facts_has_its_row() -> None:
    for facts, apply in ALL:
        (row,) = [row for row in TABLE if row.fits(facts, apply)]
        assert decide(facts, apply) is row.decision, (facts, apply)


@pytest.mark.parametrize("decision", Decision)
def test_every_decision_is_made_and_has_steps_and_impacts(decision: Decision) -> None:
    assert decision in {row.decision for row in TABLE}
    assert decision in swap_steps._STEPS
    assert decision in swap_impacts._IMPACTS
