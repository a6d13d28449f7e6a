# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The plan for a network: files, then rules, then the interface of a network that is on."""

from __future__ import annotations

from .._render.file import File
from .._render.network_parts import NetworkParts
from .files import file_difference, removed, written
from .network_guard import plan_guard, plan_withdrawal
from .network_interface import (
    earlier_interfaces,
    plan_mtu,
    plan_no_interface,
    plan_other_addresses,
    plan_other_interfaces,
    plan_up,
)
from .network_steps import ReloadUnits
from .observed import NetworkState, Observed
from .plan import Plan, state_difference
from .steps import WriteFile


def plan_network(
    before: NetworkParts | None,
    after: NetworkParts | None,
    observed: Observed,
    guests: frozenset[str] = frozenset(),
) -> Plan:
    """Return the plan for a network that comes, changes, stays or goes.

    Rules and blocks are live whether the network is on or off. ``guests`` are the router addresses
    that other networks have on the interface of ``after``.
    """
    if after is None:
        return _plan_removal(before, observed)
    state = observed.networks.get(after.network.name, NetworkState())
    plan = _plan_files(after, observed, state) + plan_guard(after, state, observed)
    if not after.network.started:
        return plan
    earlier = earlier_interfaces(before, after, observed)
    return (
        plan
        # First, because the kernel deletes a secondary address of a subnet with the primary one.
        + plan_other_addresses(earlier, after, state, guests)
        + plan_mtu(before, after, state)
        + plan_up(after, state, observed.routes)
        + plan_other_interfaces(earlier, after)
    )


def plan_power_off(before: NetworkParts | None, after: NetworkParts, observed: Observed) -> Plan:
    """Return the plan that takes away the interface of a network that is off.

    The tunnels of the network must be closed before. Packets that come out of a tunnel would leave
    by another interface, in cleartext.
    """
    if after.network.started:
        return Plan()
    state = observed.networks.get(after.network.name, NetworkState())
    earlier = earlier_interfaces(before, after, observed)
    return plan_no_interface(earlier, after, state) + plan_other_interfaces(earlier, after)


def _plan_removal(before: NetworkParts | None, observed: Observed) -> Plan:
    if before is None:
        return Plan()
    state = observed.networks.get(before.network.name, NetworkState())
    earlier = earlier_interfaces(before, before, observed)
    plan = (
        plan_no_interface(earlier, before, state)
        + plan_other_interfaces(earlier, before)
        + plan_withdrawal(before, state)
        + removed(before.files, observed)
    )
    if any(unit.path in observed.files for unit in (before.unit, before.guard_unit)):
        plan += Plan((ReloadUnits(),))
    return plan


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


def plan_record(
    before: File | None, after: File | None, observed: Observed, noted: File | None = None
) -> Plan:
    """Return the plan for the record, by which the next run knows of the network.

    ``noted`` is the record as this plan leaves it before the last step, if a step writes it.
    """
    if after is None:
        return removed((before,) if before is not None else (), observed)
    if noted is None:
        return written((after,), observed)
    found = observed.files.get(after.path)
    difference = file_difference(found, after, observed.platform)
    return Plan((WriteFile(after, noted),), (difference,))
