# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of ipsec_info on a gateway with a thousand tunnels that are up, each to its own peer.

``make thousand`` runs this measurement. ``tests/bench`` limits the CPU time of the same work.
"""

from __future__ import annotations

import base64
import io
import tarfile
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PSK, RELEASES, Rig
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import examples

TUNNELS = 1000
# The addresses of all peers. One host has these addresses and plays every peer.
PEERS = "198.51.0.0/16"


def places(number: int) -> tuple[str, str, str]:
    """Return the name of a tunnel, its remote gateway, and the network behind it."""
    high, low = divmod(number, 250)
    return f"site-{number:04}", f"198.51.{high}.{low + 1}", f"10.{100 + high}.{low}.0/24"


def packed() -> str:
    """Return the files of every phase 1 as a tar archive in base64."""
    connections = {}
    for name, address, network in map(places, range(TUNNELS)):
        child = examples.child(phase1=name, remote_network=[network])
        connections[name] = examples.connection(child, name=name, remote_gateway=address, psk=PSK)
    network = examples.network()
    wanted = artefacts(
        Gateway({network.name: network}, {}, connections), DEBIAN, userspace=True, credentials={}
    )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in (parts.file for parts in wanted.swanctl.values()):
            member = tarfile.TarInfo(file.path[1:])
            member.size, member.mode = len(file.data), file.mode
            tar.addfile(member, io.BytesIO(file.data))
    return base64.encodebytes(archive.getvalue()).decode()


@pytest.mark.parametrize("release", RELEASES)
def test_info(rigs: dict[str, Rig], release: str, capsys: t.Any) -> None:
    rig = rigs[release]
    host, peer = rig.device, rig.peer
    host.wipe()
    host.apply("vpn_network", rig.network())
    for _name, address, _network in map(places, range(TUNNELS)):
        peer.sh(f"ip address replace {address}/32 dev eth0")
    host.sh(f"ip route replace {PEERS} via {peer.ipv4}")
    try:
        host.sh("base64 -d | tar -x -C /", packed())
        host.sh("swanctl --load-all --noprompt")
        repaired = host.apply("vpn_network", rig.network())
        for name, _address, _network in map(places, range(TUNNELS)):
            answer = host.ask("initiate", child="net", ike=name, seconds=20)
            assert "refused" not in answer, answer
        runs = [host.run("ipsec_info", {}) for _attempt in range(5)]
    finally:
        peer.sh("ip address flush dev eth0 to 198.51.0.0/16")
        host.sh(f"ip route delete {PEERS}")
        host.wipe()
    found = runs[-1].result["ipsec_info"]
    assert [item["state"] for item in found["phase1"]] == ["up"] * TUNNELS
    assert not [item["drift"] for item in found["phase1"] if item["drift"]]
    with capsys.disabled():
        times = ", ".join(f"{run.seconds:.2f}" for run in runs)
        told = f"{TUNNELS} tunnels, ipsec_info: {times} s; repair: {repaired.seconds:.1f} s"
        print(f"\n{release}: {told}")
