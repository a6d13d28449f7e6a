# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the scenario. The files of tests run in the order of their names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (0, 2)]

from hosts import Gateway, wait_for


@pytest.fixture(scope="session")
def gateways() -> list[Gateway]:
    return [Gateway(name) for name in ("debian12", "debian13")]


@pytest.fixture
def tunnels(gateways: list[Gateway]) -> None:
    """Wait until the tunnel to the peer is up, even if the previous test has cut it."""
    for gateway in gateways:
        wait_for(f"the tunnel of {gateway} is up", gateway.up)
