# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Make before break: wait for the new SAs of a connection, then close the old SAs.

All connections of a plan negotiate at once. The waits for them begin at one time, so that a
thousand silent peers take as long as one.
"""

from __future__ import annotations

import time
import typing as t

from ..._plan.children import (
    child_name,
    children,
    initiates,
    is_parked,
    with_parked_children,
)
from ..._plan.steps import HandOver, SwapBack
from ..vici.client import Vici
from ..vici.message import ChildState, IkeState

# In seconds. charon needs almost three minutes for a silent peer. The old SAs stay up meanwhile.
PATIENCE_S = 30.0
POLL_S = 0.2
# Without a negotiation for this time, in seconds, the peer has refused.
IDLE_MEANS_REFUSED_S = 2.0
# The last packets of the peer on the old SA may arrive this long after the new SA, in seconds.
DRAIN_S = 1.0


def hand_over(vici: Vici, step: HandOver, since: float | None = None) -> str | None:
    """Close the old SAs when the new SAs are up. Return a warning if nothing was closed.

    ``since`` is the time since which the new SAs are negotiated (``time.monotonic``), default now.
    """
    waiting = _wait(vici, step, since)
    if waiting and _kept_one_each(vici, step, waiting):
        waiting = _wait(vici, step)
    if waiting and not step.optional:
        return _not_accepted(vici, step, waiting)
    replaced_children = frozenset(step.children) - waiting
    if replaced_children and _young(vici, step):
        time.sleep(DRAIN_S)
    for sa in vici.sas(step.connection):
        _close_old(vici, sa, step, replaced_children)
    return None


def _not_accepted(vici: Vici, step: HandOver, waiting: frozenset[str]) -> str:
    names = ", ".join(f"{step.connection}/{name}" for name in sorted(waiting))
    problem = f"the peer has not accepted the new values of {names}"
    sas = vici.sas(step.connection)
    if any(_up(sas, name) for name in waiting):
        return (
            f"{problem}. The old SAs stay up with the old values. The new values apply when the "
            "SAs are re-established."
        )
    return (
        f"{problem}, and the old SAs are closed. Run ipsec_connection, which explains why no new "
        "SAs come up."
    )


def _young(vici: Vici, step: HandOver) -> bool:
    """Return whether a new SA is so young that the peer may still use the old SA."""
    found = (child for sa in vici.sas(step.connection) for child in sa.children)
    return any(child.age <= DRAIN_S for child in found if _is_new(child, step.old))


def _kept_one_each(vici: Vici, step: HandOver, waiting: frozenset[str]) -> bool:
    """Keep one SA of each child with several SAs, and initiate. Return whether any had several.

    After an interrupted run or a crash of the daemon, SAs with old and new values may be up. charon
    initiates no SA with the values of one of them, and does not report which one it is.
    """
    sas = vici.sas(step.connection)
    spare = {
        child.uniqueid
        for name in waiting
        for child in sorted(_up(sas, name), key=lambda item: int(item.uniqueid))[:-1]
    }
    for sa in sas:
        _close(vici, sa, [child for child in sa.children if child.uniqueid in spare])
    for name in sorted(waiting if spare else ()):
        vici.initiate(step.connection, name)
    return bool(spare)


def _up(sas: t.Iterable[IkeState], name: str) -> list[ChildState]:
    return [child for sa in sas for child in sa.children if child.up and child.name == name]


def swap_back(vici: Vici, step: SwapBack) -> None:
    """Load the previous connection in the place of ``loaded``, and bring up its SAs again."""
    if is_parked(vici.connections(step.name).get(step.name, {})):
        # The changed connection was not loaded yet.
        vici.load_conn(step.name, step.section)
        return
    up = {child.name for sa in vici.sas(step.name) for child in sa.children if child.up}
    ids = {child.uniqueid for sa in vici.sas(step.name) for child in sa.children}
    wanted = children(step.section)
    stale = [name for name in sorted(up & wanted.keys()) if wanted[name] != _of(step, name)]
    vici.load_conn(step.name, with_parked_children(step.loaded))
    # charon does not compare every option: unloaded, it notices each difference.
    vici.unload_conn(step.name)
    vici.load_conn(step.name, step.section)
    for name in sorted(children(step.loaded).keys() - wanted.keys()):
        # A parked child keeps its trap.
        vici.uninstall(step.name, name)
    initiated = [name for name in stale if initiates(wanted[name])]
    for name in initiated:
        vici.initiate(step.name, name)
    if initiated:
        old = frozenset(ids)
        hand_over(vici, HandOver(step.name, tuple(initiated), old, optional=True))


def _of(step: SwapBack, child: str) -> object:
    """Return the loaded child, or None if the connection itself changes back."""
    same = {**step.section, "children": {}} == {**step.loaded, "children": {}}
    return children(step.loaded).get(child) if same else None


def _wait(vici: Vici, step: HandOver, since: float | None = None) -> frozenset[str]:
    """Wait for new Child SAs. Return the children without a new Child SA."""
    children = frozenset(step.children)
    start = last_busy = time.monotonic() if since is None else since
    while True:
        sas = vici.sas(step.connection)
        new = {child.name for sa in sas for child in sa.children if _is_new(child, step.old)}
        now = time.monotonic()
        if any(sa.busy for sa in sas):
            last_busy = now
        if children <= new or now - last_busy > IDLE_MEANS_REFUSED_S or now - start > PATIENCE_S:
            return children - new
        time.sleep(POLL_S)


def _is_new(child: ChildState, old: frozenset[str]) -> bool:
    return child.up and child.uniqueid not in old


def _close_old(vici: Vici, sa: IkeState, step: HandOver, replaced_children: frozenset[str]) -> None:
    """Close the IKE SA if no other Child SA is on it, else each old Child SA."""
    replaced = [
        item
        for item in sa.children
        if item.uniqueid in step.old and child_name(item.name) in replaced_children
    ]
    if sa.uniqueid in step.ikes and replaced_children == frozenset(step.children):
        vici.close(sa)
    else:
        _close(vici, sa, replaced)


def _close(vici: Vici, sa: IkeState, children: t.Sequence[ChildState]) -> None:
    if children and len(children) == len(sa.children):
        vici.close(sa)
        return
    for child in children:
        if not child.gone:
            vici.close(sa, child)
