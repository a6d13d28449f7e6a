# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The state of a tunnel in one word. Pure."""

from __future__ import annotations

import typing as t

from .._plan.standing import Standing

# From the best to the worst. `idle` waits for traffic or for the peer, without a known fault.
# `outdated` carries traffic with values that differ from the configuration. `partial` carries a
# part: a phase 2 some of its networks, a phase 1 some of its phase 2 objects.
UP, IDLE, CONNECTING, OUTDATED, PARTIAL, DOWN, DISABLED = (
    "up",
    "idle",
    "connecting",
    "outdated",
    "partial",
    "down",
    "disabled",
)
STATES = (UP, IDLE, CONNECTING, OUTDATED, PARTIAL, DOWN, DISABLED)
# Those in which something is carried.
CARRYING = (UP, OUTDATED, PARTIAL)


def standing_state(standing: Standing) -> str:
    """Return the state of a phase 2 that carries traffic."""
    if standing.deviations:
        return OUTDATED
    return PARTIAL if standing.missing else UP


def phase2_state(*, enabled: bool, carrying: str, busy: bool, waiting: bool) -> str:
    """Return the state of a phase 2. ``carrying`` is its state if it carries traffic, else "".

    ``busy`` is true during a negotiation. ``waiting`` is true if this side need not initiate now.
    """
    if not enabled:
        return DISABLED
    if carrying:
        return carrying
    if busy:
        return CONNECTING
    return IDLE if waiting else DOWN


def phase1_state(
    phase2: t.Iterable[str], *, enabled: bool, carrying: str, busy: bool, waiting: bool
) -> str:
    """Return the state of a phase 1 from the states of its phase 2 objects.

    An IKE SA alone carries no traffic. Without any phase 2, ``carrying`` is the state of that SA.
    """
    states = set(phase2) - {DISABLED}
    if not enabled or not states:
        return phase2_state(enabled=enabled, carrying=carrying, busy=busy, waiting=waiting)
    if not states & {*CARRYING}:
        return max(states, key=STATES.index)
    if states <= {UP, IDLE}:
        return UP
    return OUTDATED if states <= {UP, IDLE, OUTDATED} else PARTIAL
