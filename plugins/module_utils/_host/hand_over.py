# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Make before break: wait for the new SAs of a connection, then close those that they replace."""

from __future__ import annotations

import time

from .vici import Vici
from .vici_message import ChildState, IkeState

# A peer that does not answer takes charon almost three minutes; the old SAs are up meanwhile.
_PATIENCE = 30.0
_PAUSE = 0.2
# Nothing is being negotiated for so long: the peer has refused.
_QUIET = 2.0
# The peer's last packets on the old SA are still under way when the new one is there.
_DRAIN = 1.0


def hand_over(
    vici: Vici, connection: str, children: tuple[str, ...], old: frozenset[str]
) -> str | None:
    """``old`` are unique ids of Child SAs. Why nothing was closed, where that is so."""
    waiting = _wait(vici, connection, frozenset(children), old)
    if waiting:
        names = ", ".join(f"{connection}/{name}" for name in sorted(waiting))
        return (
            f"the new values of {names} were not taken up by the peer yet: the old SAs stay up, "
            "and the new values come into force when they are negotiated anew"
        )
    time.sleep(_DRAIN)
    for sa in vici.sas(connection):
        _close_old(vici, sa, frozenset(children), old)
    return None


def _wait(
    vici: Vici, connection: str, children: frozenset[str], old: frozenset[str]
) -> frozenset[str]:
    """The children that carry no traffic anew, after all the patience there is."""
    start = quiet = time.monotonic()
    while True:
        sas = vici.sas(connection)
        new = {child.name for sa in sas for child in sa.children if _is_new(child, old)}
        now = time.monotonic()
        if any(sa.busy for sa in sas):
            quiet = now
        if children <= new or now - quiet > _QUIET or now - start > _PATIENCE:
            return children - new
        time.sleep(_PAUSE)


def _is_new(child: ChildState, old: frozenset[str]) -> bool:
    return child.up and child.uniqueid not in old


def _close_old(vici: Vici, sa: IkeState, children: frozenset[str], old: frozenset[str]) -> None:
    """The whole IKE SA where nothing else is on it, else the old Child SAs one by one."""
    replaced = [item for item in sa.children if item.uniqueid in old and item.name in children]
    if not replaced:
        return
    if len(replaced) == len(sa.children):
        vici.close(sa)
        return
    for child in replaced:
        if not child.gone:
            vici.close(sa, child)
