# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ipsec_connection closes, initiates and probes tunnels, and explains a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gateway import SCENARIO, Gateway, Run, playbook, up, wait_for

pytestmark = pytest.mark.usefixtures("tunnel")


def test_connections_are_made_closed_and_explained(
    gateways: dict[str, Gateway], play: Callable[..., Run], tmp_path: Path
) -> None:
    try:
        run = playbook(str(SCENARIO / "connect.yml"), scratch=tmp_path)
        # The playbook rescues the failure of the first attempt.
        unexpected = [item for item in run.failures if "The first attempt" not in item]
        assert not unexpected, "\n".join(unexpected)
        assert run.failures
    finally:
        play("site")
    wait_for("the tunnel is up", lambda: up(gateways))
