# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No packet of a LAN leaves in cleartext in any event of its gateway: the kernel's data plane.

Hosts behind both gateways send with IPv4 and IPv6. With ``FIELDS=all`` each event happens to each
gateway, and with ``PART`` a part of these cases runs. Without these variables, the events of
``SAMPLE`` happen to the gateways in turn. ``SEED`` chooses the first gateway.
"""

from __future__ import annotations

import typing as t

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel import fields
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import RELEASES, Pair
from ansible_collections.tunnelwright.ipsec.tests.live import cleartext

# In these events the tunnel is down, strongSwan is stopped or killed, the rules are gone, or the
# network is off.
SAMPLE = (
    "a phase 1 is disabled",
    "every nftables rule is flushed while strongSwan is stopped",
    "strongSwan is killed",
    "a network is stopped",
)
SAMPLE_OPEN = ("a phase 2 is removed",)


def cases(events: t.Collection[str], sample: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each event with the gateway that it happens to."""
    if fields.ALL:
        return [(event, gateway) for event in events for gateway in RELEASES]
    assert set(sample) <= set(events)
    gateways, seed = tuple(RELEASES), draw.seed()
    return [(event, gateways[(seed + number) % 2]) for number, event in enumerate(sample)]


@pytest.fixture(name="wire", scope="module")
def _wire(machines: dict[str, Machine]) -> cleartext.Wire:
    """Return the wire between both ends, on which a third host captures packets."""
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


@pytest.mark.parametrize(("event", "gateway"), cases(cleartext.EVENTS, SAMPLE))
def test_nothing_leaves(sending: Pair, wire: cleartext.Wire, gateway: str, event: str) -> None:
    assert cleartext.check(
        wire, getattr(sending, gateway), getattr(sending, gateway).release, event
    ).none


@pytest.mark.parametrize(("event", "gateway"), cases(cleartext.OPEN, SAMPLE_OPEN))
def test_open_on_purpose(sending: Pair, wire: cleartext.Wire, gateway: str, event: str) -> None:
    """Cleartext leaves after a phase 2 is removed.

    This proves that the capture of the other tests would contain a packet in cleartext.
    """
    count = cleartext.check(
        wire, getattr(sending, gateway), getattr(sending, gateway).release, event
    )
    if event == "a phase 2 is removed":
        assert count.ipv4
        assert count.ipv6
