# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""How a tunnel fares, in one word. Pure."""

from __future__ import annotations

import typing as t

# From the best to the worst. `idle` waits for traffic or for the peer, and is well as far as is
# known; `partial` is a phase 1 of which some phase 2 is up and another is not.
UP, IDLE, CONNECTING, PARTIAL, DOWN, DISABLED = (
    "up",
    "idle",
    "connecting",
    "partial",
    "down",
    "disabled",
)
STATES = (UP, IDLE, CONNECTING, PARTIAL, DOWN, DISABLED)


def phase2_state(*, enabled: bool, up: bool, busy: bool, waiting: bool) -> str:
    """``busy``: something is being negotiated; ``waiting``: it is not up to us to begin."""
    if not enabled:
        return DISABLED
    if up:
        return UP
    if busy:
        return CONNECTING
    return IDLE if waiting else DOWN


def phase1_state(
    phase2: t.Iterable[str], *, enabled: bool, up: bool, busy: bool, waiting: bool
) -> str:
    """From the states of its phase 2: an IKE SA that is ``up`` alone carries nothing.

    Without any phase 2, it is all that there is.
    """
    states = set(phase2) - {DISABLED}
    if not enabled or not states:
        return phase2_state(enabled=enabled, up=up, busy=busy, waiting=waiting)
    if UP in states:
        return UP if states <= {UP, IDLE} else PARTIAL
    return max(states, key=STATES.index)
