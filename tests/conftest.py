# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose tests by environment variables, and name these in the report of a failure.

``PART=2/6`` runs the third sixth of a suite. ``FEW=3`` runs three cases of each function, others
with another ``SEED``. Tests that are marked ``drawn`` draw a sample of their own: each part has
them.
"""

from __future__ import annotations

import os
import typing as t

import pytest

# The environment variables that repeat a run, with tools/draw.py.
DRAWN_BY = ("SEED", "PART", "FIRST", "KILL_SEED")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "drawn: is in every part, and draws a sample of its own")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not (os.environ.get("PART") or os.environ.get("FEW")):
        return
    # Beside this checkout's tools only: a release of the collection has the tests without them.
    import draw

    drawn = [item.get_closest_marker("drawn") is not None for item in items]
    chosen = draw.chosen([item.nodeid for item in items], drawn)
    by_choice: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item, is_chosen in zip(items, chosen, strict=True):
        by_choice[is_chosen].append(item)
    config.hook.pytest_deselected(items=by_choice[False])
    items[:] = by_choice[True]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    given = [f"{name}={os.environ[name]}" for name in DRAWN_BY if os.environ.get(name)]
    if report.failed and given:
        report.sections.append(("drawn by", " ".join(given)))
    return report
