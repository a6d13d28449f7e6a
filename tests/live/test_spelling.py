# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of the spelling of an identity, on gateways whose tunnels are up.

Each change is tried on each release with one connection behavior. ``LIVE=all`` tries every
behavior.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import ALL, SEED
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES, Rig

# Two spellings that are the same on the wire.
SAME = [
    ("gw.example.org", "@gw.example.org"),
    ("gw.example.org", "fqdn:gw.example.org"),
    ("a@example.org", "@@a@example.org"),
    ("a@example.org", "email:a@example.org"),
    ("C=DE, O=x, CN=gw", "C=DE,O=x,CN=gw"),
    ("C=DE, O=x, CN=gw", "/C=DE/O=x/CN=gw"),
    ("C=DE, O=x, E=a@b", "C=DE, O=x, email=a@b"),
    ("2001:DB8::7", "2001:db8:0::7"),
    ("@#0A0B", "@#0a:0b"),
    ("keyid:ab", "@#6162"),
]
BEHAVIORS = ("start", "on_demand", "responder_only")
# Two spellings that differ on the wire, and that are the same identity for charon.
OTHER = [
    ("GW.example.org", "gw.example.org"),
    ("A@example.org", "a@example.org"),
    ("C=DE, O=x, CN=GW", "C=DE, O=x, CN=gw"),
]


def cases(identities: list[tuple[str, str]], behaviors: tuple[str, ...]) -> list[t.Any]:
    """Return the cases. The behavior alternates from pair to pair and between the releases."""
    return [
        pytest.param(release, behavior, *pair, id=f"{release}-{behavior}-{pair[0]}-{pair[1]}")
        for first, release in enumerate(RELEASES)
        for number, pair in enumerate(identities)
        for behavior in (
            behaviors if ALL else [behaviors[(first + number + SEED) % len(behaviors)]]
        )
    ]


@pytest.fixture(name="rig", scope="module", params=RELEASES)
def _rig(request: pytest.FixtureRequest, rigs: dict[str, Rig]) -> Rig:
    rig = rigs[request.param]
    rig.device.wipe()
    rig.device.apply("vpn_network", rig.network())
    return rig


def start(rig: Rig, behavior: str, identifier: str) -> t.Any:
    options = rig.phase1(identifier=identifier, connection_behavior=behavior)
    rig.device.apply("ipsec_phase1", options)
    rig.device.apply("ipsec_phase2", rig.phase2())
    if behavior != "start":
        rig.device.ask("initiate", child="net", ike="site-b", seconds=10.0)
    rig.device.wait_for("site-b/net")
    assert not rig.device.run("ipsec_phase1", options).changed
    return rig.device.sas()


def seen(rig: Rig) -> str:
    """Return the local identity that the peer has received."""
    (sa,) = (item for item in rig.peer.ask("sas")["sas"] if item.get("child-sas"))
    return str(sa["remote-id"])


@pytest.mark.parametrize(
    ("rig", "behavior", "before", "after"), cases(SAME, BEHAVIORS), indirect=["rig"]
)
def test_what_is_the_same_disturbs_nothing(
    rig: Rig, behavior: str, before: str, after: str
) -> None:
    try:
        sas = start(rig, behavior, before)
        options = rig.phase1(identifier=after, connection_behavior=behavior)
        run = rig.device.apply("ipsec_phase1", options)
        assert run.changed
        assert "has not accepted" not in str(run.result.get("warnings"))
        assert run.result["impact"] == "none", run.result["impacts"]
        assert rig.device.sas() == sas
        assert not rig.device.run("ipsec_phase1", options).changed
    finally:
        rig.device.apply("ipsec_phase1", {**rig.phase1(), "state": "absent"})


@pytest.mark.parametrize(
    ("rig", "behavior", "before", "after"), cases(OTHER, BEHAVIORS[:2]), indirect=["rig"]
)
def test_what_is_another_one_is_sent(rig: Rig, behavior: str, before: str, after: str) -> None:
    try:
        start(rig, behavior, before)
        assert seen(rig) == before
        options = rig.phase1(identifier=after, connection_behavior=behavior)
        run = rig.device.apply("ipsec_phase1", options)
        assert "has not accepted" not in str(run.result.get("warnings"))
        assert run.result["impact"] == "ike", run.result["impacts"]
        rig.device.wait_for("site-b/net")
        assert seen(rig) == after
        assert not rig.device.run("ipsec_phase1", options).changed
    finally:
        rig.device.apply("ipsec_phase1", {**rig.phase1(), "state": "absent"})
