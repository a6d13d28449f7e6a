# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that is killed at an effect leaves each object in its old or its new state.

The next run reaches the state of an undisturbed run, with the same options and with the options
before the change. ``KILL=all`` kills at every effect. Otherwise ``KILL_SEED`` draws a sample of the
effects. ``PART=2/6`` selects every effect of this part.
"""

from __future__ import annotations

import os
import typing as t
from concurrent.futures import ThreadPoolExecutor

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.changes import AES128, CERTIFIED, SECOND
from ansible_collections.tunnelwright.ipsec.tests.live.entries import of_entry
from ansible_collections.tunnelwright.ipsec.tests.live.host import Options
from ansible_collections.tunnelwright.ipsec.tests.live.kill import Scenario, Task, Walk
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PPK, Rig, speaks_ikev1

SHARE = 1.0 if os.environ.get("KILL") == "all" else float(os.environ.get("KILL", "0.1"))
SEED = os.environ.get("KILL_SEED") or str(draw.seed())

GONE: Task = ("ipsec_phase1", {"name": "site-b", "network": "lan", "state": "absent"})


def _p1(rig: Rig, **options: t.Any) -> Task:
    return ("ipsec_phase1", rig.phase1(**options))


def _p2(rig: Rig, **options: t.Any) -> Task:
    return ("ipsec_phase2", rig.phase2(**options))


def _settings(**options: t.Any) -> Task:
    return ("ipsec_settings", {"network": "lan", **options})


def _dmz(rig: Rig, **options: t.Any) -> Task:
    own = {"name": "dmz", "ip_address": "10.8.0.1", "network_address": "10.8.0.0/24"}
    return ("vpn_network", rig.network(**{**own, **options}))


def _rule(**options: t.Any) -> Task:
    return ("vpn_rule", {"name": "some", "network": "lan", "direction": "outgoing", **options})


def _way(destination: str) -> Task:
    own = {"name": "way", "network": "lan", "action": "route", "target": "10.1.0.254"}
    return ("vpn_rule", {**own, "destination": destination})


def _whole(rig: Rig, site_d: Options, rule: Options, **child: t.Any) -> Task:
    """Return a task for two phase 1, a phase 2 that is up, and a rule."""
    children = [of_entry(rig.phase2(**child))]
    site_b = {**rig.phase1(connection_behavior="start"), "phase2": children}
    rules = [{"name": "some", "network": "lan", **rule}]
    return ("ipsec_gateway", {"phase1": [site_b, site_d], "rules": rules})


def _whole_before(rig: Rig) -> list[Task]:
    absent = {"name": "site-d", "network": "lan", "state": "absent"}
    return [_whole(rig, absent, {"state": "absent"})]


def _whole_after(rig: Rig) -> list[Task]:
    """Return a task with another algorithm, another phase 1 with a phase 2, and a rule."""
    far = {"local_network": ["10.1.0.0/24"], "remote_network": ["10.77.0.0/24"], "name": "net"}
    site_d = rig.phase1(
        name="site-d", remote_gateway="192.0.2.77", connection_behavior="responder_only"
    )
    rule = {"action": "accept", "direction": "outgoing"}
    return [_whole(rig, {**site_d, "phase2": [far]}, rule, encryption=AES128)]


STRANGE = "of no peer that there is"

SCENARIOS = (
    Scenario("create phase 1", lambda rig: [GONE], lambda rig: [_p1(rig)]),
    Scenario(
        "add phase 2",
        lambda rig: [_p1(rig), _p2(rig, state="absent")],
        lambda rig: [_p1(rig), _p2(rig)],
        kills=1,
    ),
    Scenario(
        "change phase 2",
        lambda rig: [_p1(rig), _p2(rig)],
        lambda rig: [_p1(rig), _p2(rig, encryption=AES128)],
        kills=1,
        renews="child",
    ),
    Scenario(
        "change phase 1",
        lambda rig: [_p1(rig), _p2(rig)],
        lambda rig: [_p1(rig, dpd_delay=20), _p2(rig)],
        renews="ike",
    ),
    Scenario(
        "change psk",
        lambda rig: [_p1(rig), _p2(rig)],
        lambda rig: [_p1(rig, psk=STRANGE), _p2(rig)],
        authenticates=(True, False),
    ),
    Scenario(
        "add ppk",
        lambda rig: [_p1(rig), _p2(rig)],
        lambda rig: [_p1(rig, **PPK, ppk_required=True), _p2(rig)],
        renews="ike",
    ),
    Scenario(
        "change ppk",
        lambda rig: [_p1(rig, **PPK), _p2(rig)],
        lambda rig: [_p1(rig, **{**PPK, "ppk": STRANGE}), _p2(rig)],
        authenticates=(True, False),
    ),
    Scenario(
        "renew certificate",
        lambda rig: [_p1(rig, **CERTIFIED), _p2(rig)],
        lambda rig: [_p1(rig, **{**CERTIFIED, **SECOND}), _p2(rig)],
        renews="ike",
    ),
    Scenario(
        "disable phase 1",
        lambda rig: [_p1(rig), _p2(rig)],
        lambda rig: [_p1(rig, state="disabled")],
    ),
    Scenario("remove phase 1", lambda rig: [_p1(rig), _p2(rig)], lambda rig: [GONE]),
    Scenario(
        "settings",
        lambda rig: [_settings(), _p1(rig), _p2(rig)],
        lambda rig: [
            _settings(mss_clamp=1300, cisco_extensions=speaks_ikev1(rig.device)),
            _p1(rig),
            _p2(rig),
        ],
    ),
    Scenario(
        "create network",
        lambda _rig: [("vpn_network", {"name": "dmz", "state": "absent"})],
        lambda rig: [_dmz(rig)],
    ),
    Scenario(
        "change network",
        lambda rig: [_dmz(rig)],
        lambda rig: [_dmz(rig, ip_address="10.8.0.2")],
    ),
    Scenario(
        "change attached network",
        lambda rig: [_dmz(rig, interface_network="ext0")],
        lambda rig: [_dmz(rig, interface_network="ext0", ip_address="10.8.0.2")],
    ),
    Scenario(
        "move network",
        lambda rig: [_dmz(rig, interface_network="ext0")],
        lambda rig: [_dmz(rig, interface_network="ext1")],
    ),
    Scenario(
        "rules",
        lambda rig: [_p1(rig), _p2(rig), _way("10.66.0.0/16"), _rule(action="accept")],
        lambda rig: [
            _p1(rig),
            _p2(rig),
            _way("10.67.0.0/16"),
            _rule(action="translate", source="192.168.7.0/24", target="10.1.0.7"),
        ],
    ),
    Scenario(
        "stop network",
        lambda rig: [_dmz(rig)],
        lambda rig: [_dmz(rig, state="stopped")],
    ),
    Scenario("whole gateway", _whole_before, _whole_after, renews="child"),
)


@pytest.mark.drawn
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed(scenario: Scenario, rigs: dict[str, Rig]) -> None:
    def walked(rig: Rig) -> Walk:
        walk = Walk(rig, scenario)
        walk.record(SHARE, SEED)
        walk.go()
        return walk

    with ThreadPoolExecutor() as pool:
        walks = list(pool.map(walked, rigs.values()))
    print(f"\n{scenario}: killed {', '.join(f'{walk.done} times' for walk in walks)}")
    failures = [failure for walk in walks for failure in walk.failures]
    assert not failures, "\n".join(failures)


@pytest.fixture(name="rigs", scope="module")
def _rigs(rigs: dict[str, Rig]) -> dict[str, Rig]:
    """Return the rigs with the network and an unchanged tunnel on each device."""
    for rig in rigs.values():
        device = rig.device
        device.wipe()
        for name in ("ext0", "ext1"):
            device.sh(
                f"ip link show {name} || ip link add {name} type bridge; ip link set {name} up"
            )
        device.apply("vpn_network", rig.network())
        device.apply("ipsec_phase1", rig.phase1(name="site-c", remote_gateway=rig.address(5)))
        device.apply("ipsec_phase2", rig.phase2(phase1="site-c", remote_network=["10.5.0.0/24"]))
        device.wait_for("site-c/net")
    return rigs
