# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The plan: check mode shows it, ``--diff`` prints it, and apply executes it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from .._render.file import File
from .steps import RemoveFile, Step, WriteFile

# From harmless to worst. `pending`: loaded, and in force when the SA is re-established.
IMPACTS = ("none", "pending", "child", "ike")


@dataclass(frozen=True)
class Difference:
    """An object before and after, as texts with every secret masked."""

    header: str
    before: str
    after: str


class LateDifference(Difference):
    """A difference whose texts are made when they are read, because most runs show no diff."""

    def __init__(self, header: str, make: t.Callable[[], tuple[str, str]]) -> None:
        object.__setattr__(self, "header", header)
        object.__setattr__(self, "_make", make)

    @cached_property
    def _texts(self) -> tuple[str, str]:
        made: tuple[str, str] = self.__dict__["_make"]()
        return made

    @property
    def before(self) -> str:
        return self._texts[0]

    @property
    def after(self) -> str:
        return self._texts[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Difference):
            return NotImplemented
        own = (self.header, self.before, self.after)
        return own == (other.header, other.before, other.after)

    def __hash__(self) -> int:
        return hash(self.header)


def state_difference(header: str, before: str, after: str) -> Difference:
    """Return the difference of a live object, each state in a few words."""
    return Difference(header, f"{before}\n", f"{after}\n")


@dataclass(frozen=True)
class Impact:
    """The effect of a plan on an SA that is up, with the reason.

    ``sa`` is the IKE SA of a connection with all its Child SAs (``site-b``), or one Child SA
    (``site-b/lan``). ``kind`` is one of ``IMPACTS``.
    """

    sa: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.sa}: {self.kind}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """Ordered steps, the differences that they make, and their impact on SAs that are up.

    ``repaired`` are the names of networks, and the paths of files under conf.d, that differ on the
    host although their description stays.
    """

    steps: tuple[Step, ...] = ()
    differences: tuple[Difference, ...] = ()
    impacts: tuple[Impact, ...] = ()
    repaired: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Return whether there are steps: Ansible's ``changed``."""
        return bool(self.steps)

    def __add__(self, other: Plan) -> Plan:
        """Return this plan, followed by the other plan."""
        return Plan(
            self.steps + other.steps,
            self.differences + other.differences,
            self.impacts + other.impacts,
            self.repaired | other.repaired,
        )

    def of(self, part: str, *, changed: bool) -> Plan:
        """Return the plan as the plan of a part, whose description is ``changed`` or not."""
        return replace(self, repaired=frozenset({part} if self.steps and not changed else ()))

    @property
    def impact(self) -> str:
        """Return the worst kind of impact."""
        return max((item.kind for item in self.impacts), key=IMPACTS.index, default="none")

    @property
    def actions(self) -> list[str]:
        return [str(step) for step in self.steps]

    @property
    def replaced(self) -> list[File]:
        """Return the files before the plan, for each file that it changes or removes."""
        files = [
            step.before if isinstance(step, WriteFile) else step.file
            for step in self.steps
            if isinstance(step, (WriteFile, RemoveFile))
        ]
        return [file for file in files if file is not None]

    @property
    def diff(self) -> list[dict[str, str]]:
        """Return the differences as Ansible prints them with ``--diff``, then the impacts."""
        shown = self.differences
        if self.impacts:
            impacts = "".join(f"{item}\n" for item in self.impacts)
            shown += (Difference("impact on the SAs that are up", "", impacts),)
        return [
            {
                "before_header": item.header,
                "after_header": item.header,
                "before": item.before,
                "after": item.after,
            }
            for item in shown
        ]


def joined(plans: t.Iterable[Plan]) -> Plan:
    """Return one plan with the steps of all plans, in their order."""
    steps: list[Step] = []
    differences: list[Difference] = []
    impacts: list[Impact] = []
    repaired: set[str] = set()
    for plan in plans:
        steps += plan.steps
        differences += plan.differences
        impacts += plan.impacts
        repaired |= plan.repaired
    return Plan(tuple(steps), tuple(differences), tuple(impacts), frozenset(repaired))
