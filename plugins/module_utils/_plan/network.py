# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What to do so that a network's interface, address, rules and unit are as they should be."""

from __future__ import annotations

import typing as t

from .._render.artefacts import File, NetworkParts, guard_unit_name, unit_name
from .._render.blocks import Block
from .._render.network_files import Brought, brought_by
from .._render.routes import Route
from .files import removed, written
from .network_steps import (
    DeleteAddress,
    DeleteBlocks,
    DeleteLink,
    DeleteRoute,
    LoadRules,
    ReloadUnits,
    ResetMtu,
    RunScript,
    SwitchUnit,
    WithdrawRules,
)
from .observed import NetworkState, Observed
from .plan import Difference, Plan, state_difference
from .steps import Step


def plan_network(
    before: NetworkParts | None,
    after: NetworkParts | None,
    observed: Observed,
    guests: frozenset[str] = frozenset(),
) -> Plan:
    """Files first, then rules, then the interface where the network is on.

    The rules and blocks are there whether the network is on or off. ``guests`` are the router
    addresses that other networks have on the interface of ``after``.
    """
    if after is None:
        return _plan_removal(before, observed)
    state = observed.networks.get(after.network.name, NetworkState())
    plan = _plan_files(after, observed, state) + _plan_rules(after, state, observed)
    if not after.network.started:
        return plan
    former = _former(before, after, observed)
    # First, since the kernel takes along what was added to the same subnet later.
    stale = _plan_stale(former, after, state, guests) + _plan_mtu(before, after, state)
    return plan + stale + _plan_on(after, state, observed.routes) + _plan_move(former, after)


def plan_power_off(before: NetworkParts | None, after: NetworkParts, observed: Observed) -> Plan:
    """Take away the interface of a network that is off. Its tunnels must be closed by then.

    What comes out of a tunnel would go to some other interface, in cleartext.
    """
    if after.network.started:
        return Plan()
    state = observed.networks.get(after.network.name, NetworkState())
    former = _former(before, after, observed)
    return _plan_off(former, after, state) + _plan_move(former, after)


def _plan_rules(after: NetworkParts, state: NetworkState, observed: Observed) -> Plan:
    """The nftables rules, the blocks, and the unit that loads both at boot."""
    name, unit = after.network.name, guard_unit_name(after.network.name)
    missing = tuple(block for block in after.blocks if block not in observed.blocks)
    away: tuple[Step, ...] = (DeleteBlocks(missing, _others(after, observed)),) if missing else ()
    steps: list[Step] = []
    differences: list[Difference] = []
    if not state.rules_present:
        steps.append(LoadRules(name, after.script.path, away))
    elif missing or not state.rules_match:
        steps.append(
            RunScript(name, after.script.path, "rules", "replace the nftables rules", away)
        )
    if not state.guard_active:
        steps.append(SwitchUnit(unit, "start"))
    if not state.guard_enabled:
        steps.append(SwitchUnit(unit, "enable"))
    # Rules that do not match a file that does were changed by another administrator.
    written = observed.files.get(after.rules.path)
    if not state.rules_match and written is not None and written.data == after.rules.data:
        now = "not as they should be" if state.rules_present else "not loaded"
        differences.append(state_difference(f"network {name}: nftables rules", now, "loaded"))
    if missing:
        header = f"network {name}: blocks against cleartext"
        now = f"{len(after.blocks) - len(missing)} of {len(after.blocks)}"
        differences.append(state_difference(header, now, f"{len(after.blocks)}"))
    if not state.guard_active or not state.guard_enabled:
        now = _unit_words(enabled=state.guard_enabled, active=state.guard_active)
        differences.append(state_difference(f"unit {unit}", now, "enabled, active"))
    return Plan(tuple(steps), tuple(differences))


def _others(after: NetworkParts, observed: Observed) -> tuple[Block, ...]:
    """The blocks of the host that the network did not bring."""
    return tuple(sorted(observed.blocks - {*after.blocks}))


def _plan_mtu(before: NetworkParts | None, after: NetworkParts, state: NetworkState) -> Plan:
    """One that was given, and is no longer."""
    old, new = before.network if before is not None else None, after.network
    if old is None or old.mtu is None or new.mtu is not None or not state.device_exists:
        return Plan()
    if old.device != new.device or old.mtu != state.mtu:
        return Plan()
    header = f"network {new.name}: mtu of {new.device}"
    difference = state_difference(header, str(old.mtu), "that of a new interface")
    return Plan((ResetMtu(new.device),), (difference,))


def _former(
    before: NetworkParts | None, after: NetworkParts, observed: Observed
) -> tuple[Brought, ...]:
    """What may be up besides: of before, and of the script that is there.

    That is another one than before's where a run died after it had the script run.
    """
    found: list[Brought | None] = []
    if before is not None and before.network.started:
        found.append(brought_by(before.script.data.decode()))
    script = observed.files.get(after.script.path)
    if script is not None and script not in (after.script, before.script if before else None):
        found.append(brought_by(script.data.decode("utf-8", "replace")))
    return tuple(dict.fromkeys(item for item in found if item is not None))


def _plan_files(after: NetworkParts, observed: Observed, state: NetworkState) -> Plan:
    plan = written(after.files, observed)
    units = (after.unit, after.guard_unit)
    if any(observed.files.get(unit.path) != unit for unit in units):
        plan += Plan((ReloadUnits(),))
    elif state.unit_stale:
        header = f"units of network {after.network.name} in systemd"
        plan += Plan((ReloadUnits(),), (state_difference(header, "an older one", "as its file"),))
    return plan


def _plan_on(after: NetworkParts, state: NetworkState, present: tuple[Route, ...]) -> Plan:
    """Interface, address, forwarding and routes."""
    name = after.network.name
    unit = unit_name(name)
    steps: list[Step] = []
    differences: list[Difference] = []
    lacking = _lacking(after, state) + _lacking_routes(after, present)
    brought = _brought(after, state) + _brought_routes(after, present)
    if not state.active:
        # Starting the unit runs the script.
        steps.append(SwitchUnit(unit, "start", brought))
    elif lacking:
        what = "bring up interface and routes"
        steps.append(RunScript(name, after.script.path, "start", what, brought))
    if not state.enabled:
        steps.append(SwitchUnit(unit, "enable"))
    for what, now, then in lacking:
        differences.append(state_difference(f"network {name}: {what}", now, then))
    if not state.active or not state.enabled:
        now = _unit_words(enabled=state.enabled, active=state.active)
        differences.append(state_difference(f"unit {unit}", now, "enabled, active"))
    return Plan(tuple(steps), tuple(differences))


def _brought(after: NetworkParts, state: NetworkState) -> tuple[Step, ...]:
    """What the script makes that its verb ``stop``, for the next start, leaves as it is."""
    network = after.network
    if not state.device_exists and not network.attached:
        return (DeleteLink(network.device),)
    if network.router and network.router not in state.addresses:
        return (DeleteAddress(network.router, network.device),)
    return ()


def _brought_routes(after: NetworkParts, present: tuple[Route, ...]) -> tuple[Step, ...]:
    there = {route.destination for route in present}
    return tuple(DeleteRoute(route) for route in after.routes if route.destination not in there)


def _lacking_routes(after: NetworkParts, present: tuple[Route, ...]) -> list[tuple[str, str, str]]:
    there = {route.destination: route for route in present}
    return [
        (f"route to {route.destination}", str(now or "absent"), str(route))
        for route in after.routes
        for now in [there.get(route.destination)]
        if now is None or not route.is_met_by(now)
    ]


def plan_routes(after: t.Iterable[NetworkParts], observed: Observed) -> Plan:
    """Take away the routes of ours that no network has, or one that is switched off."""
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


def _lacking(after: NetworkParts, state: NetworkState) -> list[tuple[str, str, str]]:
    """What the interface lacks, each as what, now and then."""
    network = after.network
    lacking = []
    if not state.device_exists:
        lacking.append((f"interface {network.device}", "absent", "present, up"))
    elif not state.device_up:
        lacking.append((f"interface {network.device}", "down", "up"))
    elif network.mtu is not None and state.mtu != network.mtu:
        lacking.append((f"mtu of {network.device}", str(state.mtu), str(network.mtu)))
    if network.router and network.router not in state.addresses:
        now = ", ".join(state.addresses) or "none"
        lacking.append((f"address of {network.device}", now, network.router))
    for version in after.forwarding:
        if version not in state.forwarding:
            lacking.append((f"IPv{version} forwarding", "off", "on"))
    return lacking


def _plan_move(former: tuple[Brought, ...], after: NetworkParts) -> Plan:
    """Take away the interface, or the address on one, that the network had before."""
    moved = [old for old in former if old.device != after.network.device]
    header = f"network {after.network.name}: interface {{}}"
    return Plan(
        tuple(step for old in moved for step in _withdraw(old)),
        tuple(state_difference(header.format(old.device), "in use", "given up") for old in moved),
    )


def _plan_stale(
    former: tuple[Brought, ...],
    after: NetworkParts,
    state: NetworkState,
    guests: frozenset[str],
) -> Plan:
    """An interface of ours keeps no other address; one of others loses the one it had from us."""
    network = after.network
    stale = [item for item in state.addresses if item not in {network.router, *guests}]
    if network.attached:
        ours = {old.router for old in former if old.device == network.device}
        stale = [address for address in stale if address in ours]
    header = f"network {network.name}: address of {network.device}"
    return Plan(
        tuple(DeleteAddress(address, network.device) for address in stale),
        tuple(state_difference(header, address, "absent") for address in stale),
    )


def _plan_off(former: tuple[Brought, ...], after: NetworkParts, state: NetworkState) -> Plan:
    network = after.network
    unit = unit_name(network.name)
    steps: list[Step] = []
    if state.active:
        steps.append(SwitchUnit(unit, "stop"))
    if state.enabled:
        steps.append(SwitchUnit(unit, "disable"))
    if state.device_exists and not network.attached:
        steps.append(DeleteLink(network.device))
    elif network.attached:
        ours = {network.router, *(old.router for old in former)}
        there = [address for address in state.addresses if address in ours]
        steps += [DeleteAddress(address, network.device) for address in there]
    differences: tuple[Difference, ...] = ()
    if steps:
        header = f"network {network.name}: power"
        now = _unit_words(enabled=state.enabled, active=state.active)
        differences = (state_difference(header, now, "disabled, inactive"),)
    return Plan(tuple(steps), differences)


def _plan_removal(before: NetworkParts | None, observed: Observed) -> Plan:
    if before is None:
        return Plan()
    state = observed.networks.get(before.network.name, NetworkState())
    former = _former(None, before, observed)
    off = _plan_off(former, before, state) + _plan_move(former, before)
    plan = off + _plan_withdrawal(before, state) + removed(before.files, observed)
    if any(unit.path in observed.files for unit in (before.unit, before.guard_unit)):
        plan += Plan((ReloadUnits(),))
    return plan


def _plan_withdrawal(before: NetworkParts, state: NetworkState) -> Plan:
    """The rules last, when nothing is left that they are for."""
    name, unit = before.network.name, guard_unit_name(before.network.name)
    steps: list[Step] = []
    differences: list[Difference] = []
    if state.guard_active:
        steps.append(SwitchUnit(unit, "stop"))
    if state.guard_enabled:
        steps.append(SwitchUnit(unit, "disable"))
    if steps:
        now = _unit_words(enabled=state.guard_enabled, active=state.guard_active)
        differences.append(state_difference(f"unit {unit}", now, "disabled, inactive"))
    if state.rules_present:
        steps.append(WithdrawRules(name, before.script.path))
        header = f"network {name}: nftables rules"
        differences.append(state_difference(header, "loaded", "withdrawn"))
    return Plan(tuple(steps), tuple(differences))


def plan_blocks(after: t.Iterable[NetworkParts], observed: Observed) -> Plan:
    """Delete the blocks that no network has any more. Other blocks are made by the scripts."""
    wanted = {block for parts in after for block in parts.blocks}
    stale = tuple(sorted(observed.blocks - wanted))
    if not stale:
        return Plan()
    return Plan(
        (DeleteBlocks(stale, tuple(sorted(wanted))),),
        tuple(state_difference(str(block), "present", "absent") for block in stale),
    )


def plan_record(before: File | None, after: File | None, observed: Observed) -> Plan:
    """The record, by which the next run knows that there is such a network."""
    if after is not None:
        return written((after,), observed)
    return removed((before,) if before is not None else (), observed)


def _withdraw(old: Brought) -> list[Step]:
    if old.makes:
        return [DeleteLink(old.device)]
    return [DeleteAddress(old.router, old.device)] if old.router else []


def _unit_words(*, enabled: bool, active: bool) -> str:
    return f"{'enabled' if enabled else 'disabled'}, {'active' if active else 'inactive'}"
