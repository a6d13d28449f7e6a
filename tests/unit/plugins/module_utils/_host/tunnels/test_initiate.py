# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Initiation and waits, with a daemon that changes from one state to the next."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels import (
    initiate,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import (
    ChildState,
    IkeState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.connect import Live, Tunnel
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child as phase2,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    connection,
    settings,
)

SPI = "c0ffee01"
KEY = ("site-b", "net")
TUNNEL = Tunnel(connection(phase2()), phase2())
PASSIVE = Tunnel(connection(phase2(), connection_behavior="responder_only"), phase2())


class Clock:
    """A clock that advances only when the code listens."""

    def __init__(self) -> None:
        self.now = 0.0

    def listen(self, seconds: float) -> None:
        self.now += seconds


class Charon:
    """A daemon that answers list-sas with each state once, and then always with the last state."""

    def __init__(self, *states):
        self._states = itertools.chain(states, itertools.repeat(states[-1]))
        self.did = []
        self.loaded = frozenset({"kernel-libipsec"})

    def sas(self, _name=None):
        return next(self._states)

    def plugins(self):
        return self.loaded

    def initiate(self, ike, child):
        self.did.append(f"initiate {ike}/{child}")

    def rekey(self, ike, child):
        self.did.append(f"rekey {ike}/{child.name} {child.uniqueid}")

    def close(self, sa):
        self.did.append(f"close {sa.uniqueid}")


@pytest.fixture(name="clock", autouse=True)
def _clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(initiate.time, "monotonic", lambda: clock.now)
    return clock


def host(*states):
    link = SimpleNamespace(sa_indexes=lambda: frozenset({SPI}))
    return SimpleNamespace(vici=Charon(*states), link=link)


def child(uniqueid="1", name="net", state="INSTALLED", spi=SPI, nets=()):
    own = ("10.1.0.0/24",) if nets else ()
    return ChildState(name, uniqueid, state, "TUNNEL", own, nets, spi_in=spi, spi_out=spi)


def ike(*children, uniqueid="1", state="ESTABLISHED", tasks=()):
    return (IkeState("site-b", uniqueid, state, "2", children, tasks),)


CONNECTING = ike(state="CONNECTING")
NEW = ike(uniqueid="9", state="CONNECTING")


def call(there, clock, timeout=30.0, called=(TUNNEL,), awaited=()):
    return initiate.bring_up(there, clock, called, awaited, timeout)


def test_waits_until_it_is_up(clock) -> None:
    there = host((), (), (), NEW, NEW, ike(child(), uniqueid="9"))
    assert call(there, clock).up == {KEY}
    assert there.vici.did == ["initiate site-b/net"]
    assert clock.now < 2


def test_a_refusal_is_noticed_soon(clock) -> None:
    there = host((), (), (), NEW, ())
    assert call(there, clock) == Live()
    assert clock.now < 2


def test_silence_takes_all_the_time_and_leaves_nothing_half_open(clock) -> None:
    there = host((), (), (), NEW)
    assert call(there, clock, timeout=10.0).up == frozenset()
    assert there.vici.did == ["initiate site-b/net", "close 9"]
    assert 10 <= clock.now < 11


def test_an_ike_sa_without_its_child_is_closed_if_it_is_new(clock) -> None:
    kept = ike(uniqueid="9")
    there = host((), (), (), kept)
    call(there, clock)
    assert there.vici.did == ["initiate site-b/net", "close 9"]
    old = host(kept)
    call(old, clock)
    assert old.vici.did == ["initiate site-b/net"]


def test_an_ike_sa_that_carries_another_child_stays(clock) -> None:
    there = host((), (), (), ike(child(name="more"), uniqueid="9"))
    call(there, clock)
    assert there.vici.did == ["initiate site-b/net"]


def test_what_closes_at_once_is_not_up(clock) -> None:
    there = host((), (), (), ike(child(), uniqueid="9"), ())
    assert call(there, clock).up == frozenset()


def test_an_attempt_under_way_gets_a_moment(clock) -> None:
    there = host(CONNECTING, CONNECTING, ike(child()))
    assert call(there, clock).up == {KEY}
    assert there.vici.did == []


def test_an_attempt_that_hangs_is_replaced_and_made_again(clock) -> None:
    """A hanging attempt is closed and repeated, because the peer may answer again.

    The daemon continues its attempts if the peer does not answer.
    """
    there = host(CONNECTING)
    call(there, clock, timeout=5.0)
    assert there.vici.did == ["close 1", "initiate site-b/net", "initiate site-b/net"]


def test_a_child_that_is_up_by_now_is_not_initiated(clock) -> None:
    """A child that is up is not initiated again, which would rekey a child of IKEv1."""
    busy = ike(tasks=("QUICK_MODE",))
    there = host(busy, busy, ike(child()))
    assert call(there, clock).up == {KEY}
    assert there.vici.did == []


def test_the_peers_call_is_waited_for(clock) -> None:
    there = host((), *[()] * 20, ike(child()))
    assert call(there, clock, called=(), awaited=(PASSIVE,)).up == {KEY}
    assert there.vici.did == []
    assert clock.now > 3


def test_a_peer_that_calls_for_one_network_after_the_other_is_waited_for(clock) -> None:
    nets = ("10.2.0.0/24", "10.3.0.0/24")
    made = phase2(remote_network=nets)
    passive = connection(made, connection_behavior="responder_only")
    tunnel = Tunnel(passive, made, connection_section(passive, settings()))

    def carrying(*networks):
        return ike(*(child(str(at), nets=(item,)) for at, item in enumerate(networks, 1)))

    there = host((), *[carrying(*nets[:1])] * 9, carrying(*nets))
    assert call(there, clock, called=(), awaited=(tunnel,)).up == {KEY}
    assert 1 < clock.now < 3
    # The tunnel is up with its present networks when no other network comes up in time.
    short = host((), carrying(*nets[:1]))
    assert call(short, clock, called=(), awaited=(tunnel,), timeout=10.0).up == {KEY}
    assert clock.now > 10


def test_nobody_calls(clock) -> None:
    there = host(())
    assert call(there, clock, called=(), awaited=(PASSIVE,)).up == frozenset()
    assert 30 <= clock.now < 31


@pytest.mark.parametrize(
    ("plugins", "spi", "live"),
    [
        ({"kernel-netlink"}, SPI, Live(frozenset({KEY}), frozenset(), frozenset({"site-b"}))),
        ({"kernel-netlink"}, "0", Live(frozenset(), frozenset({KEY}), frozenset({"site-b"}))),
        # The kernel reports no error.
        ({"kernel-libipsec"}, "0", Live(frozenset({KEY}), frozenset(), frozenset({"site-b"}))),
    ],
)
def test_the_data_plane_has_the_last_word(plugins, spi, live) -> None:
    there = host(ike(child(spi=spi)))
    there.vici.loaded = frozenset(plugins)
    assert initiate.live_tunnels(there, [TUNNEL]) == live


@pytest.mark.parametrize("lost", ["spi_in", "spi_out"])
def test_a_tunnel_needs_its_sas_of_both_directions(lost) -> None:
    """A tunnel is not up when the kernel has lost the SA of one direction."""
    there = host(ike(replace(child(), **{lost: "c0ffee02"})))
    there.vici.loaded = frozenset({"kernel-netlink"})
    live = initiate.live_tunnels(there, [TUNNEL])
    assert (live.up, live.lost) == (frozenset(), {KEY})


@pytest.mark.parametrize("state", ["REKEYED", "DELETING", "DELETED", "CREATED", "INSTALLING"])
def test_what_lingers_is_not_up(state) -> None:
    assert initiate.live_tunnels(host(ike(child(state=state))), [TUNNEL]).up == frozenset()


def test_keys_are_renewed_once_and_waited_for(clock) -> None:
    old, new = child("1"), child("2")
    there = host(ike(old), ike(old, tasks=("CHILD_REKEY",)), ike(child("1", state="REKEYED"), new))
    assert initiate.rekey(there, clock, [TUNNEL], 30.0) == {KEY}
    assert there.vici.did == ["rekey site-b/net 1"]


def test_keys_that_are_not_renewed(clock) -> None:
    old = ike(child("1"))
    there = host(old, ike(child("1"), tasks=("CHILD_REKEY",)), old)
    assert initiate.rekey(there, clock, [TUNNEL], 30.0) == frozenset()
    assert clock.now < 3
    hanging = host(old, ike(child("1"), tasks=("CHILD_REKEY",)))
    assert initiate.rekey(hanging, clock, [TUNNEL], 5.0) == frozenset()


def test_all_sas_of_a_child_are_meant() -> None:
    sas = ike(child("9"), child("10"), child("11", "more"), child("12", state="DELETED"))
    assert [item.uniqueid for item in initiate.children_of(sas, TUNNEL)] == ["9", "10"]


# --- Waiting for SAs that the daemon initiates automatically


@pytest.fixture(name="asleep")
def _asleep(clock, monkeypatch):
    monkeypatch.setattr(initiate.time, "sleep", clock.listen)


@pytest.mark.usefixtures("asleep")
def test_what_comes_up_by_itself_is_waited_for(clock) -> None:
    there = host(*[CONNECTING] * 50, ike(child()))
    initiate.wait_for(there, [TUNNEL], 60)
    assert 9.9 < clock.now < 10.5
    assert there.vici.did == []


@pytest.mark.usefixtures("asleep")
@pytest.mark.parametrize(
    ("states", "seconds"),
    [
        ([ike(child())], 0),
        # The peer refuses, and the daemon gives up 5 seconds after the last message.
        ([CONNECTING] * 10 + [()], 6.5),
        ([()], 5),
        # The peer does not answer.
        ([CONNECTING], 20),
        # Only another phase 2 is up.
        ([ike(child(name="more"))], 5),
    ],
)
def test_waiting_ends_when_nothing_is_negotiated_or_time_is_up(clock, states, seconds) -> None:
    initiate.wait_for(host(*states), [TUNNEL], 20)
    assert seconds <= clock.now < seconds + 0.5


@pytest.mark.usefixtures("asleep")
def test_without_tunnels_nothing_is_waited_for(clock) -> None:
    initiate.wait_for(host(CONNECTING), [], 20)
    assert clock.now == 0
