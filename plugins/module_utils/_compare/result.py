# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The negotiation of a tunnel as plain data."""

from __future__ import annotations

import typing as t

from . import selectors
from .child_sa import ChildOutcome
from .direction import Direction
from .ike import IkeOutcome
from .mismatch import LOCAL

Plain = dict[str, t.Any]


def negotiation_result(
    direction: Direction, ike: IkeOutcome, children: t.Iterable[ChildOutcome]
) -> Plain:
    """Return one negotiation. ``local`` and ``remote`` are independent of the initiator."""
    names = direction.initiator.connection.name, direction.responder.connection.name
    return {
        "initiator": direction.side,
        "initiates": direction.will_initiate,
        **_sided(direction, "phase1", names),
        "up": ike.up,
        "version": ike.version,
        "proposal": ike.proposal.keyword() if ike.proposal else None,
        "udp_encapsulation": direction.encapsulated,
        "phase2": [_child_result(direction, item) for item in children],
    }


def _child_result(direction: Direction, outcome: ChildOutcome) -> Plain:
    names = outcome.child.name, outcome.responder.name if outcome.responder else None
    networks = selectors.texts(outcome.ours), selectors.texts(outcome.theirs)
    up = outcome.up
    return {
        **_sided(direction, "phase2", names),
        "up": up,
        **_sided(direction, "state", outcome.states),
        "protocol": outcome.child.protocol if up else None,
        "mode": outcome.mode if up else None,
        "proposal": outcome.proposal.keyword() if outcome.proposal else None,
        "rekey_proposal": outcome.rekey.keyword() if outcome.rekey else None,
        **_sided(direction, "network", networks if up else ([], [])),
    }


def _sided(direction: Direction, key: str, values: tuple[t.Any, t.Any]) -> Plain:
    """Return the values of initiator and responder by the names of local and remote."""
    ours, theirs = values if direction.side == LOCAL else values[::-1]
    return {f"local_{key}": ours, f"remote_{key}": theirs}
