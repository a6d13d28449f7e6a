# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Plan the shared secrets of one file under conf.d: the PSK and the PPK of a phase 1.

charon does not show the value of a secret, so that a secret is loaded before the file is written.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import SyntaxFault
from .._render.records import owners_in
from .._render.shared_secrets import SharedSecret
from .._render.swanctl_files import SwanctlFile
from .alike import same
from .children import autostarts, children
from .in_force import NOTHING, is_key
from .loaded import is_loaded
from .observed import DaemonState, Observed
from .plan import Impact, Plan, state_difference
from .steps import Initiate, LoadSecret, Step, TerminateConnection, UnloadSecret
from .swap.decision import REESTABLISH


def plan_secrets_in(old: SwanctlFile, new: SwanctlFile, observed: Observed, apply: str) -> Plan:
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
            before = previous.get(shared.id)
            ikes = _old_ikes(before, shared, new, daemon)
            load = LoadSecret(shared, before, ikes)
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


def plan_attempts(old: SwanctlFile, new: SwanctlFile, daemon: DaemonState) -> Plan:
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


def changed_keys(old: SwanctlFile, new: SwanctlFile, daemon: DaemonState) -> tuple[str, ...]:
    """Return the options of the keys with whose old values IKE SAs have authenticated."""
    previous = {item.id: item for item in old.secrets}
    return tuple(
        _OPTIONS[item.kind]
        for item in new.secrets
        if item.kind in _OPTIONS and _old_ikes(previous.get(item.id), item, new, daemon)
    )


_OPTIONS = {"IKE": "psk", "PPK": "ppk"}


def _old_ikes(
    before: SharedSecret | None, shared: SharedSecret, new: SwanctlFile, daemon: DaemonState
) -> dict[str, frozenset[str]]:
    """Return the IKE SAs, by connection, that authenticated with another key than the new key."""
    if before is None or before.secret == shared.secret:
        return {}
    old_ikes = {}
    for name in new.connections.keys() & daemon.established.keys():
        digests = daemon.pending.get(name, NOTHING).digests(shared.kind)
        # SAs that authenticated with the new key, before it was replaced for a while.
        key = shared.secret.reveal()
        current = {ike for ike in digests if is_key(digests[ike], key)}
        old_ikes[name] = daemon.ike_ids.get(name, frozenset()) - current
    return {name: ikes for name, ikes in old_ikes.items() if ikes}


def _secret_impacts(names: t.Iterable[str]) -> t.Iterator[Impact]:
    for name in sorted(names):
        why = "secret changed: the IKE SA stays up, and the next authentication uses the new secret"
        yield Impact(name, "pending", why)


def unloaded_secrets(
    old: SwanctlFile, new: SwanctlFile, daemon: DaemonState
) -> t.Iterator[UnloadSecret]:
    """Yield the steps that unload the secrets which only the old file has."""
    previous = {item.id: item for item in old.secrets}
    wanted = {item.id for item in new.secrets}
    for name in old.secret_ids:
        if name not in wanted and name in daemon.secrets:
            yield UnloadSecret(name, previous.get(name))
