# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Plan the routes, the blocks against cleartext, and the records of networks."""

from __future__ import annotations

import typing as t

from .._render.artefacts import File, NetworkParts
from .._render.routes import Route
from .files import removed, written
from .network_steps import DeleteBlocks, DeleteRoute
from .observed import Observed
from .plan import Plan, state_difference
from .steps import Step


def plan_routes(after: t.Iterable[NetworkParts], observed: Observed) -> Plan:
    """Return the plan that deletes routes of the collection that no started network has."""
    wanted = {
        route.destination for parts in after if parts.network.started for route in parts.routes
    }
    stale = [route for route in observed.routes if route.destination not in wanted]
    return Plan(
        tuple(DeleteRoute(route) for route in stale),
        tuple(
            state_difference(f"route to {route.destination}", str(route), "absent")
            for route in stale
        ),
    )


def added_routes(after: NetworkParts, present: tuple[Route, ...]) -> tuple[Step, ...]:
    """Return the steps that delete the routes which the script of a network will add."""
    destinations = {route.destination for route in present}
    return tuple(
        DeleteRoute(route) for route in after.routes if route.destination not in destinations
    )


def lacking_routes(after: NetworkParts, present: tuple[Route, ...]) -> list[tuple[str, str, str]]:
    """Return the deviations of routes, as object, present state and wanted state."""
    by_destination = {route.destination: route for route in present}
    pairs = [(route, by_destination.get(route.destination)) for route in after.routes]
    return [
        (f"route to {route.destination}", str(current or "absent"), str(route))
        for route, current in pairs
        if current is None or not route.is_met_by(current)
    ]


def plan_blocks(after: t.Iterable[NetworkParts], observed: Observed) -> Plan:
    """Return the plan that deletes blocks of no network. The scripts make all other blocks."""
    wanted = {block for parts in after for block in parts.blocks}
    stale = tuple(sorted(observed.blocks - wanted))
    if not stale:
        return Plan()
    return Plan(
        (DeleteBlocks(stale, tuple(sorted(wanted))),),
        tuple(state_difference(str(block), "present", "absent") for block in stale),
    )


def plan_record(before: File | None, after: File | None, observed: Observed) -> Plan:
    """Return the plan for the record, from which the next run knows the network."""
    if after is not None:
        return written((after,), observed)
    return removed((before,) if before is not None else (), observed)
