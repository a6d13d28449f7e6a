# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What to do so that one file under conf.d, and the daemon, hold what they should.

The daemon comes first and the file second: if the run dies between the two, the next one finds the
old file and does the whole again, while the other order would look finished.
"""

from __future__ import annotations

from .._render.artefacts import SwanctlFile
from .._render.settings_file import Section
from .differences import state_difference
from .exchange import GRACEFUL, Exchange, children, starting, would_be_dropped
from .files import removed, written
from .loaded import is_loaded
from .observed import Observed
from .plan import Difference, Plan, joined
from .steps import (
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


def plan_swanctl(
    before: SwanctlFile | None,
    after: SwanctlFile | None,
    observed: Observed,
    apply: str = GRACEFUL,
) -> Plan:
    """``before`` and ``after`` are the file as the models before and after the edit render it."""
    old = before or _nothing_of(after)
    new = after or _nothing_of(before)
    staying = joined(
        _plan_load(name, old.connections.get(name), section, observed, apply)
        for name, section in new.connections.items()
    )
    # Only what was in the file before is ours to unload.
    going = joined(
        _plan_unload(name, old.connections.get(name), observed)
        for name in old.owned
        if name not in new.connections
    )
    return (
        written(new.extra_files, observed)
        + _plan_secrets_in(old, new, observed)
        + going
        + staying
        + _plan_secrets_out(old, new, observed)
        + _plan_file(old, new, observed, wanted=after is not None)
    )


def _nothing_of(parts: SwanctlFile | None) -> SwanctlFile:
    if parts is None:
        raise ValueError("neither before nor after")
    return SwanctlFile(parts.file, ())


def _plan_load(
    name: str, before: Section | None, after: Section, observed: Observed, apply: str
) -> Plan:
    daemon = observed.daemon
    loaded = daemon.connections.get(name)
    if before == after:
        return _plan_repair(name, after, observed)
    if before is not None and loaded is not None and name in daemon.established:
        exchange = Exchange(name, before, after, daemon)
        return Plan(exchange.steps(apply), impact=exchange.impact(apply))
    kept = _without_renamed(before, after)
    steps: list[Step] = [LoadConnection(name, after, before)]
    if loaded is not None and would_be_dropped(before, after, loaded):
        steps = [UnloadConnection(name, before), LoadConnection(name, after)]
    elif kept is not None:
        steps = [LoadConnection(name, kept, before), LoadConnection(name, after, kept)]
    for child in sorted(children(before).keys() - children(after).keys()):
        if _leaves_trap(before, child) and (name, child) in daemon.traps:
            steps.append(UninstallTrap(name, child))
    return Plan(tuple(steps))


def _plan_repair(name: str, section: Section, observed: Observed) -> Plan:
    """A connection that somebody else unloaded, or loaded otherwise."""
    loaded = observed.daemon.connections.get(name)
    if is_loaded(section, loaded):
        return Plan()
    steps: list[Step] = [LoadConnection(name, section, section)]
    if loaded is not None and would_be_dropped(section, section, loaded):
        steps = [UnloadConnection(name, section), LoadConnection(name, section)]
    now = "not as it should be" if loaded is not None else "not loaded"
    difference = state_difference(f"connection {name} in the IKE daemon", now, "loaded")
    impact = "none"
    if loaded is not None and name in observed.daemon.established:
        # What list-conns shows of somebody else's change does not tell how far it goes.
        impact = "ike" if starting(section) else "pending"
    return Plan(tuple(steps), (difference,), impact)


def _plan_unload(name: str, before: Section | None, observed: Observed) -> Plan:
    daemon = observed.daemon
    steps: list[Step] = []
    if name in daemon.connections:
        steps.append(UnloadConnection(name, before))
    if name in daemon.established:
        steps.append(TerminateConnection(name))
    for connection, child in sorted(daemon.traps):
        # unload-conn takes the traps of start_action along, but not those that DPD left.
        if connection == name and (name not in daemon.connections or _leaves_trap(before, child)):
            steps.append(UninstallTrap(connection, child))
    difference: tuple[Difference, ...] = ()
    if steps:
        header = f"connection {name} in the IKE daemon"
        difference = (state_difference(header, "loaded", "not loaded"),)
    impact = "ike" if name in daemon.established else "none"
    return Plan(tuple(steps), difference, impact)


def _leaves_trap(section: Section | None, child: str) -> bool:
    """``dpd_action = trap`` installs a policy of its own, unknown to unload-conn."""
    return children(section).get(child, {}).get("dpd_action") == "trap"


def _without_renamed(before: Section | None, after: Section) -> Section | None:
    """``after`` without its new children, if others went: charon takes a rename for no change."""
    gone = children(before).keys() - children(after).keys()
    come = children(after).keys() - children(before).keys()
    if not gone or not come:
        return None
    kept = {name: child for name, child in children(after).items() if name not in come}
    return {**after, "children": kept}


def _plan_secrets_in(old: SwanctlFile, new: SwanctlFile, observed: Observed) -> Plan:
    """Secrets come before the connections that are to start with them."""
    known = {item.id: item for item in old.secrets}
    steps: list[Step] = []
    differences = []
    impact = "none"
    for shared in new.secrets:
        if shared.id not in observed.daemon.secrets:
            steps.append(LoadSecret(shared))
            if known.get(shared.id) == shared:
                header = f"secret {shared.id} in the IKE daemon"
                differences.append(state_difference(header, "not loaded", "loaded"))
        elif known.get(shared.id) != shared:
            steps.append(LoadSecret(shared, known.get(shared.id)))
            impact = _secret_impact(new, observed)
    return Plan(tuple(steps), tuple(differences), impact) + _plan_key_in(old, new, observed)


def _plan_key_in(old: SwanctlFile, new: SwanctlFile, observed: Observed) -> Plan:
    key = new.private_key
    if key is None:
        return Plan()
    load = LoadKey(key, new.key_id)
    if key == old.private_key:
        if not new.key_id or new.key_id in observed.daemon.keys:
            return Plan()
        header = f"private key {key.path} in the IKE daemon"
        return Plan((load,), (state_difference(header, "not loaded", "loaded"),))
    # The old one before the new one: they may be one key, written in two ways.
    return Plan((UnloadKey(old.private_key), load) if old.private_key else (load,))


def _secret_impact(new: SwanctlFile, observed: Observed) -> str:
    up = any(name in observed.daemon.established for name in new.connections)
    return "pending" if up else "none"


def _plan_secrets_out(old: SwanctlFile, new: SwanctlFile, observed: Observed) -> Plan:
    known = {item.id: item for item in old.secrets}
    wanted = {item.id for item in new.secrets}
    steps: list[Step] = [
        UnloadSecret(name, known.get(name))
        for name in old.owned_secrets
        if name not in wanted and name in observed.daemon.secrets
    ]
    if old.private_key and not new.private_key:
        steps.append(UnloadKey(old.private_key))
    return Plan(tuple(steps))


def _plan_file(old: SwanctlFile, new: SwanctlFile, observed: Observed, *, wanted: bool) -> Plan:
    staying = {file.path for file in new.extra_files}
    gone = [file for file in old.extra_files if file.path not in staying]
    if wanted:
        return written((new.file,), observed) + removed(gone, observed)
    return removed((old.file, *gone), observed)
