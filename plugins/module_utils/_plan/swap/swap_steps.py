# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The steps by which a changed connection and its SAs replace the loaded ones, by decision."""

from __future__ import annotations

import typing as t

from ..._render.strongswan.section import Section
from ..alike import would_be_dropped
from ..children import (
    autostarts,
    child_name,
    children,
    initiates,
    is_parked,
    selector_texts,
    traps,
    traps_after_dpd,
    without_autostart,
)
from ..observed import DaemonState
from ..steps import (
    HandOver,
    Initiate,
    InstallTrap,
    ParkChildren,
    Step,
    SwapIn,
    TerminateChild,
    TerminateConnection,
    UninstallTrap,
    UnloadConnection,
)
from .change import ChangedConnection
from .decision import Decision

Steps = t.Iterator[Step]


def park_steps(change: ChangedConnection, decision: Decision) -> Steps:
    """Yield the steps before the file is written. They disturb no SA that carries traffic."""
    loaded = change.daemon.connections.get(change.name, {})
    if not is_parked(loaded):
        yield ParkChildren(change.name, change.loaded_section, change.in_force)
    if would_be_dropped(change.before, change.after, loaded):
        yield UnloadConnection(change.name, change.loaded_section)
    if decision in (Decision.ABANDON_ATTEMPT, Decision.CLOSE_IDLE):
        yield TerminateConnection(change.name)


def swap_in_steps(change: ChangedConnection, decision: Decision) -> Steps:
    """Yield the steps after the file is written."""
    yield from _STEPS[decision](change)
    for child in change.removed_children:
        yield from close_child(change.name, child, change.daemon)
    yield from _restored_routes(change, decision)
    yield from _uninstalled_traps(change)


def _load(change: ChangedConnection) -> Steps:
    yield _swap_in(change)


def _close_idle(change: ChangedConnection) -> Steps:
    yield _swap_in(change)
    if change.needs_new_ike_sa:
        return
    # charon initiates the changed children, but not the unchanged children of the closed attempt.
    old, new = children(change.before), children(change.after)
    for name in sorted(old.keys() & new.keys()):
        if old[name] == new[name] and autostarts(new[name]):
            yield Initiate(change.name, name)


def _defer_children(change: ChangedConnection) -> Steps:
    yield _swap_in(change, change.outdated_children)


def _defer_ike(change: ChangedConnection) -> Steps:
    yield _swap_in(change, children(change.after))


def _swap(change: ChangedConnection) -> Steps:
    yield _swap_in(change)
    yield from _new_sas(change)


def _reestablish_children(change: ChangedConnection) -> Steps:
    for child in change.outdated_children:
        yield TerminateChild(change.name, child)
    yield from _swap(change)


def _reestablish_ike(change: ChangedConnection) -> Steps:
    # Without a child to bring up again, the IKE SA is closed as by a swap.
    if change.outdated_children:
        yield TerminateConnection(change.name)
    yield from _swap(change)


_STEPS: dict[Decision, t.Callable[[ChangedConnection], Steps]] = {
    Decision.LOAD: _load,
    Decision.ABANDON_ATTEMPT: _close_idle,
    Decision.CLOSE_IDLE: _close_idle,
    Decision.KEEP: _load,
    Decision.DEFER_CHILDREN: _defer_children,
    Decision.DEFER_IKE: _defer_ike,
    Decision.SWAP_CHILDREN: _swap,
    Decision.SWAP_IKE: _swap,
    Decision.REESTABLISH_CHILDREN: _reestablish_children,
    Decision.REESTABLISH_IKE: _reestablish_ike,
}


def _swap_in(change: ChangedConnection, deferred: t.Container[str] = ()) -> SwapIn:
    """Return the step that loads the connection, without the start of ``deferred`` children."""
    section = without_autostart(change.after, deferred)
    return SwapIn(change.name, section, change.loaded_section, change.in_force)


def _new_sas(change: ChangedConnection) -> Steps:
    """Yield the steps that bring up new SAs of outdated children, and then close the old SAs."""
    new = children(change.after)
    awaited = tuple(name for name in change.outdated_children if initiates(new[name]))
    for name in awaited:
        # charon initiates an autostarting child, unless it takes the child for unchanged.
        if not autostarts(new[name]) or change.has_parked_name(name):
            yield Initiate(change.name, name)
    ike_sas = change.ike_sas if change.new_keys else change.outdated_ike_sas
    if awaited or (ike_sas and not change.outdated_children):
        yield HandOver(change.name, awaited, change.child_sas, ike_sas)


def close_child(connection: str, child: str, daemon: DaemonState) -> Steps:
    """Yield the steps that close the SAs and remove the trap of a child that is not configured."""
    for name in sorted(daemon.established.get(connection, ())):
        if name == child or child_name(name) == child:
            yield TerminateChild(connection, name)
    # load-conn and unload-conn do not know a trap that DPD left, or that was renamed.
    if (connection, child) in daemon.traps:
        yield UninstallTrap(connection, child)


def _restored_routes(change: ChangedConnection, decision: Decision) -> Steps:
    """Yield the steps that restore routes which charon removes with an old policy.

    charon has a single owner for a route into a remote network: the policy that came first. It
    looks for no other owner when that policy goes. Installing a trap again restores the route.
    """
    old = children(change.before)
    swapped = decision in (Decision.SWAP_CHILDREN, Decision.SWAP_IKE)
    closed = (*(change.outdated_children if swapped else ()), *change.removed_children)
    closed_sections = [old[name] for name in closed if name in old]
    for name, child in sorted(children(change.after).items()):
        if traps(child) and any(_shares_route(section, child) for section in closed_sections):
            yield InstallTrap(change.name, name)


def _shares_route(one: Section, other: Section) -> bool:
    """Return whether the policies of two children differ, but lead to a common network."""
    local, remote = (frozenset(selector_texts(one, side)) for side in ("local", "remote"))
    other_local, other_remote = (
        frozenset(selector_texts(other, side)) for side in ("local", "remote")
    )
    differ = (local, remote) != (other_local, other_remote)
    return differ and not remote.isdisjoint(other_remote)


def _uninstalled_traps(change: ChangedConnection) -> Steps:
    """Yield the steps that remove traps which parked children have kept."""
    for name, child in sorted(children(change.after).items()):
        trapped = (change.name, name) in change.daemon.traps
        if trapped and not traps(child) and not traps_after_dpd(child):
            yield UninstallTrap(change.name, name)
