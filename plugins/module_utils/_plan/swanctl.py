# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What to do so that one file under conf.d, and the daemon, hold what they should.

The daemon comes first and the file second: if the run dies between the two, the next one finds the
old file and does the whole again, while the other order would look finished.
"""

from __future__ import annotations

import typing as t

from .._render.artefacts import SwanctlFile
from .._render.settings_file import Section
from .differences import file_difference, state_difference
from .loaded import is_loaded
from .observed import Observed
from .plan import Difference, Plan, joined
from .steps import (
    LoadConnection,
    LoadKey,
    LoadSecret,
    RemoveFile,
    Step,
    TerminateChild,
    TerminateConnection,
    UninstallTrap,
    UnloadConnection,
    UnloadKey,
    UnloadSecret,
    WriteFile,
)

# What charon leaves out when it compares a connection with the one that it has.
_NOT_COMPARED = "dpd_timeout"


def plan_swanctl(before: SwanctlFile | None, after: SwanctlFile | None, observed: Observed) -> Plan:
    """``before`` and ``after`` are the file as the models before and after the edit render it."""
    old = before or _nothing_of(after)
    new = after or _nothing_of(before)
    staying = joined(
        _plan_load(name, old.connections.get(name), section, observed)
        for name, section in new.connections.items()
    )
    # Only what was in the file before is ours to unload.
    going = joined(
        _plan_unload(name, old.connections.get(name), observed)
        for name in old.owned
        if name not in new.connections
    )
    return (
        _plan_extra_files(old, new, observed)
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


def _plan_load(name: str, before: Section | None, after: Section, observed: Observed) -> Plan:
    loaded = observed.daemon.connections.get(name)
    if before == after and is_loaded(after, loaded):
        return Plan()
    steps: list[Step] = []
    kept = _without_renamed(before, after)
    if loaded is not None and _would_be_dropped(before, after, loaded):
        steps += [UnloadConnection(name, before), LoadConnection(name, after)]
    elif kept is not None:
        steps += [LoadConnection(name, kept, before), LoadConnection(name, after, kept)]
    else:
        steps.append(LoadConnection(name, after, before))
    for child in sorted(_children(before).keys() - _children(after).keys()):
        steps += _close_child(name, child, before, observed)
    difference: tuple[Difference, ...] = ()
    if before == after:
        now = "not as it should be" if loaded is not None else "not loaded"
        difference = (state_difference(f"connection {name} in the IKE daemon", now, "loaded"),)
    return Plan(tuple(steps), difference, _impact(name, before, after, observed))


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


def _close_child(name: str, child: str, before: Section | None, observed: Observed) -> list[Step]:
    steps: list[Step] = []
    if child in observed.daemon.established.get(name, ()):
        steps.append(TerminateChild(name, child))
    if _leaves_trap(before, child) and (name, child) in observed.daemon.traps:
        steps.append(UninstallTrap(name, child))
    return steps


def _leaves_trap(section: Section | None, child: str) -> bool:
    """``dpd_action = trap`` installs a policy of its own, unknown to unload-conn."""
    return _children(section).get(child, {}).get("dpd_action") == "trap"


def _without_renamed(before: Section | None, after: Section) -> Section | None:
    """``after`` without its new children, if others went: charon takes a rename for no change."""
    gone = _children(before).keys() - _children(after).keys()
    come = _children(after).keys() - _children(before).keys()
    if not gone or not come:
        return None
    children = {name: child for name, child in _children(after).items() if name not in come}
    return {**after, "children": children}


def _would_be_dropped(
    before: Section | None, after: Section, loaded: t.Mapping[str, t.Any]
) -> bool:
    """Whether charon would take ``after`` for what it has loaded, though it differs."""

    def compared(section: Section) -> Section:
        return {**section, "children": {}, _NOT_COMPARED: ""}

    stale = str(loaded.get(_NOT_COMPARED, "0")) != str(after.get(_NOT_COMPARED, "0"))
    return stale and (before is None or compared(before) == compared(after))


def _impact(name: str, before: Section | None, after: Section, observed: Observed) -> str:
    """What becomes of SAs that are up when charon is given ``after``.

    It closes and initiates anew the children with a start action that change, all of them if the
    connection does; 5.x closes the IKE SA with the last of its children (vici_config.c).
    """
    installed = observed.daemon.established.get(name)
    if installed is None or before is None:
        return "none"
    old, new = _children(before), _children(after)
    starting = {child for child in old if "start" in str(old[child].get("start_action"))}
    if before == after:
        # Somebody else's changes; what list-conns shows of them does not tell how far they go.
        loaded = name in observed.daemon.connections
        return "none" if not loaded else "ike" if starting else "pending"
    hit = {child for child in installed if old.get(child) != new.get(child)}
    if {**before, "children": {}} != {**after, "children": {}}:
        return "ike" if starting else "child" if hit - new.keys() else "pending"
    if hit & starting and hit == installed and observed.daemon.release < 6:
        return "ike"
    if hit & starting or hit - new.keys():
        return "child"
    return "pending" if hit else "none"


def _children(section: Section | None) -> t.Mapping[str, Section]:
    if section is None:
        return {}
    return t.cast(t.Mapping[str, Section], section.get("children", {}))


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
    if new.private_key and new.private_key != old.private_key:
        if old.private_key:
            # Before the other is loaded: they may be one key, written in two ways.
            steps.append(UnloadKey(old.private_key))
        steps.append(LoadKey(new.private_key))
    return Plan(tuple(steps), tuple(differences), impact)


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


def _plan_extra_files(old: SwanctlFile, new: SwanctlFile, observed: Observed) -> Plan:
    steps: list[Step] = []
    differences = []
    for file in new.extra_files:
        found = observed.files.get(file.path)
        if found != file:
            steps.append(WriteFile(file, found))
            differences.append(file_difference(found, file))
    return Plan(tuple(steps), tuple(differences))


def _plan_file(old: SwanctlFile, new: SwanctlFile, observed: Observed, *, wanted: bool) -> Plan:
    steps: list[Step] = []
    differences = []
    found = observed.files.get(new.file.path)
    if wanted and found != new.file:
        steps.append(WriteFile(new.file, found))
        differences.append(file_difference(found, new.file))
    gone = [] if wanted else [old.file]
    staying = {file.path for file in new.extra_files}
    gone += [file for file in old.extra_files if file.path not in staying]
    for file in gone:
        found = observed.files.get(file.path)
        if found is not None:
            steps.append(RemoveFile(found))
            differences.append(file_difference(found, None))
    return Plan(tuple(steps), tuple(differences))
