# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The impact on SAs that are up, by release of strongSwan and start action."""

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

SITE_B = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"

ON = {"connection_behavior": "start"}

# Pairs of texts for the same identity on the wire.
SAME = [
    ("gw.example.org", "@gw.example.org"),
    ("gw.example.org", "fqdn:gw.example.org"),
    ("a@example.org", "@@a@example.org"),
    ("C=DE, O=x, CN=gw", "C=DE,O=x,CN=gw"),
    ("C=DE, O=x, CN=gw", "/C=DE/O=x/CN=gw"),
    ("2001:DB8::7", "2001:db8:0::7"),
    ("@#0A0B", "@#0a:0b"),
    ("keyid:ab", "@#6162"),
]
# Pairs of identities that differ on the wire, but that charon considers equal.
OTHER = [
    ("GW.example.org", "gw.example.org"),
    ("A@example.org", "a@example.org"),
    ("C=DE, O=x, CN=GW", "C=DE, O=x, CN=gw"),
]
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


ENDS = pytest.mark.parametrize("option", ["identifier", "peer_identifier"])


@ENDS
@pytest.mark.parametrize("behavior", ["responder_only", "on_demand", "start"])
@pytest.mark.parametrize(("before", "after"), SAME)
def test_an_identity_that_is_written_in_another_way(
    option: str, behavior: str, before: str, after: str
) -> None:
    """A new text of the same identity does not load the connection again.
    charon would see no change and would not initiate.
    """
    old, new = (
        parts(connection(child(), connection_behavior=behavior, **{option: identity}))
        for identity in (before, after)
    )
    plan = edited(old, new, **up("net"))
    assert plan.impact == "none"
    assert [action for action in plan.actions if "secret" not in action] == [f"write {SITE_B}"]


@ENDS
@pytest.mark.parametrize(("before", "after"), OTHER)
def test_an_identity_in_upper_and_lower_case(option: str, before: str, after: str) -> None:
    """A change of case re-establishes the IKE SA, because the peer receives another identity."""
    old, new = (
        parts(connection(child(), **ON, **{option: identity})) for identity in (before, after)
    )
    plan = edited(old, new, **up("net"))
    end = {"identifier": "local", "peer_identifier": "remote"}[option]
    (impact,) = plan.impacts
    assert (impact.kind, impact.reason) == (
        "ike",
        f"{end}.id changed: the IKE SA is closed, then re-established",
    )
    assert [action for action in plan.actions if "secret" not in action] == [
        "load connection site-b with its children renamed to NAME.replaced",
        "unload connection site-b",
        f"write {SITE_B}",
        "close the IKE SA of site-b",
        "load connection site-b",
        "wait for the new Child SAs of site-b/net, then close the old Child SAs",
    ]
    assert edited(old, new, apply="defer", **up("net")).impact == "pending"


@pytest.mark.parametrize("apply", ["graceful", "reestablish", "defer"])
def test_the_key_is_not_said_to_have_changed_with_the_address(apply: str) -> None:
    """The impact names only the address.

    The key is loaded again for the identity of the new address.
    """
    old, new = (
        parts(connection(child(), **ON, remote_gateway=address))
        for address in ("192.0.2.2", "192.0.2.3")
    )
    plan = edited(old, new, apply=apply, **up("net"))
    assert "load secret ike-site-b" in plan.actions
    (impact,) = plan.impacts
    assert impact.reason.startswith("remote.id, remote_addrs changed: ")


def test_the_key_is_said_to_have_changed_where_it_has() -> None:
    old, new = (parts(connection(child(), **ON, psk=psk * 20)) for psk in ("x", "y"))
    (impact,) = edited(old, new, **up("net")).impacts
    assert impact.reason.startswith("secret changed: ")
