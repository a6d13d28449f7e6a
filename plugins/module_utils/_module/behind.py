# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""That SAs go on with old values, told by each task on them until that is over. Pure."""

from __future__ import annotations

import typing as t

from .._plan.in_force import NOTHING, InForce, child_part, differing, ike_part, values
from .._plan.observed import DaemonState
from .._plan.plan import Plan
from .._plan.planner import Scope
from .._plan.steps import SwapIn, TerminateConnection, UnloadConnection
from .._render.artefacts import Artefacts
from .._render.strongswan.section import Section

# What a plan does to a connection is told by its impacts.
_TOUCHING = (SwapIn, TerminateConnection, UnloadConnection)


def behind(after: Artefacts, daemon: DaemonState, scope: Scope, plan: Plan) -> list[str]:
    """Warnings about connections in the scope that the plan leaves alone."""
    touched = {step.name for step in plan.steps if isinstance(step, _TOUCHING)}
    return [
        f"{name} goes on with old values of {', '.join(keys)} until it is established anew, which "
        "ipsec_connection with state reconnected does"
        for path in sorted(scope.swanctl & after.swanctl.keys())
        for name, section in after.swanctl[path].connections.items()
        for keys in [sorted({*_old(section, daemon.pending.get(name, NOTHING))})]
        if keys and name not in touched
    ]


def _old(section: Section, noted: InForce) -> t.Iterator[str]:
    """The options of strongSwan in which an SA is other than it is configured."""
    children = t.cast(t.Mapping[str, Section], section.get("children", {}))
    for made in noted.ikes.values():
        yield from differing(made, ike_part(section))
    for name, made in noted.children.values():
        if name in children:
            yield from differing(values(made), values(child_part(children[name])))
