# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Additional key exchanges between the devices: used, optional, required, and without ML-KEM.

``ipsec_mismatches`` predicts each negotiation. A host has ML-KEM if its IKE daemon lists it, and
the tests that need such hosts are skipped by name without them.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_mismatches import (
    ipsec_mismatches,
)
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICE_SETTINGS, Rig

PSK = "the key of two gateways of this test"
LANS = ("10.71.0", "10.72.0")
BASE = {"algorithm": "aes-gcm", "prf": "sha384", "dh_group": 31}
CHILD = {"algorithm": "aes-gcm", "dh_group": 31}
REQUIRED, OPTIONAL = ["mlkem768"], [["mlkem768", "none"]]
NO_MLKEM = "no ML-KEM on enough devices: "

Options = dict[str, t.Any]
Devices = Mapping[str, Host]


@pytest.fixture(name="devices", scope="module")
def _devices(rigs: dict[str, Rig], hosts: dict[str, Host]) -> t.Iterator[dict[str, Host]]:
    devices = {release: rig.device for release, rig in rigs.items()}
    if "d" in hosts:
        devices["d"] = hosts["d"]
        devices["d"].sh(DEVICE_SETTINGS)
    for host in devices.values():
        host.wipe()
    yield devices
    for host in devices.values():
        host.wipe()


def needs(devices: Devices, count: int) -> list[Host]:
    """Return the devices with ML-KEM. Skip the test by name if they are fewer than ``count``."""
    found = [host for host in devices.values() if has_mlkem(host)]
    if len(found) < count:
        # The images of forky could not be built today.
        pytest.skip(NO_MLKEM + (", ".join(host.name for host in found) or "none"))
    return found


def has_mlkem(host: Host) -> bool:
    return "ML_KEM_768" in host.sh("swanctl --list-algs")


def entries(base: Options, *rounds: t.Any) -> list[Options]:
    return [{**base, "additional_key_exchange": list(item)} if item else base for item in rounds]


class End(t.NamedTuple):
    """A gateway, its peer, and the rounds of each of its entries for phase 1 and for phase 2."""

    host: Host
    other: Host
    side: int
    phase1: list[t.Any]
    phase2: list[t.Any]

    @property
    def tunnel(self) -> Options:
        own, far = LANS[self.side], LANS[1 - self.side]
        child = {"local_network": [f"{own}.0/24"], "remote_network": [f"{far}.0/24"]}
        return {
            "name": "site-b",
            "network": "lan",
            "remote_gateway": self.other.ipv4,
            "local_address": self.host.ipv4,
            "psk": PSK,
            "encryption": entries(BASE, *self.phase1),
            "phase2": [{"name": "net", **child, "encryption": entries(CHILD, *self.phase2)}],
        }

    @property
    def release(self) -> str:
        return self.host.sh("swanctl --version").split()[-1]

    def configure(self, *, check: bool = False) -> Run:
        router = {
            "ip_address": f"{LANS[self.side]}.1",
            "network_address": f"{LANS[self.side]}.0/24",
        }
        objects = {"networks": [{"name": "lan", **router}], "phase1": [self.tunnel]}
        return self.host.run("ipsec_gateway", {**objects, "state": "overridden"}, check=check)

    def connect(self, state: str = "reconnected", **options: t.Any) -> Run:
        place = {"network": "lan", "phase1": "site-b"}
        return self.host.run(
            "ipsec_connection", {**place, "state": state, "timeout": 15, **options}
        )

    def info(self) -> Options:
        found = self.host.run("ipsec_info", {"phase1": "site-b"}).result["ipsec_info"]["phase1"]
        (phase1,) = found
        return t.cast(Options, phase1)


def ends(ours: Host, theirs: Host, mine: list[t.Any], other: list[t.Any]) -> tuple[End, End]:
    """Return two configured gateways with the rounds of their entries."""
    made = End(ours, theirs, 0, mine, mine), End(theirs, ours, 1, other, other)
    for end in made:
        run = end.configure()
        assert not run.failed, run.result["msg"]
    return made


def predicted(end: End, other: End) -> Options:
    """Return the prediction of the negotiation that ``end`` initiates."""
    sides = [{**item.tunnel, "capabilities": {"version": item.release}} for item in (end, other)]
    result = ipsec_mismatches(*sides)
    return next(item for item in result["negotiated"] if item["initiator"] == "local")


def test_a_daemon_without_mlkem_is_refused_in_check_mode(devices: Devices) -> None:
    lacking = [host for host in devices.values() if not has_mlkem(host)]
    if not lacking:
        # The topology has only hosts of forky then.
        pytest.skip("each device has ML-KEM")
    other = next(iter(devices.values()))
    for host in lacking:
        # strongSwan 6.0.1 loads an optional round, and then never comes up.
        for rounds in (REQUIRED, OPTIONAL):
            run = End(host, other, 0, [rounds], [None]).configure(check=True)
            assert run.failed
            assert (
                "additional_key_exchange mlkem768 (ML_KEM_768): strongSwan 6.0.2 or later"
                in (run.result["msg"])
            )


def test_two_hosts_with_mlkem(devices: Devices) -> None:
    one, two = needs(devices, 2)[:2]
    for mine, theirs in ((REQUIRED, REQUIRED), (OPTIONAL, OPTIONAL), (REQUIRED, OPTIONAL)):
        a, b = ends(one, two, [mine], [theirs])
        assert predicted(a, b)["proposal"].endswith("-ke1_mlkem768")
        assert not a.connect().failed
        for end in (a, b):
            found = end.info()
            assert found["sas"][0]["algorithms"].endswith("CURVE_25519 ake1=ML_KEM_768")
            assert (found["quantum_safe"], found["phase2"][0]["quantum_safe"]) == (True, True)
            assert found["drift"] == found["pending"] == []
            assert not end.configure().changed
        a.host.sh("swanctl --rekey --child net && swanctl --rekey --ike site-b")
        deadline = time.monotonic() + 10
        while "ake1=" not in str(a.info()["phase2"][0]["sas"]):
            assert time.monotonic() < deadline, a.info()
            time.sleep(0.3)
        assert "ake1=ML_KEM_768" in a.info()["sas"][0]["algorithms"]


def test_an_optional_round_falls_back(devices: Devices) -> None:
    """strongSwan 5 refuses it as the responder, and gets a second entry."""
    new = needs(devices, 1)[0]
    for old in (host for host in devices.values() if not has_mlkem(host)):
        for rounds in ([OPTIONAL], [REQUIRED, None]):
            a, b = ends(new, old, rounds, [None])
            for end, other in ((a, b), (b, a)):
                run, foreseen = end.connect(), predicted(end, other)
                assert run.failed is not foreseen["up"], (run.result, foreseen)
                if run.failed:
                    assert (end, rounds, old.name) == (a, [OPTIONAL], old.name)
                    continue
                assert "ake1" not in end.info()["sas"][0]["algorithms"]
                assert end.info()["quantum_safe"] is False
                end.connect("disconnected")


def test_a_required_round_is_refused_and_explained(devices: Devices) -> None:
    new = needs(devices, 1)[0]
    for old in (host for host in devices.values() if not has_mlkem(host)):
        a, b = ends(new, old, [REQUIRED], [None])
        for end, other in ((a, b), (b, a)):
            assert not predicted(end, other)["up"]
            since = old.sh("date +%s").strip()
            run = end.connect()
            assert run.failed
            assert run.result["failures"][0]["cause"] == "peer_refused_phase1"
            if end is a:
                assert "which the peer may lack" in run.result["msg"]
            log = other.host.sh(
                f"journalctl -u strongswan -o short-iso --since @{since} --no-pager"
            )
            told = end.connect("connected", peer_log=log.splitlines()).result["failures"][0]
            assert told["cause"] == "ike_proposal_mismatch"
            assert "No common value of: additional key exchange 1." in told["explanation"]
