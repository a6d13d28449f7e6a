# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode predicts the impact of each option's change on SAs that are up.

Each test changes a tunnel with two Child SAs beside another tunnel, and records the events of the
IKE daemon. ipsec_gateway makes a half of the changes, which ``SEED`` draws. The table of results is
in .cache/impact.md. Each option is changed on a tunnel that initiates. The most informative changes
also run with the other behaviors and values of ``apply``: a third of the changes each, or all with
``LIVE=all``.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import spec
from ansible_collections.tunnelwright.ipsec.tests.live.changes import CHANGES, TELLING, Change
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import ALL, SEED
from ansible_collections.tunnelwright.ipsec.tests.live.entries import as_gateway
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Event, Run
from ansible_collections.tunnelwright.ipsec.tests.live.impact import Impact, seen, told
from ansible_collections.tunnelwright.ipsec.tests.live.rig import RELEASES, Rig, with_ikev1

TABLE = ROOT / ".cache/impact.md"
UP = ("site-b/net", "site-b/more", "site-c/net")
# Seconds in which the test records events after the end of the module.
AFTER = 1.0

START = "start"
BEHAVIORS = (START, "on_demand", "responder_only")
APPLY = ("graceful", "reestablish", "defer")


@dataclass(frozen=True)
class Measured:
    """One change on one device: the run in check mode, the real run, and the observed impact.

    ``told`` is the impact that check mode predicts for each SA.
    """

    check: Run
    real: Run
    seen: Impact
    told: Impact | None
    events: list[Event]


def tried(row: int, column: int) -> tuple[Change, ...]:
    """Return the changes for the behavior ``row`` and the value ``column`` of ``apply``."""
    if row == column == 0:
        return CHANGES
    return TELLING if ALL else TELLING[(row + column + SEED) % len(APPLY) :: len(APPLY)]


CASES = [
    pytest.param(change, behavior, apply, id=f"{change}, {behavior}, {apply}")
    for row, behavior in enumerate(BEHAVIORS)
    for column, apply in enumerate(APPLY)
    for change in tried(row, column)
    if not (change.option == "connection_behavior" and change.value == behavior)
]


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("ipsec_phase1", spec.IPSEC_PHASE1.argument_spec),
        ("ipsec_phase2", spec.IPSEC_PHASE2.argument_spec),
    ],
)
def test_every_option_is_changed(module: str, options: dict[str, t.Any]) -> None:
    assert {change.option for change in CHANGES if change.module == module} == set(options)


@pytest.mark.parametrize(("change", "behavior", "apply"), CASES)
def test_impact(
    change: Change,
    behavior: str,
    apply: str,
    rigs: dict[str, Rig],
    table: list[tuple[str, ...]],
) -> None:
    def on(rig: Rig) -> Measured:
        return measure(rig, change, behavior, apply)

    if change.ikev1:
        rigs = with_ikev1(rigs)
    with ThreadPoolExecutor() as pool:
        found = dict(zip(rigs, pool.map(on, rigs.values()), strict=True))
    cells = [_cell(found[release]) if release in found else "" for release in RELEASES]
    table.append((behavior, apply, str(change), *cells))
    for release, measured in found.items():
        check(change, measured, release, apply)


def measure(rig: Rig, change: Change, behavior: str, apply: str) -> Measured:
    """Bring the tunnels up, make the change, and return the predicted and the observed impact."""
    device = rig.device
    bring_up(rig, change, behavior)
    before = device.sas()
    if change.module == "ipsec_phase1":
        options = rig.phase1(connection_behavior=behavior)
    else:
        options = rig.phase2()
    options = {**options, "apply": apply, **change.after(rig)}
    if "state" in change.option:
        options = {**options, "remote_gateway": None} if "remote_gateway" in options else options
    module = change.module
    # An entry of a phase 2 has no option for these two.
    entered = change.option not in ("network", "phase1") or module == "ipsec_phase1"
    if entered and draw.half(f"{change} {behavior} {apply}"):
        module = "ipsec_gateway"
        options = as_gateway(change.module, options, rig.phase1(connection_behavior=behavior))
    predicted = device.run(module, options, check=True)
    with device.listening(after=AFTER) as events:
        real = device.run(module, options)
    happened = seen(before, device.sas(), events)
    both = None
    if not predicted.failed and "impacts" in predicted.result:
        both = told(predicted, before)
    return Measured(predicted, real, happened, both, events)


def check(change: Change, measured: Measured, release: str, apply: str) -> None:
    predicted, real = measured.check, measured.real
    assert predicted.failed == real.failed == bool(change.refused), (
        release,
        predicted.result.get("msg"),
        real.result.get("msg"),
    )
    if change.refused:
        assert change.refused in real.result["msg"]
        assert measured.seen.worst == "untouched", (release, str(measured.seen))
        return
    for key in ("changed", "impact", "impacts", "actions", "diff"):
        assert predicted.result.get(key) == real.result.get(key), (release, key)
    effect = {"none": "untouched", "pending": "untouched"}
    said = effect.get(real.result["impact"], real.result["impact"])
    assert said == measured.seen.worst, (release, real.result["impact"], str(measured.seen))
    if measured.told is not None:
        assert measured.told == measured.seen, (release, str(measured.told), str(measured.seen))
    if change.harmless_if(apply):
        assert measured.seen.worst == "untouched", (release, str(measured.seen))
    if measured.seen.worst == "untouched":
        assert not measured.events, release


def bring_up(rig: Rig, change: Change, behavior: str) -> None:
    """Bring up a tunnel with two Child SAs for the change, beside the unchanged tunnel."""
    device = rig.device
    device.apply("ipsec_phase1", {"name": "site-b", "network": "lan", "state": "absent"})
    phase1, phase2 = {}, {}
    if change.module == "ipsec_phase1":
        phase1 = change.before(rig)
    else:
        phase2 = change.before(rig)
    device.apply("ipsec_phase1", rig.phase1(connection_behavior=behavior, **phase1))
    device.apply("ipsec_phase2", rig.phase2(**phase2))
    device.apply("ipsec_phase2", rig.phase2("more", remote_network=["10.3.0.0/24"]))
    for child in () if behavior == START else ("net", "more"):
        device.vici("initiate", {"ike": "site-b", "child": child, "timeout": "5000"})
    device.wait_for(*UP)


@pytest.fixture(name="rigs", scope="module")
def _rigs(rigs: dict[str, Rig]) -> dict[str, Rig]:
    """Return the rigs with the network and an unchanged tunnel on each device."""
    for rig in rigs.values():
        device = rig.device
        device.wipe()
        device.apply("vpn_network", rig.network())
        device.apply("ipsec_phase1", rig.phase1(name="site-c", remote_gateway=rig.address(5)))
        device.apply("ipsec_phase2", rig.phase2(phase1="site-c", remote_network=["10.5.0.0/24"]))
        device.wait_for("site-c/net")
    return rigs


@pytest.fixture(name="table", scope="module")
def _table() -> t.Iterator[list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = []
    yield rows
    lines = [
        f"| behaviour | apply | change | {' | '.join(f'{r}: predicted; seen' for r in RELEASES)} |",
        f"| --- | --- | --- |{' --- |' * len(RELEASES)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([*lines, ""]))
    print(f"\n{TABLE}")


def _cell(measured: Measured) -> str:
    if measured.check.failed:
        return f"refused; {measured.seen}"
    return f"{measured.check.result['impact']}; {measured.seen}"
