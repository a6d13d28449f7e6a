# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What to do so that one file under conf.d, and the daemon, hold what they should.

The order lets a run die between any two steps, and the next one see what is left to do. Where the
daemon does not show what it holds, it comes before the file, which then is still the old one: a
secret. Where it shows, the file comes first: a connection that is not loaded, or whose children are
set aside, is found to be so.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import SyntaxFault
from .._render.artefacts import SwanctlFile
from .._render.records import owners_in
from .._render.strongswan.section import Section
from .alike import same
from .authorities import plan_authorities
from .children import bare, children, starts
from .connection_swap import GRACEFUL, REESTABLISH, Exchange
from .differences import state_difference
from .files import removed, written
from .in_force import NOTHING, is_key
from .loaded import is_loaded
from .observed import DaemonState, Observed
from .plan import Difference, Impact, Plan, joined
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


def plan_swanctl(
    before: SwanctlFile | None,
    after: SwanctlFile | None,
    observed: Observed,
    apply: str = GRACEFUL,
) -> Plan:
    """``before`` and ``after`` are the file as the models before and after the edit render it."""
    old = before or _nothing_of(after)
    new = after or _nothing_of(before)
    new_key = apply == REESTABLISH and bool(_old_keys(old, new, observed.daemon))
    # Only what was in the file before is ours to unload.
    going = joined(
        _plan_unload(name, old.connections.get(name), observed)
        for name in old.owned
        if name not in new.connections
    )
    loads = [
        _plan_load(name, old.connections.get(name), section, observed, apply, new_key=new_key)
        for name, section in new.connections.items()
    ]
    secrets = _plan_secrets_in(old, new, observed, apply)
    connections = joined(load for _aside, load in loads)
    return (
        _plan_key_out(old, new)
        + secrets
        + (_plan_attempts(old, new, observed.daemon) if secrets else Plan())
        + going
        + joined(aside for aside, _load in loads)
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
    """What comes before the file is written, and what comes after it.

    ``new_key``: what is up is to authenticate anew, with a key that was loaded before.
    """
    daemon = observed.daemon
    if same(before, after):
        first = _plan_new_key(name, after, daemon) if new_key else Plan()
        return first, plan_repair(name, after, daemon)
    if before is not None and name in daemon.connections:
        exchange = Exchange(name, before, after, daemon, apply, new_key)
        return exchange.set_aside, exchange.taken_up
    return Plan(), Plan((LoadConnection(name, after, before),))


def _plan_unload(name: str, before: Section | None, observed: Observed) -> Plan:
    daemon = observed.daemon
    steps: list[Step] = []
    if name in daemon.connections:
        steps.append(UnloadConnection(name, before))
    if name in daemon.ike_ids or name in daemon.established:
        steps.append(TerminateConnection(name))
    for child in sorted(daemon.trapped.get(name, ())):
        # unload-conn takes the traps of start_action along, but not those that DPD left.
        if name not in daemon.connections or _leaves_trap(before, child):
            steps.append(UninstallTrap(name, child))
    difference: tuple[Difference, ...] = ()
    if steps:
        header = f"connection {name} in the IKE daemon"
        difference = (state_difference(header, "loaded", "not loaded"),)
    impacts: tuple[Impact, ...] = ()
    if name in daemon.established:
        impacts = (Impact(name, "ike", "no longer configured: it is closed"),)
    return Plan(tuple(steps), difference, impacts)


def _leaves_trap(section: Section | None, child: str) -> bool:
    """``dpd_action = trap`` installs a policy of its own, unknown to unload-conn."""
    return children(section).get(child, {}).get("dpd_action") == "trap"


def _plan_new_key(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Have a connection that is up established anew.

    It comes before the file, so that a run that dies in between is repeated.
    """
    if name not in daemon.established or not is_loaded(section, daemon.connections.get(name)):
        return Plan()
    up = {bare(child) for child in daemon.established[name]}
    again = [
        Initiate(name, child)
        for child, options in sorted(children(section).items())
        if child in up and options.get("start_action") != "none"
    ]
    then = "then brought up again" if again else "for the peer to bring up again"
    impact = Impact(name, "ike", f"psk changed: the IKE SA is closed, {then}")
    return Plan((TerminateConnection(name), *again), impacts=(impact,))


def _plan_secrets_in(old: SwanctlFile, new: SwanctlFile, observed: Observed, apply: str) -> Plan:
    """Secrets come before the connections that are to start with them."""
    daemon = observed.daemon
    known = {item.id: item for item in old.secrets}
    other_owners = _other_owners(new, observed)
    plan = Plan()
    for shared in new.secrets:
        header = f"secret {shared.id} in the IKE daemon"
        if shared.id not in daemon.secrets:
            lost = known.get(shared.id) == shared
            drift = (state_difference(header, "not loaded", "loaded"),) if lost else ()
            plan += Plan((LoadSecret(shared),), drift)
        elif known.get(shared.id) != shared:
            ikes = _old_keys(old, new, daemon)
            load = LoadSecret(shared, known.get(shared.id), ikes)
            told = () if apply == REESTABLISH else tuple(_secret_impacts(ikes))
            plan += Plan((load,), impacts=told)
        elif shared.id in other_owners:
            found = other_owners[shared.id]
            drift = (state_difference(header, _for(found), _for(shared.owners)),)
            plan += Plan((LoadSecret(shared, replace(shared, owners=found)),), drift)
        elif shared.id in daemon.unfinished.secrets:
            drift = (state_difference(header, "perhaps another", "loaded"),)
            plan += Plan((LoadSecret(shared, shared),), drift)
    return plan


def _other_owners(new: SwanctlFile, observed: Observed) -> dict[str, tuple[str, ...]]:
    """The owners that secrets have in the file as it lies there, where they are others.

    An earlier version gave some keys more owners. charon does not tell with which it has loaded a
    secret, and loads it from that file.
    """
    found = observed.files.get(new.file.path)
    if found is None or found.data == new.file.data or not new.secrets:
        return {}
    try:
        owners = owners_in(found.data.decode("utf-8", "replace"))
    except (SyntaxFault, ValueError):
        return {}
    wanted = {shared.id: shared.owners for shared in new.secrets}
    return {name: item for name, item in owners.items() if wanted.get(name, item) != item}


def _for(owners: tuple[str, ...]) -> str:
    return f"for {', '.join(owners) or 'every peer'}"


def _plan_attempts(old: SwanctlFile, new: SwanctlFile, daemon: DaemonState) -> Plan:
    """What could not authenticate was given up by charon, which would not try the new secret.

    It comes before the file, so that a run that dies in between is repeated. Connections that are
    to be loaded begin by that.
    """
    steps: list[Step] = []
    for name, section in new.connections.items():
        unchanged = same(section, old.connections.get(name))
        if not unchanged or not is_loaded(section, daemon.connections.get(name)):
            continue
        calling = [child for child, options in children(section).items() if starts(options)]
        if name in daemon.established or not calling:
            continue
        if name in daemon.ike_ids:
            # An attempt that may have authenticated with the old one by now.
            steps.append(TerminateConnection(name))
        steps += [Initiate(name, child) for child in calling]
    return Plan(tuple(steps))


def _old_keys(old: SwanctlFile, new: SwanctlFile, daemon: DaemonState) -> dict[str, frozenset[str]]:
    """The IKE SAs, by connection, that have authenticated with another key than the new one."""
    before = {item.id: item.secret for item in old.secrets}
    changed = [item for item in new.secrets if before.get(item.id, item.secret) != item.secret]
    if not changed:
        return {}
    found = {}
    for name in new.connections.keys() & daemon.established.keys():
        keys = daemon.pending.get(name, NOTHING).keys
        back = {
            ike for ike in keys if any(is_key(keys[ike], item.secret.reveal()) for item in changed)
        }
        found[name] = daemon.ike_ids.get(name, frozenset()) - back
    return {name: ikes for name, ikes in found.items() if ikes}


def _secret_impacts(names: t.Iterable[str]) -> t.Iterator[Impact]:
    for name in sorted(names):
        why = "its secret changed: it goes on, and the next authentication takes the new one"
        yield Impact(name, "pending", why)


def _plan_key_out(old: SwanctlFile, new: SwanctlFile) -> Plan:
    """The old private key before the new one: they may be one key, written in two ways."""
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


def _plan_files_out(
    old: SwanctlFile, new: SwanctlFile, observed: Observed, *, wanted: bool
) -> Plan:
    staying = {file.path for file in new.extra_files}
    gone = [file for file in old.extra_files if file.path not in staying]
    gone += observed.strays.get(old.file.path, ())
    return removed(gone if wanted else (old.file, *gone), observed)
