# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of the playbook cuts off the ssh connection over which the playbook runs."""

from __future__ import annotations

import pytest
from hosts import SCENARIO, Gateway, playbook, ssh_options, wait_for

pytestmark = pytest.mark.usefixtures("tunnels")

# Time enough to see that it is cut off, with ssh giving up after a few seconds.
TIMEOUT = 25


@pytest.fixture
def by_ssh(gateways: list[Gateway]) -> list[str]:
    """The options with which Ansible takes ssh, as it does out of the box: with multiplexing."""
    for gateway in gateways:
        assert gateway.ssh(), f"{gateway} can't be reached"
    extra = " ".join(ssh_options())
    return [
        f"--inventory={SCENARIO / 'ssh.yml'}",
        "--extra-vars={" + f'"ansible_ssh_common_args": "{extra}"' + "}",
    ]


def test_it_comes_back_by_itself(gateways: list[Gateway], by_ssh: list[str]) -> None:
    before = [gateway.held() for gateway in gateways]
    done = playbook("lockout.yml", *by_ssh, variables={"gateway_confirm_timeout": TIMEOUT})
    assert done.returncode != 0
    assert done.stdout.count("UNREACHABLE!") == 2, done.stdout
    for gateway in gateways:
        assert not gateway.rolled_back(), f"{gateway} was too quick for this test"
        # What cuts it off is there, and no new connection can be made either.
        assert "cut: #" in gateway.sh("swanctl --list-sas")
        assert not gateway.ssh()
    for gateway in gateways:
        wait_for(f"{gateway} can be reached", gateway.ssh, TIMEOUT + 60)
    for gateway, held in zip(gateways, before, strict=True):
        wait_for(f"{gateway} has rolled back", gateway.rolled_back)
        now = gateway.held()
        assert now == held
        # The tunnel that was changed begins anew.
        wait_for(f"the tunnel of {gateway} is up", gateway.up)
        assert "cut: #" not in gateway.sh("swanctl --list-sas")
        assert gateway.record()["errors"] == []


def test_without_harm_it_is_confirmed(gateways: list[Gateway], by_ssh: list[str]) -> None:
    before = [gateway.held() for gateway in gateways]
    done = playbook("converge.yml", *by_ssh, variables={"gateway_confirm_timeout": TIMEOUT})
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("changed=0") == 2, done.stdout
    for gateway, held in zip(gateways, before, strict=True):
        assert gateway.held() == held
        assert not gateway.host.file("/var/lib/tunnelwright").exists
