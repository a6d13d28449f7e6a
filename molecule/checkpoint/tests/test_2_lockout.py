# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of the playbook cuts off the ssh connection over which the playbook runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from hosts import SCENARIO, Gateway, as_controller, playbook, ssh_options, wait_for

pytestmark = pytest.mark.usefixtures("tunnels")

# Seconds until the rollback. ssh gives up after a few seconds, so the test sees the disconnection.
TIMEOUT = 25


Play = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def by_ssh(gateways: list[Gateway]) -> Play:
    """Return a function that runs a playbook over ssh with Ansible's default multiplexing."""
    for gateway in gateways:
        wait_for(f"{gateway} can be reached", gateway.ssh)
    variables = {
        "gateway_confirm_timeout": TIMEOUT,
        "ansible_ssh_common_args": " ".join(ssh_options()),
    }
    inventory = f"--inventory={SCENARIO / 'ssh.ini'}"
    return lambda name: playbook(name, inventory, variables=variables, prefix=as_controller())


def test_it_comes_back_by_itself(gateways: list[Gateway], by_ssh: Play) -> None:
    before = [gateway.held() for gateway in gateways]
    done = by_ssh("lockout.yml")
    assert done.returncode != 0
    assert done.stdout.count("UNREACHABLE!") == 2, done.stdout
    for gateway in gateways:
        assert not gateway.rolled_back(), f"{gateway} was too quick for this test"
        # The tunnel that disconnects the controller is up. No new connection is possible either.
        assert "cut: #" in gateway.sh("swanctl --list-sas")
        assert not gateway.ssh()
    for gateway in gateways:
        wait_for(f"{gateway} can be reached", gateway.ssh)
    for gateway, held in zip(gateways, before, strict=True):
        wait_for(f"{gateway} has rolled back", gateway.rolled_back)
        now = gateway.held()
        # Forwarding stays on, because other software may need it by now.
        assert now == {**held, "forwarding": now["forwarding"]}
        # The changed tunnel is re-established.
        wait_for(f"the tunnel of {gateway} is up", gateway.up)
        assert "cut: #" not in gateway.sh("swanctl --list-sas")
        assert gateway.record()["errors"] == []


def test_without_harm_it_is_confirmed(gateways: list[Gateway], by_ssh: Play) -> None:
    before = [gateway.held() for gateway in gateways]
    done = by_ssh("converge.yml")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("changed=0") == 2, done.stdout
    for gateway, held in zip(gateways, before, strict=True):
        assert gateway.held() == held
        assert not gateway.host.file("/var/lib/tunnelwright").exists
