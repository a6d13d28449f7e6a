# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of steps by which a connection with SAs is exchanged, and the impact that it tells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.exchange import (
    DEFER,
    GRACEFUL,
    REESTABLISH,
    Exchange,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import DaemonState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.steps import LoadConnection

UP = DaemonState(
    connections={"b": {"dpd_timeout": "180"}},
    established={"b": frozenset({"lan", "dmz"})},
    traps=frozenset({("b", "lan"), ("b", "dmz")}),
    child_ids={"b": frozenset({"7", "8"})},
)


def section(start="trap|start", dpd="30", **children):
    made = {
        name: {"remote_ts": (remote,), "start_action": start, "dpd_action": "restart"}
        for name, remote in {"lan": "10.2.0.0/24", "dmz": "10.3.0.0/24", **children}.items()
        if remote
    }
    return {"dpd_delay": dpd, "dpd_timeout": "180", "children": made}


def exchange(before, after, daemon=UP):
    return Exchange("b", before, after, daemon)


def words(steps):
    return [str(step) for step in steps]


ASIDE = "load connection b with its children set aside"
LOAD = "load connection b"
HAND_LAN = "hand over to the new SAs of b/lan, then close the old ones"
HAND_BOTH = "hand over to the new SAs of b/dmz, b/lan, then close the old ones"
ONE_CHILD = section(lan="10.9.0.0/24")
WHOLE = section(dpd="20")


@pytest.mark.parametrize(
    ("after", "apply", "impact", "expected"),
    [
        (ONE_CHILD, GRACEFUL, "child", [ASIDE, LOAD, HAND_LAN]),
        (WHOLE, GRACEFUL, "ike", [ASIDE, LOAD, HAND_BOTH]),
        (ONE_CHILD, DEFER, "pending", [ASIDE, LOAD]),
        (WHOLE, DEFER, "pending", [ASIDE, LOAD]),
        (
            ONE_CHILD,
            REESTABLISH,
            "child",
            [ASIDE, "close the Child SA b/lan", LOAD, HAND_LAN],
        ),
        (WHOLE, REESTABLISH, "ike", [ASIDE, "close the IKE SA of b", LOAD, HAND_BOTH]),
        (section(new="10.4.0.0/24"), GRACEFUL, "none", [ASIDE, LOAD]),
        (
            section(lan=""),
            GRACEFUL,
            "child",
            [ASIDE, LOAD, "close the Child SA b/lan", "uninstall the trap of b/lan"],
        ),
    ],
)
def test_what_starts_is_replaced_without_a_gap(after, apply, impact, expected):
    change = exchange(section(), after)
    assert words(change.steps(apply)) == expected
    assert change.impact(apply) == impact


def test_the_old_children_are_put_aside_unchanged_but_for_their_names():
    first, second = exchange(section(), ONE_CHILD).steps(GRACEFUL)[:2]
    assert isinstance(first, LoadConnection)
    assert first.section["children"] == {
        f"{name}.replaced": child for name, child in section()["children"].items()
    }
    assert {**first.section, "children": {}} == {**section(), "children": {}}
    assert second.section == ONE_CHILD


def test_what_waits_for_traffic_is_initiated_by_us():
    change = exchange(section("trap"), section("trap", lan="10.9.0.0/24"))
    assert words(change.steps(GRACEFUL)) == [ASIDE, LOAD, "initiate b/lan", HAND_LAN]


def test_a_responder_never_initiates():
    change = exchange(section("none"), section("none", lan="10.9.0.0/24"))
    steps = words(change.steps(GRACEFUL))
    assert steps[:2] == [ASIDE, LOAD]
    assert not any("initiate" in step or "hand over" in step for step in steps)
    assert change.impact(GRACEFUL) == "pending"


def test_a_child_that_is_not_up_is_not_waited_for():
    daemon = replace(UP, established={"b": frozenset({"dmz"})})
    change = exchange(section(), ONE_CHILD, daemon)
    assert words(change.steps(GRACEFUL)) == [ASIDE, LOAD]
    assert change.impact(GRACEFUL) == "none"


def test_deferred_nothing_starts():
    last = exchange(section(), ONE_CHILD).steps(DEFER)[-1]
    assert isinstance(last, LoadConnection)
    assert {child["start_action"] for child in last.section["children"].values()} == {"trap"}


def test_what_charon_would_not_notice_is_unloaded_first():
    after = {**section(), "dpd_timeout": "60"}
    assert words(exchange(section(), after).steps(GRACEFUL))[:3] == [
        ASIDE,
        "unload connection b",
        LOAD,
    ]


def test_a_child_that_waits_for_traffic_no_longer_loses_its_trap():
    steps = words(exchange(section("trap"), section("none")).steps(GRACEFUL))
    assert steps[-2:] == ["uninstall the trap of b/dmz", "uninstall the trap of b/lan"]


def test_every_load_is_taken_back_to_what_was():
    for step in exchange(section(), WHOLE).steps(GRACEFUL)[:2]:
        back = step.undo()
        assert isinstance(back, LoadConnection)
        assert back.section == section()
