# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change and its reversal, killed many times, each time at another effect."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field

import draw
from ansible_collections.tunnelwright.ipsec.tests.live.faults import AFTER, BEFORE
from ansible_collections.tunnelwright.ipsec.tests.live.host import Event, Host, Options, Run, Sas
from ansible_collections.tunnelwright.ipsec.tests.live.impact import named
from ansible_collections.tunnelwright.ipsec.tests.live.rig import Rig

State = dict[str, t.Any]
Task = tuple[str, Options]
Tasks = t.Callable[[Rig], list[Task]]

# The next run after an interrupted run: the same run, the run that reverts it, or the same run
# after the operator has loaded all files.
AGAIN, REGRETTED, LOADED = FOLLOWS = ("again", "regretted", "loaded")

TRIAL = "tunnelwright-trial"
ASIDE = ".replaced"
# Files that stay in /run: locks, the list of IKE SAs with replaced values, and the known Gateway.
KEPT = {
    "tunnelwright.lock",
    "tunnelwright.trace.lock",
    "tunnelwright.pending",
    "tunnelwright.known",
}


@dataclass(frozen=True)
class Scenario:
    """A change from the play ``old`` to the play ``new``, and back again.

    ``kills`` is the index of the killed task in a play. The tasks before it run to their end. With
    ``graceful`` the tunnel is never down. ``renews`` names the SAs that the change replaces.
    ``authenticates`` holds whether a new IKE SA comes up with the old play, and with the new play.
    """

    label: str
    old: Tasks
    new: Tasks
    kills: int = 0
    graceful: bool = True
    renews: str = ""
    authenticates: tuple[bool, bool] | None = None

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Side:
    """One end of a change: the play that leads there, and the state of the device there."""

    tasks: list[Task]
    state: State
    values: t.Mapping[str, t.Any]
    children: tuple[str, ...]
    authenticates: bool | None = None


@dataclass(frozen=True)
class Point:
    """A point at which a run is killed, and the run that follows."""

    number: int
    when: str
    effect: str
    follow: str

    def __str__(self) -> str:
        return f"killed {self.when} effect {self.number} ({self.effect}), then {self.follow}"


@dataclass
class Walk:
    """One scenario on one device. ``sides`` are old and new, ``todo`` are the kills still to do."""

    rig: Rig
    scenario: Scenario
    sides: tuple[Side, Side] = field(init=False)
    # The state after the killed task of each direction, when the task is not killed.
    through: list[State] = field(default_factory=list)
    todo: tuple[list[Point], list[Point]] = field(init=False)
    done: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def device(self) -> Host:
        return self.rig.device

    def record(self, share: float, seed: str) -> None:
        """Run forth and back without a kill, and draw ``share`` of the kill points."""
        old, new = self.scenario.old(self.rig), self.scenario.new(self.rig)
        self._clean()
        for task in old:
            self.device.apply(*task)
        before = self._side(old, 0)
        forth = self._counted(new)
        after = self._side(new, 1)
        back = self._counted(old)
        assert differing(self._side(old, 0).state, before.state) == {}, (
            "the reversal leads to another state"
        )
        self.sides = (before, after)
        chance = random.Random(f"{seed} {self.scenario} {self.rig.release}")
        self.todo = (_chosen(forth, share, chance), _chosen(back, share, chance))

    def go(self) -> None:
        at = 0
        while self.todo[0] or self.todo[1]:
            if not self.todo[at]:
                at = self._reach(1 - at)
                continue
            point = self.todo[at].pop()
            try:
                at = self.die(at, point)
            except AssertionError as error:
                where = f"{self.rig.release}, {self.scenario} {'back' if at else 'forth'}, {point}"
                self.failures.append(f"{where}:\n    {error}")
                print(f"\n{self.failures[-1]}", flush=True)
                self._clean()
                at = self._reach(0)

    def _reach(self, side: int) -> int:
        for task in self.sides[side].tasks:
            self.device.apply(*task)
        self._wait(self.sides[side])
        return side

    def _clean(self) -> None:
        """Clean the device, so that a failure does not cause other failures."""
        self.device.ask("request", command="unload-conn", message={"name": TRIAL})
        self.device.sh("rm -f /run/tunnelwright.unfinished* /run/tunnelwright.pending.new")
        for name in ("site-b", "site-d"):
            self.device.apply("ipsec_phase1", {"name": name, "network": "lan", "state": "absent"})

    def die(self, at: int, point: Point) -> int:
        """Kill a run between two sides, run the next play, and return the side after it."""
        here, there = self.sides[at], self.sides[1 - at]
        device = self.device
        before = device.sas()
        kills = self.scenario.kills
        with device.listening(after=0.2) as events:
            for task in there.tasks[:kills]:
                device.apply(*task)
            self.done += device.killed(*there.tasks[kills], number=point.number, when=point.when)
            device.ask("settled")
            between = device.state()
            check_between(between, here.state, self.through[at])
            if point.follow == LOADED:
                loaded = device.sh("swanctl --load-all --noprompt 2>&1")
                assert "failed" not in loaded, loaded
            target = 1 - at if point.follow != REGRETTED else at
            self._resume(self.sides[target])
        self.check_events(before, events, at, point)
        self._check_there(self.sides[target])
        if target != at and point.follow == AGAIN:
            self._check_renewed(before)
        return target

    def _resume(self, side: Side) -> None:
        for task in side.tasks:
            self.device.apply(*task)
        for task in side.tasks:
            again = self.device.apply(*task)
            assert not again.changed, f"the second run changed: {told(again)}"
            assert not again.writing, f"the second run sent {again.writing}"
        if side.authenticates is None:
            self._wait(side)

    def _check_there(self, side: Side) -> None:
        device = self.device
        if side.authenticates is not None:
            assert self._authenticates() == side.authenticates, "another secret is loaded"
        odd = differing(device.state(), side.state)
        assert not odd, f"state, and state after an undisturbed run: {odd}"
        left = set(device.sh("ls -a /run | grep ^tunnelwright || true").split()) - KEPT
        assert not left, f"left in /run: {left}"
        if side.children and side.authenticates is not False:
            odd = differing(self._values(), side.values)
            assert not odd, f"SAs, and SAs after an undisturbed run: {odd}"

    def _authenticates(self) -> bool:
        """Return whether a new IKE SA comes up, because the daemon shows no secret."""
        message = {"ike": "site-b", "force": "yes", "timeout": "2000"}
        self.device.ask("request", command="terminate", message=message)
        message = {"ike": "site-b", "child": "net", "timeout": "5000"}
        return "answer" in self.device.ask("request", command="initiate", message=message)

    def _check_renewed(self, before: Sas) -> None:
        after = self.device.sas()
        if self.scenario.renews == "ike" and before.ike.get("site-b"):
            assert not before.ike["site-b"] & after.ike["site-b"], "the old IKE SA is up"
        elif self.scenario.renews == "child" and before.child.get("site-b/net"):
            assert not before.child["site-b/net"] & after.child["site-b/net"], "the old SA is up"

    def check_events(self, before: Sas, events: list[Event], at: int, point: Point) -> None:
        for event in events:
            other = [sa for sa in named(event) if not sa.startswith("site-b")]
            assert not other, f"event of another tunnel: {other} {event['kind']}"
            assert event["kind"] != "lost", event
        both = set(self.sides[0].children) & set(self.sides[1].children)
        if self.scenario.graceful and point.follow != LOADED:
            for child in both & before.child.keys():
                assert child not in gaps(before, events), f"{child} was down for a while"

    def _counted(self, tasks: list[Task]) -> tuple[str, ...]:
        kills = self.scenario.kills
        for task in tasks[:kills]:
            self.device.apply(*task)
        effects = self.device.counted(*tasks[kills]).effects
        self.through.append(self.device.state())
        for task in tasks[kills + 1 :]:
            self.device.apply(*task)
        return effects

    def _side(self, tasks: list[Task], number: int) -> Side:
        children = tuple(_children(tasks))
        if any(options.get("state") in ("disabled", "absent") for _m, options in tasks):
            children = ()
        if children:
            self.device.wait_for(*children)
        likely = self.scenario.authenticates
        return Side(
            tasks,
            self.device.state(),
            self._values(),
            children,
            likely[number] if likely else None,
        )

    def _wait(self, side: Side) -> None:
        if side.authenticates is not None:
            self._authenticates()
        elif side.children:
            self.device.wait_for(*side.children, seconds=5)

    def _values(self) -> dict[str, t.Any]:
        """Return the negotiated values."""
        found: dict[str, t.Any] = {}
        for sa in self.device.ask("sas")["sas"]:
            found[sa["name"]] = {
                key: sa.get(key) for key in ("version", "encr-alg", "encr-keysize")
            }
            for child in sa.get("child-sas", {}).values():
                keys = ("state", "encr-alg", "encr-keysize", "local-ts", "remote-ts")
                found[f"{sa['name']}/{child['name']}"] = {key: child.get(key) for key in keys}
        return found


def _children(tasks: list[Task]) -> t.Iterator[str]:
    """Yield the Child SAs that come up with the tasks."""
    for module, options in tasks:
        if module == "ipsec_phase2" and options.get("state") != "absent":
            yield f"{options['phase1']}/{options['name']}"
        for entry in options["phase1"] if module == "ipsec_gateway" else ():
            if entry.get("connection_behavior") == "start":
                yield from (f"{entry['name']}/{child['name']}" for child in entry["phase2"])


def _chosen(effects: tuple[str, ...], share: float, chance: random.Random) -> list[Point]:
    """Return points before each effect, and right after each request or start of a program.

    The IKE daemon or the program continues after the death of the run.
    """
    points = []
    for number, effect in enumerate(effects):
        for when in (BEFORE, AFTER) if effect.startswith(("vici ", "run ")) else (BEFORE,):
            points.append(Point(number, when, effect, AGAIN))
            points.append(Point(number, when, effect, chance.choice((REGRETTED, LOADED))))
    # A call that changes nothing has no points.
    if draw.part():
        return draw.sample(points, draw.PARTS)
    return chance.sample(points, min(len(points), max(1, round(len(points) * share))))


def check_between(between: State, old: State, new: State) -> None:
    """Check that each object is in its old or its new state."""
    for path in {*between["files"], *old["files"], *new["files"]}:
        if not path.rpartition("/")[2].startswith(".tunnelwright") and "/." not in path:
            allowed = (old["files"].get(path), new["files"].get(path))
            assert between["files"].get(path) in allowed, f"{path} is neither old nor new"
    for path, noted in between["interfaces"].items():
        known = (*old["interfaces"].get(path, ()), *new["interfaces"].get(path, ()))
        assert all(item in known for item in noted), f"{path} names an unknown interface"
    assert between["nft"] in (old["nft"], new["nft"]), "the rules are neither old nor new"
    for name in {*between["connections"], *old["connections"], *new["connections"]} - {TRIAL}:
        sides = [side["connections"].get(name) for side in (old, new)]
        sides += [aside(side) for side in sides if side]
        assert between["connections"].get(name) in sides, f"{name} is neither old nor new"
    for kind in ("secrets", "private_keys"):
        assert set(between[kind]) <= {*old[kind], *new[kind]}, f"{kind}: {between[kind]}"


def aside(view: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    children = {f"{name}{ASIDE}": child for name, child in view["children"].items()}
    return {**view, "children": children}


def gaps(before: Sas, events: t.Sequence[Event]) -> set[str]:
    """Return the children that lost their last SA at some moment."""
    up = {name: set(ids) for name, ids in before.child.items()}
    found = set()
    for event in events:
        if event["kind"] != "child-updown":
            continue
        for connection, sa in event["message"].items():
            for child in sa.get("child-sas", {}).values() if isinstance(sa, dict) else ():
                name = f"{connection}/{child['name']}"
                if "up" in event["message"]:
                    up.setdefault(name, set()).add(child["uniqueid"])
                else:
                    up.setdefault(name, set()).discard(child["uniqueid"])
                if not up[name]:
                    found.add(name)
    return found


def differing(one: State, other: State) -> dict[str, t.Any]:
    """Return the differences of two states, as pairs of values."""
    found = {}
    for key in one:
        if one[key] == other[key]:
            continue
        if isinstance(one[key], dict):
            names = {*one[key], *other[key]}
            found[key] = {
                name: (one[key].get(name), other[key].get(name))
                for name in names
                if one[key].get(name) != other[key].get(name)
            }
        else:
            found[key] = (one[key], other[key])
    return found


def told(run: Run) -> t.Any:
    return run.result["actions"], run.result.get("diff")
