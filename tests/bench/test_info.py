# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cost of ipsec_info on a host with 1,000 tunnels that are up.

The test measures CPU time. Its unit is the time to read the configuration from 1,000 files, which
every module does first. So the result does not depend on the speed or the load of the machine. One
unit was 0.13 s on a virtual machine of 2026 with two cores.
"""

from __future__ import annotations

import gc
import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.read_back import (
    read_gateway,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.gateway import Gateway
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import info
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import examples
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

TUNNELS = 1000
# The limit for ipsec_info, in units of the time of `read_gateway`, which ipsec_info includes.
MOST = 4.0


def gateway() -> Gateway:
    """Return a Gateway with TUNNELS sites, each with its own network, without the slow checks."""
    network = examples.network()
    connections = {}
    for index in range(TUNNELS):
        high, low = divmod(index, 250)
        name = f"site-{index:04}"
        child = examples.child(phase1=name, remote_network=[f"10.{100 + high}.{low}.0/24"])
        connections[name] = examples.connection(
            child, name=name, remote_gateway=f"198.51.{high}.{low + 1}"
        )
    return Gateway({network.name: network}, {}, connections)


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> MemoryHost:
    host = MemoryHost(tmp_path)
    wanted = artefacts(gateway(), DEBIAN, userspace=False, credentials={})
    for file in (*wanted.records.values(), *(part.file for part in wanted.swanctl.values())):
        path = tmp_path / file.path[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
    host.vici.load_all()
    host.vici.up = {name: {"net"} for name in host.vici.conns if name.startswith("site-")}
    return host


def cpu_seconds(work: t.Callable[[], object]) -> float:
    """Return the least of five CPU times, without garbage collection of the objects of pytest."""
    spent = []
    for _attempt in range(5):
        gc.collect()
        gc.freeze()
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
        gc.unfreeze()
    return min(spent)


def test_info(host: t.Any, record_property: t.Callable[[str, object], None]) -> None:
    def look() -> tuple[t.Any, list[str]]:
        return info.look(host, {"network": None, "phase1": None, "wait": 0})

    found, _warnings = look()
    assert [item["state"] for item in found["phase1"]] == ["up"] * TUNNELS
    assert not any(item["drift"] for item in found["phase1"])
    unit = cpu_seconds(lambda: read_gateway(host.files))
    ratio = cpu_seconds(look) / unit
    size = len(json.dumps(found))
    print(f"\nreading: {unit:.2f} s; ipsec_info: {ratio:.2f} times the reading, {size} bytes")
    record_property("ratio", ratio)
    assert ratio < MOST
