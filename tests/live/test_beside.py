# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of the collection beside the files, tunnels and rules of another administrator.

The other administrator has connections in files, connections only in the daemon, SAs that are up
between two devices or with a peer, secrets, keys and tables. Some files have names like the files
of the collection. The tests of a release run in the order of this file. Each test creates the
objects that it needs.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass, field

import jinja2
import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import Present
from ansible_collections.tunnelwright.ipsec.tests.live.differences import differences, lost
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES
from ansible_collections.tunnelwright.ipsec.tests.live.step_gateway import (
    Gateway,
    State,
    text,
    words_missing,
)
from ansible_collections.tunnelwright.ipsec.tests.live.step_tables import Scenario, Values, read

OBJECTS, BROKEN, DOUBLES = (Scenario("beside", entry) for entry in read("beside"))
STEPS = OBJECTS.rows("beside")
# The identity of each device, and a part of the addresses of its networks.
NAMES = {"5.9.8": ("debian12", "61"), "6.0.1": ("debian13", "62"), "forky": ("debian14", "63")}
# The first two devices have tunnels with each other, and the third device with its peer.
ALONE = "forky"
PARTNER_CONF = "/etc/swanctl/conf.d/partner.conf"
ZZ_DOUBLES = "/etc/swanctl/conf.d/zz-doubles.conf"

ON_EACH = pytest.mark.parametrize("release", RELEASES)


@dataclass
class Neighbor:
    """A gateway with the objects of the other administrator. ``theirs`` is their state."""

    gateway: Gateway
    theirs: State = field(default_factory=dict)
    # The number of the steps that are done.
    done: int = 0

    @property
    def device(self) -> Host:
        return self.gateway.device

    def run(self, scenario: Scenario, row: Values, **how: bool) -> Run:
        return self.device.run(*self.gateway.task(scenario, row), **how)

    def reach(self, number: int) -> None:
        """Carry out the steps before ``number`` that are not done yet."""
        for row in STEPS[self.done : number]:
            self.device.apply(*self.gateway.task(OBJECTS, row))
        self.done = number

    def check(self, run: Run, fails: bool = False) -> None:
        """Check that the run changes something, but no object of the other administrator.

        With ``fails``, check that the run fails.
        """
        assert run.failed == fails, run.result
        assert run.failed or run.changed
        self.check_nothing_lost()

    def check_nothing_lost(self) -> None:
        missing = lost(self.theirs, self.gateway.look())
        assert not missing, "\n".join(missing)


@dataclass(frozen=True)
class Partner:
    """The other end of the unmanaged tunnels: its address, identity, and part of its networks."""

    ipv4: str
    name: str
    net: str


def _as_partner(gateway: Gateway) -> Partner:
    return Partner(gateway.device.ipv4, *NAMES[gateway.rig.release])


def _conf(own: Partner, other: Partner) -> str:
    return jinja2.Template(text("partner.conf")).render(
        own=own.ipv4,
        other=other.ipv4,
        own_name=own.name,
        other_name=other.name,
        net=own.net,
        other_net=other.net,
    )


def _set_up(gateway: Gateway, other: Partner) -> None:
    """Create all objects of the other administrator on one device."""
    own, device = _as_partner(gateway), gateway.device
    for options in OBJECTS.entry["objects"]["networks"]:
        # The network stays, so that the daemon keeps its data plane.
        device.apply("vpn_network", OBJECTS.value(options, gateway.facts))
    device.sh(f"cat >{PARTNER_CONF}; chmod 600 {PARTNER_CONF}", _conf(own, other))
    device.sh("cat >/root/docker-like.nft", text("docker-like.nft"))
    words = (own.ipv4, other.ipv4, own.net, other.net, own.name, other.name)
    device.sh(f"set -- {shlex.join(words)}; . /dev/stdin", text("partner"))


def _set_up_peer(peer: Host, other: Partner) -> Partner:
    """Create both tunnels at the end of a peer, and return this end."""
    own = Partner(peer.ipv4, "debian12", "64")
    nets = (f"192.168.{own.net}", f"192.168.1{own.net}")
    peer.sh("\n".join(f"ip address replace {net}.1/24 dev lo" for net in nets))
    peer.sh(f"cat >{PARTNER_CONF}; swanctl --load-all >/dev/null", _conf(own, other))
    owners = [f"{end.name}.live" for end in (own, other)]
    secret = {"id": "live", "type": "IKE", "data": "the secret of the other partner"}
    peer.vici("load-shared", {**secret, "owners": owners})
    child = {
        "local_ts": [f"192.168.1{own.net}.0/24"],
        "remote_ts": [f"192.168.1{other.net}.0/24"],
    }
    live = {
        "version": "2",
        "local_addrs": [own.ipv4],
        "remote_addrs": [other.ipv4],
        "mobike": "no",
        "encap": "yes",
        "local": {"auth": "psk", "id": owners[0]},
        "remote": {"auth": "psk", "id": owners[1]},
        "children": {"live": child},
    }
    peer.vici("load-conn", {"live": live})
    return own


def _clear_peer(peer: Host) -> None:
    peer.sh(f"rm -f {PARTNER_CONF}; swanctl --load-all >/dev/null")
    for command, name in (("unload-conn", {"name": "live"}), ("unload-shared", {"id": "live"})):
        peer.ask("request", command=command, message=name)
    peer.sh("ip address flush dev lo scope global")


@pytest.fixture(name="neighbors", scope="module")
def _neighbors(gateways: dict[str, Gateway]) -> t.Iterator[dict[str, Neighbor]]:
    pair = [gateway for release, gateway in gateways.items() if release != ALONE]
    for gateway, other in (pair, pair[::-1]):
        _set_up(gateway, _as_partner(other))
    initiators = pair[:1]
    alone = [gateway for release, gateway in gateways.items() if release == ALONE]
    for gateway in alone:
        _set_up(gateway, _set_up_peer(gateway.rig.peer, _as_partner(gateway)))
        initiators.append(gateway)
    for gateway in initiators:
        for child in ("partner", "live"):
            gateway.device.sh(f"swanctl --initiate --child {child} --timeout 30")
    neighbors = Present((release, Neighbor(gateway)) for release, gateway in gateways.items())
    for neighbor in neighbors.values():
        neighbor.theirs = neighbor.gateway.look()
    yield neighbors
    for neighbor in neighbors.values():
        if neighbor.device.sh(f"ls {PARTNER_CONF} 2>/dev/null || true"):
            neighbor.device.sh("rm -f /etc/tunnelwright/*; . /dev/stdin", text("partner-gone"))
    for gateway in alone:
        _clear_peer(gateway.rig.peer)


@ON_EACH
def test_there_is_something_to_lose(neighbors: dict[str, Neighbor], release: str) -> None:
    theirs = neighbors[release].theirs
    held = theirs["held"]
    assert len(theirs["numbers"]["partner"]["children"]) == 1
    assert len(theirs["numbers"]["live"]["children"]) == 1
    assert {"ip filter", "ip nat"} <= held["tables"].keys()
    assert {"live", "ike-of-partner"} <= set(held["secrets"])
    assert held["private_keys"]


@ON_EACH
@pytest.mark.parametrize("number", range(len(STEPS)), ids=[row["name"] for row in STEPS])
def test_a_step_leaves_theirs_alone(
    neighbors: dict[str, Neighbor], release: str, number: int
) -> None:
    neighbor = neighbors[release]
    neighbor.reach(number)
    neighbor.check(neighbor.run(OBJECTS, STEPS[number]))
    neighbor.done = number + 1


@ON_EACH
@pytest.mark.parametrize("row", BROKEN.rows("broken"), ids=lambda row: row["path"])
def test_a_file_that_strongswan_refuses(
    neighbors: dict[str, Neighbor], release: str, row: Values
) -> None:
    """Each module warns about the file without its content, and leaves unmanaged objects alone."""
    neighbor = neighbors[release]
    neighbor.reach(len(STEPS))
    path, device = row["path"], neighbor.device
    device.sh(f"cat >{path}; chmod 600 {path}", "connections {\n  hunter2\n}\n")
    try:
        for task in BROKEN.rows("runs"):
            facts = {**neighbor.gateway.facts, "psk": row["psk"]}
            options = BROKEN.value(task["options"], facts)
            run = device.run(task["module"], options, check=task.get("check", False))
            assert not run.failed, run.result["msg"]
            warned = " ".join(run.warnings)
            assert not [word for word in row["words"] if word not in warned], warned
            assert "hunter2" not in json.dumps(run.result)
    finally:
        device.sh(f"rm {path}")
    neighbor.check_nothing_lost()


@pytest.fixture(name="doubled")
def _doubled(neighbors: dict[str, Neighbor], release: str) -> t.Iterator[Neighbor]:
    """Return a gateway on which an unmanaged file of strongSwan uses names of the collection."""
    neighbor = neighbors[release]
    neighbor.reach(len(STEPS))
    neighbor.device.sh(f"cat >{ZZ_DOUBLES}; chmod 600 {ZZ_DOUBLES}", text("doubles.conf"))
    yield neighbor
    neighbor.device.sh(f"rm {ZZ_DOUBLES}")


@ON_EACH
@pytest.mark.parametrize("row", DOUBLES.rows("doubled"), ids=lambda row: row["module"])
def test_a_name_that_strongswan_would_merge(doubled: Neighbor, row: Values) -> None:
    before = doubled.gateway.look()["held"]
    run = doubled.run(DOUBLES, row)
    assert run.failed
    assert "actions" not in run.result
    assert "exception" not in run.result
    assert not words_missing(run, row["words"]), run.result["msg"]
    assert not differences(before, doubled.gateway.look()["held"])


@ON_EACH
def test_an_object_with_such_a_name_can_be_removed(doubled: Neighbor) -> None:
    for row in DOUBLES.rows("removable"):
        doubled.check(doubled.run(DOUBLES, row), row.get("fails", False))
    doubled.done = 0


@ON_EACH
def test_a_run_waits_for_another_run(neighbors: dict[str, Neighbor], release: str) -> None:
    neighbor = neighbors[release]
    neighbor.reach(1)
    neighbor.device.sh("flock /run/tunnelwright.lock sleep 4 >/dev/null 2>&1 & sleep 0.3")
    _network, phase1 = STEPS[:2]
    run = neighbor.run(OBJECTS, phase1, check=True)
    assert not run.failed, run.result["msg"]
    waits = [item for item in run.warnings if re.search("^waited [0-9]+ s for ", item)]
    assert len(waits) == 1, run.warnings


@ON_EACH
def test_removal_leaves_theirs_alone(neighbors: dict[str, Neighbor], release: str) -> None:
    """The removal of the last network does not restart the daemon, because other SAs are up."""
    neighbor = neighbors[release]
    neighbor.reach(1)
    absent = {"name": "office", "state": "absent", "force": True}
    neighbor.check(neighbor.device.run("vpn_network", absent))
    neighbor.device.apply("vpn_network", {"name": "attached", "state": "absent"})
    looked = neighbor.gateway.look()
    missing = lost(neighbor.theirs, looked, last=True)
    assert not missing, "\n".join(missing)
    after = looked["held"]
    assert not after["files"].keys() - neighbor.theirs["held"]["files"].keys()
    assert not [name for name in after["tables"] if "tunnelwright" in name]
    assert after["connections"].keys() <= {"by-hand", "partner", "live"}
    assert "/etc/tunnelwright/notes.txt" in after["files"]


@ON_EACH
def test_the_host_is_as_it_was_found(neighbors: dict[str, Neighbor], release: str) -> None:
    gateway = neighbors[release].gateway
    gateway.device.sh(". /dev/stdin", text("partner-gone"))
    after = gateway.look()["held"]
    # The process id and the forwarding settings stay changed.
    lasting = {"pid": after["pid"], "forwarding": after["forwarding"]}
    left = differences({**gateway.found, **lasting}, after)
    assert not left, "\n".join(left)
