# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What is negotiated, as plain data."""

from __future__ import annotations

import typing as t

from . import selectors
from .child_sa import ChildOutcome
from .direction import Direction
from .findings import LOCAL
from .ike import IkeOutcome

Plain = dict[str, t.Any]


def attempt(direction: Direction, ike: IkeOutcome, children: t.Iterable[ChildOutcome]) -> Plain:
    """One call. ``local`` and ``remote`` are those of the comparison, whoever calls."""
    names = direction.initiator.connection.name, direction.responder.connection.name
    return {
        "initiator": direction.side,
        "initiates": direction.used,
        **_sided(direction, "phase1", names),
        "up": ike.up,
        "version": ike.version,
        "proposal": ike.proposal.keyword() if ike.proposal else None,
        "udp_encapsulation": direction.encapsulated,
        "phase2": [_child(direction, item) for item in children],
    }


def _child(direction: Direction, child: ChildOutcome) -> Plain:
    names = child.child.name, child.answering.name if child.answering else None
    networks = selectors.shown(child.ours), selectors.shown(child.theirs)
    up = child.up
    return {
        **_sided(direction, "phase2", names),
        "up": up,
        **_sided(direction, "state", child.states),
        "protocol": child.child.protocol if up else None,
        "mode": child.mode if up else None,
        "proposal": child.proposal.keyword() if child.proposal else None,
        "rekey_proposal": child.rekey.keyword() if child.rekey else None,
        **_sided(direction, "network", networks if up else ([], [])),
    }


def _sided(direction: Direction, key: str, values: tuple[t.Any, t.Any]) -> Plain:
    ours, theirs = values if direction.side == LOCAL else values[::-1]
    return {f"local_{key}": ours, f"remote_{key}": theirs}
