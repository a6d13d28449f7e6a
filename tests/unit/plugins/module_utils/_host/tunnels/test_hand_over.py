# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels import (
    hand_over as module,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels.hand_over import (
    hand_over,
    swap_back,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import (
    ChildState,
    IkeState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.steps import (
    HandOver,
    SwapBack,
)


class Charon:
    """A daemon that answers list-sas with each state once, and then always with the last state.

    It records the SAs that are closed.
    """

    def __init__(self, *states):
        self._states = itertools.chain(states, itertools.repeat(states[-1]))
        self.closed = []

    def sas(self, _name):
        return next(self._states)

    def close(self, sa, child=None):
        self.closed.append((sa.uniqueid, child.uniqueid if child else None))


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """Replace the clock by a clock that advances only when the code sleeps."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def child(uniqueid, name="lan", state="INSTALLED", age=0):
    return ChildState(name, uniqueid, state, "TUNNEL", age=age)


def ike(uniqueid, *children, state="ESTABLISHED", tasks=()):
    return IkeState("b", uniqueid, state, "2", children, tasks)


OLD = frozenset({"1", "2"})


def test_the_old_child_goes_when_the_new_one_is_there():
    charon = Charon(
        (ike("9", child("1"), child("2", "dmz"), tasks=("CHILD_CREATE",)),),
        (ike("9", child("1"), child("2", "dmz"), child("3")),),
    )
    assert hand_over(charon, HandOver("b", ("lan",), OLD)) is None
    assert charon.closed == [("9", "1")]


def test_where_the_peer_refuses_the_old_ones_stay_unless_they_were_closed():
    stay = hand_over(Charon((ike("9", child("1")),)), HandOver("b", ("lan",), OLD))
    assert "peer has not accepted the new values of b/lan. The old SAs stay up" in stay
    closed = hand_over(Charon((ike("9", child("2", "dmz")),)), HandOver("b", ("lan",), OLD))
    assert closed.endswith(
        "the old SAs are closed. Run ipsec_connection, which explains why no new SAs come up."
    )


@pytest.mark.parametrize(("age", "waits"), [(0, True), (1, True), (2, False)])
def test_the_last_packets_on_the_old_one_are_waited_for_once(age, waits):
    charon = Charon((ike("9", child("1"), child("3", age=age)),))
    before = module.time.monotonic()
    hand_over(charon, HandOver("b", ("lan",), OLD))
    assert (module.time.monotonic() - before == 1.0) is waits
    assert charon.closed == [("9", "1")]


def test_many_silent_peers_are_waited_for_once():
    """All connections of a plan negotiate at once, so that the waits overlap."""
    begun = module.time.monotonic()
    busy = (ike("9", child("1"), tasks=("CHILD_CREATE",)),)
    for _each in range(100):
        said = hand_over(Charon(busy), HandOver("b", ("lan",), OLD), begun)
        assert "has not accepted" in said
    assert module.time.monotonic() - begun < module.PATIENCE_S + 1


def test_many_peers_that_refuse_are_waited_for_once():
    begun = module.time.monotonic()
    for _each in range(100):
        hand_over(Charon((ike("9", child("1")),)), HandOver("b", ("lan",), OLD), begun)
    assert module.time.monotonic() - begun < module.IDLE_MEANS_REFUSED_S + 1


def test_one_that_was_made_while_its_child_was_set_aside_goes_too():
    charon = Charon((ike("9", child("1", "lan.replaced"), child("2", "dmz"), child("3")),))
    hand_over(charon, HandOver("b", ("lan",), OLD))
    assert charon.closed == [("9", "1")]


def test_an_old_ike_sa_goes_as_a_whole():
    charon = Charon(
        (ike("9", child("1"), child("2", "dmz")), ike("10", child("3"), child("4", "dmz")))
    )
    assert hand_over(charon, HandOver("b", ("dmz", "lan"), OLD)) is None
    assert charon.closed == [("9", None)]


def test_an_ike_sa_with_a_child_that_did_not_change_stays():
    charon = Charon((ike("9", child("1"), child("2", "dmz")), ike("10", child("3"))))
    assert hand_over(charon, HandOver("b", ("lan",), OLD)) is None
    assert charon.closed == [("9", "1")]


def test_where_the_peer_refuses_the_old_ones_stay():
    charon = Charon(
        (ike("9", child("1"), tasks=("CHILD_CREATE",)),),
        (ike("9", child("1")),),
    )
    why = hand_over(charon, HandOver("b", ("lan",), OLD))
    assert why is not None
    assert "b/lan" in why
    assert charon.closed == []


def test_a_peer_that_does_not_answer_is_not_waited_for_without_end():
    charon = Charon((ike("9", child("1")), ike("10", state="CONNECTING")))
    assert hand_over(charon, HandOver("b", ("lan",), OLD)) is not None
    assert module.time.monotonic() < 40


def test_a_new_child_that_is_not_installed_is_not_there():
    charon = Charon((ike("9", child("1"), child("3", state="CREATED")),))
    assert hand_over(charon, HandOver("b", ("lan",), OLD)) is not None
    assert charon.closed == []


def test_one_that_goes_by_itself_is_left_alone():
    charon = Charon((ike("9", child("1", state="DELETED"), child("3")),))
    assert hand_over(charon, HandOver("b", ("lan",), OLD)) is None
    assert charon.closed == []


class Twofold:
    """Two SAs of one child. charon initiates a third SA if neither has the configured values."""

    def __init__(self, right):
        self.right = right
        self.up = [ike("8", child("1"), child("5", "dmz")), ike("9", child("2"))]
        self.log = []

    def sas(self, _name):
        return tuple(self.up)

    def close(self, sa, child=None):
        self.log.append(f"close {sa.uniqueid} {child.uniqueid if child else 'whole'}")
        gone = [item.uniqueid for item in ([child] if child else sa.children)]
        self.up = [
            ike(item.uniqueid, *(one for one in item.children if one.uniqueid not in gone))
            for item in self.up
        ]

    def initiate(self, ike_name, name):
        self.log.append(f"initiate {ike_name}/{name}")
        if not any(one.uniqueid == self.right for sa in self.up for one in sa.children):
            self.up.append(ike("10", child("7", name)))


@pytest.mark.parametrize(
    ("right", "then"), [("1", ["initiate b/lan", "close 9 whole"]), ("2", ["initiate b/lan"])]
)
def test_of_two_that_a_run_has_left_one_stays_until_the_right_one_is_there(right, then):
    charon = Twofold(right)
    hand_over(charon, HandOver("b", ("lan",), frozenset({"1", "2", "5"})))
    assert charon.log == ["close 8 1", *then]


def test_without_a_new_sa_an_undo_closes_no_old_sa():
    """The old SA of a child stays up when the peer accepts the new SA of another child only."""
    charon = Charon((ike("9", child("1"), child("2", "dmz"), child("3")),))
    step = HandOver("b", ("dmz", "lan"), OLD, optional=True)
    assert hand_over(charon, step) is None
    assert charon.closed == [("9", "1")]


def test_what_is_taken_back_leaves_no_trap_behind():
    """swap_back uninstalls a new trap, because charon keeps the trap of a replaced child."""
    uninstalled = []

    class Loaded(Charon):
        def connections(self, _name):
            return {"b": {"children": {"lan": {}, "more": {}}}}

        def load_conn(self, _name, _section):
            pass

        def unload_conn(self, _name):
            pass

        def uninstall(self, name, child_name):
            uninstalled.append((name, child_name))

    old = {"children": {"lan": {"start_action": "none"}}}
    new = {"children": {**old["children"], "more": {"start_action": "trap"}}}
    swap_back(Loaded(()), SwapBack("b", old, new))
    assert uninstalled == [("b", "more")]
