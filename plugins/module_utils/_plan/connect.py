# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The plan of ipsec_connection: which tunnels to call and which SAs to close."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._render.strongswan.section import Section
from .differences import state_difference
from .plan import Difference, Impact, Plan
from .selectors import Selectors
from .standing import missing_pairs
from .steps import Initiate, Step, TerminateChild, TerminateConnection

# A phase 1 and one of its phase 2 objects.
Key = tuple[str, str]

_UP, _DOWN = "up", "down"
_ASKED = "it is closed, as the task asks"
_LOST = "the kernel does not have it any more: it is closed and brought up anew"


@dataclass(frozen=True)
class Tunnel:
    """A phase 2 with its phase 1, or a child of a conf text with its connection.

    ``section`` is the connection as the daemon is to have it loaded.
    """

    connection: IkeConnection
    child: ChildSa
    section: Section = field(default_factory=dict, repr=False)
    advanced: bool = False

    @property
    def key(self) -> Key:
        return self.connection.name, self.child.name

    @property
    def calls(self) -> bool:
        """Whether it is this side that brings it up."""
        passive = self.connection.connection_behavior == "responder_only" and not self.advanced
        return not passive and self.connection.remote_gateway != ANY

    def lacks(self, carried: t.Sequence[Selectors]) -> bool:
        """Whether the SAs with these selectors carry less than all of it."""
        return bool(missing_pairs(self.section, self.child.name, carried))

    def __str__(self) -> str:
        return "/".join(self.key)


@dataclass(frozen=True)
class Live:
    """What there is of the tunnels.

    ``up`` are the Child SAs that carry traffic, and ``lost`` those that the daemon takes to do so
    while the kernel does not have them. ``alive`` are the connections with an IKE SA in any state.
    """

    up: frozenset[Key] = frozenset()
    lost: frozenset[Key] = frozenset()
    alive: frozenset[str] = frozenset()


def plan_connected(tunnels: t.Sequence[Tunnel], live: Live) -> Plan:
    """Call for each that is down. One that waits for the peer is not called for."""
    down = [item for item in tunnels if item.key not in live.up]
    calling = [item for item in down if item.calls]
    lost = [item for item in calling if item.key in live.lost]
    return Plan(
        (
            *(TerminateChild(*item.key) for item in lost),
            *(Initiate(*item.key) for item in calling),
        ),
        tuple(state_difference(str(item), _DOWN, _UP) for item in calling),
        tuple(Impact(str(item), "child", _LOST) for item in lost),
    )


def plan_disconnected(tunnels: t.Sequence[Tunnel], live: Live, *, one: bool) -> Plan:
    """Close the IKE SAs, or with ``one`` only the Child SA of the one tunnel."""
    there = live.up | live.lost
    differences = tuple(
        state_difference(str(item), _UP, _DOWN) for item in tunnels if item.key in there
    )
    if one:
        closed = [item for item in tunnels if item.key in there]
        steps: tuple[Step, ...] = tuple(TerminateChild(*item.key) for item in closed)
        return Plan(
            steps, differences, tuple(Impact(str(item), "child", _ASKED) for item in closed)
        )
    names = dict.fromkeys(item.connection.name for item in tunnels)
    alive = [name for name in names if name in live.alive]
    return Plan(
        tuple(TerminateConnection(name) for name in alive),
        differences or tuple(Difference(name, "being negotiated\n", "down\n") for name in alive),
        tuple(Impact(name, "ike", _ASKED) for name in alive),
    )


def plan_reconnected(tunnels: t.Sequence[Tunnel], live: Live, *, one: bool) -> Plan:
    """The one after the other. There is always something to do, unless all wait for the peer."""
    closed = plan_disconnected(tunnels, live, one=one)
    called = plan_connected(tunnels, Live())
    return Plan(
        closed.steps + called.steps,
        tuple(
            state_difference(str(item), _UP if item.key in live.up else _DOWN, "up, with new keys")
            for item in tunnels
            if item.calls
        ),
        closed.impacts,
    )
