# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ipsec_connection in the kernel's data plane: a tunnel is up if the kernel has its SAs."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import PHASE1, PHASE2, End, Pair
from ansible_collections.tunnelwright.ipsec.tests.live.host import Run

ENDS = pytest.mark.parametrize("name", ["a", "b"])
GATEWAYS_ONLY = {"mode": "transport", "local_network": None, "remote_network": None}


def connect(end: End, *, check: bool = False, **options: t.Any) -> Run:
    given = {"network": "lan", "phase1": PHASE1, "timeout": 60, **options}
    return end.machine.run("ipsec_connection", given, check=check)


def spis(end: End) -> set[str]:
    """Return the SPIs of the SAs in the kernel."""
    listed = end.machine.sh("ip xfrm state | sed -n 's/.* spi 0x\\([0-9a-f]*\\) .*/\\1/p'")
    return set(listed.split())


@ENDS
def test_a_tunnel_is_connected_tried_and_closed(pair: Pair, name: str) -> None:
    pair.configure()
    end = getattr(pair, name)
    assert connect(end, check=True).changed
    assert not spis(end)
    first = connect(end, probe=[end.other.router], check_rekey=True)
    assert not first.failed, first.result["msg"]
    (probe,) = first.result["ipsec_connection"]["probes"]
    assert probe["answered"]
    assert probe["packets_received"] >= 1
    child = end.child()
    assert {child["spi-in"], child["spi-out"]} <= spis(end) & spis(end.other)
    again = connect(end)
    assert not again.changed
    assert not again.writing
    assert end.child()["uniqueid"] == child["uniqueid"]
    anew = connect(end, state="reconnected")
    assert not anew.failed, anew.result["msg"]
    assert end.child()["spi-in"] != child["spi-in"]
    assert connect(end, state="disconnected").changed
    assert not connect(end, state="disconnected").changed
    assert not spis(end)
    assert not spis(end.other)


@ENDS
def test_what_somebody_took_from_the_kernel_is_not_up(pair: Pair, name: str) -> None:
    pair.tunnel(name)
    end = getattr(pair, name)
    end.machine.sh("ip xfrm state flush")
    assert end.children(), "charon noticed that the SAs are gone"
    predicted = connect(end, check=True, phase2=PHASE2)
    assert predicted.changed
    done = connect(end, phase2=PHASE2)
    assert not done.failed, done.result["msg"]
    assert done.result["actions"] == predicted.result["actions"]
    assert done.result["impacts"] == predicted.result["impacts"]
    assert done.result["impact"] == "child"
    pair.ping()
    assert not connect(end, phase2=PHASE2).changed


@ENDS
def test_a_transport_that_became_a_tunnel_is_not_connected(pair: Pair, name: str) -> None:
    """The module fails if the peer has tunnel mode between the two gateways.

    IKEv2 reports no error for the different modes.
    """
    end = getattr(pair, name)
    other = {"local_network": [f"{end.other.address}/32"], "remote_network": [f"{end.address}/32"]}
    pair.configure(**{name: {"phase2": GATEWAYS_ONLY}, end.other.name: {"phase2": other}})
    done = connect(end)
    assert done.failed
    assert [item["cause"] for item in done.result["failures"]] == ["mode_mismatch"]
    assert [item["state"] for item in done.result["ipsec_connection"]["tunnels"]] == ["outdated"]
    connect(end, state="disconnected")


@ENDS
def test_a_transport_is_connected(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    pair.configure(phase2=GATEWAYS_ONLY)
    done = connect(end, probe=[end.other.address])
    assert not done.failed, done.result["msg"]
    assert [item["state"] for item in done.result["ipsec_connection"]["tunnels"]] == ["up"]
    connect(end, state="disconnected")
