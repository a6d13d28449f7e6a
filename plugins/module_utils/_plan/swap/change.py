# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare a changed connection with the SAs that are up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..._render.strongswan.section import Section
from ..alike import alike, respelled, sent
from ..children import (
    any_initiates,
    autostarts,
    child_name,
    children,
    children_without_autostart,
    without_autostart,
)
from ..in_force import NOTHING, InForce, child_part, differing, ike_part, values
from ..observed import DaemonState
from .decision import Facts


@dataclass(frozen=True)
class ChangedConnection:
    """A connection that is loaded as ``before`` and is to be loaded as ``after``.

    ``new_keys`` are the options of changed keys, with which the peers must authenticate again.
    """

    name: str
    before: Section
    after: Section
    daemon: DaemonState
    new_keys: tuple[str, ...] = ()

    @cached_property
    def facts(self) -> Facts:
        """Return the facts on which the decision depends."""
        old, new = children(self.before), children(self.after)
        outdated = self.outdated_children
        return Facts(
            ike_sa_up=self.name in self.daemon.established,
            children_up=bool(self.children_up),
            idle_ike_sa=self.name in self.daemon.ike_ids and not self.children_up,
            children_changed=any(new.get(name) != old[name] for name in old),
            needs_new_ike_sa=self.needs_new_ike_sa,
            outdated=bool(outdated),
            all_affected=self.children_up <= {*outdated, *self.removed_children},
            initiates=any_initiates(self.after),
            unnoticed=alike(self.before, self.after) and respelled(self.before, self.after),
        )

    @cached_property
    def children_up(self) -> frozenset[str]:
        """Return the configured names of the children that carry traffic, parked or not."""
        return frozenset(child_name(name) for name in self.daemon.established.get(self.name, ()))

    @property
    def ike_sas(self) -> frozenset[str]:
        """Return the unique ids of all IKE SAs of the connection."""
        return self.daemon.ike_ids.get(self.name, frozenset())

    @property
    def child_sas(self) -> frozenset[str]:
        """Return the unique ids of all Child SAs of the connection."""
        return self.daemon.child_ids.get(self.name, frozenset())

    @property
    def ike_options_changed(self) -> bool:
        """Return whether options outside the children changed."""
        return {**sent(self.before), "children": {}} != {**sent(self.after), "children": {}}

    @property
    def needs_new_ike_sa(self) -> bool:
        """Return whether this change, or a pending one, can't be applied to the IKE SA."""
        return bool(self.new_keys or self.outdated_ike_sas)

    @cached_property
    def outdated_ike_sas(self) -> frozenset[str]:
        """Return the unique ids of the IKE SAs that have other values than configured."""
        wanted = ike_part(self.after)
        return frozenset(key for key, part in self.in_force.ikes.items() if part != wanted)

    @cached_property
    def outdated_children(self) -> tuple[str, ...]:
        """Return the configured children that are up with other values than configured."""
        old, new = children(self.before), children(self.after)
        return tuple(
            name
            for name in sorted(self.children_up & new.keys())
            if self.needs_new_ike_sa
            or self.has_parked_name(name)
            or self._is_outdated(name, old.get(name), new[name])
        )

    def _is_outdated(self, name: str, old: Section | None, new: Section) -> bool:
        parts = [part for child, part in self.in_force.children.values() if child == name]
        if not parts:
            parts = [child_part(old)] if old is not None else [{}]
        if autostarts(new):
            # charon initiates the child unless an SA with exactly these values is up.
            return any(part != child_part(new) for part in parts)
        return any(values(part) != values(child_part(new)) for part in parts)

    def has_parked_name(self, child: str) -> bool:
        """Return whether the peer made the SA of a child while the child was parked."""
        return child not in self.daemon.established.get(self.name, ())

    @property
    def removed_children(self) -> tuple[str, ...]:
        return tuple(sorted(children(self.before).keys() - children(self.after).keys()))

    @cached_property
    def in_force(self) -> InForce:
        """Return the values of each SA: ``before``, unless an older value is noted."""
        noted = self.daemon.pending.get(self.name, NOTHING)
        names = self.daemon.child_names.get(self.name, {}).items()
        return noted.beside(
            self.before, self.ike_sas, {key: child_name(name) for key, name in names}
        )

    @property
    def loaded_section(self) -> Section:
        """Return ``before`` as charon has it, which may be without the start of some children."""
        loaded = self.daemon.connections.get(self.name, {})
        return without_autostart(self.before, children_without_autostart(loaded))

    def changed_child_options(self, child: str) -> str:
        """Return the options in which a child differs from its SAs or from the loaded child."""
        new = children(self.after)[child]
        parts = [part for name, part in self.in_force.children.values() if name == child and part]
        pairs = [(part, child_part(new)) for part in parts]
        pairs.append((children(self.before).get(child, {}), new))
        return ", ".join(sorted({key for old, new in pairs for key in differing(old, new)}))

    def changed_options(self) -> tuple[str, ...]:
        """Return the options that changed; children are left out when IKE options changed."""
        if not self.ike_options_changed:
            return (*self.new_keys, *differing(self.before, self.after))
        wanted = ike_part(self.after)
        parts = [part for part in self.in_force.ikes.values() if part] or [ike_part(self.before)]
        return (*self.new_keys, *sorted({key for part in parts for key in differing(part, wanted)}))

    @property
    def earlier_change_pending(self) -> bool:
        """Return whether only an earlier, pending change makes a new IKE SA necessary."""
        return bool(self.outdated_ike_sas) and not self.ike_options_changed
