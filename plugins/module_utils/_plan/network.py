# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What to do so that a network's interface, address, rules and unit are as they should be."""

from __future__ import annotations

from .._render.artefacts import File, NetworkParts, unit_name
from .differences import state_difference
from .files import removed, written
from .observed import NetworkState, Observed
from .plan import Difference, Plan
from .steps import (
    DeleteAddress,
    DeleteLink,
    ReloadUnits,
    RunScript,
    Step,
    SwitchUnit,
)


def plan_network(
    before: NetworkParts | None,
    after: NetworkParts | None,
    observed: Observed,
    guests: frozenset[str] = frozenset(),
) -> Plan:
    """Files first, then the script that the unit runs at boot, then what is left of before.

    ``guests`` are the router addresses that other networks have on the interface of ``after``.
    """
    if after is None:
        return _plan_removal(before, observed)
    state = observed.networks.get(after.network.name, NetworkState())
    files = _plan_files(after, observed, state)
    moved = _plan_move(before, after)
    if after.network.started:
        on = _plan_on(after, state, drifted=after.rules == observed.files.get(after.rules.path))
        return files + on + _plan_stale(before, after, state, guests) + moved
    return files + _plan_off(before, after, state) + moved


def _plan_files(after: NetworkParts, observed: Observed, state: NetworkState) -> Plan:
    plan = written(after.files, observed)
    if observed.files.get(after.unit.path) != after.unit:
        plan += Plan((ReloadUnits(),))
    elif state.unit_stale:
        header = f"unit {unit_name(after.network.name)} in systemd"
        plan += Plan((ReloadUnits(),), (state_difference(header, "an older one", "as its file"),))
    return plan


def _plan_on(after: NetworkParts, state: NetworkState, *, drifted: bool) -> Plan:
    """``drifted``: rules that do not match were changed by somebody else, not by this edit."""
    name = after.network.name
    unit = unit_name(name)
    steps: list[Step] = []
    differences: list[Difference] = []
    lacking = _lacking(after, state)
    if not state.active:
        # Starting the unit runs the script.
        steps.append(SwitchUnit(unit, "start"))
    elif lacking:
        steps.append(RunScript(name, after.script.path, "start", "bring up interface and rules"))
    elif not state.rules_match:
        steps.append(RunScript(name, after.script.path, "rules", "replace the nftables rules"))
    if not state.enabled:
        steps.append(SwitchUnit(unit, "enable"))
    for what, now, then in lacking:
        differences.append(state_difference(f"network {name}: {what}", now, then))
    if not state.rules_match and drifted:
        now = "not as they should be" if state.rules_present else "not loaded"
        differences.append(state_difference(f"network {name}: nftables rules", now, "loaded"))
    if not state.active or not state.enabled:
        now = _unit_words(state)
        differences.append(state_difference(f"unit {unit}", now, "enabled, active"))
    return Plan(tuple(steps), tuple(differences))


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


def _plan_move(before: NetworkParts | None, after: NetworkParts) -> Plan:
    """Take away the interface, or the address on one, that the network had before."""
    old = before.network if before is not None else None
    if old is None or not old.started or old.device == after.network.device:
        return Plan()
    header = f"network {old.name}: interface {old.device}"
    difference = state_difference(header, "in use", "given up")
    return Plan(tuple(_withdraw(old.device, old.router, ours=not old.attached)), (difference,))


def _plan_stale(
    before: NetworkParts | None, after: NetworkParts, state: NetworkState, guests: frozenset[str]
) -> Plan:
    """An interface of ours keeps no other address; one of others loses the one it had from us."""
    network = after.network
    stale = [item for item in state.addresses if item not in {network.router, *guests}]
    if network.attached:
        ours = before.network.router if before is not None else ""
        stale = [address for address in stale if address == ours]
    header = f"network {network.name}: address of {network.device}"
    return Plan(
        tuple(DeleteAddress(address, network.device) for address in stale),
        tuple(state_difference(header, address, "absent") for address in stale),
    )


def _plan_off(before: NetworkParts | None, after: NetworkParts, state: NetworkState) -> Plan:
    network = after.network
    unit = unit_name(network.name)
    steps: list[Step] = []
    if state.active:
        steps.append(SwitchUnit(unit, "stop"))
    elif state.rules_present:
        steps.append(RunScript(network.name, after.script.path, "stop", "withdraw the rules"))
    if state.enabled:
        steps.append(SwitchUnit(unit, "disable"))
    if state.device_exists and not network.attached:
        steps.append(DeleteLink(network.device))
    elif network.attached:
        ours = {network.router, before.network.router if before is not None else ""}
        there = [address for address in state.addresses if address in ours]
        steps += [DeleteAddress(address, network.device) for address in there]
    differences: tuple[Difference, ...] = ()
    if steps:
        header = f"network {network.name}: power"
        differences = (state_difference(header, _unit_words(state), "disabled, inactive"),)
    return Plan(tuple(steps), differences)


def _plan_removal(before: NetworkParts | None, observed: Observed) -> Plan:
    if before is None:
        return Plan()
    state = observed.networks.get(before.network.name, NetworkState())
    plan = _plan_off(before, before, state) + removed(before.files, observed)
    if before.unit.path in observed.files:
        plan += Plan((ReloadUnits(),))
    return plan


def plan_record(before: File | None, after: File | None, observed: Observed) -> Plan:
    """The record, which goes last: without it the next run starts from scratch."""
    if after is not None:
        return written((after,), observed)
    return removed((before,) if before is not None else (), observed)


def _withdraw(device: str, router: str, *, ours: bool) -> list[Step]:
    if ours:
        return [DeleteLink(device)]
    return [DeleteAddress(router, device)] if router else []


def _unit_words(state: NetworkState) -> str:
    enabled = "enabled" if state.enabled else "disabled"
    active = "active" if state.active else "inactive"
    return f"{enabled}, {active}"
