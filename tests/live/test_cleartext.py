# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No event on a gateway lets a packet of its LAN out in cleartext: userspace data plane.

``tests/kernel/test_cleartext.py`` tests the data plane of the kernel. Both tests write their
results to ``cleartext.json``, from which docs/cleartext.md is generated.
"""

from __future__ import annotations

import os
import tomllib
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import Pair
from ansible_collections.tunnelwright.ipsec.tests.live import cleartext, conftest
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, Host, in_container
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES

BED = f"{conftest.TESTBED}-cleartext"
WIRE = cleartext.Wire(
    cleartext.USERSPACE, lambda end: end.other.machine, device="eth0", pause="0.02"
)
ENDS = pytest.mark.parametrize("name", ["a", "b"])


class Container(Host):
    def restart(self) -> None:
        """Shut down the container in order, and boot it again."""
        self.close()
        conftest.testbed("restart", f"tw-{BED}-{self.name}")


@pytest.fixture(name="pair", scope="module")
def _pair(request: pytest.FixtureRequest) -> t.Iterator[Pair]:
    with conftest.holding(request, BED):
        yield from _started()


def _started() -> t.Iterator[Pair]:
    topology = os.environ.get("CLEARTEXT_TOPOLOGY", str(HERE / "cleartext.toml"))
    with open(topology, "rb") as file:
        items = tomllib.load(file)["hosts"]
    conftest.testbed("up", BED, topology)
    conftest.use_podman_settings()
    hosts = {
        name: Container(name, in_container(f"tw-{BED}-{name}"), item["ipv4"], item["ipv6"])
        for name, item in items.items()
    }
    try:
        for host in hosts.values():
            host.deliver()
        pair = Pair(hosts["a"], hosts["b"], hosts["b"])
        pair.both(cleartext.configure)
        pair.both(WIRE.prepare)
        pair.both(cleartext.carrying)
        yield pair
    finally:
        for host in hosts.values():
            host.close()
        conftest.testbed("down", BED)


@ENDS
@pytest.mark.parametrize("event", [*cleartext.EVENTS])
def test_nothing_leaves(pair: Pair, name: str, event: str) -> None:
    assert cleartext.check(WIRE, getattr(pair, name), DEVICES[name], event).none


@ENDS
@pytest.mark.parametrize("event", [*cleartext.OPEN])
def test_open_on_purpose(pair: Pair, name: str, event: str) -> None:
    """The removal of a phase 2 opens the traffic. This proves that the capture sees cleartext."""
    count = cleartext.check(WIRE, getattr(pair, name), DEVICES[name], event)
    if event == "a phase 2 is removed":
        assert count.ipv4
        assert count.ipv6
