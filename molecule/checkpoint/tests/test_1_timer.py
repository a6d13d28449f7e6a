# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timer restores each unconfirmed change and touches no other object."""

from __future__ import annotations

from typing import Any

import pytest
from hosts import TIMEOUT, Gateway, played, wait_for

pytestmark = pytest.mark.usefixtures("tunnels")

NEW_PSK = "after the change, 25 chars"


def change(**variables: Any) -> None:
    played("change.yml", new_psk=NEW_PSK, timeout=TIMEOUT, **variables)


def wait_for_rollback(gateways: list[Gateway]) -> None:
    for gateway in gateways:
        wait_for(f"{gateway} rolls back", gateway.rolled_back)


def test_everything_is_as_it_was(gateways: list[Gateway]) -> None:
    before = [(gateway.held(), gateway.sas()) for gateway in gateways]
    change()
    for gateway, (held, _sas) in zip(gateways, before, strict=True):
        changed = gateway.held()
        for part in ("files", "connections", "secrets", "tables", "links", "units"):
            assert changed[part] != held[part], part
    wait_for_rollback(gateways)
    for gateway, (held, sas) in zip(gateways, before, strict=True):
        # `held` contains the process id of the daemon. So the daemon did not restart.
        assert gateway.held() == held
        assert gateway.sas() == sas
        record = gateway.record()
        assert record["reason"] == "timeout"
        assert "/etc/swanctl/conf.d/tunnelwright.phase1.other.conf: changed" in record["restored"]
        assert (record["errors"], record["left"]) == ([], [])
        assert gateway.sh("systemctl --failed --plain --no-legend") == ""
        said = gateway.sh("journalctl --no-pager -o cat -t tunnelwright").splitlines()
        assert said[-1].startswith("rolled back to the state of ")
    done = played("converge.yml")
    assert done.count("changed=0") == 2, done


def test_after_a_reboot_and_with_a_daemon_that_is_off(gateways: list[Gateway]) -> None:
    """An unconfirmed change survives neither a reboot nor a stop of the daemon.

    The test reboots one gateway, where the countdown begins again. It stops the daemon of the other
    gateway.
    """
    before = [gateway.held() for gateway in gateways]
    change()
    rebooted, off = gateways
    off.sh("systemctl stop strongswan")
    rebooted.restart()
    wait_for_rollback(gateways)
    for gateway, held in zip(gateways, before, strict=True):
        now = gateway.held()
        assert now == {**held, "pid": now["pid"]}
    assert rebooted.record()["errors"] == []
    (error,) = off.record()["errors"]
    assert error.startswith("could not reach the IKE daemon")
