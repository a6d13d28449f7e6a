# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change affects only its own tunnel.

A graceful change interrupts this tunnel for at most ``LONGEST_GAP`` ms.
Twenty tunnels carry 100 packets a second each way. Random changes go to one tunnel, and to the
settings and rules of the networks. ``CHANGES`` is the number of changes. ``SEED`` repeats a run.
``BASELINE`` is the number of seconds without a change at the beginning.
The table of the results is in .cache/zero-loss.md.
"""

from __future__ import annotations

import os
import time
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Event, Host, Run, Sas
from ansible_collections.tunnelwright.ipsec.tests.live.impact import seen, told
from ansible_collections.tunnelwright.ipsec.tests.live.random_changes import Change, Operator
from ansible_collections.tunnelwright.ipsec.tests.live.twenty import (
    ONE,
    OTHERS,
    SIDES,
    Call,
    Flow,
    Pair,
    Traffic,
)

CHANGES = int(os.environ.get("CHANGES", "45"))
SEED = draw.seed()
BASELINE = float(os.environ.get("BASELINE", "10"))
TABLE = ROOT / ".cache/zero-loss.md"
# Seconds to wait for events after the end of a module, and for packets that are on their way.
AFTER, DRAIN = 0.3, 3.0
# Milliseconds without a packet in the changed tunnel: the table shows longer gaps than the first
# value, and the test fails above the second value. The machine may have other work.
NOTABLE_GAP, LONGEST_GAP = 50, 500

Flows = dict[str, dict[str, Flow]]


@dataclass(frozen=True)
class Done:
    """A call with its results, the SAs of its gateway before and after, and its time ``span``.

    ``sent`` is the number of packets that each side had sent through the changed tunnel before.
    """

    change: Change
    call: Call
    predicted: Run
    real: Run
    sas: tuple[Sas, Sas]
    span: tuple[float, float]
    sent: t.Mapping[str, int]

    def __str__(self) -> str:
        side, module = self.call.side, self.call.module
        return f"{self.change.kind} on {side}, {module} {self.call.options}"


@dataclass
class Campaign:
    """All changes, and the events and packet flows of each side."""

    done: list[Done] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    flows: Flows = field(default_factory=dict)

    def lost_by(self, number: int) -> tuple[int, float]:
        """Return the lost packets of the changed tunnel until the next run, and the longest gap.

        The gap is in ms.
        """
        lost, gap = 0, 0.0
        for side in SIDES:
            flow, begin = self.flows[side][ONE], self.done[number].sent[side]
            last = number + 1 == len(self.done)
            end = flow.sent if last else self.done[number + 1].sent[side]
            lost += flow.lost_within(begin, end)
            gap = max(gap, flow.gap_within(begin, end))
        return lost, gap


@pytest.fixture(name="pair", scope="module")
def _pair(hosts: dict[str, Host]) -> t.Iterator[Pair]:
    pair = Pair(hosts)
    pair.set_up()
    yield pair
    pair.clean()


def test_zero_loss(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nSEED={SEED} CHANGES={CHANGES}", flush=True)
    before = {side: host.sas() for side, host in pair.hosts.items()}
    with Traffic(pair) as traffic:
        time.sleep(BASELINE)
        quiet = traffic.drained(DRAIN)
        assert not _losses(quiet), "this machine loses packets without a change"
        traffic.go_on()
        campaign = _change_all(pair, traffic)
    after = {side: host.sas() for side, host in pair.hosts.items()}
    table = _table(campaign)
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table)
    with capsys.disabled():
        print(f"{table}\n{TABLE}")
    for done in campaign.done:
        _check_prediction(done, campaign.events[done.call.side])
    for side in SIDES:
        others = [event for event in campaign.events[side] if about(event) - {ONE}]
        assert not others, side
        assert _without_one(after[side]) == _without_one(before[side]), side
    assert {name: lost for name, lost in _losses(campaign.flows).items() if name[1] != ONE} == {}
    for number, done in enumerate(campaign.done):
        if not done.change.disruptive:
            assert campaign.lost_by(number)[1] <= LONGEST_GAP, str(done)


def test_a_loss_is_seen(pair: Pair) -> None:
    """The test sees the loss when one tunnel is down for a moment."""
    victim = "t07"
    with Traffic(pair) as traffic:
        with pair.hosts["a"].listening(0.5) as on_a, pair.hosts["b"].listening(0.5) as on_b:
            pair.hosts["a"].vici("terminate", {"ike": victim, "timeout": "5000"})
            pair.connect(victim)
        flows = traffic.drained(DRAIN)
    for side in SIDES:
        assert {name for name, flow in flows[side].items() if flow.lost} == {victim}, side
    for events in (on_a, on_b):
        assert {name for event in events for name in about(event)} == {victim}


def about(event: Event) -> set[str]:
    """Return the connections of an event. The end of the daemon counts as another connection."""
    if event["kind"] == "lost":
        return {event["message"]["why"]}
    named = {name for name, sa in event["message"].items() if isinstance(sa, dict)}
    # An initiator without a matching connection has the name (unnamed).
    return named - {"(unnamed)"}


def _change_all(pair: Pair, traffic: Traffic) -> Campaign:
    campaign, operator = Campaign(), Operator(SEED, pair.hosts)
    with pair.hosts["a"].listening() as on_a, pair.hosts["b"].listening() as on_b:
        while len(campaign.done) < CHANGES:
            change = operator.change()
            for call in change.calls:
                campaign.done.append(_do(change, call, pair, traffic))
            if change.disruptive:
                pair.connect(ONE)
        campaign.flows = traffic.drained(DRAIN)
    campaign.events = {"a": on_a, "b": on_b}
    return campaign


def _do(change: Change, call: Call, pair: Pair, traffic: Traffic) -> Done:
    host = pair.hosts[call.side]
    predicted = host.run(call.module, call.options, check=True)
    before, begin = host.sas(), time.monotonic()
    sent = {side: flows[ONE] for side, flows in traffic.sent().items()}
    real = host.run(call.module, call.options)
    time.sleep(AFTER)
    span = (begin, time.monotonic())
    return Done(change, call, predicted, real, (before, host.sas()), span, sent)


def _check_prediction(done: Done, events: list[Event]) -> None:
    predicted, real = done.predicted.result, done.real.result
    for result in (predicted, real):
        assert not result.get("failed"), f"{done}: {result['msg']}"
        assert result["changed"], str(done)
    assert "has not accepted" not in str(real.get("warnings")), str(done)
    for key in ("changed", "impact", "impacts", "actions", "diff"):
        assert predicted[key] == real[key], f"{done}: {key}"
    harmed = {
        item["sa"]
        for item in real["impacts"]
        if item["impact"] != "none" and item["sa"].partition("/")[0] != ONE
    }
    assert not harmed, str(done)


def _without_one(sas: Sas) -> Sas:
    ike = {name: ids for name, ids in sas.ike.items() if name != ONE}
    child = {name: ids for name, ids in sas.child.items() if name.partition("/")[0] != ONE}
    return Sas(ike, child)


def _losses(flows: Flows) -> dict[tuple[str, str], int]:
    """Return the lost packets by sender and tunnel."""
    return {
        (side, name): flow.lost
        for side, sent in flows.items()
        for name, flow in sent.items()
        if flow.lost
    }


def _table(campaign: Campaign) -> str:
    lines = [
        f"Seed {SEED}, {len(campaign.done)} changes, 100 packets a second each way.",
        "",
        "| tunnel | a to b: sent | lost | b to a: sent | lost | slowest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in (*OTHERS, ONE):
        there, back = (campaign.flows[side][name] for side in SIDES)
        slowest = f"{1000 * max(there.slowest, back.slowest):.0f} ms"
        cells = [name, there.sent, there.lost, back.sent, back.lost, slowest]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", *_remarkable(campaign)]
    graceful, asked = (
        [n for n, done in enumerate(campaign.done) if done.change.disruptive == disruptive]
        for disruptive in (False, True)
    )
    lines += ["", *_by_kind(campaign, graceful, "graceful")]
    lines += ["", *_by_kind(campaign, asked, "interrupting")]
    return "\n".join([*lines, ""])


def _remarkable(campaign: Campaign) -> t.Iterator[str]:
    """Yield the impacts that differ from their prediction, and the longest gaps."""
    yield "| change of the tunnel | on | predicted | seen | lost | longest gap |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for number, done in enumerate(campaign.done):
        begin, end = done.span
        events = campaign.events[done.call.side]
        happened = seen(*done.sas, [event for event in events if begin <= event["at"] <= end])
        said = told(done.real, done.sas[0]) if not done.real.failed else "refused"
        lost, gap = campaign.lost_by(number)
        if said != happened or (gap > NOTABLE_GAP and not done.change.disruptive):
            cells = [f"{number}: {done.change.kind}", done.call.side, said, happened]
            yield f"| {' | '.join(map(str, cells))} | {lost} | {gap:.0f} ms |"


def _by_kind(campaign: Campaign, numbers: list[int], title: str) -> t.Iterator[str]:
    """Yield the packets that the changed tunnel lost, for each kind of change."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for number in numbers:
        done = campaign.done[number]
        found[done.change.kind, done.call.side].append(campaign.lost_by(number))
        found["all", "ab"].append(campaign.lost_by(number))
    yield f"| {title} | on | changes | with loss | lost | longest gap |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for (kind, side), losses in sorted(found.items()):
        lossy = sum(1 for lost, _gap in losses if lost)
        lost = sum(lost for lost, _gap in losses)
        gap = max(gap for _lost, gap in losses)
        yield f"| {kind} | {side} | {len(losses)} | {lossy} | {lost} | {gap:.0f} ms |"
