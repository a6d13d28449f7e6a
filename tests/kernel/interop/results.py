# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the cells: ``works`` or ``limit`` if the table expects the result."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.limits import limit_of
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import COLUMNS, ROWS

LATEST = Path(__file__).resolve().parents[3] / ".cache/interoperability.json"

Results = dict[str, str]

# The results of the cells that the table expects.
EXPECTED: Results = {
    f"{column.name}/{row.name}": "limit" if limit_of(column, row) else "works"
    for column in COLUMNS.values()
    for row in ROWS.values()
}


def read(*paths: Path) -> Results:
    """Return results that are as expected. For a cell in several files, the last file counts."""
    found: Results = {}
    for path in paths:
        if path.exists():
            found |= json.loads(path.read_text(encoding="utf-8"))
    return {cell: result for cell, result in found.items() if EXPECTED.get(cell) == result}


def record(cell: str, result: str) -> None:
    """Keep the latest result of a cell, which is ``""`` for a failure."""
    found = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.exists() else {}
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps({**found, cell: result}, indent=0, sort_keys=True) + "\n")


def summary(results: Results) -> str:
    """Return the numbers of results as a text."""
    counts = [list(results.values()).count(result) for result in ("works", "limit")]
    return (
        f"{len(COLUMNS)} peers, {len(EXPECTED)} cells: {counts[0]} work, {counts[1]} can't and say "
        f"why, {len(EXPECTED) - sum(counts)} not tried yet."
    )
