# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The impact of a changed connection on the SAs that are up, by decision."""

from __future__ import annotations

import typing as t

from ..children import children
from ..plan import Impact
from .change import ChangedConnection
from .decision import Decision

Impacts = tuple[Impact, ...]


def swap_impacts(change: ChangedConnection, decision: Decision) -> Impacts:
    """Return the impact on each SA of the connection that is up."""
    return _IMPACTS[decision](change)


def no_sa(name: str) -> Impact:
    """Return the impact on a connection without an SA that is up."""
    return Impact(name, "none", "no SA is up")


def _load(change: ChangedConnection) -> Impacts:
    if change.facts.ike_sa_up:
        return (Impact(change.name, "none", "no Child SA is up"),)
    return (no_sa(change.name),)


def _close_idle(change: ChangedConnection) -> Impacts:
    return (Impact(change.name, "ike", "the IKE SA carries no Child SA and is closed"),)


def _keep(change: ChangedConnection) -> Impacts:
    # No child is outdated, so that no text is needed for one.
    return tuple(_impact_on(change, child, "none", "") for child in sorted(change.children_up))


def _defer_children(change: ChangedConnection) -> Impacts:
    how = _deferred("Child SA")
    return tuple(_impact_on(change, child, "pending", how) for child in sorted(change.children_up))


def _defer_ike(change: ChangedConnection) -> Impacts:
    # The impact on the IKE SA holds for every Child SA that stays on it.
    removed = (child for child in change.removed_children if child in change.children_up)
    return (
        Impact(change.name, "pending", f"{_changed(change)}: {_deferred('IKE SA')}"),
        *(_impact_on(change, child, "child", "") for child in removed),
    )


def _swap_children(change: ChangedConnection) -> Impacts:
    how = _swapped("Child SA")
    return tuple(_impact_on(change, child, "child", how) for child in sorted(change.children_up))


def _swap_ike(change: ChangedConnection) -> Impacts:
    return (Impact(change.name, "ike", f"{_changed(change)}: {_swapped('IKE SA')}"),)


def _reestablish_children(change: ChangedConnection) -> Impacts:
    how = reestablished("Child SA", initiates=change.facts.initiates)
    return tuple(_impact_on(change, child, "child", how) for child in sorted(change.children_up))


def _reestablish_ike(change: ChangedConnection) -> Impacts:
    how = reestablished("IKE SA", initiates=change.facts.initiates)
    return (Impact(change.name, "ike", f"{_changed(change)}: {how}"),)


_IMPACTS: dict[Decision, t.Callable[[ChangedConnection], Impacts]] = {
    Decision.LOAD: _load,
    Decision.ABANDON_ATTEMPT: _load,
    Decision.CLOSE_IDLE: _close_idle,
    Decision.KEEP: _keep,
    Decision.DEFER_CHILDREN: _defer_children,
    Decision.DEFER_IKE: _defer_ike,
    Decision.SWAP_CHILDREN: _swap_children,
    Decision.SWAP_IKE: _swap_ike,
    Decision.REESTABLISH_CHILDREN: _reestablish_children,
    Decision.REESTABLISH_IKE: _reestablish_ike,
}


def _impact_on(change: ChangedConnection, child: str, kind: str, how: str) -> Impact:
    """Return the impact on a Child SA: ``kind`` and ``how`` are for an outdated one."""
    sa = f"{change.name}/{child}"
    if child in change.removed_children:
        return Impact(sa, "child", "no longer configured: the Child SA is closed")
    if child not in change.outdated_children:
        return Impact(sa, "none", _why_kept(change, child))
    return Impact(sa, kind, f"{change.changed_child_options(child)} changed: {how}")


def _why_kept(change: ChangedConnection, child: str) -> str:
    same = children(change.before).get(child) == children(change.after)[child]
    if same and not change.ike_options_changed:
        return "not changed"
    return "the Child SA already has the configured values"


def _changed(change: ChangedConnection) -> str:
    earlier = ", and an earlier change is pending" if change.earlier_change_pending else ""
    return f"{', '.join(change.changed_options())} changed{earlier}"


def _deferred(sa: str) -> str:
    return (
        f"the {sa} keeps the old values until it is re-established; "
        "a rekey does not apply the new values"
    )


def _swapped(sa: str) -> str:
    return f"a new {sa} is brought up, then the old {sa} is closed"


def reestablished(sa: str, *, initiates: bool) -> str:
    """Return the text for an SA that is closed before a new SA comes up."""
    if initiates:
        return f"the {sa} is closed, then re-established"
    return f"the {sa} is closed until the peer re-establishes it"
