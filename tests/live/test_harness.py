# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of these tests detect the changes, gaps and failures that they must detect."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.kill import gaps
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PSK, RELEASES, Rig, speaks_ikev1

SEEN = ("files", "links", "nft", "connections", "secrets", "policies", "units")


@pytest.fixture(name="rig", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> Rig:
    rig = rigs[request.param]
    rig.device.wipe()
    return rig


def test_the_daemon_is_asked_for_ikev1(rig: Rig) -> None:
    """Only strongSwan 6.1 and later may lack IKEv1. The question leaves no trace."""
    before = rig.device.state()
    speaks_ikev1.cache_clear()
    assert speaks_ikev1(rig.device) or rig.release == "forky"
    assert not rig.device.sas().ike
    assert not rig.device.ask("sas")["sas"]
    assert rig.device.state() == before


def test_a_tunnel_comes_up_and_goes_down(rig: Rig) -> None:
    device = rig.device
    empty = device.state()
    device.apply("vpn_network", rig.network())
    device.apply("ipsec_phase1", rig.phase1())
    with device.listening(after=0.5) as events:
        made = device.apply("ipsec_phase2", rig.phase2())
        up = device.wait_for("site-b/net")
    assert "load-conn site-b" in made.writing
    assert {event["kind"] for event in events} == {"ike-updown", "child-updown"}
    assert set(up.ike) == {"site-b"}
    there = device.state()
    for key in SEEN:
        assert there[key] != empty[key], key
    again = device.run("ipsec_phase2", rig.phase2())
    assert not again.changed
    assert not again.writing
    assert again.commands
    assert device.state() == there
    with device.listening(after=0.5) as events:
        device.apply("vpn_network", {"name": "lan", "state": "absent", "force": True})
    assert "child-updown" in {event["kind"] for event in events}
    assert not device.sas().ike
    left = device.state()
    # The forwarding settings of the host stay, and are not in SEEN.
    for key in SEEN:
        assert left[key] == empty[key], key


def test_a_gap_is_seen_where_there_is_one(rig: Rig) -> None:
    device = rig.device
    device.apply("vpn_network", rig.network())
    device.apply("ipsec_phase1", rig.phase1())
    device.apply("ipsec_phase2", rig.phase2())
    before = device.wait_for("site-b/net")
    with device.listening(after=0.5) as events:
        device.apply("ipsec_phase1", rig.phase1(dpd_delay=20))
    assert events
    assert not gaps(before, events)
    before = device.sas()
    with device.listening(after=0.5) as events:
        device.apply("ipsec_phase1", rig.phase1(dpd_delay=30, apply="reestablish"))
        device.wait_for("site-b/net")
    assert gaps(before, events) == {"site-b/net"}


def test_a_run_dies_where_it_is_told_to(rig: Rig) -> None:
    device, task = rig.device, ("vpn_network", rig.network())
    effects = device.counted(*task).effects
    number = effects.index("rename /etc/tunnelwright/.lan.json.new /etc/tunnelwright/lan.json")
    for later, there in ((0, "no"), (1, "yes")):
        device.wipe()
        assert device.killed(*task, number=number + later)
        looked = "test -e /etc/tunnelwright/lan.json && echo yes || echo no"
        assert device.sh(looked).strip() == there
    assert not device.killed(*task, number=1000)
    assert not device.run(*task).changed


def test_a_run_that_fails_says_why(rig: Rig) -> None:
    run = rig.device.run("ipsec_phase1", rig.phase1(network="nowhere"))
    assert run.failed
    assert "nowhere" in run.result["msg"]
    assert PSK not in str(run.result)


def test_check_mode_reaches_the_module(rig: Rig) -> None:
    before = rig.device.state()
    run = rig.device.run("vpn_network", rig.network(), check=True)
    assert run.changed
    assert run.result["diff"]
    assert rig.device.state() == before
