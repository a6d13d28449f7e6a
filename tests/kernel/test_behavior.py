# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The behaviour of a tunnel over time: which end initiates, and the reaction to a dead peer."""

from __future__ import annotations

import contextlib
import re
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import SWIFT, End, Pair, until

IKE = "udp port 500 or udp port 4500"
ENDS = pytest.mark.parametrize("name", ["a", "b"])


def call(end: End) -> None:
    """Send traffic for the tunnel, which may be lost."""
    end.machine.sh(f"ip netns exec lan ping -q -c 4 -i 0.3 -W 1 {end.other.host()} || true")


def is_up(pair: Pair) -> bool:
    return all(end.children() for end in pair.ends)


def cut(end: End) -> None:
    """Cut the line: set the interface down, but keep its IPv4 address."""
    end.machine.sh("ip link set eth1 down")


@contextlib.contextmanager
def known(end: End) -> t.Iterator[None]:
    """Keep the link address of the peer, because a packet to an unknown one is never sent."""
    link = end.other.machine.sh("cat /sys/class/net/eth1/address").strip()
    entry = f"{end.other.address} dev eth1"
    end.machine.sh(f"ip neighbor replace {entry} lladdr {link} nud permanent")
    try:
        yield
    finally:
        end.machine.sh(f"ip neighbor delete {entry}")


def mend(end: End) -> None:
    end.machine.sh(f"ip link set eth1 up; ip address replace {end.machine.ipv6}/64 dev eth1 nodad")


@ENDS
@proves(
    "ipsec_phase1.connection_behavior",
    "responder_only",
    "start_action = none",
    "never an IKE packet",
)
def test_a_responder_never_calls(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    with pair.wire(IKE) as wire:
        pair.configure(**{name: {"phase1": {"connection_behavior": "responder_only"}}})
        call(end)
        assert not is_up(pair)
    assert wire == []
    call(end.other)
    until(lambda: is_up(pair), "the tunnel of the other initiator")
    end.other.terminate()
    with pair.wire(IKE) as wire:
        call(end)
    assert not is_up(pair)
    assert wire == []


@ENDS
@proves(
    "ipsec_phase1.connection_behavior", "on_demand", "start_action = trap", "the first packet calls"
)
def test_traffic_brings_a_tunnel_up(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.both(lambda item: item.terminate())
    with pair.wire(IKE) as wire:
        pair.configure(**{end.other.name: {"phase1": {"connection_behavior": "responder_only"}}})
    assert wire == []
    assert not is_up(pair)
    call(end)
    until(lambda: is_up(pair), "the tunnel after the first packet")


@ENDS
@proves(
    "ipsec_phase1.connection_behavior",
    "start",
    "start_action = trap|start",
    "up without traffic, again after the peer closed it, and after a reboot of either end",
)
def test_a_start_comes_up_and_comes_back(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    passive = {end.other.name: {"phase1": {"connection_behavior": "responder_only"}}}
    pair.configure(**passive, **{name: {"phase1": {"connection_behavior": "start"}}})
    until(lambda: is_up(pair), "the tunnel without traffic")
    end.other.terminate()
    call(end)
    until(lambda: is_up(pair), "the tunnel that the peer closed")
    end.machine.restart()
    until(lambda: is_up(pair), "the tunnel after a reboot of this end")
    pair.ping()
    end.other.machine.restart()
    # This end would notice the reboot later, by DPD or by INITIAL_CONTACT of the peer.
    end.terminate()
    call(end)
    until(lambda: is_up(pair), "the tunnel after a reboot of the other end")
    pair.ping()


@proves("ipsec_phase1.dpd_delay", "a number", "dpd_delay", "the pace of INFORMATIONAL on the wire")
@proves(
    "ipsec_phase1.dpd_action", "none", "dpd_delay = 0", "silence, and the SA of a dead peer stays"
)
def test_dead_peers_are_looked_for_in_time(pair: Pair) -> None:
    pair.tunnel(phase1={"dpd_delay": 2, "connection_behavior": "responder_only"})
    with pair.wire(f"udp port 500 and src {pair.a.address}") as wire:
        pair.a.machine.sh("sleep 12")
    assert 4 <= len(wire) <= 14, wire
    pair.tunnel(
        phase1={"dpd_action": "none", "connection_behavior": "responder_only"}, settings=SWIFT
    )
    with pair.wire(IKE) as wire:
        cut(pair.b)
        try:
            pair.a.machine.sh("sleep 12")
            assert pair.a.children()
        finally:
            mend(pair.b)
    assert wire == []


@ENDS
@pytest.mark.parametrize("action", ["clear", "hold", "restart"])
@proves("ipsec_phase1.dpd_action", "clear", "dpd_action = clear", "the dead SA is closed, no call")
@proves("ipsec_phase1.dpd_action", "hold", "dpd_action = trap", "closed; traffic initiates again")
@proves(
    "ipsec_phase1.dpd_action", "restart", "dpd_action = restart", "initiates again automatically"
)
def test_a_dead_peer(pair: Pair, name: str, action: str) -> None:
    end = getattr(pair, name)
    # Without a limit, because the tries may end before the peer is back on a busy machine.
    ours = {"dpd_action": action, "dpd_delay": 2, "keying_tries": 0}
    pair.tunnel(name, phase1=ours, settings=SWIFT)
    assert (
        end.conn()["children"]["net"]["dpd_action"]
        in (
            {"clear": ("clear", "none"), "hold": ("trap",), "restart": ("restart", "start")}[action]
        )
    )
    mark = end.mark()
    cut(end.other)
    try:
        with known(end):
            until(lambda: "giving up after 2 retransmits" in end.log(mark), "the failed DPD", 120)
            if action != "restart":
                until(lambda: not end.children(), "the end of the SA")
            with pair.wire(f"({IKE}) and src {end.address}") as wire:
                end.machine.sh("sleep 6")
        assert bool(wire) is (action == "restart"), wire
    finally:
        mend(end.other)
    if action == "hold":
        call(end)
    if action != "clear":
        until(end.children, "the tunnel again")


@ENDS
@proves("ipsec_phase1.dpd_failures", "a number", "dpd_timeout of IKEv1", "when the SA is given up")
def test_failures_of_ikev1(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    waits = []
    for failures in (1, 5):
        ours = {"dpd_delay": 2, "dpd_failures": failures, "dpd_action": "clear"}
        pair.tunnel(name, phase1={"key_exchange": "ikev1", **ours})
        cut(end.other)
        try:
            begun = float(end.machine.sh("cut -d' ' -f1 /proc/uptime"))
            mark = end.mark()
            until(lambda mark=mark: "DPD check timed out" in end.log(mark), "the failed DPD", 120)
            waits.append(float(end.machine.sh("cut -d' ' -f1 /proc/uptime")) - begun)
        finally:
            mend(end.other)
    # dpd_timeout is 4 and 12 seconds.
    assert 4 <= waits[1] - waits[0] <= 14, waits


@ENDS
@proves(
    "ipsec_phase1.keying_tries", "1", "keyingtries = 1", "one sequence of packets, then silence"
)
@proves("ipsec_phase1.keying_tries", "3", "keyingtries = 3", "three sequences of packets")
@proves("ipsec_phase1.keying_tries", "0", "keyingtries = 0", "no end of them")
def test_keying_tries(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.configure(settings=SWIFT)
    # The host of the peer is up, but its IKE daemon is stopped.
    end.other.machine.sh("systemctl stop strongswan")
    try:
        for tries in (1, 3, 0):
            end.phase1(keying_tries=tries, apply="reestablish")
            mark = end.mark()
            # A sequence ends after 1 + 1.5 + 2.25 seconds.
            seconds = 7 + 5 * (max(tries, 4) - 1)
            with pair.wire(f"udp port 500 and src {end.address}") as wire:
                end.machine.sh("swanctl --initiate --child net --timeout 1 >&2 || true")
                end.machine.sh(f"sleep {seconds}")
            again = re.findall(r"trying again \((\d+)/(\d+)\)", end.log(mark))
            sent = sum("isakmp" in line for line in wire)
            end.terminate()
            if tries:
                expected = [(str(n), str(tries)) for n in range(2, tries + 1)]
                assert (again, sent) == (expected, 3 * tries)
            else:
                assert len(again) >= 3
    finally:
        end.other.machine.sh("systemctl start strongswan")


@ENDS
@proves("ipsec_settings.unique_ids", "yes", "unique = replace", "a second SA replaces the first")
@proves("ipsec_settings.unique_ids", "no", "unique = no", "only INITIAL_CONTACT replaces the first")
@proves("ipsec_settings.unique_ids", "never", "unique = never", "nothing replaces the first")
def test_unique_ids(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    cases = {("yes", "never"): 1, ("no", "yes"): 1, ("no", "never"): 2, ("never", "yes"): 2}
    passive = {"connection_behavior": "responder_only", "dpd_action": "none"}
    for (ours, theirs), expected in cases.items():
        pair.tunnel(
            end.other.name,
            **{
                name: {"settings": {"unique_ids": ours}, "phase1": passive},
                # An end with `never` sends no INITIAL_CONTACT.
                end.other.name: {"settings": {"unique_ids": theirs}, "phase1": passive},
            },
        )
        # A killed daemon sends no message to its peer.
        end.other.machine.sh(
            "systemctl kill -s KILL strongswan; ip xfrm state flush; sleep 1\n"
            "systemctl restart strongswan"
        )
        end.other.initiate()
        # charon closes a replaced IKE SA ten seconds later.
        end.machine.sh("sleep 12")
        assert len(end.sas()) == expected, (ours, theirs)
        end.terminate()
