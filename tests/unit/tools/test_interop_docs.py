# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.acts import ACTS
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import Site
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.limits import LIMITS, limit_of
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.results import EXPECTED
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import (
    BEHAVIOURS,
    COLUMNS,
    ROWS,
    SUITES,
    Column,
    drawn,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import told
from ansible_collections.tunnelwright.ipsec.tools import interop_docs

every_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=list(COLUMNS))
OUTCOMES = ("works", "limit")
LAN = {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}


def test_the_page_is_up_to_date() -> None:
    assert interop_docs.main(["--check"]) == 0


def test_latest_results_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works, limit = (list(EXPECTED)[list(EXPECTED.values()).index(key)] for key in OUTCOMES)
    for name in ("PAGE", "RESULTS", "LATEST"):
        monkeypatch.setattr(interop_docs, name, tmp_path / name)
    (tmp_path / "RESULTS").write_text(json.dumps({works: "works"}))
    # The second result is a failure. The third result belongs to another table.
    (tmp_path / "LATEST").write_text(json.dumps({limit: "limit", works: "", "a/b": "works"}))
    assert interop_docs.main(["--check"]) == 1
    assert interop_docs.main([]) == 0
    assert interop_docs.main(["--check"]) == 0
    assert json.loads((tmp_path / "RESULTS").read_text()) == {limit: "limit"}


def test_every_row_has_its_cells_in_the_page() -> None:
    legal = {"yes", "not tried yet", *(f"no ({number + 1})" for number in range(len(LIMITS)))}
    found = [line.strip("| ").split(" | ") for line in _tables()]
    cells = {title: rest for title, *rest in found if set(rest) <= legal}
    assert list(cells) == [row.title for row in ROWS.values()]
    assert {len(rest) for rest in cells.values()} == {len(COLUMNS)}


def _tables() -> list[str]:
    text = interop_docs.PAGE.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("| ")]


@every_column
def test_our_side_is_legal_unless_that_is_the_limit(column: Column) -> None:
    for row in ROWS.values():
        if _refused(Site(column, row.tunnel, interop_docs.PLACES)):
            assert limit_of(column, row), row.name


def _refused(site: Site) -> str:
    tasks = [{"vpn_network": LAN}, {"ipsec_phase1": site.phase1()}]
    tasks += [{"ipsec_phase2": options} for options in site.phase2()]
    try:
        told(
            [{f"tunnelwright.ipsec.{key}": task[key] for key in task} for task in tasks], Gateway()
        )
    except ModelError as error:
        return str(error)
    return ""


@every_column
def test_at_least_twelve_suites_are_meant_to_work(column: Column) -> None:
    assert sum(limit_of(column, row) is None for row in SUITES) >= 12


def test_nothing_is_said_that_holds_for_no_cell() -> None:
    found = {limit_of(column, row) for column in COLUMNS.values() for row in ROWS.values()}
    assert set(LIMITS) <= found


def test_what_is_named_exists() -> None:
    assert {row.act for row in ROWS.values()} - {""} == set(ACTS)
    assert len(ROWS) == len(SUITES) + len(BEHAVIOURS)


@pytest.mark.parametrize("first", [1, 478])
def test_every_run_tries_each_peer_and_runs_in_a_row_try_every_cell(first: int) -> None:
    samples = [drawn(number) for number in range(first, first + 25)]
    for sample in samples:
        assert set(EXPECTED) >= sample
        assert {cell.partition("/")[0] for cell in sample} == set(COLUMNS)
    assert set().union(*samples) == set(EXPECTED)
