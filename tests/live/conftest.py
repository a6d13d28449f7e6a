# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures with whole gateways, one of each release, and a peer for each gateway.

``SEED`` is the seed of all random choices. ``PART=2/6`` runs the third sixth of everything
(tools/draw.py).
``SEQUENCES`` is the number of sequences of random calls, ``FIRST`` the seed of the first sequence.
With ``LIVE=all``, and in a part, each change runs with each value of ``apply``, otherwise with some
values.
``LIVE_TESTBED`` names the containers, ``LIVE_TOPOLOGY`` another topology file. The containers stay
for an inspection or the next run, unless ``LIVE_KEEP=0``. ``tools/testbed down live`` removes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tomllib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import draw
import machine
import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, ROOT, Host, in_container
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES, LEFT_OUT, NO_IKEV1, Rig
from ansible_collections.tunnelwright.ipsec.tests.live.step_gateway import Gateway

TESTBED = os.environ.get("LIVE_TESTBED", "live")
TOPOLOGY = Path(os.environ.get("LIVE_TOPOLOGY", HERE / "testbed.toml"))
SEQUENCES = int(os.environ.get("SEQUENCES", "100"))
SEED = draw.seed()
FIRST = draw.first_seed()
ALL = os.environ.get("LIVE") == "all" or draw.part() is not None
KEEP = os.environ.get("LIVE_KEEP", "1") not in ("", "0")
# The files that set up a kept host. tools/testbed knows the image of the host.
RIG = ("conftest.py", "host.py", "rig.py", "peer.conf", "pki.sh")


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() != 0 and not config.option.collectonly:
        pytest.exit("tests on whole gateways need root, for containers with systemd", 2)


def pytest_report_header() -> str:
    return f"live: {SEQUENCES} sequences of random calls, SEED={SEED}, FIRST={FIRST}"


@pytest.fixture(name="sequences", scope="session")
def _sequences() -> range:
    """Return the seeds of the sequences."""
    return range(FIRST, FIRST + SEQUENCES)


def testbed(*words: str) -> str:
    done = subprocess.run(
        [str(ROOT / "tools/testbed"), *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"tools/testbed {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def holding(request: pytest.FixtureRequest, bed: str) -> t.Iterator[bool]:
    """Lock a test bed against other runs. Yield whether the last run on the test bed was killed."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with contextlib.ExitStack() as stack:
        # Another run may take an hour. The user must see which run holds the test bed.
        with capture.global_and_fixture_disabled():
            killed = stack.enter_context(machine.hold(bed))
        yield bed in killed


# The hosts that have no image today, with the reason. Their tests are skipped.
ABSENT: dict[str, str] = {}
_T = t.TypeVar("_T")


class Present(dict[str, _T]):
    """Values by host or by release. A test that needs an absent value is skipped by name."""

    def __missing__(self, key: str) -> t.NoReturn:
        name = next((name for name, release in DEVICES.items() if release == key), key)
        if name not in ABSENT:
            raise KeyError(key)
        # Debian changes forky every day. Such a day must not stop the other releases.
        pytest.skip(f"{key}: no image today: {ABSENT[name]}")


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    for name, reason in ABSENT.items():
        told = f"WARNING: SKIPPED: all tests on {name} ({DEVICES.get(name, 'a peer')}): {reason}"
        terminalreporter.write_line(told, yellow=True)
    for test in LEFT_OUT:
        terminalreporter.write_line(f"SKIPPED: {test}: {NO_IKEV1}", yellow=True)


def absent() -> dict[str, str]:
    lines = testbed("skipped", str(TOPOLOGY)).splitlines()
    return {name: reason for name, _blank, reason in (line.partition(" ") for line in lines)}


@pytest.fixture(name="hosts", scope="session")
def _hosts(request: pytest.FixtureRequest) -> t.Iterator[dict[str, Host]]:
    """Yield every host of the topology, booted, with its driver, and the devices wiped."""
    with holding(request, TESTBED) as was_killed:
        yield from _started(was_killed)


def _started(was_killed: bool) -> t.Iterator[dict[str, Host]]:
    # An interrupted run may leave hosts in any state. New hosts take only some seconds.
    testbed("up", TESTBED, str(TOPOLOGY), *_keep(), *(["--fresh"] if was_killed else []))
    use_podman_settings()
    ABSENT.update(absent())
    hosts = Present(
        (name, Host(name, in_container(f"tw-{TESTBED}-{name}"), item["ipv4"], item["ipv6"]))
        for name, item in tomllib.loads(TOPOLOGY.read_text())["hosts"].items()
        if name not in ABSENT
    )
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(_ready, hosts.values()))
        yield hosts
    finally:
        for host in hosts.values():
            host.close()
        if not KEEP:
            testbed("down", TESTBED)


def _ready(host: Host) -> None:
    """Start the driver of a host, and wipe the host if it is a device."""
    host.deliver()
    host.start()
    if host.name in DEVICES:
        host.wipe()


@pytest.fixture(name="rigs", scope="session")
def _rigs(hosts: dict[str, Host]) -> dict[str, Rig]:
    """Return each device under test with its peer, by the release of strongSwan."""
    rigs = Present(
        (release, Rig(release, hosts[name], hosts[f"peer-{name}"]))
        for name, release in DEVICES.items()
        if name in hosts and f"peer-{name}" in hosts
    )
    with ThreadPoolExecutor() as pool:
        list(pool.map(Rig.prepare, rigs.values()))
    return rigs


@pytest.fixture(name="gateways", scope="module")
def _gateways(rigs: dict[str, Rig]) -> t.Iterator[dict[str, Gateway]]:
    """Return each device with the objects of an administrator, by release, for the step tables."""
    gateways = Present((release, Gateway(rig)) for release, rig in rigs.items())
    with ThreadPoolExecutor() as pool:
        list(pool.map(Gateway.prepare, gateways.values()))
    yield gateways
    for gateway in gateways.values():
        gateway.clear()


def use_podman_settings() -> None:
    """Use the settings of podman that ``tools/testbed env`` prints for this machine."""
    for line in testbed("env").splitlines():
        name, _equals, value = line.removeprefix("export ").partition("=")
        if name == "CONTAINERS_CONF":
            os.environ[name] = value.strip("'")


def _keep() -> list[str]:
    """Return the option with which tools/testbed reuses the hosts of an earlier run.

    Its value is a digest of the files that set up a host.
    """
    if not KEEP:
        return []
    texts = [(HERE / name).read_bytes() for name in RIG]
    return ["--keep", hashlib.sha256(b"".join(texts)).hexdigest()]
