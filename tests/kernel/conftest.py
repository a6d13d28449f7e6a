# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines as gateways. Their kernels have ESP, AH and IPComp.

A run has a sixth of the tests that prove a value of an option, drawn by ``SEED``. A test with a
case for each end runs on one end only. ``FIELDS=all`` runs everything, and ``PART=2/6`` runs the
third sixth of everything.

In two of four turns, forky has the place of Debian 12 (``forky.toml``).

``KERNEL_TESTBED`` names the machines, and ``KERNEL_TOPOLOGY`` names another topology file. With
``KERNEL_KEEP`` the machines keep running for the next run, or for an inspection with
``tools/kernel-testbed enter kernel a``.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
import typing as t
from pathlib import Path

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel import fields
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import (
    HERE,
    Machine,
    absent,
    bed,
    is_running,
    testbed,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import Pair, until
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import holding

# Two of four turns of all parts have forky in the place of Debian 12, so that each test runs on
# both of its ends there.
DEFAULT_TOPOLOGY = HERE / ("forky.toml" if draw.turn() % 4 >= 2 else "testbed.toml")
TOPOLOGY = Path(os.environ.get("KERNEL_TOPOLOGY", DEFAULT_TOPOLOGY))
DEFAULT_TESTBED = "kernel-forky" if TOPOLOGY.stem == "forky" else "kernel"
TESTBED = os.environ.get("KERNEL_TESTBED", DEFAULT_TESTBED)
ENDS = (*fields.RELEASES,)
SEED = draw.seed()


# Lines about left out tests, for the end of the report.
SKIPPED: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() != 0 and not config.option.collectonly:
        pytest.exit("tests on virtual machines need root, to build their disks", 2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if fields.ALL:
        return
    kept = sampled(items, set(fields.ROWS.values()))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def sampled(items: list[pytest.Item], proofs: set[str]) -> list[pytest.Item]:
    """Return a sixth of the tests in ``proofs`` (names of functions), and all other tests.

    Of a test with a case for each end, only the cases of one end are returned. The ends take turns.
    """
    numbers: dict[str, int] = {}
    kept = []
    for item in items:
        end = end_of(item)
        test = item.nodeid.partition("[")[0]
        number = numbers.setdefault(test, len(numbers))
        if test.rpartition("::")[2] in proofs and number % draw.PARTS != SEED % draw.PARTS:
            continue
        if not end or end == ENDS[(number // draw.PARTS + SEED // draw.PARTS) % 2]:
            kept.append(item)
    return kept


def end_of(item: pytest.Item) -> str:
    """Return the end that a test is about, or an empty text for both ends."""
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("name") if callspec else None
    return name if name in ENDS else ""


@pytest.fixture(name="machines", scope="session")
def _machines(request: pytest.FixtureRequest) -> t.Iterator[dict[str, Machine]]:
    """Yield every host of the topology, booted; hosts with strongSwan have their driver."""
    # Both names, because this machine has memory for one bed.
    names = dict.fromkeys(("kernel", TESTBED))
    with contextlib.ExitStack() as stack:
        killed = [stack.enter_context(holding(request, bed(name))) for name in names]
        yield from _started(killed[-1])


def _machines_of(topology: Path) -> dict[str, Machine]:
    items = tomllib.loads(topology.read_text())["hosts"]
    return {
        name: Machine(name, TESTBED, item["ipv4"], item["ipv6"], item["image"])
        for name, item in items.items()
    }


def _begun(was_killed: bool, keep: bool) -> dict[str, Machine]:
    """Start the machines, unless they run already. Without forky, start the other topology."""
    machines = _machines_of(TOPOLOGY)
    if not was_killed and keep and all(map(is_running, machines.values())):
        return machines
    testbed("up", TESTBED, str(TOPOLOGY))
    if lacking := absent(TOPOLOGY):
        SKIPPED.append(f"WARNING: SKIPPED: the tests on forky. Debian 12 has its place: {lacking}")
        testbed("up", TESTBED, str(HERE / "testbed.toml"))
        machines = _machines_of(HERE / "testbed.toml")
    return machines


def _started(was_killed: bool) -> t.Iterator[dict[str, Machine]]:
    keep = bool(os.environ.get("KERNEL_KEEP"))
    machines = _begun(was_killed, keep)
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
    """Return two gateways without any trace of the collection."""
    pair = Pair(machines["a"], machines["b"], machines["other"])
    pair.both(lambda end: end.machine.wipe())
    return pair


@pytest.fixture(autouse=True)
def _no_orphans(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Assert after each test of a pair that a kernel holds no SA that its daemon does not know."""
    yield
    if "pair" in request.fixturenames:
        for end in request.getfixturevalue("pair").ends:
            until(lambda end=end: not end.orphans(), f"{end.name}: no SA without its daemon", 30)


@pytest.fixture(name="summarize")
def _summarize(request: pytest.FixtureRequest) -> t.Callable[[str], None]:
    """Return a function that adds a line to the end of the report."""
    return request.config.stash.setdefault(_LINES, []).append


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> t.Any:
    report = yield
    if report.when == "call" and item.name.partition("[")[0] in fields.ROWS.values():
        if not report.skipped:
            name = f"{item.name} on {fields.MOVING}" if _has_moving(item) else item.name
            fields.record(name, fields.Outcome(end_of(item), report.passed))
        if report.passed:
            item.config.stash.setdefault(_PASSED, []).append(item.name)
    return report


def _has_moving(item: pytest.Item) -> bool:
    """Return whether the test has run with forky at its end a."""
    machines = getattr(item, "funcargs", {}).get("machines") or {}
    pair = getattr(item, "funcargs", {}).get("pair")
    first = pair.a.machine if pair else machines.get("a")
    return first is not None and first.is_moving


_LINES = pytest.StashKey[list[str]]()
_PASSED = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: t.Any, config: pytest.Config) -> None:
    lines = [*SKIPPED, fields.summary(config.stash.get(_PASSED, [])), *config.stash.get(_LINES, [])]
    for line in lines:
        terminalreporter.write_line(line)
