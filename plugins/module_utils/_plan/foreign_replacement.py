# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What becomes of the SAs of a connection that somebody else loaded under the name of ours."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._render.strongswan.section import Section
from .children import children, starting
from .loaded import View, actual_view, expected_view
from .observed import DaemonState
from .plan import Impact
from .steps import HandOver, Initiate, Step, TerminateConnection

_OTHERWISE = "somebody else loaded it otherwise"
# The release of strongSwan that leaves an IKE SA alone whose last child it closes.
_CLOSES_CHILDREN = 6


def idle(name: str) -> Impact:
    return Impact(name, "none", "no SA of it is up")


@dataclass(frozen=True)
class Usurper:
    """A connection that somebody else loaded under the name of ours, with the SAs it has.

    list-conns does not tell whether it starts, so it is taken to: charon then closes what it takes
    for changed, strongSwan 5.9 with the IKE SA if nothing else is on that.
    """

    name: str
    section: Section
    loaded: t.Mapping[str, t.Any]
    daemon: DaemonState

    @property
    def first(self) -> tuple[Step, ...]:
        """charon would bring up the children anew on the very IKE SA that it is closing."""
        if self._touched and not self._whole and self._closes_all:
            return (TerminateConnection(self.name),)
        return ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its SAs give way to ours; the daemon has begun to bring these up where they start."""
        if not self._touched or not self._initiates:
            return ()
        waiting = tuple(child for child in self._touched if not self._starts(child))
        ids = self.daemon.child_ids.get(self.name, frozenset())
        ikes = self.daemon.ike_ids.get(self.name, frozenset()) if self._whole else frozenset()
        return (
            *(Initiate(self.name, child) for child in waiting),
            HandOver(self.name, self._touched, ids, ikes, optional=True),
        )

    @property
    def impacts(self) -> tuple[Impact, ...]:
        if self.name not in self.daemon.established:
            return (idle(self.name),)
        if not self._initiates:
            why = f"{_OTHERWISE}: it goes on until it is established anew"
            return (Impact(self.name, "pending", why),)
        why = f"{_OTHERWISE}: it is closed, and brought up again"
        if self._touched and (self._whole or self._closes_all):
            return (Impact(self.name, "ike", why),)
        return tuple(Impact(f"{self.name}/{child}", "child", why) for child in self._touched) or (
            Impact(self.name, "none", "no Child SA of it is up"),
        )

    @property
    def _closes_all(self) -> bool:
        """Whether charon closes the IKE SA with the last child that it closes."""
        last = self.daemon.established[self.name] <= {*self._touched}
        return last and self.daemon.release < _CLOSES_CHILDREN and starting(self.section)

    @property
    def _whole(self) -> bool:
        expected, actual = self._views
        return {**expected, "children": {}} != {**actual, "children": {}}

    @property
    def _views(self) -> tuple[View, View]:
        expected = expected_view(self.section)
        return expected, actual_view(self.loaded, expected)

    @property
    def _touched(self) -> tuple[str, ...]:
        """The children that are up, and not as they should be."""
        expected, actual = (view["children"] for view in self._views)
        up = self.daemon.established.get(self.name, frozenset()) & expected.keys()
        return tuple(
            child for child in sorted(up) if self._whole or expected[child] != actual.get(child)
        )

    @property
    def _initiates(self) -> bool:
        return any(child.get("start_action") != "none" for child in children(self.section).values())

    def _starts(self, child: str) -> bool:
        return "start" in str(children(self.section)[child].get("start_action"))
