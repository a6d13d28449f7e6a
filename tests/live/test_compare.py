# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ipsec_mismatches predicts the negotiation of two gateways.

The test tries ``PAIRS`` random pairs, from the seed ``FIRST`` on. ``make live TEST=compare
FIRST=... PAIRS=1`` repeats a failed pair. Even pairs have the local end on strongSwan 5.9.8 and the
remote end on 6.0.1, odd pairs the reverse. The results are in ``.cache/compare.md``.
"""

from __future__ import annotations

import collections
import os
import time
import typing as t
from ipaddress import ip_network

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_mismatches import (
    ipsec_mismatches,
)
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import FIRST
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Host
from ansible_collections.tunnelwright.ipsec.tests.live.meeting import Meeting
from ansible_collections.tunnelwright.ipsec.tests.live.pairs import LANS, Ends, Options, Pairs
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES, Rig

PAIRS = int(os.environ.get("PAIRS", "40"))
REPORT = ROOT / ".cache/compare.md"
NETWORK = {"name": "lan", "ip_address_type": "none", "dataplane": "userspace"}

# Keys of a prediction that no initiation can show.
NOT_SEEN = ("initiates", "udp_encapsulation", "local_phase1", "remote_phase1")


@pytest.fixture(name="gateways")
def _gateways(rigs: dict[str, Rig]) -> t.Iterator[list[Host]]:
    hosts = [rigs[release].device for release in RELEASES[:2]]
    for host in hosts:
        host.wipe()
        host.apply("vpn_network", NETWORK)
        # The userspace data plane needs an address in each network of a tunnel.
        for lan in LANS:
            host.sh(f"ip address replace {ip_network(lan)[1]} dev lo")
    yield hosts
    for host in hosts:
        host.sh("ip address flush dev lo scope global")
        host.wipe()


@pytest.mark.drawn
def test_the_verdict_is_what_two_gateways_do(gateways: list[Host], capsys: t.Any) -> None:
    started = time.monotonic()
    told = Told()
    for seed in range(FIRST, FIRST + PAIRS):
        hosts = gateways if seed % 2 == 0 else gateways[::-1]
        told.add(*compared((hosts[0], hosts[1]), seed))
        # The number of the pair shows the progress.
        told.write(time.monotonic() - started)
    with capsys.disabled():
        print(f"\n{told.figure}: {REPORT}")
    assert not told.disagreements, "\n\n".join(told.disagreements)


def compared(hosts: tuple[Host, Host], seed: int) -> tuple[Ends, str, str, list[str]]:
    """Return the ends, both verdicts, and the differences between the verdicts."""
    ends = drawn(hosts, seed)
    said = ipsec_mismatches(ends.local, ends.remote)
    seen = Meeting(hosts, ends).held()
    differing = list(differences(expected(said, hosts), seen))
    verdict = verdict_of(ends, seen)
    if verdict != said["verdict"]:
        differing.insert(0, f"verdict: said {said['verdict']}, seen {verdict}")
    if differing:
        codes = sorted({item["code"] for item in said["findings"] if item["severity"] != "info"})
        differing.append(f"found: {codes}")
        differing += [str(ends.phase1(side)) for side in ("local", "remote")]
    return ends, str(said["verdict"]), verdict, differing


def expected(said: Options, hosts: tuple[Host, Host]) -> list[Options]:
    """Return the negotiation that the filter predicts, adapted to these releases.

    A responder with strongSwan 6 closes the whole IKE SA when it can't install the Child SA.
    """
    sides = {"local": hosts[0], "remote": hosts[1]}
    codes = {item["code"] for item in said["findings"]}
    # The responder only tries to install a Child SA after an agreement on protocol and proposal.
    tried = not codes & {"protocol_mismatch", "esp_proposal_mismatch"}
    refused = {i["initiator"] for i in said["findings"] if i["code"] == "dataplane_incapable"}
    nothing = {"up": False, "proposal": None}
    calls = []
    for item in said["negotiated"]:
        called = sides["remote" if item["initiator"] == "local" else "local"]
        meets_it = tried and item["version"] == 2 and refused & {item["initiator"], "both"}
        gives_up = called.name == "b" and meets_it
        calls.append({**item, **(nothing if gives_up else {})})
    return calls


def drawn(hosts: tuple[Host, Host], seed: int) -> Ends:
    nobody = {4: hosts[0].ipv4.rpartition(".")[0] + ".99", 6: f"{hosts[0].ipv6}:99"}
    own = [{4: host.ipv4, 6: host.ipv6} for host in hosts]
    return Pairs([*own, nobody]).draw(seed)


def differences(said: list[Options], seen: list[Options]) -> t.Iterator[str]:
    assert [item["initiator"] for item in said] == [item["initiator"] for item in seen]
    for mine, real in zip(said, seen, strict=True):
        where = f"{mine['initiator']} calls"
        for key in sorted({*mine} - {*NOT_SEEN, "phase2"}):
            # An initiation without an SA does not show its version.
            if mine[key] != real.get(key) and not (key == "version" and not mine["up"]):
                yield f"{where}: {key}: said {mine[key]}, seen {real.get(key)}"
        for expected, child in zip(mine["phase2"], real["phase2"], strict=True):
            yield from _child_differences(where, expected, child)


def _child_differences(where: str, said: Options, seen: Options) -> t.Iterator[str]:
    # The states follow from the networks.
    keys = [key for key in sorted(said) if not key.endswith("_state")]
    keys = [key for key in keys if said["up"] or not key.endswith("_phase2")]
    for key in keys:
        expected, real = said[key], seen.get(key)
        if key.endswith("_network"):
            expected, real = sorted(expected), sorted(real or ())
        if expected != real:
            yield f"{where}: {key}: said {expected}, seen {real}"
    if "later" in seen and seen["up"] and seen["later"] != said["rekey_proposal"]:
        yield f"{where}: beside another: said {said['rekey_proposal']}, seen {seen['later']}"


def verdict_of(ends: Ends, seen: list[Options]) -> str:
    """Return the observed verdict.

    ``down``: no phase 2 came up. ``up``: every phase 2 came up as both sides want. ``degraded``:
    all other results.
    """
    calls = [
        item
        for item in seen
        if ends.phase1(item["initiator"])["connection_behavior"] != "responder_only"
    ]
    children = [child for item in calls for child in item["phase2"]]
    if not any(child["up"] for child in children):
        return "down"
    # A PPK of one side alone is not used.
    ppks = {"ppk_id" in ends.phase1(side) for side in ("local", "remote")}
    wanted = all(_as_wanted(ends, child) for child in children) and _all(ends, calls)
    wanted = wanted and len(ppks) == 1
    return "up" if wanted else "degraded"


def _as_wanted(ends: Ends, child: Options) -> bool:
    if not child["up"] or not child["rekey_proposal"]:
        return False
    for side, other in (("local", "remote"), ("remote", "local")):
        wanted = next(
            item for item in ends.phase1(side)["phase2"] if item["name"] == child[f"{side}_phase2"]
        )
        networks = (
            (wanted["local_network"], child[f"{side}_network"]),
            (wanted["remote_network"], child[f"{other}_network"]),
        )
        if any(sorted(mine) != sorted(real) for mine, real in networks):
            return False
        if wanted.get("mode", "tunnel") != child["mode"]:
            return False
    return True


def _all(ends: Ends, calls: list[Options]) -> bool:
    """Return whether every phase 2 of both sides came up."""
    up = {
        (side, child[f"{side}_phase2"])
        for item in calls
        for child in item["phase2"]
        for side in ("local", "remote")
    }
    wanted = {
        (side, item["name"]) for side in ("local", "remote") for item in ends.phase1(side)["phase2"]
    }
    return wanted <= up


class Told:
    """The predictions and observations of all pairs."""

    def __init__(self) -> None:
        self.pairs = 0
        self.verdicts: collections.Counter[str] = collections.Counter()
        self.twists: collections.Counter[str] = collections.Counter()
        self.disagreements: list[str] = []

    def add(self, ends: Ends, said: str, seen: str, differing: list[str]) -> None:
        self.pairs += 1
        self.verdicts[said] += 1
        self.twists.update(item.split()[0] for item in ends.twists)
        if differing:
            title = f"FIRST={ends.seed} ({', '.join(ends.twists) or 'nothing twisted'})"
            self.disagreements.append("\n  ".join([title, *differing]))

    @property
    def figure(self) -> str:
        agreed = self.pairs - len(self.disagreements)
        return f"{agreed} of {self.pairs} pairs agree, FIRST={FIRST}"

    def write(self, seconds: float) -> None:
        verdicts = ", ".join(f"{number} {what}" for what, number in sorted(self.verdicts.items()))
        twists = ", ".join(f"{what} {number}" for what, number in sorted(self.twists.items()))
        lines = [
            "# Predictions of ipsec_mismatches and results of strongSwan 5.9.8 and 6.0.1",
            "",
            f"{self.figure}: {verdicts}; {seconds:.0f} s.",
            "",
            "The test compares the verdict. For each side that can initiate, it compares the IKE",
            "SA with its version and proposal, and each Child SA with its mode, proposal and",
            "networks. It also compares the proposal of a rekeyed Child SA, and of a Child SA that",
            "comes up beside another Child SA.",
            "",
            f"Twists: {twists}.",
            *("", "## Disagreements", "") * bool(self.disagreements),
            *(f"```\n{item}\n```" for item in self.disagreements),
            "",
        ]
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("\n".join(lines))
