# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import DaemonState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.overlaps import overlaps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
    gateway,
)

PATH = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"


def told(conn: dict[str, t.Any], *, name: str = "by-hand", **options: t.Any) -> list[str]:
    wanted = artefacts(
        gateway(connection(child(**options))), DEBIAN, userspace=False, credentials={}
    )
    daemon = DaemonState("5.9.8", connections={name: {"children": {"x": conn}}})
    assert overlaps(wanted, daemon, frozenset()) == []
    return overlaps(wanted, daemon, {PATH})


def listed(local: str, remote: str, mode: str = "TUNNEL") -> dict[str, t.Any]:
    return {"mode": mode, "local-ts": (local,), "remote-ts": (remote,)}


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("10.1.0.0/24", "10.2.0.0/24"),
        ("10.1.0.7/32", "10.2.0.0/25"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.1.0.0/24[tcp/80]", "10.2.0.0/24"),
        ("10.1.0.3..10.1.0.9", "10.2.0.0/24"),
    ],
)
def test_what_overlaps_is_named(local: str, remote: str) -> None:
    (warning,) = told(listed(local, remote))
    assert warning.startswith(
        f"phase 2 net of phase 1 site-b: 10.1.0.0/24 to 10.2.0.0/24 overlaps {local} to {remote} "
        "of child x of connection by-hand, which this collection did not make. "
    )


@pytest.mark.parametrize(
    "conn",
    [
        listed("10.1.0.0/24", "10.3.0.0/24"),
        listed("10.4.0.0/24", "10.2.0.0/24"),
        listed("10.2.0.0/24", "10.1.0.0/24"),
        listed("fd00:1::/64", "fd00:2::/64"),
        listed("10.1.0.0/24", "10.2.0.0/24", mode="PASS"),
        listed("10.1.0.0/24", "10.2.0.0/24", mode="DROP"),
        # ``dynamic`` is the address of a gateway, and no network.
        listed("dynamic", "dynamic"),
        {"mode": "TUNNEL"},
    ],
)
def test_nothing_else_is(conn: dict[str, t.Any]) -> None:
    assert told(conn) == []


def test_services_that_differ_do_not_overlap() -> None:
    conn = listed("10.1.0.0/24", "10.2.0.0/24[tcp/443]")
    assert told(conn, remote_network=["10.2.0.0/24[tcp/8080]"]) == []
    assert len(told(conn, remote_network=["10.2.0.0/24[tcp/400-500]"])) == 1


@pytest.mark.parametrize("name", ["site-b", "tunnelwright-lan-bypass"])
def test_not_what_is_ours(name: str) -> None:
    assert told(listed("10.1.0.0/24", "10.2.0.0/24"), name=name) == []


def test_not_what_is_switched_off() -> None:
    assert told(listed("10.1.0.0/24", "10.2.0.0/24"), state="disabled") == []
