# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Make the plan from the models before and after an edit, and from the observed host."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._model.network import in_order
from .._render.artefacts import Artefacts
from .._render.strongswan_conf import LIBIPSEC
from .files import removed, written
from .network import plan_network, plan_power_off, plan_record
from .network_guard import plan_blocks
from .network_interface import plan_note, plan_routes
from .observed import DaemonState, Observed
from .ownership import plan_ownership
from .plan import Impact, Plan, joined, state_difference
from .scope import Scope, changed_keys
from .steps import (
    HandOver,
    InstallTrap,
    LoadSecret,
    ReloadSettings,
    RestartDaemon,
    Step,
    UnloadSecret,
    WriteFile,
)
from .swanctl import plan_swanctl
from .swap.decision import GRACEFUL

NO_PLAN = Plan()


def make_plan(
    before: Artefacts,
    after: Artefacts,
    observed: Observed,
    scope: Scope,
    apply: str = GRACEFUL,
    exceptions: t.Mapping[str, str] | None = None,
) -> Plan:
    """Return the plan for a scope, which ``touched`` returned.

    Networks come up before their tunnels, and go after them. charon restarts when the files are in
    place from which it loads everything. ``apply`` is graceful, reestablish or defer, for SAs that
    are up. ``exceptions`` has the value for single files under conf.d, by path.
    """
    staying = [name for name in _in_order(after) if name in scope.networks]
    going = [name for name in _in_order(before) if name in scope.networks - after.networks.keys()]
    why = _restart_reason(before, after, observed) if scope.daemons else ""
    by_path = exceptions or {}
    changed = scope.networks | changed_keys(before.records, after.records)
    coming = frozenset(changed & (after.records.keys() - before.records.keys()))
    notes = joined(
        plan_note(before.networks.get(name), after.networks[name], observed) for name in staying
    )
    return (
        plan_ownership(observed)
        + _plan_records(coming, before, after, observed)
        + notes
        + (plan_routes(after.networks.values(), observed) if scope.networks else Plan())
        + joined(
            plan_network(
                before.networks.get(name), after.networks[name], observed, _guests(after, name)
            ).of(name, changed=before.networks.get(name) != after.networks[name])
            for name in staying
        )
        + (_plan_daemon(before, after, observed, restart=bool(why)) if scope.daemons else Plan())
        + _plan_tunnels(before, after, observed, scope, lambda path: by_path.get(path, apply))
        + _plan_strays(before, after, observed, scope)
        + _plan_orphans(before, after, observed.daemon)
        + (_plan_restart(why, observed) if why else Plan())
        + joined(
            plan_power_off(before.networks.get(name), after.networks[name], observed)
            for name in reversed(staying)
        )
        + joined(plan_network(before.networks[name], None, observed) for name in reversed(going))
        + (plan_blocks(after.networks.values(), observed) if scope.networks else Plan())
        + _plan_records(changed - coming, before, after, observed, notes)
    )


def _in_order(side: Artefacts) -> list[str]:
    return in_order(parts.network for parts in side.networks.values())


def _plan_records(
    names: frozenset[str],
    before: Artefacts,
    after: Artefacts,
    observed: Observed,
    notes: Plan = NO_PLAN,
) -> Plan:
    """Return the plan for the records of networks.

    A record is written first when its network is added, and last when its network is changed or
    removed. An interrupted run then leaves a record of each network that it worked on. The live
    state of a network can be observed only when its name is known.
    """
    noted = {step.file.path: step.file for step in notes.steps if isinstance(step, WriteFile)}
    return joined(
        plan_record(
            before.records.get(name),
            after.records.get(name),
            observed,
            noted.get(observed.platform.record_path(name)),
        )
        for name in sorted(names)
    )


def _plan_tunnels(
    before: Artefacts,
    after: Artefacts,
    observed: Observed,
    scope: Scope,
    apply: t.Callable[[str], str],
) -> Plan:
    """Return the plan for the files under conf.d. ``apply`` has its value by path."""
    parts = (
        plan_swanctl(before.swanctl.get(path), after.swanctl.get(path), observed, apply(path)).of(
            path, changed=before.swanctl.get(path) != after.swanctl.get(path)
        )
        for path in sorted(scope.swanctl & (before.swanctl.keys() | after.swanctl.keys()))
    )
    return _in_turn(joined(parts))


def _in_turn(plan: Plan) -> Plan:
    """Return the plan with the new secrets first, and with the steps last that wait for new SAs.

    While charon installs the traps of a connection, it loads a secret slowly. No SA is closed
    before every connection is loaded, and all new SAs are negotiated at once. A trap is installed
    again after the SA that took its policy along is closed.
    """
    secrets: list[Step] = []
    early: list[Step] = []
    late: list[Step] = []
    for step in plan.steps:
        if isinstance(step, LoadSecret):
            secrets.append(step)
        else:
            (late if isinstance(step, (HandOver, InstallTrap)) else early).append(step)
    return replace(plan, steps=(*secrets, *early, *late))


def _plan_orphans(before: Artefacts, after: Artefacts, daemon: DaemonState) -> Plan:
    """Return the plan that unloads secrets of an interrupted run that no file has."""
    owned = {
        name
        for side in (before, after)
        for part in side.swanctl.values()
        for name in part.secret_ids
    }
    orphans = sorted((daemon.unfinished.secrets & daemon.secrets) - owned)
    return Plan(
        tuple(UnloadSecret(name) for name in orphans),
        tuple(
            state_difference(
                f"secret {name} in the IKE daemon", "left by an interrupted run", "unloaded"
            )
            for name in orphans
        ),
    )


def _plan_strays(before: Artefacts, after: Artefacts, observed: Observed, scope: Scope) -> Plan:
    """Return the plan that removes certificates of an interrupted run that no file uses."""
    unknown = scope.swanctl - before.swanctl.keys() - after.swanctl.keys()
    return joined(removed(observed.strays.get(path, ()), observed) for path in sorted(unknown))


def _guests(after: Artefacts, name: str) -> frozenset[str]:
    """Return the router addresses of other networks on the interface of network ``name``."""
    device = after.networks[name].network.device
    return frozenset(
        other.network.router
        for key, other in after.networks.items()
        if key != name and other.network.device == device
    )


def _plan_daemon(before: Artefacts, after: Artefacts, observed: Observed, *, restart: bool) -> Plan:
    wanted = [after.daemon[path] for path in sorted(after.daemon)]
    gone = [before.daemon[path] for path in sorted(before.daemon.keys() - after.daemon.keys())]
    plan = written(wanted, observed) + removed(gone, observed)
    if not plan and observed.daemon.unfinished.settings and after.daemon:
        drift = state_difference(
            "settings of the IKE daemon", "unknown (interrupted run)", "loaded"
        )
        plan = Plan(differences=(drift,))
    elif not plan:
        return plan
    return plan if restart else plan + Plan((ReloadSettings(),))


def _plan_restart(why: str, observed: Observed) -> Plan:
    header = f"plugin {LIBIPSEC} in the IKE daemon"
    states = ["loaded", "not loaded"]
    if LIBIPSEC not in observed.daemon.plugins:
        states.reverse()
    impacts = tuple(
        Impact(name, "ike", f"the IKE daemon restarts: {why}")
        for name in sorted(observed.daemon.established)
    )
    return Plan((RestartDaemon(why),), (state_difference(header, *states),), impacts)


def _restart_reason(before: Artefacts, after: Artefacts, observed: Observed) -> str:
    """Return the reason for a restart, or an empty text. charon loads plugins only at start."""
    loaded = LIBIPSEC in observed.daemon.plugins
    if after.userspace and not loaded:
        return f"the plugin {LIBIPSEC} must be loaded for the userspace data plane"
    # Without a network of the collection, unmanaged tunnels count more than a spare plugin.
    worth_it = bool(after.networks) or not _unmanaged_up(before, observed)
    if before.userspace and not after.userspace and loaded and worth_it:
        return f"the plugin {LIBIPSEC} is no longer wanted"
    return ""


def _unmanaged_up(before: Artefacts, observed: Observed) -> bool:
    """Return whether an unmanaged connection is up."""
    managed = {name for parts in before.swanctl.values() for name in parts.connection_names}
    return bool(observed.daemon.established.keys() - managed)
