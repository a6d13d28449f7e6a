# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A child of the initiator beside its counterpart, and the selectors of both."""

from __future__ import annotations

from dataclasses import dataclass

from .._model.child import ChildSa
from .._model.selector import TrafficSelector
from . import selectors
from .direction import Direction
from .selectors import Selectors

# Local and remote selectors of one side.
BothSelectors = tuple[Selectors, Selectors]


@dataclass(frozen=True)
class ChildPair:
    """A child of the initiator, and the child of the responder that matches it best."""

    direction: Direction
    version: int
    child: ChildSa
    responder: ChildSa

    @property
    def both(self) -> tuple[ChildSa, ChildSa]:
        """Return the child of the initiator, and of the responder."""
        return self.child, self.responder

    @property
    def mode(self) -> str:
        """Return the mode that IKEv2 negotiates."""
        return "transport" if self.child.mode == self.responder.mode == "transport" else "tunnel"


def offered(direction: Direction, version: int, child: ChildSa) -> BothSelectors:
    """Return the selectors that the initiator offers. IKEv1 offers only the first pair."""
    local = selectors.effective(
        child, child.local_network, host(direction, "initiator"), offered=True
    )
    remote = selectors.effective(
        child, child.remote_network, host(direction, "responder"), offered=True
    )
    return (local[:1], remote[:1]) if version == 1 else (local, remote)


def configured(direction: Direction, child: ChildSa, *, offered: bool) -> BothSelectors:
    """Return the selectors of a child of the responder, with ``offered`` as it would offer them."""
    local = selectors.effective(
        child, child.local_network, host(direction, "responder"), offered=offered
    )
    remote = selectors.effective(
        child, child.remote_network, host(direction, "initiator"), offered=offered
    )
    return local, remote


def host(direction: Direction, role: str) -> TrafficSelector:
    """Return the selector of the address of the initiator or of the responder."""
    initiating = role == "initiator"
    address = direction.initiator_address if initiating else direction.responder_address
    return selectors.host_of(address, role)
