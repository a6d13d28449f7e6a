# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Plan the interface, address, routes, rules and units of a network."""

from __future__ import annotations

from .._render.artefacts import NetworkParts, guard_unit_name, unit_name
from .._render.blocks import Block
from .._render.network_files import Brought, brought_by
from .._render.routes import Route
from .files import removed, written
from .network_routes import added_routes, lacking_routes
from .network_steps import (
    DeleteAddress,
    DeleteBlocks,
    DeleteLink,
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
    """Return the plan for a network: files, then rules, then the interface when it is started.

    Rules and blocks are loaded for a stopped network too. ``guests`` are the router addresses of
    other networks on the interface of ``after``.
    """
    if after is None:
        return _plan_removal(before, observed)
    state = observed.networks.get(after.network.name, NetworkState())
    plan = _plan_files(after, observed, state) + _plan_rules(after, state, observed)
    if not after.network.started:
        return plan
    former = _former(before, after, observed)
    # Old addresses go first, because the kernel removes later addresses of the same subnet too.
    stale = _plan_stale(former, after, state, guests) + _plan_mtu(before, after, state)
    return plan + stale + _plan_on(after, state, observed.routes) + _plan_move(former, after)


def plan_power_off(before: NetworkParts | None, after: NetworkParts, observed: Observed) -> Plan:
    """Return the plan that removes the interface of a stopped network.

    Its tunnels must be closed by then, because packets out of a tunnel would leave through another
    interface, in cleartext.
    """
    if after.network.started:
        return Plan()
    state = observed.networks.get(after.network.name, NetworkState())
    former = _former(before, after, observed)
    return _plan_off(former, after, state) + _plan_move(former, after)


def _plan_rules(after: NetworkParts, state: NetworkState, observed: Observed) -> Plan:
    """Return the plan for the nftables rules, the blocks, and the unit that loads both at boot."""
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
    # When the file is right and the rules are not, another administrator changed the rules.
    written = observed.files.get(after.rules.path)
    if not state.rules_match and written is not None and written.data == after.rules.data:
        current = "changed" if state.rules_present else "not loaded"
        differences.append(state_difference(f"network {name}: nftables rules", current, "loaded"))
    if missing:
        header = f"network {name}: blocks against cleartext"
        current = f"{len(after.blocks) - len(missing)} of {len(after.blocks)}"
        differences.append(state_difference(header, current, f"{len(after.blocks)}"))
    if not state.guard_active or not state.guard_enabled:
        current = _unit_words(enabled=state.guard_enabled, active=state.guard_active)
        differences.append(state_difference(f"unit {unit}", current, "enabled, active"))
    return Plan(tuple(steps), tuple(differences))


def _others(after: NetworkParts, observed: Observed) -> tuple[Block, ...]:
    """Return the blocks of the host that belong to other networks."""
    return tuple(sorted(observed.blocks - {*after.blocks}))


def _plan_mtu(before: NetworkParts | None, after: NetworkParts, state: NetworkState) -> Plan:
    """Return the plan that resets an MTU that is no longer configured."""
    old, new = before.network if before is not None else None, after.network
    if old is None or old.mtu is None or new.mtu is not None or not state.device_exists:
        return Plan()
    if old.device != new.device or old.mtu != state.mtu:
        return Plan()
    header = f"network {new.name}: mtu of {new.device}"
    difference = state_difference(header, str(old.mtu), "default of the interface")
    return Plan((ResetMtu(new.device),), (difference,))


def _former(
    before: NetworkParts | None, after: NetworkParts, observed: Observed
) -> tuple[Brought, ...]:
    """Return the interfaces that the network may have: of ``before``, and of the script on disk.

    The script on disk differs from ``before`` after an interrupted run.
    """
    interfaces: list[Brought | None] = []
    if before is not None and before.network.started:
        interfaces.append(brought_by(before.script.data.decode()))
    script = observed.files.get(after.script.path)
    if script is not None and script not in (after.script, before.script if before else None):
        interfaces.append(brought_by(script.data.decode("utf-8", "replace")))
    return tuple(dict.fromkeys(item for item in interfaces if item is not None))


def _plan_files(after: NetworkParts, observed: Observed, state: NetworkState) -> Plan:
    plan = written(after.files, observed)
    units = (after.unit, after.guard_unit)
    if any(observed.files.get(unit.path) != unit for unit in units):
        plan += Plan((ReloadUnits(),))
    elif state.unit_stale:
        header = f"units of network {after.network.name} in systemd"
        plan += Plan(
            (ReloadUnits(),),
            (state_difference(header, "an older version", "the version of the file"),),
        )
    return plan


def _plan_on(after: NetworkParts, state: NetworkState, present: tuple[Route, ...]) -> Plan:
    """Return the plan for interface, address, forwarding and routes."""
    name = after.network.name
    unit = unit_name(name)
    steps: list[Step] = []
    differences: list[Difference] = []
    lacking = _lacking(after, state) + lacking_routes(after, present)
    brought = _brought(after, state) + added_routes(after, present)
    if not state.active:
        # Starting the unit runs the script.
        steps.append(SwitchUnit(unit, "start", brought))
    elif lacking:
        what = "bring up interface and routes"
        steps.append(RunScript(name, after.script.path, "start", what, brought))
    if not state.enabled:
        steps.append(SwitchUnit(unit, "enable"))
    for what, current, wanted in lacking:
        differences.append(state_difference(f"network {name}: {what}", current, wanted))
    if not state.active or not state.enabled:
        current = _unit_words(enabled=state.enabled, active=state.active)
        differences.append(state_difference(f"unit {unit}", current, "enabled, active"))
    return Plan(tuple(steps), tuple(differences))


def _brought(after: NetworkParts, state: NetworkState) -> tuple[Step, ...]:
    """Return the steps that remove an interface or address, which the verb ``stop`` leaves."""
    network = after.network
    if not state.device_exists and not network.attached:
        return (DeleteLink(network.device),)
    if network.router and network.router not in state.addresses:
        return (DeleteAddress(network.router, network.device),)
    return ()


def _lacking(after: NetworkParts, state: NetworkState) -> list[tuple[str, str, str]]:
    """Return the deviations of the interface, as object, present state and wanted state."""
    network = after.network
    lacking = []
    if not state.device_exists:
        lacking.append((f"interface {network.device}", "absent", "present, up"))
    elif not state.device_up:
        lacking.append((f"interface {network.device}", "down", "up"))
    elif network.mtu is not None and state.mtu != network.mtu:
        lacking.append((f"mtu of {network.device}", str(state.mtu), str(network.mtu)))
    if network.router and network.router not in state.addresses:
        current = ", ".join(state.addresses) or "none"
        lacking.append((f"address of {network.device}", current, network.router))
    for version in after.forwarding:
        if version not in state.forwarding:
            lacking.append((f"IPv{version} forwarding", "off", "on"))
    return lacking


def _plan_move(former: tuple[Brought, ...], after: NetworkParts) -> Plan:
    """Return the plan that removes the former interface or address of the network."""
    moved = [old for old in former if old.device != after.network.device]
    header = f"network {after.network.name}: interface {{}}"
    return Plan(
        tuple(step for old in moved for step in _withdraw(old)),
        tuple(
            state_difference(header.format(old.device), "in use", "no longer used") for old in moved
        ),
    )


def _plan_stale(
    former: tuple[Brought, ...],
    after: NetworkParts,
    state: NetworkState,
    guests: frozenset[str],
) -> Plan:
    """Return the plan that removes old addresses.

    An interface of the collection keeps no other address. An unmanaged interface loses only the
    former address of the network.
    """
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
        to_delete = [address for address in state.addresses if address in ours]
        steps += [DeleteAddress(address, network.device) for address in to_delete]
    differences: tuple[Difference, ...] = ()
    if steps:
        header = f"network {network.name}: power"
        current = _unit_words(enabled=state.enabled, active=state.active)
        differences = (state_difference(header, current, "disabled, inactive"),)
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
    """Return the plan that removes the rules, after the interface is removed."""
    name, unit = before.network.name, guard_unit_name(before.network.name)
    steps: list[Step] = []
    differences: list[Difference] = []
    if state.guard_active:
        steps.append(SwitchUnit(unit, "stop"))
    if state.guard_enabled:
        steps.append(SwitchUnit(unit, "disable"))
    if steps:
        current = _unit_words(enabled=state.guard_enabled, active=state.guard_active)
        differences.append(state_difference(f"unit {unit}", current, "disabled, inactive"))
    if state.rules_present:
        steps.append(WithdrawRules(name, before.script.path))
        header = f"network {name}: nftables rules"
        differences.append(state_difference(header, "loaded", "withdrawn"))
    return Plan(tuple(steps), tuple(differences))


def _withdraw(old: Brought) -> list[Step]:
    if old.makes:
        return [DeleteLink(old.device)]
    return [DeleteAddress(old.router, old.device)] if old.router else []


def _unit_words(*, enabled: bool, active: bool) -> str:
    return f"{'enabled' if enabled else 'disabled'}, {'active' if active else 'inactive'}"
