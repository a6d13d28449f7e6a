# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.systemd import (
    Systemd,
    UnitState,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_run import (
    ScriptedRun,
)

UNIT = "tunnelwright-lan.service"
SHOW = "systemctl show --property UnitFileState,ActiveState,NeedDaemonReload"
JOURNAL = f"journalctl --unit {UNIT} --lines 10 --output cat --no-pager"


@pytest.mark.parametrize(
    ("state", "enabled"),
    [
        ("enabled", True),
        ("enabled-runtime", True),
        ("disabled", False),
        ("masked", False),
        ("", False),
    ],
)
def test_is_enabled(run: ScriptedRun, state: str, enabled: bool) -> None:
    run.expect(f"{SHOW} {UNIT}", f"UnitFileState={state}\n")
    assert Systemd(run).is_enabled(UNIT) is enabled


@pytest.mark.parametrize(
    ("state", "active"),
    [
        ("active", True),
        ("reloading", True),
        ("activating", False),
        ("failed", False),
        ("inactive", False),
    ],
)
def test_is_active(run: ScriptedRun, state: str, active: bool) -> None:
    run.expect(f"{SHOW} {UNIT}", f"ActiveState={state}\n")
    assert Systemd(run).is_active(UNIT) is active


@pytest.mark.parametrize(("reload", "stale"), [("yes", True), ("no", False)])
def test_state(run: ScriptedRun, reload: str, stale: bool) -> None:
    shown = f"NeedDaemonReload={reload}\nUnitFileState=enabled\nActiveState=active\n"
    run.expect(f"{SHOW} {UNIT}", shown)
    assert Systemd(run).state(UNIT) == UnitState(enabled=True, active=True, stale=stale)


def test_state_of_no_unit(run: ScriptedRun) -> None:
    run.expect(f"{SHOW} {UNIT}", "")
    assert Systemd(run).state(UNIT) == UnitState()


@pytest.mark.parametrize("verb", ["enable", "disable", "start", "stop", "restart"])
def test_verbs(run: ScriptedRun, verb: str) -> None:
    run.expect(f"systemctl --quiet {verb} {UNIT}")
    getattr(Systemd(run), verb)(UNIT)


def test_daemon_reload(run: ScriptedRun) -> None:
    run.expect("systemctl daemon-reload")
    Systemd(run).daemon_reload()


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_failed_job_quotes_the_journal(run: ScriptedRun, verb: str) -> None:
    run.expect(f"systemctl --quiet {verb} {UNIT}", "", 1, "Job failed. See journalctl.\n")
    journal = [
        "an earlier start",
        f"Starting {UNIT} - VPN network lan: interface, address, forwarding and routes...",
        "tunnelwright-lan: interface late0 does not exist",
        f"{UNIT}: Main process exited, code=exited, status=1/FAILURE",
        f"{UNIT}: Failed with result 'exit-code'.",
        f"Failed to start {UNIT} - VPN network lan: interface, address, forwarding and routes.",
    ]
    run.expect(JOURNAL, "".join(f"{line}\n" for line in journal))
    with pytest.raises(HostError) as raised:
        getattr(Systemd(run), verb)(UNIT)
    assert raised.value.operation == f"{verb} {UNIT}"
    assert raised.value.detail == "tunnelwright-lan: interface late0 does not exist"


def test_failed_job_that_said_nothing_itself(run: ScriptedRun) -> None:
    run.expect(f"systemctl --quiet start {UNIT}", "", 1, "Job failed. See journalctl.\n")
    run.expect(JOURNAL, f"Starting {UNIT}...\n{UNIT}: Failed with result 'timeout'.\n")
    with pytest.raises(HostError) as raised:
        Systemd(run).start(UNIT)
    assert raised.value.detail == "Job failed. See journalctl."


def test_failed_job_of_which_systemctl_says_nothing(run: ScriptedRun) -> None:
    run.expect(f"systemctl --quiet start {UNIT}", "", 1)
    run.expect(JOURNAL, "broken\n")
    with pytest.raises(HostError) as raised:
        Systemd(run).start(UNIT)
    assert raised.value.detail == "broken"


def test_failed_job_without_a_journal(run: ScriptedRun) -> None:
    run.expect(f"systemctl --quiet start {UNIT}", "", 5, f"Unit {UNIT} not found.\n")
    run.expect(JOURNAL, "", 1)
    with pytest.raises(HostError) as raised:
        Systemd(run).start(UNIT)
    assert raised.value.detail == f"Unit {UNIT} not found."


@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_other_failures_quote_systemctl(run: ScriptedRun, verb: str) -> None:
    run.expect(f"systemctl --quiet {verb} {UNIT}", "", 1, "Unit file does not exist.\n")
    with pytest.raises(HostError, match="Unit file does not exist"):
        getattr(Systemd(run), verb)(UNIT)


def test_systemd_that_does_not_answer_is_an_error(run: ScriptedRun) -> None:
    run.expect(f"{SHOW} {UNIT}", "", 1, "Failed to connect to bus\n")
    with pytest.raises(HostError, match="Failed to connect to bus"):
        Systemd(run).is_active(UNIT)
