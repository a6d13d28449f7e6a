# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.connect import (
    Live,
    Tunnel,
    plan_connected,
    plan_disconnected,
    plan_reconnected,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
)

NET = child()
MORE = child(name="more", remote_network=["10.4.0.0/24"])
SITE_B = connection(NET, MORE)
TUNNELS = (Tunnel(SITE_B, NET), Tunnel(SITE_B, MORE))
UP = frozenset({("site-b", "net")})


def test_what_is_up_is_left_alone() -> None:
    assert not plan_connected(TUNNELS[:1], Live(UP, frozenset(), frozenset({"site-b"})))
    assert plan_connected(TUNNELS, Live(UP)).actions == ["initiate site-b/more"]


def test_what_the_kernel_lost_is_closed_first() -> None:
    plan = plan_connected(TUNNELS[:1], Live(lost=UP))
    assert plan.actions == ["close the Child SA site-b/net", "initiate site-b/net"]
    assert [str(item) for item in plan.impacts] == [
        "site-b/net: child: missing in the kernel: the Child SA is closed, then re-established"
    ]


def test_who_waits_is_not_called_for() -> None:
    for options in ({}, {"remote_gateway": "%any"}):
        passive = connection(NET, connection_behavior="responder_only", **options)
        assert not plan_connected((Tunnel(passive, NET),), Live())


def test_nothing_there_is_nothing_to_close() -> None:
    assert not plan_disconnected(TUNNELS, Live(), one=False)
    assert not plan_disconnected(TUNNELS[:1], Live(), one=True)
    # The IKE SA stays for the other child.
    alive = Live(frozenset({("site-b", "more")}), frozenset(), frozenset({"site-b"}))
    assert not plan_disconnected(TUNNELS[:1], alive, one=True)


def test_one_child_or_all_that_there_is() -> None:
    live = Live(UP, frozenset(), frozenset({"site-b"}))
    assert plan_disconnected(TUNNELS[:1], live, one=True).actions == [
        "close the Child SA site-b/net"
    ]
    whole = plan_disconnected(TUNNELS, live, one=False)
    assert (whole.actions, whole.impact) == (["close the IKE SA of site-b"], "ike")
    assert [item.header for item in whole.differences] == ["site-b/net"]


def test_reconnecting_is_both() -> None:
    plan = plan_reconnected(TUNNELS, Live(UP, frozenset(), frozenset({"site-b"})), one=False)
    assert plan.actions == [
        "close the IKE SA of site-b",
        "initiate site-b/net",
        "initiate site-b/more",
    ]
    assert [(item.before, item.after) for item in plan.differences] == [
        ("up\n", "up, with new keys\n"),
        ("down\n", "up, with new keys\n"),
    ]
