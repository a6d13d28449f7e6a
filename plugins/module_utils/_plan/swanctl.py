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

from .._render.strongswan.section import Section
from .._render.swanctl_files import SwanctlFile
from .alike import same
from .authorities import plan_authorities
from .children import child_name, children, initiates, traps_after_dpd
from .files import removed, written
from .loaded import is_loaded
from .observed import DaemonState, Observed
from .plan import Difference, Impact, Plan, joined, state_difference
from .repair import plan_repair
from .secrets import changed_keys, plan_attempts, plan_secrets_in, unloaded_secrets
from .steps import (
    Initiate,
    LoadConnection,
    LoadKey,
    Step,
    TerminateConnection,
    UninstallTrap,
    UnloadConnection,
    UnloadKey,
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
    new_keys = changed_keys(old, new, observed.daemon) if apply == REESTABLISH else ()
    # Only connections that were in the file before may be unloaded.
    going = joined(
        _plan_unload(name, old.connections.get(name), observed)
        for name in old.connection_names
        if name not in new.connections
    )
    loads = [
        _plan_load(name, old.connections.get(name), section, observed, apply, new_keys)
        for name, section in new.connections.items()
    ]
    secrets = plan_secrets_in(old, new, observed, apply)
    connections = joined(load for _park, load in loads)
    return (
        _plan_key_out(old, new)
        + secrets
        + (plan_attempts(old, new, observed.daemon) if secrets else Plan())
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
    new_keys: tuple[str, ...],
) -> tuple[Plan, Plan]:
    """Return the plan before the file is written, and the plan after it.

    ``new_keys`` are the options of changed keys, with which SAs that are up must authenticate
    again. The keys are loaded by then.
    """
    daemon = observed.daemon
    if same(before, after):
        first = _plan_new_keys(name, after, daemon, new_keys) if new_keys else Plan()
        return first, plan_repair(name, after, daemon)
    if before is not None and name in daemon.connections:
        change = ChangedConnection(name, before, after, daemon, new_keys)
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


def _plan_new_keys(
    name: str, section: Section, daemon: DaemonState, new_keys: t.Iterable[str]
) -> Plan:
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
    impact = Impact(name, "ike", f"{', '.join(new_keys)} changed: {how}")
    return Plan((TerminateConnection(name), *again), impacts=(impact,))


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
    steps: list[Step] = [*unloaded_secrets(old, new, observed.daemon)]
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
