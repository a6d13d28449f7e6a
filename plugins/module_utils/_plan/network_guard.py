# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The plan for the nftables rules of a network, for its blocks, and for the unit of both."""

from __future__ import annotations

import typing as t

from .._render.blocks import Block
from .._render.network_parts import NetworkParts
from .._render.network_units import guard_unit_name
from .._render.nft import table_name
from .._render.nft_listing import ElementChanges
from .network_steps import (
    AddBlocks,
    ChangeElements,
    DeleteBlocks,
    LoadRules,
    RunScript,
    SwitchUnit,
    WithdrawRules,
)
from .observed import NetworkState, Observed
from .plan import Difference, Plan, state_difference
from .steps import Step

# The script adds more blocks than these faster than one command for each.
_FEW_BLOCKS = 20


def plan_guard(after: NetworkParts, state: NetworkState, observed: Observed) -> Plan:
    """Return the plan that has the rules and blocks live, and the unit that loads both at boot."""
    missing = tuple(block for block in after.blocks if block not in observed.blocks)
    steps = (*_load(after, state, observed, missing), *_switch_on(after, state))
    differences = (
        *_rules_differ(after, state, observed),
        *_blocks_differ(after, missing),
        *_unit_differs(after, state),
    )
    return Plan(steps, differences)


def _load(
    after: NetworkParts, state: NetworkState, observed: Observed, missing: tuple[Block, ...]
) -> t.Iterator[Step]:
    name, path = after.network.name, after.script.path
    # The blocks of the host that this network did not bring stay.
    others = tuple(sorted(observed.blocks - {*after.blocks}))
    undo: tuple[Step, ...] = (DeleteBlocks(missing, others),) if missing else ()
    if not state.rules_present:
        yield LoadRules(name, path, undo)
    elif state.elements is not None and len(missing) <= _FEW_BLOCKS:
        # The blocks first, because the script adds them first too.
        if missing:
            yield AddBlocks(missing, others)
        yield ChangeElements(name, table_name(name), state.elements)
    elif missing or not state.rules_match:
        yield RunScript(name, path, "rules", "replace the nftables rules", undo)


def _switch_on(after: NetworkParts, state: NetworkState) -> t.Iterator[Step]:
    unit = guard_unit_name(after.network.name)
    if not state.guard_active:
        yield SwitchUnit(unit, "start")
    if not state.guard_enabled:
        yield SwitchUnit(unit, "enable")


def _rules_differ(
    after: NetworkParts, state: NetworkState, observed: Observed
) -> t.Iterator[Difference]:
    """Yield the difference of rules that another administrator has changed.

    The rules do not match, but their file does. A change of the file shows as such.
    """
    file = observed.files.get(after.rules.path)
    if state.rules_match or file is None or file.data != after.rules.data:
        return
    if state.elements is not None:
        header = f"network {after.network.name}: elements of nftables sets"
        yield state_difference(header, *_element_words(state.elements))
    else:
        shown = "changed" if state.rules_present else "not loaded"
        header = f"network {after.network.name}: nftables rules"
        yield state_difference(header, shown, "loaded")


def _element_words(changes: ElementChanges) -> tuple[str, str]:
    """Return the live elements that differ, and the wanted elements, one element in a line."""
    sides = (changes.deleted, changes.added)
    live, wanted = ("\n".join(f"{name} {text}" for name, text in side) for side in sides)
    return live or "missing", wanted or "absent"


def _blocks_differ(after: NetworkParts, missing: tuple[Block, ...]) -> t.Iterator[Difference]:
    if missing:
        header = f"network {after.network.name}: blocks against cleartext"
        count = len(after.blocks)
        yield state_difference(header, f"{count - len(missing)} of {count}", f"{count}")


def _unit_differs(after: NetworkParts, state: NetworkState) -> t.Iterator[Difference]:
    if not state.guard_active or not state.guard_enabled:
        words = unit_words(enabled=state.guard_enabled, active=state.guard_active)
        header = f"unit {guard_unit_name(after.network.name)}"
        yield state_difference(header, words, "enabled, active")


def plan_withdrawal(before: NetworkParts, state: NetworkState) -> Plan:
    """Return the plan that takes away unit and rules, when no traffic is left for them."""
    name, unit = before.network.name, guard_unit_name(before.network.name)
    steps: list[Step] = []
    differences: list[Difference] = []
    if state.guard_active:
        steps.append(SwitchUnit(unit, "stop"))
    if state.guard_enabled:
        steps.append(SwitchUnit(unit, "disable"))
    if steps:
        words = unit_words(enabled=state.guard_enabled, active=state.guard_active)
        differences.append(state_difference(f"unit {unit}", words, "disabled, inactive"))
    if state.rules_present:
        steps.append(WithdrawRules(name, before.script.path))
        header = f"network {name}: nftables rules"
        differences.append(state_difference(header, "loaded", "withdrawn"))
    return Plan(tuple(steps), tuple(differences))


def plan_blocks(after: t.Iterable[NetworkParts], observed: Observed) -> Plan:
    """Return the plan that deletes the blocks that no network has. The scripts make the others."""
    wanted = {block for parts in after for block in parts.blocks}
    stale = tuple(sorted(observed.blocks - wanted))
    if not stale:
        return Plan()
    return Plan(
        (DeleteBlocks(stale, tuple(sorted(wanted))),),
        tuple(state_difference(str(block), "present", "absent") for block in stale),
    )


def unit_words(*, enabled: bool, active: bool) -> str:
    """Return the state of a unit for a difference: ``enabled, active``."""
    return f"{'enabled' if enabled else 'disabled'}, {'active' if active else 'inactive'}"
