# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Make before break: wait for the new SAs of a connection, then close those that they replace."""

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

# A peer that does not answer takes charon almost three minutes; the old SAs are up meanwhile.
_PATIENCE = 30.0
_PAUSE = 0.2
# Nothing is being negotiated for so long: the peer has refused.
_QUIET = 2.0
# The peer's last packets on the old SA are still under way when the new one is there.
_DRAIN = 1.0


def hand_over(vici: Vici, step: HandOver) -> str | None:
    """Why nothing was closed, where that is so."""
    waiting = _wait(vici, step)
    if waiting and _thinned_out(vici, step, waiting):
        waiting = _wait(vici, step)
    if waiting and not step.optional:
        return _not_taken_up(vici, step, waiting)
    taken_up = frozenset(step.children) - waiting
    if taken_up and _young(vici, step):
        time.sleep(_DRAIN)
    for sa in vici.sas(step.connection):
        _close_old(vici, sa, step, taken_up)
    return None


def _not_taken_up(vici: Vici, step: HandOver, waiting: frozenset[str]) -> str:
    names = ", ".join(f"{step.connection}/{name}" for name in sorted(waiting))
    told = f"the new values of {names} were not taken up by the peer yet"
    sas = vici.sas(step.connection)
    if any(_up(sas, name) for name in waiting):
        return (
            f"{told}: the old SAs stay up, and the new values come into force when they are "
            "established anew"
        )
    return f"{told}, and the old SAs are closed: ipsec_connection tells why no new ones come up"


def _young(vici: Vici, step: HandOver) -> bool:
    """Whether a new SA is so new that the peer may have sent its last packet on the old one."""
    found = (child for sa in vici.sas(step.connection) for child in sa.children)
    return any(child.age <= _DRAIN for child in found if _is_new(child, step.old))


def _thinned_out(vici: Vici, step: HandOver, waiting: frozenset[str]) -> bool:
    """Leave one SA of each child that has several, and initiate anew; whether there were such.

    A run, or a daemon, died between two values, and SAs of both are up. charon begins no SA of
    values that one of them has; which one that is, it does not tell.
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
    """The child as it is loaded, unless all of the connection is to be as before."""
    same = {**step.section, "children": {}} == {**step.loaded, "children": {}}
    return children(step.loaded).get(child) if same else None


def _wait(vici: Vici, step: HandOver) -> frozenset[str]:
    """The children that carry no traffic anew, after all the patience there is."""
    children = frozenset(step.children)
    start = quiet = time.monotonic()
    while True:
        sas = vici.sas(step.connection)
        new = {child.name for sa in sas for child in sa.children if _is_new(child, step.old)}
        now = time.monotonic()
        if any(sa.busy for sa in sas):
            quiet = now
        if children <= new or now - quiet > _QUIET or now - start > _PATIENCE:
            return children - new
        time.sleep(_PAUSE)


def _is_new(child: ChildState, old: frozenset[str]) -> bool:
    return child.up and child.uniqueid not in old


def _close_old(vici: Vici, sa: IkeState, step: HandOver, taken_up: frozenset[str]) -> None:
    """The whole IKE SA where nothing else is on it, else the old Child SAs one by one."""
    replaced = [
        item
        for item in sa.children
        if item.uniqueid in step.old and child_name(item.name) in taken_up
    ]
    if sa.uniqueid in step.ikes and taken_up == frozenset(step.children):
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
