# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.status import (
    phase1_state,
    phase2_state,
)


@pytest.mark.parametrize(
    ("true", "state"),
    [
        ("", "disabled"),
        ("up busy waiting", "disabled"),
        ("enabled", "down"),
        ("enabled up busy waiting", "up"),
        ("enabled busy waiting", "connecting"),
        ("enabled waiting", "idle"),
    ],
)
def test_phase2(true: str, state: str) -> None:
    said = {key: key in true.split() for key in ("enabled", "up", "busy", "waiting")}
    assert phase2_state(**said) == state


@pytest.mark.parametrize(
    ("phase2", "state"),
    [
        ("up up", "up"),
        ("up disabled", "up"),
        ("up idle", "up"),
        ("up down", "partial"),
        ("up connecting", "partial"),
        ("idle idle", "idle"),
        ("idle connecting", "connecting"),
        ("connecting down", "down"),
        ("down", "down"),
    ],
)
def test_phase1(phase2: str, state: str) -> None:
    # Its IKE SA alone says nothing.
    for up in (True, False):
        assert phase1_state(phase2.split(), enabled=True, up=up, busy=up, waiting=up) == state


def test_phase1_without_phase2() -> None:
    for phase2 in ((), ("disabled",)):
        assert phase1_state(phase2, enabled=True, up=True, busy=True, waiting=True) == "up"
        assert phase1_state(phase2, enabled=True, up=False, busy=False, waiting=True) == "idle"


def test_phase1_switched_off() -> None:
    assert phase1_state(("up",), enabled=False, up=True, busy=True, waiting=True) == "disabled"
