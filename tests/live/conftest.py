# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole gateways, one of each release, with a peer each: modules run, SAs come up, packets flow.

``SEQUENCES`` is the number of sequences of random runs, ``SEED`` the seed of the first one. With
``LIVE=all`` each change is tried in each way of applying it, else each in some of them.
``LIVE_TESTBED`` names the containers, ``LIVE_TOPOLOGY`` another topology file. With ``LIVE_KEEP``
set they stay, for a look or for the next run.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, ROOT, Host, in_container
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES, Rig
from ansible_collections.tunnelwright.ipsec.tests.live.step_gateway import Gateway

TESTBED = os.environ.get("LIVE_TESTBED", "live")
TOPOLOGY = Path(os.environ.get("LIVE_TOPOLOGY", HERE / "testbed.toml"))
SEQUENCES = int(os.environ.get("SEQUENCES", "100"))
SEED = int(os.environ.get("SEED", "1"))
ALL = os.environ.get("LIVE") == "all"


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() != 0:
        pytest.exit("tests on whole gateways need root, for containers with systemd", 2)


def pytest_report_header() -> str:
    return f"live: {SEQUENCES} sequences of random calls, SEED={SEED}"


@pytest.fixture(name="sequences", scope="session")
def _sequences() -> range:
    """Return the seeds of the sequences."""
    return range(SEED, SEED + SEQUENCES)


def testbed(*words: str) -> str:
    done = subprocess.run(
        [str(ROOT / "tools/testbed"), *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"tools/testbed {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


@pytest.fixture(name="hosts", scope="session")
def _hosts() -> t.Iterator[dict[str, Host]]:
    """Return every host of the topology, booted, with its driver ready."""
    hosts = {
        name: Host(name, in_container(f"tw-{TESTBED}-{name}"), item["ipv4"], item["ipv6"])
        for name, item in tomllib.loads(TOPOLOGY.read_text())["hosts"].items()
    }
    if not (os.environ.get("LIVE_KEEP") and _running(hosts)):
        testbed("up", TESTBED, str(TOPOLOGY))
    use_podman_settings()
    try:
        for host in hosts.values():
            host.deliver()
            host.start()
        yield hosts
    finally:
        for host in hosts.values():
            host.close()
        if not os.environ.get("LIVE_KEEP"):
            testbed("down", TESTBED)


@pytest.fixture(name="rigs", scope="session")
def _rigs(hosts: dict[str, Host]) -> dict[str, Rig]:
    """Return each device under test with its peer, by the release of strongSwan."""
    rigs = {
        release: Rig(release, hosts[name], hosts[f"peer-{name}"])
        for name, release in DEVICES.items()
    }
    with ThreadPoolExecutor() as pool:
        list(pool.map(Rig.prepare, rigs.values()))
    return rigs


@pytest.fixture(name="gateways", scope="module")
def _gateways(rigs: dict[str, Rig]) -> t.Iterator[dict[str, Gateway]]:
    """Return each device with the objects of an administrator, by release, for the step tables."""
    gateways = {release: Gateway(rig) for release, rig in rigs.items()}
    for gateway in gateways.values():
        gateway.prepare()
    yield gateways
    for gateway in gateways.values():
        gateway.clear()


def use_podman_settings() -> None:
    """Use the settings of podman that ``tools/testbed env`` prints for this machine."""
    for line in testbed("env").splitlines():
        name, _equals, value = line.removeprefix("export ").partition("=")
        if name == "CONTAINERS_CONF":
            os.environ[name] = value.strip("'")


def _running(hosts: dict[str, Host]) -> bool:
    use_podman_settings()
    names = subprocess.run(
        ["podman", "ps", "--format", "{{.Names}}"], capture_output=True, text=True, check=True
    ).stdout.split()
    return {f"tw-{TESTBED}-{name}" for name in hosts} <= set(names)
