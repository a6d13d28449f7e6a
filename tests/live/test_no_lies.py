# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module does exactly what check mode reports, for random runs in a random order.

The test tries ``SEQUENCES`` random sequences of runs, from the seed ``FIRST`` on. ``make live
TEST=no_lies FIRST=... SEQUENCES=1`` repeats a failed sequence. Even sequences run on one release,
odd sequences on the other.
"""

from __future__ import annotations

import collections
import copy
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.entries import merged_entry
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PSK, Rig
from ansible_collections.tunnelwright.ipsec.tests.live.sequences import (
    FOREIGN_TABLE,
    NETWORKS,
    OTHER_PSK,
    Call,
    Generator,
    World,
)

CALLS = 6
# The keys that check mode and the real run report alike.
ALIKE = ("failed", "msg", "changed", "impact", "impacts", "actions", "diff")
# Seconds that the test waits for a negotiation. The negotiation with another key never succeeds.
PATIENCE = 2.0

State = dict[str, t.Any]


@pytest.mark.drawn
def test_no_lies(rigs: dict[str, Rig], sequences: range, capsys: t.Any) -> None:
    started = time.monotonic()
    outcomes: collections.Counter[str] = collections.Counter()

    def on(index: int, rig: Rig) -> list[str]:
        mine = [seed for seed in sequences if seed % len(rigs) == index]
        return tell(rig, mine, outcomes)

    with ThreadPoolExecutor() as pool:
        found = pool.map(on, range(len(rigs)), rigs.values())
        lies = [lie for some in found for lie in some]
    rate = 60 * len(sequences) / (time.monotonic() - started)
    calls = ", ".join(f"{number} {what}" for what, number in sorted(outcomes.items()))
    with capsys.disabled():
        print(f"\n{len(sequences)} sequences, {rate:.0f} a minute. Results of the calls: {calls}")
    assert not lies, "\n\n".join(lies)


def tell(rig: Rig, seeds: t.Iterable[int], outcomes: collections.Counter[str]) -> list[str]:
    """Run the sequences, count the outcomes of the runs, and return the failures."""
    lies = []
    rig.device.sh("nft -f -", FOREIGN_TABLE)
    for seed in seeds:
        rig.device.wipe()
        story = Story(rig, seed)
        try:
            story.tell()
            outcomes.update(story.outcomes)
        except AssertionError as lie:
            lies.append(f"FIRST={seed} on {rig.release}\n{story}\n{lie}")
    return lies


class Story:
    """One sequence. ``str`` returns the calls so far, and the current step."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.device: Host = rig.device
        self.generator = Generator(seed, rig)
        self.world = World()
        self.calls: list[Call] = []
        self.told = ""
        self.outcomes: list[str] = []
        self.state: State = {}

    def __str__(self) -> str:
        calls = "\n".join(f"  {number + 1}. {call}" for number, call in enumerate(self.calls))
        return f"{calls}\n  {self.told}"

    def tell(self) -> None:
        empty = self.device.state()
        for call in self.generator.given():
            self.calls.append(call)
            self.done(call)
            self.world.note(call)
        self.settle()
        self.state = self.device.state()
        for _number in range(CALLS):
            self.call(self.generator.call(self.world))
        self.outlives("swanctl --load-all")
        self.outlives("systemctl restart strongswan")
        made = self.state
        self.nothing_to_do()
        self.told = "everything removed"
        self.remove()
        same(empty, self.device.state(), "differs from the empty host", but=LASTING)
        self.told = "only the last values"
        for call in [self.world.whole()] if self.generator.whole else self.world.calls():
            self.done(call)
        same(made, self.device.state(), "differs from the end of the sequence")

    def call(self, call: Call) -> None:
        """Run a module in check mode, without check mode, and once more.

        Check mode must predict the real run, and the last run must change nothing.
        """
        noted = call
        if self.generator.merges():
            part = self.generator.part(call, self.world)
            noted = self.world.merged(part)
            call = Call("ipsec_gateway", merged_entry(part.module, part.options))
            self.alike(call, self.world.as_gateway(noted))
        elif self.generator.whole:
            call = self.world.as_gateway(call)
        self.calls.append(call)
        self.told = "in check mode"
        check = self.run(call, check=True)
        same(self.state, self.device.state(), "changes something")
        self.told = "for real"
        self.settle()
        real = self.run(call)
        assert check.failed or not real.failed, real.result["msg"]
        for key in (*ALIKE, call.module, "summary", "objects"):
            same(check.result.get(key), real.result.get(key), f"{key} differs from check mode")
        # Only the real run can report a value that a peer does not accept.
        for warning in check.result.get("warnings", ()):
            assert warning in real.result.get("warnings", ()), f"does not warn: {warning}"
        self.settle()
        before, self.state = self.state, self.device.state()
        self.outcomes.append(_outcome(real))
        if real.failed:
            same(before, self.state, "fails and changes something")
            return
        if not real.changed:
            same(before, self.state, "reports no change, but the state differs")
            assert not real.writing, f"reports no change, but sends {real.writing}"
        self.world.note(noted)
        self.told = "once more"
        self.idle(call)

    def alike(self, merged: Call, whole: Call) -> None:
        """Check that a merged entry predicts what an entry with all options predicts."""
        self.told = f"{merged}, which is a part of {whole}"
        one, other = self.run(merged, check=True), self.run(whole, check=True)
        for key in ("failed", "changed", "impact", "actions", "summary", "objects"):
            same(one.result.get(key), other.result.get(key), f"{key} differs")

    def idle(self, call: Call) -> None:
        """Check that a run with the same options changes nothing and reports no change."""
        again = self.run(call)
        assert not again.failed, again.result["msg"]
        assert not again.changed, f"changes {again.result['actions']} {again.result.get('diff')}"
        assert again.result["impact"] == "none", again.result["impact"]
        assert not again.writing, f"sends {again.writing}"

    def nothing_to_do(self) -> None:
        for call in [*self.world.calls(), self.world.whole()]:
            self.told = f"at the end, {call}"
            self.idle(call)
        same(self.state, self.device.state(), "changes something")

    def outlives(self, command: str) -> None:
        self.told = command
        self.device.sh(f"{command} 2>&1")
        self.settle()
        before, self.state = self.state, self.device.state()
        same(with_autostart(before), with_autostart(self.state), "changes something")

    def remove(self) -> None:
        if self.generator.whole:
            self.done(World().whole())
            return
        for name in reversed(NETWORKS):
            self.done(Call("vpn_network", {"name": name, "state": "absent", "force": True}))

    def done(self, call: Call) -> Run:
        run = self.run(call)
        assert not run.failed, f"{call}: {run.result['msg']}"
        return run

    def run(self, call: Call, *, check: bool = False) -> Run:
        run = self.device.run(call.module, call.options, check=check)
        told = str(run.result)
        assert PSK not in told, "the PSK is shown"
        assert OTHER_PSK not in told, "the PSK is shown"
        return run

    def settle(self) -> None:
        """Wait until all negotiations have ended, if the peers answer."""
        deadline = time.monotonic() + PATIENCE
        while self.generator.live and self.device.busy() and time.monotonic() < deadline:
            time.sleep(0.03)


def with_autostart(state: State) -> State:
    """Return a state without the mark of children that a deferred change has loaded without start.

    charon loads these children from their file, and so with their start.
    """
    connections = copy.deepcopy(state["connections"])
    for connection in connections.values():
        for child in connection.get("children", {}).values():
            child.pop("close_action", None)
    return {**state, "connections": connections}


def _outcome(run: Run) -> str:
    if run.failed:
        return "refused"
    return f"of impact {run.result['impact']}" if run.changed else "idle"


# Settings that a host keeps after its first network.
LASTING = ("forwarding",)


def same(before: t.Any, after: t.Any, what: str, but: t.Sequence[str] = ()) -> None:
    """Check that two states are equal. The error shows only the differences."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after} - {*but}):
            if key not in before or key not in after:
                shown = before.get(key, "nothing"), after.get(key, "nothing")
                raise AssertionError(f"{what}: {key}: {shown[0]}, then {shown[1]}")
            same(before[key], after[key], f"{what}: {key}")
        return
    if isinstance(before, list) and isinstance(after, list):
        gone = [item for item in before if item not in after]
        come = [item for item in after if item not in before]
        if gone or come:
            raise AssertionError(f"{what}: removed {gone}, added {come}")
    raise AssertionError(f"{what}: {before}, then {after}")
