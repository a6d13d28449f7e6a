# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The field matrix: which test shows which value of which option at work, and by what.

A test says so with ``proves``. What has passed is recorded, for ``docs/fields.md``.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT

RECORD = ROOT / ".cache/kernel/fields.json"

_Test = t.TypeVar("_Test", bound=t.Callable[..., None])


@dataclass(frozen=True, order=True)
class Row:
    """One value of ``module.option``, what it becomes in strongSwan or nftables, where it shows."""

    field: str
    value: str
    becomes: str
    shown_by: str


# In the order in which the tests are read.
ROWS: dict[Row, str] = {}


def proves(field: str, value: object, becomes: str, shown_by: str) -> t.Callable[[_Test], _Test]:
    """Marks a test as the proof of a row of the matrix."""

    def mark(test: _Test) -> _Test:
        row = Row(field, _written(value), becomes, shown_by)
        # pytest may import a module of tests once more, by another name.
        others = {item for item, name in ROWS.items() if name != test.__name__}
        assert (row.field, row.value) not in {(item.field, item.value) for item in others}, row
        ROWS[row] = test.__name__
        return test

    return mark


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def record(passed: t.Collection[str]) -> None:
    """Note which tests have passed, beside those that did before."""
    known = set(json.loads(RECORD.read_text())) if RECORD.exists() else set()
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(sorted(known | set(passed)), indent=1))


def summary() -> str:
    """How much of the matrix has been seen, on this machine."""
    known = set(json.loads(RECORD.read_text())) if RECORD.exists() else set()
    seen = [row for row, test in ROWS.items() if any(name.split("[")[0] == test for name in known)]
    fields = {row.field for row in seen}
    return f"field matrix: {len(seen)} values of {len(fields)} fields of {len(ROWS)} values"
