# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The field matrix: the test that proves each value of each option, and the effect of the value.

The decorator ``proves`` adds the rows of a test. ``tools/field_docs.py`` writes docs/fields.md from
the rows and from the releases on which the tests have passed.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

# Whether the whole suite runs at both ends, or with PART a part of it (tools/draw.py).
ALL = os.environ.get("FIELDS") == "all" or bool(os.environ.get("PART"))
# The strongSwan release of each end.
RELEASES = {"a": "5.9.8", "b": "6.0.1"}
# The release in the place of end a, in a run on forky.toml. The names of its outcomes end with it.
MOVING = "forky"
# The outcome of each test, by its name with its parameters: of the latest runs, and in git.
LATEST = Path(__file__).resolve().parents[2] / ".cache/fields.json"
SEEN = Path(__file__).with_name("seen.json")

_Test = t.TypeVar("_Test", bound=t.Callable[..., None])


@dataclass(frozen=True, order=True)
class Row:
    """A value of ``module.option``, its setting in strongSwan or nftables, and its effect."""

    field: str
    value: str
    becomes: str
    shown_by: str


# In the order in which Python imports the tests.
ROWS: dict[Row, str] = {}


def proves(field: str, value: object, becomes: str, shown_by: str) -> t.Callable[[_Test], _Test]:
    """Mark a test as the proof of a row of the matrix."""

    def mark(test: _Test) -> _Test:
        row = Row(field, written(value), becomes, shown_by)
        # pytest may import a test module a second time, under another name.
        others = {item for item, name in ROWS.items() if name != test.__name__}
        assert (row.field, row.value) not in {(item.field, item.value) for item in others}, row
        ROWS[row] = test.__name__
        return test

    return mark


@dataclass(frozen=True)
class Outcome:
    """The outcome of a test. ``end`` is the end that the test is about, empty for both ends."""

    end: str
    passed: bool


def record(test: str, outcome: Outcome) -> None:
    """Keep the latest outcome of ``test``."""
    found = {**read(LATEST), test: outcome}
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    write(LATEST, found)


def read(path: Path) -> dict[str, Outcome]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {test: Outcome(*values) for test, values in found.items()}


def write(path: Path, outcomes: t.Mapping[str, Outcome]) -> None:
    plain = {test: [item.end, item.passed] for test, item in sorted(outcomes.items())}
    path.write_text(json.dumps(plain, indent=0) + "\n", encoding="utf-8")


def releases(outcomes: t.Mapping[str, Outcome], test: str) -> list[str]:
    """Return the releases on which every case of ``test``, a function, has passed."""
    about: dict[str, list[Outcome]] = {release: [] for release in (*RELEASES.values(), MOVING)}
    for name, item in outcomes.items():
        case, _on, moving = name.partition(" on ")
        if case.partition("[")[0] == test:
            first = MOVING if moving else RELEASES["a"]
            for end, release in {**RELEASES, "a": first}.items():
                if item.end in (end, ""):
                    about[release].append(item)
    return [
        release for release, items in about.items() if items and all(item.passed for item in items)
    ]


def written(value: object) -> str:
    """Return a value in the notation of the matrix."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def summary(passed: t.Collection[str]) -> str:
    """Return a text with the share of the matrix that the tests with these names prove."""
    names = {name.partition("[")[0] for name in passed}
    seen = [row for row, test in ROWS.items() if test in names]
    fields = {row.field for row in seen}
    return f"field matrix: {len(seen)} of {len(ROWS)} values, of {len(fields)} fields"
