# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""How a tunnel fares, in one word. Pure."""

from __future__ import annotations

import typing as t

from .._plan.standing import Standing

# From the best to the worst. `idle` waits for traffic or for the peer, and is well as far as is
# known. `outdated` carries traffic with values that are not those configured. `partial` carries a
# part: a phase 2 some of its networks, a phase 1 some of its phase 2.
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
    """Of a phase 2 that carries something."""
    if standing.deviations:
        return OUTDATED
    return PARTIAL if standing.missing else UP


def phase2_state(*, enabled: bool, carrying: str, busy: bool, waiting: bool) -> str:
    """``carrying`` is its state if it carries something, else empty.

    ``busy``: something is being negotiated; ``waiting``: it is not up to us to begin.
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
    """From the states of its phase 2: an IKE SA that is up alone carries nothing.

    Without any phase 2, it is all that there is, and ``carrying`` is its own state.
    """
    states = set(phase2) - {DISABLED}
    if not enabled or not states:
        return phase2_state(enabled=enabled, carrying=carrying, busy=busy, waiting=waiting)
    if not states & {*CARRYING}:
        return max(states, key=STATES.index)
    if states <= {UP, IDLE}:
        return UP
    return OUTDATED if states <= {UP, IDLE, OUTDATED} else PARTIAL
