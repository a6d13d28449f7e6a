# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels with IKE daemons of others, each cell of the table in docs/interoperability.md.

``INTEROP`` chooses the cells: a sample by default, ``all`` of them, or those whose name holds it.
What came of them is kept in ``RESULTS``, which ``tools/interop_docs.py`` makes the page of.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import re
import subprocess
import time
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.acts import ACTS
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import Places, Site
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.limits import Limit, limit_of
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.peers import DAEMONS
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.rig import IMPATIENT, Rig, router
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import (
    COLUMNS,
    ROWS,
    Column,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import PATIENCE, Machine
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT

RESULTS = ROOT / ".cache/interoperability.json"
CHOICE = os.environ.get("INTEROP", "sample")
OURS = "a"
KEEP = bool(os.environ.get("KERNEL_KEEP"))
LANS = {
    "a": {4: "10.1.0.0/24", 6: "fd00:1::/64"},
    "b": {4: "10.2.0.0/24", 6: "fd00:2::/64"},
    "other": {4: "10.3.0.0/24", 6: "fd00:3::/64"},
}
SAMPLE = {
    *("libreswan/nat-ours", "libreswan/rekey-child-ours", "libreswan/certificates-ecdsa"),
    *("libreswan-ikev1/rekey-child-ours",),
    *("openiked/peer-starts-certificates", "openiked/rekey-child-theirs"),
    *("strongswan/6in6", "strongswan/nat-theirs"),
}

CELLS = [f"{column}/{row}" for column in COLUMNS for row in ROWS]


def chosen(cell: str) -> bool:
    if CHOICE == "sample":
        return cell in SAMPLE
    return CHOICE == "all" or re.search(CHOICE, cell) is not None


@pytest.fixture(name="pki", scope="session")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Certificates of both gateways: a tar archive, in base64."""
    folder = tmp_path_factory.mktemp("pki")
    script = ROOT / "tests/kernel/interop/pki.sh"
    subprocess.run(["sh", "-eu", script], cwd=folder, check=True, capture_output=True)
    packed = subprocess.run(["tar", "-c", "."], cwd=folder, check=True, capture_output=True)
    return base64.encodebytes(packed.stdout).decode()


@pytest.fixture(name="ours", scope="session")
def _ours(machines: dict[str, Machine]) -> t.Iterator[Machine]:
    ours, lan = machines[OURS], LANS[OURS]
    network = {"name": "lan", "ip_address": router(lan[4]), "network_address": lan[4]}
    ours.apply("vpn_network", network)
    network = {"name": "lan6", "ip_address": router(lan[6]), "network_address": lan[6]}
    ours.apply("vpn_network", {**network, "interface_network": "vpn-lan"})
    advanced = {"configuration_mode": "advanced", "strongswan_conf": IMPATIENT}
    ours.apply("ipsec_settings", {"network": "lan", **advanced})
    yield ours
    if not KEEP:
        ours.wipe()


class Bench:
    """The peer of one column at a time, beside our gateway."""

    def __init__(self, machines: dict[str, Machine], ours: Machine, pki: str) -> None:
        self._machines, self._ours, self._pki = machines, ours, pki
        self._column = ""
        self._rig: Rig | None = None

    def rig(self, column: Column) -> Rig:
        if self._rig is None or self._column != column.name:
            self.clear()
            theirs = self._machines[column.host]
            self._rig = Rig(self._ours, DAEMONS[column.daemon](theirs), self._places(column.host))
            self._rig.prepare(self._pki)
            assert self._rig.peer.version() == column.version
            self._column = column.name
        return self._rig

    def clear(self) -> None:
        if self._rig is not None:
            self._rig.peer.stop()

    def _places(self, host: str) -> Places:
        ours, theirs = self._ours, self._machines[host]
        return Places(
            ours={4: ours.ipv4, 6: ours.ipv6},
            theirs={4: theirs.ipv4, 6: theirs.ipv6},
            our_lan=LANS[OURS],
            their_lan=LANS[host],
            nat=str(ipaddress.ip_interface(f"{theirs.ipv4}/24").network[200]),
            behind_nat="192.168.77.2",
            psk="a pre-shared key that is long enough",
        )


@pytest.fixture(name="bench", scope="session")
def _bench(machines: dict[str, Machine], ours: Machine, pki: str) -> t.Iterator[Bench]:
    bench = Bench(machines, ours, pki)
    yield bench
    bench.clear()


@pytest.mark.parametrize("cell", [cell for cell in CELLS if chosen(cell)])
def test_interoperability(bench: Bench, cell: str) -> None:
    name, _slash, row_name = cell.partition("/")
    column, row = COLUMNS[name], ROWS[row_name]
    rig, limit = bench.rig(column), limit_of(column, row)
    started = time.monotonic()
    with recorded(cell, limit, started):
        if limit is None:
            rig.set_up(Site(column, row.tunnel, rig.places))
            rig.wait_up(knocking=row.tunnel.behavior == "on_demand")
            rig.carries()
            if row.act:
                ACTS[row.act](rig)
                rig.carries()
        else:
            falls_short(rig, Site(column, row.tunnel, rig.places), row.act, limit)


def falls_short(rig: Rig, site: Site, act: str, limit: Limit) -> None:
    """The tunnel does not do what it should, and the evidence of the limit is there."""
    try:
        rig.set_up(site)
    except AssertionError as refusal:
        assert re.search(limit.evidence, str(refusal)), refusal
        return
    rig.wait(lambda: re.search(limit.evidence, rig.said()) is not None, PATIENCE, "no evidence")
    assert not (rig.is_up() and rig.ping(1)), "works by now"


@contextlib.contextmanager
def recorded(cell: str, limit: Limit | None, started: float) -> t.Iterator[None]:
    outcome = "failed"
    try:
        yield
        outcome = "works" if limit is None else "limit"
    finally:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[cell] = {"outcome": outcome, "seconds": round(time.monotonic() - started, 1)}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
