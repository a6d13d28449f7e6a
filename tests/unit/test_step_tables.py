# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step tables of the live tests, and the steps of scenario ``modules``, cover each module."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT
from ansible_collections.tunnelwright.ipsec.tests.live.step_tables import (
    KINDS,
    SCENARIOS,
    STEPS,
    TABLES,
    Values,
    cases,
)

MODULES = tuple(KINDS.values())


def rows(kind: str, module: str) -> list[Values]:
    return [
        row
        for scenario in SCENARIOS
        for row in scenario.rows(kind)
        if row.get("module", scenario.entry.get("module")) == module
    ]


def test_each_table_is_read() -> None:
    assert {path.stem for path in STEPS.glob("*.yml")} == {*TABLES, "objects", "beside"}


@pytest.mark.parametrize("kind", ["steps", "refused", "drifts"])
@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_rows(module: str, kind: str) -> None:
    assert rows(kind, module)


@pytest.mark.parametrize("kind", ["steps", "refused", "drifts"])
def test_each_test_has_its_own_id(kind: str) -> None:
    ids = [case.id for case in cases(kind)]
    assert len(ids) == len({*ids})


@pytest.mark.parametrize("kind", ["steps", "refused"])
def test_ansible_itself_runs_one_row_of_each_module(kind: str) -> None:
    text = (ROOT / "molecule/modules/converge.yml").read_text("utf-8")
    (play,) = yaml.safe_load(text)
    assert sorted(row["module"] for row in play["vars"][kind]) == sorted(MODULES)
