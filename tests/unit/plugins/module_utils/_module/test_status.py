# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.status import (
    phase1_state,
    phase2_state,
    standing_state,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.selectors import Pair
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.standing import (
    Deviation,
    Standing,
)

LACKING = Standing((), (Pair("10.1.0.0/24", "10.3.0.0/24"),))
OLDER = Standing((), (), (Deviation("dpd_delay", "30", "20"),))


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing(()), "up"),
        (LACKING, "partial"),
        (OLDER, "outdated"),
        (Standing((), LACKING.missing, OLDER.deviations), "outdated"),
    ],
)
def test_what_carries_something(standing: Standing, state: str) -> None:
    assert standing_state(standing) == state


@pytest.mark.parametrize(
    ("true", "carrying", "state"),
    [
        ("", "", "disabled"),
        ("busy waiting", "up", "disabled"),
        ("enabled", "", "down"),
        ("enabled busy waiting", "up", "up"),
        ("enabled busy waiting", "partial", "partial"),
        ("enabled waiting", "outdated", "outdated"),
        ("enabled busy waiting", "", "connecting"),
        ("enabled waiting", "", "idle"),
    ],
)
def test_phase2(true: str, carrying: str, state: str) -> None:
    said = {key: key in true.split() for key in ("enabled", "busy", "waiting")}
    assert phase2_state(carrying=carrying, **said) == state


@pytest.mark.parametrize(
    ("phase2", "state"),
    [
        ("up up", "up"),
        ("up disabled", "up"),
        ("up idle", "up"),
        ("up down", "partial"),
        ("up connecting", "partial"),
        ("partial", "partial"),
        ("partial up", "partial"),
        ("partial idle", "partial"),
        ("partial down", "partial"),
        ("outdated", "outdated"),
        ("outdated up idle", "outdated"),
        ("outdated partial", "partial"),
        ("outdated down", "partial"),
        ("outdated connecting", "partial"),
        ("idle idle", "idle"),
        ("idle connecting", "connecting"),
        ("connecting down", "down"),
        ("down", "down"),
    ],
)
def test_phase1(phase2: str, state: str) -> None:
    # The IKE SA alone does not show the state of the tunnel.
    for true, carrying in ((True, "up"), (True, "outdated"), (False, "")):
        found = phase1_state(
            phase2.split(), enabled=True, carrying=carrying, busy=true, waiting=true
        )
        assert found == state


@pytest.mark.parametrize("phase2", [(), ("disabled",)])
@pytest.mark.parametrize(("carrying", "state"), [("up", "up"), ("outdated",) * 2, ("", "idle")])
def test_phase1_without_phase2(phase2: tuple[str, ...], carrying: str, state: str) -> None:
    busy = bool(carrying)
    assert phase1_state(phase2, enabled=True, carrying=carrying, busy=busy, waiting=True) == state


def test_phase1_switched_off() -> None:
    state = phase1_state(("up",), enabled=False, carrying="up", busy=True, waiting=True)
    assert state == "disabled"
