# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The field matrix: which test shows which value of which option at work, and by what.

A test says so with ``proves``; ``tools/field_docs.py`` makes docs/fields.md of it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

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


def summary(passed: t.Collection[str]) -> str:
    """How much of the matrix these tests have shown, by their names."""
    names = {name.partition("[")[0] for name in passed}
    seen = [row for row, test in ROWS.items() if test in names]
    fields = {row.field for row in seen}
    return f"field matrix: {len(seen)} of {len(ROWS)} values, of {len(fields)} fields"
