# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the scenario. The files of tests run in the order of their names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (0, 2)]

from gateway import Gateway, Run, playbook, up, wait_for

NAMES = ("gw-a", "gw-b")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: a test that SHORT=1 leaves out, as `make test` does")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out long tests with SHORT=1. `make molecule-default` runs them."""
    if not os.environ.get("SHORT"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def gateways() -> dict[str, Gateway]:
    return {name: Gateway(name) for name in NAMES}


@pytest.fixture(params=NAMES)
def near(request: pytest.FixtureRequest, gateways: dict[str, Gateway]) -> Gateway:
    """Return each gateway in turn."""
    return gateways[request.param]


@pytest.fixture
def far(near: Gateway, gateways: dict[str, Gateway]) -> Gateway:
    """Return the peer of ``near``."""
    return next(gateway for gateway in gateways.values() if gateway is not near)


@pytest.fixture
def tunnel(gateways: dict[str, Gateway]) -> None:
    """Wait until both phase 2 are up on both ends, even if the previous test has cut them."""
    wait_for("the tunnel is up", lambda: up(gateways))


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Run]:
    """Return ``gateway.playbook`` for runs that must succeed."""

    def run(name: str, *options: str, **variables: object) -> Run:
        done = playbook(name, *options, variables=variables, scratch=tmp_path)
        assert not done.failures, "\n".join(done.failures)
        return done

    return run
