# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Warnings about SAs that keep old values. Each task repeats them until they are over. Pure."""

from __future__ import annotations

import typing as t

from .._plan.in_force import NOTHING, InForce, child_part, differing, ike_part, values
from .._plan.observed import DaemonState
from .._plan.plan import Plan
from .._plan.scope import Scope
from .._plan.steps import SwapIn, TerminateConnection, UnloadConnection
from .._render.artefacts import Artefacts
from .._render.strongswan.section import Section

# The impacts of a plan report the effect of these steps.
_TOUCHING = (SwapIn, TerminateConnection, UnloadConnection)


def behind(after: Artefacts, daemon: DaemonState, scope: Scope, plan: Plan) -> list[str]:
    """Return warnings about connections in the scope that the plan does not touch."""
    touched = {step.name for step in plan.steps if isinstance(step, _TOUCHING)}
    return [
        f"{name}: SAs keep old values of {', '.join(keys)}. To apply the new values, run "
        "ipsec_connection with state reconnected."
        for path in sorted(scope.swanctl & after.swanctl.keys())
        for name, section in after.swanctl[path].connections.items()
        for keys in [sorted({*_old(section, daemon.pending.get(name, NOTHING))})]
        if keys and name not in touched
    ]


def _old(section: Section, noted: InForce) -> t.Iterator[str]:
    """Yield the strongSwan options in which an SA differs from the configuration."""
    children = t.cast(t.Mapping[str, Section], section.get("children", {}))
    for made in noted.ikes.values():
        yield from differing(made, ike_part(section))
    for name, made in noted.children.values():
        if name in children:
            yield from differing(values(made), values(child_part(children[name])))
