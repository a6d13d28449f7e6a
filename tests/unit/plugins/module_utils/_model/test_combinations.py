# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that the virtual machines negotiate every combination, and that weak ones are refused."""

from __future__ import annotations

import itertools
import random

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import Use
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.policies import (
    weak_crypto,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.combinations import (
    CHOICES,
    VERSIONS,
    all_proposals,
    all_refusals,
    allowed,
    covering,
    pairs,
)

REFUSALS = all_refusals()
EVERYTHING = list(itertools.product(*((None, *values) for values in CHOICES.values())))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("use", list(Use))
def test_every_pair_that_is_allowed_occurs(use: Use, version: int) -> None:
    proposals = all_proposals(use, version)
    covered = covering(proposals)
    assert set(covered) <= set(proposals)
    assert {pair for item in covered for pair in pairs(item)} == {
        pair for item in proposals for pair in pairs(item)
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("use", list(Use))
def test_whatever_is_refused_holds_a_least_refusal(use: Use, version: int) -> None:
    """Options without a least refusal are legal with some values of the options not given."""
    least = [
        frozenset(item.options) for item in REFUSALS if (item.use, item.version) == (use, version)
    ]
    possible = [proposal.to_options().items() for proposal in all_proposals(use, version)]
    for values in random.Random(1).sample(EVERYTHING, 200):
        items = {
            (name, value) for name, value in zip(CHOICES, values, strict=True) if value is not None
        }
        if any(item <= items for item in least):
            assert allowed(dict(items), use, version) is None, items
        else:
            assert any(items <= options for options in possible), items


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("use", list(Use))
def test_whatever_is_weak_can_be_refused(use: Use, version: int) -> None:
    weak = {item: item.weaknesses() for item in all_proposals(use, version)}
    assert any(weak.values())
    for proposal, names in weak.items():
        if names:
            with pytest.raises(ModelError, match=names[0]):
                weak_crypto("it", "encryption", names, "refuse")
        else:
            assert weak_crypto("it", "encryption", names, "refuse") == [], proposal
