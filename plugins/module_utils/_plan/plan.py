# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The plan: one object that check mode shows, diff prints and apply executes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._render.file import File
from .steps import RemoveFile, Step, WriteFile

# From harmless to worst. `pending`: loaded, in force only when the SA is negotiated anew.
IMPACTS = ("none", "pending", "child", "ike")


@dataclass(frozen=True)
class Difference:
    """One object before and after, as text with every secret masked."""

    header: str
    before: str
    after: str


@dataclass(frozen=True)
class Impact:
    """What becomes of an SA that is up, and why.

    ``sa`` is the IKE SA of a connection (``site-b``) with all that is on it, or one of its Child
    SAs (``site-b/lan``). ``kind`` is one of ``IMPACTS``.
    """

    sa: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.sa}: {self.kind}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """Ordered steps, what they change, and what becomes of SAs that are up."""

    steps: tuple[Step, ...] = ()
    differences: tuple[Difference, ...] = ()
    impacts: tuple[Impact, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do: Ansible's ``changed``."""
        return bool(self.steps)

    def __add__(self, other: Plan) -> Plan:
        """Both plans, this one first."""
        return Plan(
            self.steps + other.steps,
            self.differences + other.differences,
            self.impacts + other.impacts,
        )

    @property
    def impact(self) -> str:
        """The worst of all."""
        return max((item.kind for item in self.impacts), key=IMPACTS.index, default="none")

    @property
    def actions(self) -> list[str]:
        return [str(step) for step in self.steps]

    @property
    def replaced(self) -> list[File]:
        """The files, as they were found, that it changes or removes."""
        found = [
            step.before if isinstance(step, WriteFile) else step.file
            for step in self.steps
            if isinstance(step, (WriteFile, RemoveFile))
        ]
        return [file for file in found if file is not None]

    @property
    def diff(self) -> list[dict[str, str]]:
        """In the form that Ansible prints with ``--diff``; what it does to SAs comes last."""
        shown = self.differences
        if self.impacts:
            told = "".join(f"{item}\n" for item in self.impacts)
            shown += (Difference("impact on the SAs that are up", "", told),)
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
    """The plans one after the other."""
    steps: list[Step] = []
    differences: list[Difference] = []
    impacts: list[Impact] = []
    for plan in plans:
        steps += plan.steps
        differences += plan.differences
        impacts += plan.impacts
    return Plan(tuple(steps), tuple(differences), tuple(impacts))
