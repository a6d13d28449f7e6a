# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift of a connection without an edit: reported by name, repaired with least disturbance."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.children import (
    with_parked_children,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    Unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.repair import plan_repair
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.steps import HandOver
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    bypass_section,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import listed

HAND = "wait for the new Child SAs of b/lan, then close the old Child SAs"
BYPASS = bypass_section(("10.1.0.0/24",))
LOAD = "load connection b"


def section(start: str = "trap", **more: t.Any) -> dict[str, t.Any]:
    lan = {
        "mode": "tunnel",
        "local_ts": ("10.1.0.0/24", "fd00:1::/64"),
        "remote_ts": ("10.2.0.0/24", "fd00:2::/64"),
        "start_action": start,
        "dpd_action": "restart",
        **more,
    }
    return {"remote_addrs": ("192.0.2.2",), "children": {"lan": lan}}


POLICIES = frozenset({("10.1.0.0/24", "10.2.0.0/24"), ("fd00:1::/64", "fd00:2::/64")})
RIGHT = DaemonState(
    connections={"b": listed(section())}, traps=frozenset({("b", "lan")}), policies=POLICIES
)
UP: dict[str, t.Any] = {
    "established": {"b": frozenset({"lan"})},
    "ike_ids": {"b": frozenset({"3"})},
    "child_ids": {"b": frozenset({"7"})},
}


def repaired(wanted: t.Any, daemon: DaemonState, name: str = "b") -> Plan:
    return plan_repair(name, wanted, daemon)


def headers(plan: Plan) -> list[tuple[str, str]]:
    return [(item.header, item.before.strip()) for item in plan.differences]


def told(plan: Plan) -> list[tuple[str, str]]:
    return [(impact.sa, impact.kind) for impact in plan.impacts]


@pytest.mark.parametrize("state", [{}, UP])
def test_where_all_is_right_nothing_is_done(state: t.Any) -> None:
    assert repaired(section(), replace(RIGHT, **state)) == Plan()


class TestPolicies:
    def test_a_trap_that_charon_was_told_to_take_away(self) -> None:
        plan = repaired(section(), replace(RIGHT, traps=frozenset()))
        assert plan.actions == ["install the policy of b/lan"]
        assert headers(plan) == [("policy of b/lan", "not installed")]
        assert plan.impact == "none"

    @pytest.mark.parametrize("gone", sorted(POLICIES))
    def test_one_that_was_flushed_from_the_kernel(self, gone: tuple[str, str]) -> None:
        plan = repaired(section(), replace(RIGHT, policies=POLICIES - {gone}))
        assert plan.actions == ["install the policy of b/lan"]
        assert headers(plan) == [("policy of b/lan in the kernel", "missing")]
        assert plan.impact == "none"

    @pytest.mark.parametrize(
        ("start", "more"),
        [
            ("none", []),
            ("trap", ["install the policy of b/lan", "initiate b/lan"]),
            ("trap|start", ["install the policy of b/lan", "initiate b/lan"]),
        ],
    )
    def test_one_of_an_sa_that_is_up(self, start: str, more: list[str]) -> None:
        daemon = replace(RIGHT, policies=frozenset(), **UP)
        if start == "none":
            daemon = replace(daemon, traps=frozenset())
        plan = repaired(section(start), daemon)
        assert plan.actions == ["close the Child SA b/lan", *more]
        assert told(plan) == [("b/lan", "child")]

    def test_a_shunt(self) -> None:
        name = "tunnelwright-bypass-lan"
        right = DaemonState(
            connections={name: listed(BYPASS)},
            shunts=frozenset({(name, "lan")}),
            policies=frozenset({("10.1.0.0/24", "10.1.0.0/24")}),
        )
        assert repaired(BYPASS, right, name) == Plan()
        for state, actions in (
            ({"shunts": frozenset()}, [f"install the policy of {name}/lan"]),
            (
                {"policies": frozenset()},
                [f"uninstall the trap of {name}/lan", f"install the policy of {name}/lan"],
            ),
        ):
            assert (
                repaired(BYPASS, replace(right, **t.cast("t.Any", state)), name).actions == actions
            )

    @pytest.mark.parametrize(
        ("wanted", "state"),
        [
            # A child that does not trap has no policy while it is down.
            (section("none"), {"traps": frozenset(), "policies": frozenset()}),
            # The kernel has no policies of the userspace data plane, which needs no traps.
            (section(), {"traps": frozenset(), "policies": None}),
            # The kernel shows these policies in another form, or only when the peer is known.
            (section(local_ts=("10.1.0.0/24[tcp/80]",)), {"policies": frozenset()}),
            (section(local_ts=("dynamic",)), {"policies": frozenset()}),
            # The kernel shows the network 10.1.0.0/24.
            (section(local_ts=("10.1.0.5/24",)), {"policies": frozenset()}),
            ({**section(), "remote_addrs": ("gw.example.org",)}, {"traps": frozenset()}),
        ],
    )
    def test_what_can_not_be_told_is_left_alone(self, wanted: t.Any, state: t.Any) -> None:
        daemon = replace(RIGHT, connections={"b": listed(wanted)}, **state)
        assert repaired(wanted, daemon) == Plan()


class TestLeftovers:
    def test_an_sa_and_a_trap_of_a_child_that_is_not_configured(self) -> None:
        daemon = replace(
            RIGHT,
            established={"b": frozenset({"lan", "old"})},
            traps=RIGHT.traps | {("b", "old"), ("b", "older"), ("c", "old")},
        )
        plan = repaired(section(), daemon)
        assert plan.actions == [
            "close the Child SA b/old",
            "uninstall the trap of b/old",
            "uninstall the trap of b/older",
        ]
        assert headers(plan) == [
            ("b/old in the IKE daemon", "left over"),
            ("b/older in the IKE daemon", "left over"),
        ]
        assert told(plan) == [("b/old", "child")]

    @pytest.mark.parametrize(
        ("start", "up", "actions"),
        [
            ("trap", {"lan.replaced"}, ["initiate b/lan", HAND]),
            ("trap", {"lan", "lan.replaced"}, ["close the Child SA b/lan.replaced"]),
            # No new SA could replace the SA of the parked child.
            ("none", {"lan.replaced"}, []),
        ],
    )
    def test_an_sa_that_the_peer_made_of_a_parked_child(
        self, start: str, up: set[str], actions: list[str]
    ) -> None:
        state = {**UP, "established": {"b": frozenset(up)}}
        if start == "none":
            state["traps"] = frozenset()
        assert repaired(section(start), replace(RIGHT, **state)).actions == actions


class TestLoaded:
    @pytest.mark.parametrize(
        ("start", "release", "state", "more", "impact"),
        [
            ("trap|start", "6.0.1", {}, [], ("b", "none")),
            ("trap|start", "6.0.1", UP, [HAND], ("b/lan", "child")),
            ("trap|start", "5.9.8", UP, [HAND], ("b", "ike")),
            ("trap", "5.9.8", UP, ["initiate b/lan", HAND], ("b/lan", "child")),
            ("none", "6.0.1", UP, [], ("b", "pending")),
        ],
    )
    def test_with_another_child(
        self, start: str, release: str, state: t.Any, more: list[str], impact: tuple[str, str]
    ) -> None:
        other = listed(section(start, remote_ts=("10.9.0.0/24", "fd00:9::/64")))
        daemon = replace(RIGHT, version=release, connections={"b": other}, **state)
        plan = repaired(section(start), daemon)
        # charon would initiate the child on the IKE SA that it is closing.
        first = ["close the IKE SA of b"] if impact == ("b", "ike") else []
        assert plan.actions == [*first, LOAD, *more]
        now = "loaded with other settings: lan remote-ts 10.9.0.0/24, fd00:9::/64"
        assert headers(plan) == [("connection b in the IKE daemon", now)]
        assert told(plan) == [impact]

    def test_with_another_child_beside_one_that_is_right(self) -> None:
        """No release closes the IKE SA, because the IKE SA keeps a Child SA."""
        wanted = section("trap|start")
        children = {**wanted["children"], "dmz": {**wanted["children"]["lan"]}}
        wanted = {**wanted, "children": children}
        other = listed(section("trap|start", remote_ts=("10.9.0.0/24", "fd00:9::/64")))
        other["children"]["dmz"] = listed(wanted)["children"]["dmz"]
        up = {**UP, "established": {"b": frozenset({"lan", "dmz"})}}
        daemon = replace(RIGHT, version="5.9.8", connections={"b": other}, **up)
        plan = repaired(wanted, daemon)
        assert plan.actions == [LOAD, HAND]
        assert told(plan) == [("b/lan", "child")]

    @pytest.mark.parametrize("release", ["5.9.8", "6.0.1"])
    def test_with_another_peer(self, release: str) -> None:
        other = {**listed(section("trap|start")), "remote_addrs": ("192.0.2.9",)}
        daemon = replace(RIGHT, version=release, connections={"b": other}, **UP)
        plan = repaired(section("trap|start"), daemon)
        assert plan.actions == [LOAD, HAND]
        hand_over = plan.steps[-1]
        assert isinstance(hand_over, HandOver)
        assert (hand_over.old, hand_over.ikes, hand_over.optional) == ({"7"}, {"3"}, True)
        assert told(plan) == [("b", "ike")]

    @pytest.mark.parametrize("state", [{}, UP])
    def test_not_at_all(self, state: t.Any) -> None:
        plan = repaired(section("trap|start"), replace(RIGHT, connections={}, **state))
        assert plan.actions == [LOAD]
        assert headers(plan) == [("connection b in the IKE daemon", "not loaded")]
        assert told(plan) == [("b", "none")]


class TestInterruptedRun:
    """Runs that were interrupted during the swap of a connection."""

    @pytest.mark.parametrize(
        ("start", "more"),
        [("trap|start", []), ("trap", ["initiate b/lan"]), ("none", [])],
    )
    def test_before_the_new_one_was_loaded(self, start: str, more: list[str]) -> None:
        put = listed(with_parked_children(section(start)))
        plan = repaired(section(start), replace(RIGHT, connections={"b": put}, **UP))
        assert plan.actions == [LOAD, *more, HAND]
        assert headers(plan) == [("connection b in the IKE daemon", "left by an interrupted run")]
        assert told(plan) == [("b/lan", "child")]

    def test_after_it_was_loaded(self) -> None:
        """The old section is not known, but the unique ids of the old SAs are."""
        daemon = replace(
            RIGHT,
            connections={"b": listed(section("trap|start"))},
            unfinished=Unfinished({"b": frozenset({"5"})}),
            **UP,
        )
        plan = repaired(section("trap|start"), daemon)
        assert plan.actions == [LOAD, HAND]
        hand_over = plan.steps[-1]
        assert isinstance(hand_over, HandOver)
        assert (hand_over.old, hand_over.optional) == ({"5"}, True)

    def test_while_nothing_was_up(self) -> None:
        unfinished = Unfinished({"b": frozenset()})
        plan = repaired(section(), replace(RIGHT, unfinished=unfinished))
        assert plan.actions == [LOAD]
        assert told(plan) == [("b", "none")]

    def test_over_another_one(self) -> None:
        unfinished = Unfinished({"c": frozenset()})
        assert repaired(section(), replace(RIGHT, unfinished=unfinished)) == Plan()
