# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Decide how a changed connection replaces the connection that is loaded.

==================================  ========================================================
Decision                            Condition
==================================  ========================================================
LOAD                                no Child SA is up, and no idle IKE SA is in the way
ABANDON_ATTEMPT, CLOSE_IDLE         an IKE SA without Child SAs has outdated values
KEEP                                every Child SA that is up keeps its values, or is removed
DEFER_CHILDREN, DEFER_IKE           outdated SAs stay until they are re-established
SWAP_CHILDREN, SWAP_IKE             new SAs come up before the outdated SAs are closed
REESTABLISH_CHILDREN,               outdated SAs are closed before new SAs come up
REESTABLISH_IKE
==================================  ========================================================
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

# Values of the option `apply`.
GRACEFUL = "graceful"
REESTABLISH = "reestablish"
DEFER = "defer"
APPLY = (GRACEFUL, REESTABLISH, DEFER)


class Decision(enum.Enum):
    LOAD = enum.auto()
    ABANDON_ATTEMPT = enum.auto()
    CLOSE_IDLE = enum.auto()
    KEEP = enum.auto()
    DEFER_CHILDREN = enum.auto()
    DEFER_IKE = enum.auto()
    SWAP_CHILDREN = enum.auto()
    SWAP_IKE = enum.auto()
    REESTABLISH_CHILDREN = enum.auto()
    REESTABLISH_IKE = enum.auto()


@dataclass(frozen=True)
class Facts:
    """The facts about a changed connection on which the decision depends."""

    # An IKE SA of the connection is established.
    ike_sa_up: bool = False
    # A Child SA of the connection is up.
    children_up: bool = False
    # An IKE SA exists in any state, and no Child SA is up.
    idle_ike_sa: bool = False
    # A child that was loaded before is changed or removed. Added children do not count.
    children_changed: bool = False
    # This change, or a change that is still pending, can't be applied to the IKE SA that is up.
    needs_new_ike_sa: bool = False
    # A Child SA that is up, and still configured, has other values than configured.
    outdated: bool = False
    # Every Child SA that is up is outdated or removed.
    all_affected: bool = False
    # This gateway may initiate a child.
    initiates: bool = False
    # charon finds no difference to the loaded connection, but the peer would notice the change.
    unnoticed: bool = False


def decide(facts: Facts, apply: str) -> Decision:
    """Return the decision for these facts and this value of ``apply``."""
    if not facts.children_up:
        return _decide_without_children(facts)
    if not facts.needs_new_ike_sa and not facts.outdated:
        return Decision.KEEP
    if apply == DEFER or (apply == GRACEFUL and not facts.initiates):
        return Decision.DEFER_IKE if facts.needs_new_ike_sa else Decision.DEFER_CHILDREN
    # On an IKE SA that charon takes for unchanged, charon makes no second one.
    if apply == REESTABLISH or facts.unnoticed:
        # charon closes an IKE SA that loses its last child after one change, not after another.
        if facts.needs_new_ike_sa or facts.all_affected:
            return Decision.REESTABLISH_IKE
        return Decision.REESTABLISH_CHILDREN
    return Decision.SWAP_IKE if facts.needs_new_ike_sa else Decision.SWAP_CHILDREN


def _decide_without_children(facts: Facts) -> Decision:
    """Return the decision for a connection without a Child SA that is up.

    An idle IKE SA is an attempt with the old values, which may continue without end. Or it is the
    rest of a tunnel, which charon closes after one change and not after another.
    """
    if not facts.idle_ike_sa or not (facts.needs_new_ike_sa or facts.children_changed):
        return Decision.LOAD
    return Decision.CLOSE_IDLE if facts.ike_sa_up else Decision.ABANDON_ATTEMPT
