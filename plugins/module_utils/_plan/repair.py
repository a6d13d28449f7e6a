# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Repair a connection whose file is as configured, while charon or the kernel differs.

Another administrator unloaded or replaced the connection, removed a policy, or left an SA or a trap
that is not configured. Or a run was interrupted. Each drift is reported by name, and repaired with
the steps that disturb least.
"""

from __future__ import annotations

import re

from .._render.strongswan.section import Section
from .alike import would_be_dropped
from .children import (
    autostarts,
    child_name,
    children,
    initiates,
    is_parked,
    is_shunt,
    selector_texts,
    texts,
    traps,
)
from .foreign_replacement import ForeignConnection
from .loaded import is_loaded, other_values
from .observed import DaemonState
from .plan import Difference, Impact, Plan, joined, state_difference
from .selectors import DYNAMIC, canonical
from .steps import (
    HandOver,
    Initiate,
    InstallTrap,
    LoadConnection,
    Step,
    SwapIn,
    TerminateChild,
    UninstallTrap,
    UnloadConnection,
)
from .swap.swap_impacts import no_sa, reestablished
from .swap.swap_steps import close_child

_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")


def plan_repair(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Return the plan that makes charon and the kernel match ``section`` of the file."""
    loaded = daemon.connections.get(name)
    if loaded is not None and (is_parked(loaded) or name in daemon.unfinished.connections):
        return _resumed(name, section, daemon) + _leftovers(name, section, daemon)
    if not is_loaded(section, loaded):
        return _reloaded(name, section, daemon) + _leftovers(name, section, daemon)
    return _policies(name, section, daemon) + _leftovers(name, section, daemon)


def _reloaded(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Return the plan for a connection that is not loaded, or loaded with other settings."""
    loaded = daemon.connections.get(name)
    header = f"connection {name} in the IKE daemon"
    load = LoadConnection(name, section, section)
    if loaded is None:
        up = name in daemon.established
        impacts = (Impact(name, "none", "the SAs stay up") if up else no_sa(name),)
        return Plan((load,), (state_difference(header, "not loaded", "loaded"),), impacts)
    actual, expected = other_values(section, loaded)
    difference = state_difference(
        header, f"loaded with other settings: {actual}", f"loaded: {expected}"
    )
    steps: list[Step] = [load]
    if would_be_dropped(section, section, loaded):
        steps = [UnloadConnection(name, section), LoadConnection(name, section)]
    foreign = ForeignConnection(name, section, loaded, daemon)
    steps = [*foreign.steps_before_load, *steps, *foreign.steps_after_load]
    return Plan(tuple(steps), (difference,), foreign.impacts)


def _resumed(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Return the plan that repeats the second half of an interrupted swap.

    SAs that were negotiated by then stay, because charon makes no duplicate of them.
    """
    configured = children(section)
    up = daemon.established.get(name, frozenset()) & configured.keys()
    steps: list[Step] = [SwapIn(name, section, section)]
    steps += [
        Initiate(name, child)
        for child in sorted(up)
        if initiates(configured[child]) and not autostarts(configured[child])
    ]
    old = daemon.unfinished.connections.get(name) or daemon.child_ids.get(name, frozenset())
    if up and old:
        steps.append(HandOver(name, tuple(sorted(up)), old, optional=True))
    header = f"connection {name} in the IKE daemon"
    difference = state_difference(header, "left by an interrupted run", "loaded")
    why = "left by an interrupted run: the old Child SA is closed when a new Child SA is up"
    impacts = tuple(Impact(f"{name}/{child}", "child", why) for child in sorted(up))
    return Plan(tuple(steps), (difference,), impacts or (no_sa(name),))


def _policies(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Return the plan that restores traps and shunts missing in charon or in the kernel."""
    if daemon.policies is None or not _can_trap(section):
        return Plan()
    return joined(
        _policy(name, child, options, daemon)
        for child, options in sorted(children(section).items())
        if traps(options) or child in daemon.established.get(name, ())
    )


def _can_trap(section: Section) -> bool:
    """Return whether all peers are addresses. A trap to a name depends on name servers."""
    return all(map(_ADDRESS.fullmatch, texts(section.get("remote_addrs", ()))))


def _policy(name: str, child: str, options: Section, daemon: DaemonState) -> Plan:
    shunt = is_shunt(options)
    if traps(options) and (name, child) not in (daemon.shunts if shunt else daemon.traps):
        difference = state_difference(f"policy of {name}/{child}", "not installed", "installed")
        return Plan((InstallTrap(name, child),), (difference,))
    if _in_kernel(options, daemon):
        return Plan()
    difference = state_difference(f"policy of {name}/{child} in the kernel", "missing", "installed")
    if child in daemon.established.get(name, ()):
        return _renewed(name, child, options, difference)
    # charon does not install a shunt again that it believes to be installed.
    first = (UninstallTrap(name, child),) if shunt else ()
    return Plan((*first, InstallTrap(name, child)), (difference,))


def _renewed(name: str, child: str, options: Section, difference: Difference) -> Plan:
    """Return the plan for a Child SA without policies, beside which charon makes no second one."""
    steps: list[Step] = [TerminateChild(name, child)]
    if traps(options):
        steps.append(InstallTrap(name, child))
    if initiates(options):
        steps.append(Initiate(name, child))
    how = reestablished("Child SA", initiates=initiates(options))
    why = f"its policy is missing in the kernel: {how}"
    return Plan(tuple(steps), (difference,), (Impact(f"{name}/{child}", "child", why),))


def _in_kernel(options: Section, daemon: DaemonState) -> bool:
    """Return whether the kernel has the outbound policies, or whether these are not known."""
    pairs = [
        (local, remote)
        for local in _networks(options, "local")
        for remote in _networks(options, "remote")
        if (":" in local) == (":" in remote)
    ]
    return all(pair in (daemon.policies or ()) for pair in pairs)


def _networks(options: Section, side: str) -> tuple[str, ...]:
    """Return the selectors of a side as the kernel shows them; none when that is not known."""
    shown = canonical(selector_texts(options, side))
    return () if DYNAMIC in shown else shown


def _leftovers(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Return the plan that removes SAs and traps of children that are not configured."""
    up = daemon.established.get(name, frozenset())
    trapped = daemon.trapped.get(name, frozenset())
    return joined(
        _leftover(name, child, section, daemon)
        for child in sorted((up | trapped) - children(section).keys())
    )


def _leftover(name: str, child: str, section: Section, daemon: DaemonState) -> Plan:
    up = daemon.established.get(name, frozenset())
    steps = tuple(close_child(name, child, daemon))
    why = "not configured: the Child SA is closed"
    configured = children(section).get(child_name(child))
    if configured is not None and child_name(child) not in up:
        # The peer made the SA while the child was parked, and the SA carries traffic.
        if not initiates(configured):
            return Plan()
        steps = _replaced(name, child_name(child), daemon)
        why = (
            "left by an interrupted run under a temporary name: a new Child SA is brought up, "
            "then the old Child SA is closed"
        )
    difference = state_difference(f"{name}/{child} in the IKE daemon", "left over", "removed")
    impacts = (Impact(f"{name}/{child}", "child", why),) if child in up else ()
    return Plan(steps, (difference,), impacts)


def _replaced(name: str, child: str, daemon: DaemonState) -> tuple[Step, ...]:
    old = daemon.child_ids.get(name, frozenset())
    return Initiate(name, child), HandOver(name, (child,), old, optional=True)
