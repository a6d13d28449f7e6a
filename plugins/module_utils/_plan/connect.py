# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Plan ipsec_connection: the tunnels to initiate and the SAs to close."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._render.strongswan.section import Section
from .plan import Difference, Impact, Plan, state_difference
from .selectors import Selectors
from .standing import missing_pairs
from .steps import Initiate, Step, TerminateChild, TerminateConnection

# A phase 1 and one of its phase 2 objects.
Key = tuple[str, str]

_UP, _DOWN = "up", "down"
_LOST = "missing in the kernel: the Child SA is closed, then re-established"


@dataclass(frozen=True)
class Tunnel:
    """A phase 2 with its phase 1, or a child of a conf text with its connection.

    ``section`` is the connection as charon must have it loaded.
    """

    connection: IkeConnection
    child: ChildSa
    section: Section = field(default_factory=dict, repr=False)
    advanced: bool = False

    @property
    def key(self) -> Key:
        return self.connection.name, self.child.name

    @property
    def initiates(self) -> bool:
        """Return whether this gateway initiates the tunnel."""
        passive = self.connection.connection_behavior == "responder_only" and not self.advanced
        return not passive and self.connection.remote_gateway != ANY

    def lacks(self, carried: t.Sequence[Selectors]) -> bool:
        """Return whether SAs with these selectors carry less than the configured networks."""
        return bool(missing_pairs(self.section, self.child.name, carried))

    def __str__(self) -> str:
        return "/".join(self.key)


@dataclass(frozen=True)
class Live:
    """The state of tunnels.

    ``up`` are the Child SAs that carry traffic. ``lost`` are the Child SAs that are up for charon
    and missing in the kernel. ``alive`` are the connections with an IKE SA in any state.
    """

    up: frozenset[Key] = frozenset()
    lost: frozenset[Key] = frozenset()
    alive: frozenset[str] = frozenset()


def plan_connected(tunnels: t.Sequence[Tunnel], live: Live) -> Plan:
    """Return the plan that initiates each tunnel that is down, unless the peer must initiate."""
    down = [item for item in tunnels if item.key not in live.up]
    initiated = [item for item in down if item.initiates]
    lost = [item for item in initiated if item.key in live.lost]
    return Plan(
        (
            *(TerminateChild(*item.key) for item in lost),
            *(Initiate(*item.key) for item in initiated),
        ),
        tuple(state_difference(str(item), _DOWN, _UP) for item in initiated),
        tuple(Impact(str(item), "child", _LOST) for item in lost),
    )


def plan_disconnected(tunnels: t.Sequence[Tunnel], live: Live, *, one: bool) -> Plan:
    """Return the plan that closes the IKE SAs, or with ``one`` only the Child SA of the tunnel."""
    present = live.up | live.lost
    differences = tuple(
        state_difference(str(item), _UP, _DOWN) for item in tunnels if item.key in present
    )
    if one:
        closed = [item for item in tunnels if item.key in present]
        steps: tuple[Step, ...] = tuple(TerminateChild(*item.key) for item in closed)
        return Plan(
            steps,
            differences,
            tuple(Impact(str(item), "child", "the task closes the Child SA") for item in closed),
        )
    names = dict.fromkeys(item.connection.name for item in tunnels)
    alive = [name for name in names if name in live.alive]
    return Plan(
        tuple(TerminateConnection(name) for name in alive),
        differences or tuple(Difference(name, "being negotiated\n", "down\n") for name in alive),
        tuple(Impact(name, "ike", "the task closes the IKE SA") for name in alive),
    )


def plan_reconnected(tunnels: t.Sequence[Tunnel], live: Live, *, one: bool) -> Plan:
    """Return the plan that closes the tunnels and initiates them again.

    It has no steps only when nothing is up and the peer must initiate every tunnel.
    """
    closed = plan_disconnected(tunnels, live, one=one)
    initiated = plan_connected(tunnels, Live())
    return Plan(
        closed.steps + initiated.steps,
        tuple(
            state_difference(str(item), _UP if item.key in live.up else _DOWN, "up, with new keys")
            for item in tunnels
            if item.initiates
        ),
        closed.impacts,
    )
