# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""From the models before and after an edit, and the host as found, to the plan."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._render.artefacts import Artefacts
from .._render.strongswan_conf import LIBIPSEC
from .connection_swap import GRACEFUL
from .differences import state_difference
from .files import removed, written
from .network import plan_network, plan_power_off, plan_record
from .network_guard import plan_blocks
from .network_interface import plan_note, plan_routes
from .network_steps import NoteInterface
from .observed import NOTHING, DaemonState, Observed, Unfinished
from .ownership import plan_ownership
from .plan import Impact, Plan, joined
from .steps import HandOver, InstallTrap, ReloadSettings, RestartDaemon, UnloadSecret
from .swanctl import plan_swanctl

_T = t.TypeVar("_T")

NO_PLAN = Plan()


@dataclass(frozen=True)
class Scope:
    """Whose drift a module repairs besides what its own edit changes.

    ``networks`` by name, ``swanctl`` by path of the file, ``daemon`` for the daemon-wide settings.
    A module that edits one tunnel must not touch, or report, the state of another.
    """

    networks: frozenset[str] = frozenset()
    swanctl: frozenset[str] = frozenset()
    daemon: bool = False


def touched(
    before: Artefacts, after: Artefacts, scope: Scope, left: frozenset[str] = frozenset()
) -> Scope:
    """The scope, all that the edit changes, and the networks that a run which died has ``left``."""
    known = before.networks.keys() | after.networks.keys()
    return Scope(
        scope.networks | _changed(before.networks, after.networks) | (left & known),
        scope.swanctl | _changed(before.swanctl, after.swanctl),
        scope.daemon or before.daemon != after.daemon,
    )


def settled(
    before: Artefacts, after: Artefacts, scope: Scope, left: Unfinished = NOTHING
) -> Unfinished:
    """What is in order when a plan for this scope has been carried out, of all that was ``left``.

    That is what the scope covers, and what no file has.
    """
    others = [
        part
        for side in (before, after)
        for path, part in side.swanctl.items()
        if path not in scope.swanctl
    ]
    connections = {name for part in others for name in part.owned}
    secrets = {name for part in others for name in part.owned_secrets}
    return Unfinished(
        {name: ids for name, ids in left.connections.items() if name not in connections},
        left.secrets - secrets,
        settings=scope.daemon,
        networks=scope.networks,
    )


def make_plan(
    before: Artefacts,
    after: Artefacts,
    observed: Observed,
    scope: Scope,
    apply: str = GRACEFUL,
) -> Plan:
    """``scope`` is what ``touched`` gave. Networks come up before tunnels and go after them.

    A restart of the daemon comes when the files that it loads everything from are in place.
    ``apply`` says what becomes of SAs that are up: graceful, reestablish or defer.
    """
    staying = [name for name in sorted(scope.networks) if name in after.networks]
    going = [name for name in sorted(scope.networks) if name not in after.networks]
    why = _restart_reason(before, after, observed) if scope.daemon else ""
    tunnels = _handed_over_last(
        joined(
            plan_swanctl(before.swanctl.get(path), after.swanctl.get(path), observed, apply)
            for path in sorted(scope.swanctl)
            if path in before.swanctl or path in after.swanctl
        )
    )
    changed = scope.networks | _changed(before.records, after.records)
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
            )
            for name in staying
        )
        + (_plan_daemon(before, after, observed, restart=bool(why)) if scope.daemon else Plan())
        + tunnels
        + _plan_strays(before, after, observed, scope)
        + _plan_orphans(before, after, observed.daemon)
        + (_plan_restart(why, observed) if why else Plan())
        + joined(
            plan_power_off(before.networks.get(name), after.networks[name], observed)
            for name in staying
        )
        + joined(plan_network(before.networks.get(name), None, observed) for name in going)
        + (plan_blocks(after.networks.values(), observed) if scope.networks else Plan())
        + _plan_records(changed - coming, before, after, observed, notes)
    )


def _plan_records(
    names: frozenset[str],
    before: Artefacts,
    after: Artefacts,
    observed: Observed,
    notes: Plan = NO_PLAN,
) -> Plan:
    """First of all where a network comes, last where it changes or goes.

    So a run that dies leaves a record of whatever it had to do with: what is live of a network can
    be seen, but only where it is known that there is to be one.
    """
    noted = {step.file.path: step.file for step in notes.steps if isinstance(step, NoteInterface)}
    return joined(
        plan_record(
            before.records.get(name),
            after.records.get(name),
            observed,
            noted.get(observed.platform.record_path(name)),
        )
        for name in sorted(names)
    )


def _handed_over_last(plan: Plan) -> Plan:
    """No SA gives way before everything is loaded, and all new ones are negotiated at once.

    A policy that is installed once more is one that went with such an SA.
    """
    # In their order otherwise: the sort is stable.
    steps = sorted(plan.steps, key=lambda step: isinstance(step, (HandOver, InstallTrap)))
    return replace(plan, steps=tuple(steps))


def _plan_orphans(before: Artefacts, after: Artefacts, daemon: DaemonState) -> Plan:
    """Secrets that a run which died had loaded, of what no file has: nobody else knows of them."""
    owned = {
        name
        for side in (before, after)
        for part in side.swanctl.values()
        for name in part.owned_secrets
    }
    left = sorted((daemon.unfinished.secrets & daemon.secrets) - owned)
    return Plan(
        tuple(UnloadSecret(name) for name in left),
        tuple(
            state_difference(f"secret {name} in the IKE daemon", "left over", "gone")
            for name in left
        ),
    )


def _plan_strays(before: Artefacts, after: Artefacts, observed: Observed, scope: Scope) -> Plan:
    """Certificates that a run which died has left, of a phase 1 that no file has."""
    unknown = scope.swanctl - before.swanctl.keys() - after.swanctl.keys()
    return joined(removed(observed.strays.get(path, ()), observed) for path in sorted(unknown))


def _guests(after: Artefacts, name: str) -> frozenset[str]:
    """The router addresses that other networks have on the interface of network ``name``."""
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
        drift = state_difference("settings of the IKE daemon", "perhaps others", "loaded")
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
    """Plugins are loaded when the daemon starts, and at no other time."""
    loaded = LIBIPSEC in observed.daemon.plugins
    if after.userspace and not loaded:
        return f"the plugin {LIBIPSEC} must be loaded for the userspace data plane"
    # With our last network gone, it is not worth the tunnels of others.
    worth_it = bool(after.networks) or not _others(before, observed)
    if before.userspace and not after.userspace and loaded and worth_it:
        return f"the plugin {LIBIPSEC} is no longer wanted"
    return ""


def _others(before: Artefacts, observed: Observed) -> bool:
    """Whether tunnels are up that are not ours."""
    ours = {name for parts in before.swanctl.values() for name in parts.owned}
    return bool(observed.daemon.established.keys() - ours)


def _changed(before: t.Mapping[str, _T], after: t.Mapping[str, _T]) -> frozenset[str]:
    return frozenset(key for key in {*before, *after} if before.get(key) != after.get(key))


def files_in(before: Artefacts, after: Artefacts, scope: Scope) -> frozenset[str]:
    """The paths that the planner will ask about."""
    paths = {*before.daemon, *after.daemon} if scope.daemon else set()
    for side in (before, after):
        for name in scope.networks:
            if name in side.networks:
                paths |= {file.path for file in side.networks[name].files}
        paths |= {file.path for file in side.records.values()}
        for path in scope.swanctl:
            if path in side.swanctl:
                paths |= {path, *(file.path for file in side.swanctl[path].extra_files)}
    return frozenset(paths)
