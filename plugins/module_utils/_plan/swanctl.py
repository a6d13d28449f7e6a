# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Plan one file under conf.d, and the objects that charon loads from it.

A run can be interrupted between any two steps, and the next run finds the rest. charon does not
show the value of a secret, so that a secret is loaded before the file is written: the next run
finds the old file. charon shows connections, so that the file is written first: the next run finds
a connection that is not loaded, or that has parked children.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import SyntaxFault
from .._render.records import owners_in
from .._render.strongswan.section import Section
from .._render.swanctl_files import SwanctlFile
from .alike import same
from .authorities import plan_authorities
from .children import autostarts, child_name, children, initiates, traps_after_dpd
from .files import removed, written
from .in_force import NOTHING, is_key
from .loaded import is_loaded
from .observed import DaemonState, Observed
from .plan import Difference, Impact, Plan, joined, state_difference
from .repair import plan_repair
from .steps import (
    Initiate,
    LoadConnection,
    LoadKey,
    LoadSecret,
    Step,
    TerminateConnection,
    UninstallTrap,
    UnloadConnection,
    UnloadKey,
    UnloadSecret,
)
from .swap.change import ChangedConnection
from .swap.connection_swap import ConnectionSwap
from .swap.decision import GRACEFUL, REESTABLISH
from .swap.swap_impacts import reestablished


def plan_swanctl(
    before: SwanctlFile | None,
    after: SwanctlFile | None,
    observed: Observed,
    apply: str = GRACEFUL,
) -> Plan:
    """Return the plan for a file, as rendered from the models before and after the edit."""
    old = before or _nothing_of(after)
    new = after or _nothing_of(before)
    new_key = apply == REESTABLISH and bool(_old_keys(old, new, observed.daemon))
    # Only connections that were in the file before may be unloaded.
    going = joined(
        _plan_unload(name, old.connections.get(name), observed)
        for name in old.connection_names
        if name not in new.connections
    )
    loads = [
        _plan_load(name, old.connections.get(name), section, observed, apply, new_key=new_key)
        for name, section in new.connections.items()
    ]
    secrets = _plan_secrets_in(old, new, observed, apply)
    connections = joined(load for _park, load in loads)
    return (
        _plan_key_out(old, new)
        + secrets
        + (_plan_attempts(old, new, observed.daemon) if secrets else Plan())
        + going
        + joined(park for park, _load in loads)
        + written(new.extra_files, observed)
        + _plan_key_in(old, new, observed)
        + (written((new.file,), observed) if after is not None else Plan())
        + connections
        + plan_authorities(new, observed, connections)
        + _plan_secrets_out(old, new, observed)
        + _plan_files_out(old, new, observed, wanted=after is not None)
    )


def _nothing_of(parts: SwanctlFile | None) -> SwanctlFile:
    if parts is None:
        raise ValueError("neither before nor after")
    return SwanctlFile(parts.file, ())


def _plan_load(
    name: str,
    before: Section | None,
    after: Section,
    observed: Observed,
    apply: str,
    *,
    new_key: bool,
) -> tuple[Plan, Plan]:
    """Return the plan before the file is written, and the plan after it.

    With ``new_key``, SAs that are up must authenticate again, with a key that is loaded by then.
    """
    daemon = observed.daemon
    if same(before, after):
        first = _plan_new_key(name, after, daemon) if new_key else Plan()
        return first, plan_repair(name, after, daemon)
    if before is not None and name in daemon.connections:
        change = ChangedConnection(name, before, after, daemon, new_key)
        swap = ConnectionSwap(change, apply)
        return swap.park, swap.swap_in
    return Plan(), Plan((LoadConnection(name, after, before),))


def _plan_unload(name: str, before: Section | None, observed: Observed) -> Plan:
    daemon = observed.daemon
    steps: list[Step] = []
    if name in daemon.connections:
        steps.append(UnloadConnection(name, before))
    if name in daemon.ike_ids or name in daemon.established:
        steps.append(TerminateConnection(name))
    for child in sorted(daemon.trapped.get(name, ())):
        # unload-conn removes traps of start_action, but no trap that DPD left.
        if name not in daemon.connections or _leaves_trap(before, child):
            steps.append(UninstallTrap(name, child))
    difference: tuple[Difference, ...] = ()
    if steps:
        header = f"connection {name} in the IKE daemon"
        difference = (state_difference(header, "loaded", "not loaded"),)
    impacts: tuple[Impact, ...] = ()
    if name in daemon.established:
        impacts = (Impact(name, "ike", "no longer configured: the IKE SA is closed"),)
    return Plan(tuple(steps), difference, impacts)


def _leaves_trap(section: Section | None, child: str) -> bool:
    """Return whether DPD installs a trap policy of its own, which unload-conn does not know."""
    return traps_after_dpd(children(section).get(child, {}))


def _plan_new_key(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Return the plan that re-establishes a connection that is up.

    It precedes the file, so that the next run repeats it after an interruption.
    """
    if name not in daemon.established or not is_loaded(section, daemon.connections.get(name)):
        return Plan()
    up = {child_name(child) for child in daemon.established[name]}
    again = [
        Initiate(name, child)
        for child, options in sorted(children(section).items())
        if child in up and initiates(options)
    ]
    how = reestablished("IKE SA", initiates=bool(again))
    impact = Impact(name, "ike", f"psk changed: {how}")
    return Plan((TerminateConnection(name), *again), impacts=(impact,))


def _plan_secrets_in(old: SwanctlFile, new: SwanctlFile, observed: Observed, apply: str) -> Plan:
    """Return the plan that loads secrets, before the connections that autostart with them."""
    daemon = observed.daemon
    previous = {item.id: item for item in old.secrets}
    other_owners = _other_owners(new, observed)
    plan = Plan()
    for shared in new.secrets:
        header = f"secret {shared.id} in the IKE daemon"
        if shared.id not in daemon.secrets:
            lost = previous.get(shared.id) == shared
            drift = (state_difference(header, "not loaded", "loaded"),) if lost else ()
            plan += Plan((LoadSecret(shared),), drift)
        elif previous.get(shared.id) != shared:
            ikes = _old_keys(old, new, daemon)
            load = LoadSecret(shared, previous.get(shared.id), ikes)
            impacts = () if apply == REESTABLISH else tuple(_secret_impacts(ikes))
            plan += Plan((load,), impacts=impacts)
        elif shared.id in other_owners:
            owners = other_owners[shared.id]
            drift = (state_difference(header, _for(owners), _for(shared.owners)),)
            plan += Plan((LoadSecret(shared, replace(shared, owners=owners)),), drift)
        elif shared.id in daemon.unfinished.secrets:
            drift = (state_difference(header, "unknown (interrupted run)", "loaded"),)
            plan += Plan((LoadSecret(shared, shared),), drift)
    return plan


def _other_owners(new: SwanctlFile, observed: Observed) -> dict[str, tuple[str, ...]]:
    """Return the owners of secrets in the file on the host, when they differ from ``new``.

    An earlier version gave some keys more owners. charon does not show the owners of a loaded
    secret, and loads it from that file.
    """
    file = observed.files.get(new.file.path)
    if file is None or file.data == new.file.data or not new.secrets:
        return {}
    try:
        owners = owners_in(file.data.decode("utf-8", "replace"))
    except (SyntaxFault, ValueError):
        return {}
    wanted = {shared.id: shared.owners for shared in new.secrets}
    return {name: item for name, item in owners.items() if wanted.get(name, item) != item}


def _for(owners: tuple[str, ...]) -> str:
    return f"for {', '.join(owners) or 'every peer'}"


def _plan_attempts(old: SwanctlFile, new: SwanctlFile, daemon: DaemonState) -> Plan:
    """Return the plan that initiates again after a new secret.

    charon gives up when authentication fails, and never tries a new secret. The plan
    precedes the file, so that the next run repeats it after an interruption. A connection that is
    loaded later in the plan is initiated by that.
    """
    steps: list[Step] = []
    for name, section in new.connections.items():
        unchanged = same(section, old.connections.get(name))
        if not unchanged or not is_loaded(section, daemon.connections.get(name)):
            continue
        started = [child for child, options in children(section).items() if autostarts(options)]
        if name in daemon.established or not started:
            continue
        if name in daemon.ike_ids:
            # The attempt may have authenticated with the old secret by now.
            steps.append(TerminateConnection(name))
        steps += [Initiate(name, child) for child in started]
    return Plan(tuple(steps))


def _old_keys(old: SwanctlFile, new: SwanctlFile, daemon: DaemonState) -> dict[str, frozenset[str]]:
    """Return the IKE SAs, by connection, that authenticated with another key than the new key."""
    before = {item.id: item.secret for item in old.secrets}
    changed = [item for item in new.secrets if before.get(item.id, item.secret) != item.secret]
    if not changed:
        return {}
    old_keys = {}
    for name in new.connections.keys() & daemon.established.keys():
        keys = daemon.pending.get(name, NOTHING).keys
        # SAs that authenticated with the new key, before it was replaced for a while.
        current = {
            ike for ike in keys if any(is_key(keys[ike], item.secret.reveal()) for item in changed)
        }
        old_keys[name] = daemon.ike_ids.get(name, frozenset()) - current
    return {name: ikes for name, ikes in old_keys.items() if ikes}


def _secret_impacts(names: t.Iterable[str]) -> t.Iterator[Impact]:
    for name in sorted(names):
        why = "secret changed: the IKE SA stays up, and the next authentication uses the new secret"
        yield Impact(name, "pending", why)


def _plan_key_out(old: SwanctlFile, new: SwanctlFile) -> Plan:
    """Return the plan that unloads the old private key, before the new one is loaded.

    Both files may hold the same key in different forms.
    """
    replaced = old.private_key and new.private_key and old.private_key != new.private_key
    return Plan((UnloadKey(old.private_key),) if old.private_key and replaced else ())


def _plan_key_in(old: SwanctlFile, new: SwanctlFile, observed: Observed) -> Plan:
    key = new.private_key
    if key is None:
        return Plan()
    load = LoadKey(key, new.key_id)
    if key != old.private_key:
        return Plan((load,))
    if not new.key_id or new.key_id in observed.daemon.keys:
        return Plan()
    header = f"private key {key.path} in the IKE daemon"
    return Plan((load,), (state_difference(header, "not loaded", "loaded"),))


def _plan_secrets_out(old: SwanctlFile, new: SwanctlFile, observed: Observed) -> Plan:
    previous = {item.id: item for item in old.secrets}
    wanted = {item.id for item in new.secrets}
    steps: list[Step] = [
        UnloadSecret(name, previous.get(name))
        for name in old.secret_ids
        if name not in wanted and name in observed.daemon.secrets
    ]
    if old.private_key and not new.private_key:
        steps.append(UnloadKey(old.private_key))
    return Plan(tuple(steps))


def _plan_files_out(
    old: SwanctlFile, new: SwanctlFile, observed: Observed, *, wanted: bool
) -> Plan:
    staying = {file.path for file in new.extra_files}
    files = [file for file in old.extra_files if file.path not in staying]
    files += observed.strays.get(old.file.path, ())
    return removed(files if wanted else (old.file, *files), observed)
