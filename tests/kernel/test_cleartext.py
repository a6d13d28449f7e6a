# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No packet of a LAN leaves in cleartext, whatever happens to its gateway: kernel's data plane."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import RELEASES, Pair
from ansible_collections.tunnelwright.ipsec.tests.live import cleartext

ENDS = pytest.mark.parametrize("name", [*RELEASES])


@pytest.fixture(name="wire", scope="module")
def _wire(machines: dict[str, Machine]) -> cleartext.Wire:
    """A third host hears both ends."""
    return cleartext.Wire(cleartext.KERNEL, lambda _end: machines["other"], "eth1", pause="0.1")


@pytest.fixture(name="sending", scope="module")
def _sending(pair: Pair, wire: cleartext.Wire) -> t.Iterator[Pair]:
    pair.both(lambda end: end.machine.wipe())
    pair.both(lambda end: end.forget())
    pair.both(cleartext.configure)
    pair.both(wire.prepare)
    pair.both(cleartext.carrying)
    yield pair
    pair.both(cleartext.hush)


@ENDS
@pytest.mark.parametrize("event", [*cleartext.EVENTS])
def test_nothing_leaves(sending: Pair, wire: cleartext.Wire, name: str, event: str) -> None:
    assert cleartext.check(wire, getattr(sending, name), RELEASES[name], event).none


@ENDS
@pytest.mark.parametrize("event", [*cleartext.OPEN])
def test_open_on_purpose(sending: Pair, wire: cleartext.Wire, name: str, event: str) -> None:
    """It shows too that a packet in cleartext would be heard."""
    count = cleartext.check(wire, getattr(sending, name), RELEASES[name], event)
    if event == "a phase 2 is removed":
        assert count.ipv4
        assert count.ipv6
