# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Replace a connection that another administrator loaded under the name of a managed one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from .._render.strongswan.section import Section
from .children import any_autostarts, any_initiates, autostarts, children
from .loaded import View, actual_view, expected_view
from .observed import DaemonState
from .plan import Impact
from .steps import HandOver, Initiate, Step, TerminateConnection
from .swap.swap_impacts import no_sa

_FOREIGN = "loaded with other settings, not by this collection"
# This release of strongSwan closes the last child of an IKE SA and keeps the IKE SA.
_KEEPS_IDLE_IKE_SA = 6


@dataclass(frozen=True)
class ForeignConnection:
    """A connection that another administrator loaded under the name of a managed one.

    list-conns does not show whether its children autostart, so that they are assumed to. charon
    then closes the SAs of each changed child. strongSwan 5.9 also closes an IKE SA that has no
    Child SA left.
    """

    name: str
    section: Section
    loaded: t.Mapping[str, t.Any]
    daemon: DaemonState

    @property
    def steps_before_load(self) -> tuple[Step, ...]:
        """Return the steps before the managed connection is loaded.

        charon would initiate the new children on the IKE SA that it is closing.
        """
        if self._changed_children and not self._ike_options_changed and self._closes_ike_sa:
            return (TerminateConnection(self.name),)
        return ()

    @property
    def steps_after_load(self) -> tuple[Step, ...]:
        """Return the steps that bring up the managed SAs, and then close the unmanaged SAs."""
        if not self._changed_children or not any_initiates(self.section):
            return ()
        configured = children(self.section)
        waiting = (name for name in self._changed_children if not autostarts(configured[name]))
        child_sas = self.daemon.child_ids.get(self.name, frozenset())
        ike_sas = self.daemon.ike_ids.get(self.name, frozenset())
        if not self._ike_options_changed:
            ike_sas = frozenset()
        return (
            *(Initiate(self.name, name) for name in waiting),
            HandOver(self.name, self._changed_children, child_sas, ike_sas, optional=True),
        )

    @property
    def impacts(self) -> tuple[Impact, ...]:
        if self.name not in self.daemon.established:
            return (no_sa(self.name),)
        if not any_initiates(self.section):
            why = f"{_FOREIGN}: the IKE SA keeps these settings until it is re-established"
            return (Impact(self.name, "pending", why),)
        if self._changed_children and (self._ike_options_changed or self._closes_ike_sa):
            why = f"{_FOREIGN}: the IKE SA is closed, then re-established"
            return (Impact(self.name, "ike", why),)
        why = f"{_FOREIGN}: the Child SA is closed, then re-established"
        return tuple(
            Impact(f"{self.name}/{name}", "child", why) for name in self._changed_children
        ) or (Impact(self.name, "none", "no Child SA is up"),)

    @property
    def _closes_ike_sa(self) -> bool:
        """Return whether charon closes the IKE SA with its last child."""
        last = self.daemon.established[self.name] <= {*self._changed_children}
        return last and self.daemon.release < _KEEPS_IDLE_IKE_SA and any_autostarts(self.section)

    @property
    def _ike_options_changed(self) -> bool:
        expected, actual = self._views
        return {**expected, "children": {}} != {**actual, "children": {}}

    @cached_property
    def _views(self) -> tuple[View, View]:
        expected = expected_view(self.section)
        return expected, actual_view(self.loaded, expected)

    @cached_property
    def _changed_children(self) -> tuple[str, ...]:
        """Return the children that are up with other settings than configured."""
        expected, actual = (view["children"] for view in self._views)
        up = self.daemon.established.get(self.name, frozenset()) & expected.keys()
        return tuple(
            name
            for name in sorted(up)
            if self._ike_options_changed or expected[name] != actual.get(name)
        )
