# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cost of ipsec_gateway on a host with many tunnels, on a machine in memory.

The unit is the time to read the configuration from as many files, which every module does first.
"""

from __future__ import annotations

import gc
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.read_back import (
    read_gateway,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.memory_host import (
    MemoryHost,
)

# The limits, in units of the time of `read_gateway`.
UNCHANGED, FIRST = 8.0, 11.0
# The longest time for eight times as many tunnels, in units of the time for few.
GROWTH = 9.2
FEW, MANY = 200, 1600


@pytest.fixture(name="machine")
def _machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Machine:
    return Machine(MemoryHost(tmp_path), capsys, monkeypatch)


def options(number: int) -> dict[str, t.Any]:
    """Return the lists of a gateway with a number of tunnels, each to its own network."""
    network = {"name": "lan", "ip_address": "10.1.0.1", "network_address": "10.1.0.0/24"}
    phase1 = []
    for index in range(number):
        high, low = divmod(index, 250)
        far = f"10.{100 + high}.{low}.0/24"
        child = {"name": "net", "local_network": ["10.1.0.0/24"], "remote_network": [far]}
        entry = {"name": f"site-{index:04}", "network": "lan", "phase2": [child]}
        entry["remote_gateway"] = f"198.51.{high}.{low + 1}"
        entry["psk"] = f"the key of tunnel {index} of many"
        phase1.append(entry)
    return {"networks": [network], "phase1": phase1}


def cpu_seconds(work: t.Callable[[], object], times: int = 3) -> float:
    spent = []
    for _attempt in range(times):
        gc.collect()
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def costs(machine: Machine, number: int) -> tuple[float, float, float]:
    """Return the CPU seconds of the first run, of an unchanged run, and of reading the files."""
    given = options(number)
    first = cpu_seconds(lambda: machine.run("ipsec_gateway", diff=False, **given), 1)
    unchanged = cpu_seconds(lambda: machine.run("ipsec_gateway", diff=False, **given))
    assert (
        machine.run("ipsec_gateway", diff=False, **given)["summary"]["unchanged"] == 2 * number + 1
    )
    return first, unchanged, cpu_seconds(lambda: read_gateway(machine.host.files))


def test_gateway(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    few = costs(machine, FEW)
    many = costs(machine, MANY)
    with capsys.disabled():
        for number, (first, unchanged, unit) in ((FEW, few), (MANY, many)):
            told = f"first {first / unit:.1f}, unchanged {unchanged / unit:.1f}"
            print(f"\nipsec_gateway, {number} tunnels, in units of reading: {told}")
    assert many[0] <= FIRST * many[2]
    assert many[1] <= UNCHANGED * many[2]
    for index in (0, 1):
        assert many[index] <= GROWTH * few[index]
