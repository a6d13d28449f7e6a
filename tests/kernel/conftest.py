# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole gateways with a kernel of their own, which has ESP, AH and IPComp: virtual machines.

A test that is made for each end is run for one of them, unless ``FIELDS`` is ``all``.
``KERNEL_TESTBED`` names the machines, ``KERNEL_TOPOLOGY`` another topology file. With
``KERNEL_KEEP`` set they stay, for a look (``tools/kernel-testbed enter kernel a``) or for the next
run.
"""

from __future__ import annotations

import os
import tomllib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel import fields
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import (
    HERE,
    Machine,
    is_running,
    testbed,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import Pair

TESTBED = os.environ.get("KERNEL_TESTBED", "kernel")
ENDS = ("a", "b")
TOPOLOGY = Path(os.environ.get("KERNEL_TOPOLOGY", HERE / "testbed.toml"))


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() != 0:
        pytest.exit("tests on virtual machines need root, to build their disks", 2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that are there for both ends, the ends in turn."""
    if os.environ.get("FIELDS") == "all":
        return
    kept, dropped, turn = [], [], {}
    for item in items:
        callspec = getattr(item, "callspec", None)
        end = callspec and callspec.params.get("name")
        if end in ENDS:
            test = item.nodeid.partition("[")[0]
            wanted = turn.setdefault(test, ENDS[len(turn) % 2])
        (dropped if end in ENDS and end != wanted else kept).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


@pytest.fixture(name="machines", scope="session")
def _machines() -> t.Iterator[dict[str, Machine]]:
    """Every host of the topology, booted; those with strongSwan have their driver."""
    items = tomllib.loads(TOPOLOGY.read_text())["hosts"]
    machines = {
        name: Machine(name, TESTBED, item["ipv4"], item["ipv6"], item["image"])
        for name, item in items.items()
    }
    keep = bool(os.environ.get("KERNEL_KEEP"))
    if not (keep and all(map(is_running, machines.values()))):
        testbed("up", TESTBED, str(TOPOLOGY))
    try:
        for machine in machines.values():
            machine.deliver()
        yield machines
    finally:
        for machine in machines.values():
            machine.close()
        if not keep:
            testbed("down", TESTBED)


@pytest.fixture(name="pair", scope="session")
def _pair(machines: dict[str, Machine]) -> Pair:
    """Two gateways that the collection has not touched yet."""
    pair = Pair(machines["a"], machines["b"], machines["other"])
    pair.both(lambda end: end.machine.wipe())
    return pair


@pytest.fixture(name="summarize")
def _summarize(request: pytest.FixtureRequest) -> t.Callable[[str], None]:
    """Say a line in the end, beside how much of the matrix was seen."""
    return request.config.stash.setdefault(_LINES, []).append


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> t.Any:
    report = yield
    if report.when == "call" and report.passed:
        item.config.stash.setdefault(_PASSED, []).append(item.name)
    return report


_LINES = pytest.StashKey[list[str]]()
_PASSED = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: t.Any, config: pytest.Config) -> None:
    lines = [fields.summary(config.stash.get(_PASSED, [])), *config.stash.get(_LINES, [])]
    for line in lines:
        terminalreporter.write_line(line)
