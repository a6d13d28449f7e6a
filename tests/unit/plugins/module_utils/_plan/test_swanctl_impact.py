# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of SAs that are up, by release of strongSwan and start action."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.planned import (
    edited,
    parts,
    up,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import listed

ON = {"connection_behavior": "start"}
DMZ = child(name="dmz", remote_network=["10.3.0.0/24"])
CHANGED = child(lifetime=2)


@pytest.mark.parametrize("version", ["5.9.8", "6.0.1"])
@pytest.mark.parametrize(
    ("behavior", "impact"),
    [("responder_only", "pending"), ("on_demand", "child"), ("start", "child")],
)
def test_of_a_changed_child(version: str, behavior: str, impact: str) -> None:
    before, after = (
        parts(connection(item, connection_behavior=behavior)) for item in (child(), CHANGED)
    )
    plan = edited(before, after, version=version, **up("net"))
    assert plan.impact == impact
    assert edited(before, after, version=version).impact == "none"


@pytest.mark.parametrize("version", ["5.9.8", "6.0.1"])
@pytest.mark.parametrize(
    ("behavior", "impact"), [("responder_only", "pending"), ("on_demand", "ike"), ("start", "ike")]
)
def test_of_a_changed_phase_1(version: str, behavior: str, impact: str) -> None:
    before, after = (
        parts(connection(child(), connection_behavior=behavior, keying_tries=tries))
        for tries in (1, 2)
    )
    assert edited(before, after, version=version, **up("net")).impact == impact


@pytest.mark.parametrize("version", ["5.9.8", "6.0.1"])
def test_other_children_keep_the_ike_sa(version: str) -> None:
    before = parts(connection(child(), DMZ, **ON))
    after = parts(connection(CHANGED, DMZ, **ON))
    assert edited(before, after, version=version, **up("net", "dmz")).impact == "child"
    assert edited(before, after, version=version, **up("dmz")).impact == "none"


@pytest.mark.parametrize("options", [{}, ON])
def test_a_new_child_disturbs_nobody(options: dict[str, str]) -> None:
    before = parts(connection(child(), **options))
    after = parts(connection(child(), DMZ, **options))
    for version in ("5.9.8", "6.0.1"):
        assert edited(before, after, version=version, **up("net")).impact == "none"


def test_an_ike_sa_without_children() -> None:
    before, after = (parts(connection(item, **ON)) for item in (child(), CHANGED))
    assert edited(before, after, version="5.9.8", **up()).impact == "ike"


def test_to_start_what_is_up_makes_it_anew() -> None:
    assert (
        edited(parts(connection(child())), parts(connection(child(), **ON)), **up("net")).impact
        == "child"
    )


def test_a_child_that_is_removed_along_with_a_change() -> None:
    before = parts(connection(child(), DMZ))
    after = parts(connection(child(), mobike=True))
    assert edited(before, after, **up("net", "dmz")).impact == "ike"
    assert edited(before, after, **up("net")).impact == "ike"


@pytest.mark.parametrize(
    ("options", "impact"),
    [({"connection_behavior": "responder_only"}, "pending"), ({}, "ike"), (ON, "ike")],
)
def test_of_drift(options: dict[str, str], impact: str) -> None:
    before = parts(connection(child(), **options))
    conn = {**listed(before.connections["site-b"]), "rekey_time": "7"}
    plan = edited(before, before, connections={"site-b": conn}, **up("net"))
    assert plan.impact == impact
    assert edited(before, before, connections={}, **up("net")).impact == "none"
