# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The plan for the interface of a network, for its addresses and its routes.

The earlier interfaces are in the record of the network. A step notes a new interface there before
another step brings the interface up. So an interrupted run leaves no interface without a record.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._render.network_interface import (
    NetworkInterface,
    interface_of,
    interfaces_of,
    recorded_interfaces,
    with_interfaces,
)
from .._render.network_parts import NetworkParts
from .._render.network_units import unit_name
from .._render.routes import Route
from .network_guard import unit_words
from .network_steps import (
    DeleteAddress,
    DeleteLink,
    DeleteRoute,
    ResetMtu,
    RunScript,
    SwitchUnit,
)
from .observed import NetworkState, Observed
from .plan import Difference, Plan, state_difference
from .steps import Step, WriteFile

_Interfaces = tuple[NetworkInterface, ...]


def earlier_interfaces(
    before: NetworkParts | None, after: NetworkParts, observed: Observed
) -> _Interfaces:
    """Return the interfaces that may be up for a network, by ``before`` and by its record.

    A record of an earlier version names no interface. The interface of ``before`` is all then.
    """
    path = observed.platform.record_path(after.network.name)
    recorded = recorded_interfaces(observed.files.get(path)) or ()
    known = interfaces_of(before.network) if before is not None else ()
    return tuple(dict.fromkeys((*known, *recorded)))


def plan_note(before: NetworkParts | None, after: NetworkParts, observed: Observed) -> Plan:
    """Return the plan that notes a new interface in the record that is there.

    A record that comes with its network names the interface from the beginning.
    """
    record = observed.files.get(observed.platform.record_path(after.network.name))
    interface = interface_of(after.network)
    earlier = earlier_interfaces(before, after, observed)
    if record is None or not after.network.started or interface in earlier:
        return Plan()
    try:
        noted = with_interfaces(record, (*earlier, interface))
    except ValueError:
        # A rollback replaces a record that can't be read.
        return Plan()
    return Plan((WriteFile(noted, record, f"note interface {interface.device} in"),))


def plan_up(after: NetworkParts, state: NetworkState, present: tuple[Route, ...]) -> Plan:
    """Return the plan that brings up interface, address, forwarding and routes."""
    name, unit = after.network.name, unit_name(after.network.name)
    steps: list[Step] = []
    missing = (*_missing(after, state), *_missing_routes(after, present))
    undo = (*_undo_interface(after, state), *_undo_routes(after, present))
    if not state.active:
        # The unit runs the script when it starts.
        steps.append(SwitchUnit(unit, "start", undo))
    elif missing:
        action = "bring up interface and routes"
        steps.append(RunScript(name, after.script.path, "start", action, undo))
    if not state.enabled:
        steps.append(SwitchUnit(unit, "enable"))
    differences = [
        state_difference(f"network {name}: {item.subject}", item.found, item.wanted)
        for item in missing
    ]
    if not state.active or not state.enabled:
        words = unit_words(enabled=state.enabled, active=state.active)
        differences.append(state_difference(f"unit {unit}", words, "enabled, active"))
    return Plan(tuple(steps), tuple(differences))


@dataclass(frozen=True)
class _Missing:
    """A part of the interface that is not as it should be, in words for a difference."""

    subject: str
    found: str
    wanted: str


def _missing(after: NetworkParts, state: NetworkState) -> t.Iterator[_Missing]:
    network = after.network
    device = f"interface {network.device}"
    if not state.device_exists:
        yield _Missing(device, "absent", "present, up")
    elif not state.device_up:
        yield _Missing(device, "down", "up")
    elif network.mtu is not None and state.mtu != network.mtu:
        yield _Missing(f"mtu of {network.device}", str(state.mtu), str(network.mtu))
    if network.router and network.router not in state.addresses:
        addresses = ", ".join(state.addresses) or "none"
        yield _Missing(f"address of {network.device}", addresses, network.router)
    for version in after.forwarding:
        if version not in state.forwarding:
            yield _Missing(f"IPv{version} forwarding", "off", "on")


def _missing_routes(after: NetworkParts, present: tuple[Route, ...]) -> t.Iterator[_Missing]:
    by_destination = {route.destination: route for route in present}
    for route in after.routes:
        found = by_destination.get(route.destination)
        if found is None or not route.is_met_by(found):
            subject = f"route to {route.destination}"
            yield _Missing(subject, str(found or "absent"), str(route))


def _undo_interface(after: NetworkParts, state: NetworkState) -> tuple[Step, ...]:
    """Return the steps that take away an interface, or an address, that the script brings up.

    The verb ``stop`` of the script leaves both as they are, for the next start.
    """
    network = after.network
    if not state.device_exists and not network.attached:
        return (DeleteLink(network.device),)
    if network.router and network.router not in state.addresses:
        return (DeleteAddress(network.router, network.device),)
    return ()


def _undo_routes(after: NetworkParts, present: tuple[Route, ...]) -> t.Iterator[Step]:
    destinations = {route.destination for route in present}
    for route in after.routes:
        if route.destination not in destinations:
            yield DeleteRoute(route)


def plan_routes(after: t.Iterable[NetworkParts], observed: Observed) -> Plan:
    """Return the plan that takes away routes of networks that are gone, or switched off."""
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


def plan_mtu(before: NetworkParts | None, after: NetworkParts, state: NetworkState) -> Plan:
    """Return the plan that takes back an MTU that the options no longer name."""
    old, new = before.network if before is not None else None, after.network
    if old is None or old.mtu is None or new.mtu is not None or not state.device_exists:
        return Plan()
    if old.device != new.device or old.mtu != state.mtu:
        return Plan()
    header = f"network {new.name}: mtu of {new.device}"
    difference = state_difference(header, str(old.mtu), "the MTU of a new interface")
    return Plan((ResetMtu(new.device),), (difference,))


def plan_other_interfaces(earlier: _Interfaces, after: NetworkParts) -> Plan:
    """Return the plan that takes away an earlier interface, or the earlier address on one."""
    other = [item for item in earlier if item.device != after.network.device]
    header = f"network {after.network.name}: interface {{}}"
    return Plan(
        tuple(step for item in other for step in _withdraw(item)),
        tuple(
            state_difference(header.format(item.device), "in use", "no longer used")
            for item in other
        ),
    )


def _withdraw(interface: NetworkInterface) -> tuple[Step, ...]:
    if interface.made:
        return (DeleteLink(interface.device),)
    if interface.router:
        return (DeleteAddress(interface.router, interface.device),)
    return ()


def plan_other_addresses(
    earlier: _Interfaces,
    after: NetworkParts,
    state: NetworkState,
    guests: frozenset[str],
) -> Plan:
    """Return the plan that takes away other addresses from the interface.

    An interface that the collection makes keeps no address but its own and ``guests``. An
    unmanaged interface loses the address alone that it had from this network.
    """
    network = after.network
    stale = [item for item in state.addresses if item not in {network.router, *guests}]
    if network.attached:
        routers = {item.router for item in earlier if item.device == network.device}
        stale = [address for address in stale if address in routers]
    header = f"network {network.name}: address of {network.device}"
    return Plan(
        tuple(DeleteAddress(address, network.device) for address in stale),
        tuple(state_difference(header, address, "absent") for address in stale),
    )


def plan_no_interface(earlier: _Interfaces, after: NetworkParts, state: NetworkState) -> Plan:
    """Return the plan that takes away the interface of a network that is off, or goes."""
    network = after.network
    steps = [*_switch_off(network.name, state)]
    if state.device_exists and not network.attached:
        steps.append(DeleteLink(network.device))
    elif network.attached:
        routers = {network.router, *(item.router for item in earlier)}
        steps += [
            DeleteAddress(address, network.device)
            for address in state.addresses
            if address in routers
        ]
    differences: tuple[Difference, ...] = ()
    if steps:
        words = unit_words(enabled=state.enabled, active=state.active)
        header = f"network {network.name}: power"
        differences = (state_difference(header, words, "disabled, inactive"),)
    return Plan(tuple(steps), differences)


def _switch_off(name: str, state: NetworkState) -> t.Iterator[Step]:
    if state.active:
        yield SwitchUnit(unit_name(name), "stop")
    if state.enabled:
        yield SwitchUnit(unit_name(name), "disable")
