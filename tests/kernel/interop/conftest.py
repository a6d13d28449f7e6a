# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The peers, set up once for all cells of their columns, and the report of the results."""

from __future__ import annotations

import base64
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.bench import OURS, Bench
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.results import (
    LATEST,
    read,
    summary,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine

PKI = Path(__file__).parent / "pki.sh"


@pytest.fixture(name="pki", scope="session")
def _pki(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the certificates of both gateways: a tar archive, in base64."""
    folder = tmp_path_factory.mktemp("pki")
    subprocess.run(["sh", "-eu", PKI], cwd=folder, check=True, capture_output=True)
    packed = subprocess.run(["tar", "-c", "."], cwd=folder, check=True, capture_output=True)
    return base64.encodebytes(packed.stdout).decode()


@pytest.fixture(name="bench", scope="module")
def _bench(machines: dict[str, Machine], pki: str) -> t.Iterator[Bench]:
    """Yield a bench, and clear it before other tests use the hosts."""
    ours = machines[OURS]
    ours.wipe()
    bench = Bench(machines, ours, pki)
    bench.prepare()
    yield bench
    bench.clear()
    ours.wipe()


def pytest_terminal_summary(terminalreporter: t.Any) -> None:
    terminalreporter.write_line(f"interoperability: {summary(read(LATEST))}")
