# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps from the creation to the removal of each object, refusals, and repairs of drift.

The tables in ``steps/`` hold the steps. Each step runs four times on each release: in check mode,
without check mode, and both again.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.differences import differences
from ansible_collections.tunnelwright.ipsec.tests.live.host import Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import NO_IKEV1
from ansible_collections.tunnelwright.ipsec.tests.live.step_gateway import Gateway, words_missing
from ansible_collections.tunnelwright.ipsec.tests.live.step_tables import Scenario, Values, cases


def _rows(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("release", "scenario", "number"), cases(kind))


def _row(gateway: Gateway, scenario: Scenario, kind: str, number: int) -> Values:
    row = scenario.rows(kind)[number]
    facts = gateway.facts
    if not scenario.applies(row, facts):
        had = scenario.applies(row, {**facts, "ikev1": not facts["ikev1"]})
        # Another release or kernel runs the step.
        pytest.skip(NO_IKEV1 if had else "the kernel of this machine has other features")
    return row


def _same(planned: Run, done: Run, keys: t.Iterable[str]) -> None:
    """Compare the result of check mode with the result of the run after it."""
    for key in keys:
        assert planned.result[key] == done.result[key], key


@_rows("steps")
def test_step(gateways: dict[str, Gateway], release: str, scenario: Scenario, number: int) -> None:
    gateway = gateways[release]
    step = _row(gateway, scenario, "steps", number)
    gateway.reach(scenario, number)
    module, options = gateway.task(scenario, step)
    device = gateway.device

    gateway.prepared(step)
    planned = device.run(module, options, check=True)
    before = gateway.look()["held"]
    # Only a `prepare` command of the step may change the gateway until here.
    assert "prepare" in step or not differences(gateway.held, before)

    done = device.run(module, options)
    assert not done.failed, done.result["msg"]
    assert done.changed == step.get("changed", True)
    _same(planned, done, ("changed", "actions", "impact", "diff", module))
    assert bool(done.result["actions"]) == done.changed
    assert bool(done.result["diff"]) == done.changed

    looked = gateway.look()
    _check_state(gateway, scenario, step, done, before, looked)

    for check in (True, False):
        again = device.run(module, options, check=check)
        _check_nothing_to_do(again, done, module)
    left = gateway.look()["held"]
    assert not differences(looked["held"], left)
    gateway.passed(scenario, number + 1, left)


def _check_state(
    gateway: Gateway,
    scenario: Scenario,
    step: Values,
    done: Run,
    before: dict[str, t.Any],
    looked: dict[str, t.Any],
) -> None:
    """Check the conditions that hold for every step, and the conditions of this step."""
    after = looked["held"]
    assert (before == after) == (not done.changed)
    # The machine determines the data plane and the warnings about it.
    warnings = [item for item in done.warnings if "data plane" not in item]
    words = scenario.value(step.get("warnings", []), gateway.facts)
    assert len(warnings) == len(words), warnings
    assert not [item for item in words if item not in " ".join(warnings)], warnings
    assert "tunnelwright-trial" not in after["connections"]
    assert after["connections"]["by-hand"] == before["connections"]["by-hand"]
    assert after["tables"]["ip by-hand"] == before["tables"]["ip by-hand"]
    assert "192.168.50.2/24" in after["links"]["br-office"]["addresses"]
    facts = {
        **gateway.facts,
        "before": before,
        "after": after,
        "sas": looked["sas"],
        "done": done.result,
    }
    untrue = scenario.untrue(step.get("live", ()), facts)
    assert not untrue, "\n".join([*untrue, json.dumps(done.result), *differences(before, after)])


def _check_nothing_to_do(again: Run, done: Run, module: str) -> None:
    assert not again.failed, again.result["msg"]
    assert again.result["actions"] == []
    assert not again.changed
    assert again.result["diff"] == []
    assert again.result["impact"] == "none"
    assert again.result[module] == done.result[module]
    assert again.writing == ()


@_rows("refused")
def test_refused(
    gateways: dict[str, Gateway], release: str, scenario: Scenario, number: int
) -> None:
    gateway = gateways[release]
    row = _row(gateway, scenario, "refused", number)
    # A refusal changes nothing, so that every refusal begins in the same state.
    gateway.reach(scenario, 0)
    run = gateway.device.run(*gateway.task(scenario, row))
    assert run.failed
    assert "actions" not in run.result
    assert "exception" not in run.result
    assert not words_missing(run, row["words"]), run.result["msg"]
    held = gateway.look()["held"]
    assert not differences(gateway.held, held)
    gateway.passed(scenario, 0, held)


@_rows("drifts")
def test_drift(gateways: dict[str, Gateway], release: str, scenario: Scenario, number: int) -> None:
    """Check mode reports a change by hand, and the next run repairs the change."""
    gateway = gateways[release]
    row = _row(gateway, scenario, "drifts", number)
    gateway.reach(scenario, 0)
    module, options = gateway.task(scenario, row)
    device = gateway.device

    device.sh(row["by_hand"])
    planned = device.run(module, options, check=True)
    done = device.run(module, options)
    assert not done.failed, done.result["msg"]
    assert planned.changed
    assert done.changed
    assert done.result["diff"]
    _same(planned, done, ("actions", "diff", "impact"))
    again = device.run(module, options)
    assert again.result["actions"] == []
    assert not again.changed
    held = gateway.look()["held"]
    assert not differences(gateway.held, held)
    gateway.passed(scenario, 0, held)
