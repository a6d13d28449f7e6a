# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Trial of the connections and keys of a plan in the IKE daemon, before any change."""

from __future__ import annotations

import contextlib
import typing as t

from ..._errors import HostError
from ..._model.connection import RESERVED_PREFIX
from ..._plan import steps
from ..._plan.observed import DaemonState, Unfinished
from ..._plan.plan import Plan
from ..._render.pem import certificate
from ..._render.strongswan.section import Section
from ..host import Host

# The name of a connection and an authority that exist during a trial only.
TRIAL = f"{RESERVED_PREFIX}trial"


def try_out(host: Host, plan: Plan) -> None:
    """Make the daemon validate the connections and keys of the plan. Raise HostError.

    Connections that differ only in addresses and names are validated once, because the answer of
    the daemon depends on the other values.
    """
    validated: set[Shape] = set()
    for step in plan.steps:
        if isinstance(step, (steps.LoadConnection, steps.SwapIn)):
            shape = shape_of(step.section)
            if shape not in validated:
                _try_connection(host, step)
                validated.add(shape)
        elif isinstance(step, steps.LoadKey):
            _try_key(host, step)


# The keys of a connection whose values the model has checked as strictly as charon.
_FREE = frozenset(("local_addrs", "remote_addrs", "id", "local_ts", "remote_ts"))
Shape = tuple[object, ...]


def shape_of(section: Section) -> Shape:
    """Return a connection without its addresses, identities, selectors and names of children."""
    found: list[object] = []
    for key, value in sorted(section.items()):
        if key in _FREE:
            found.append((key, type(value).__name__))
        elif key == "children":
            inner = t.cast(t.Mapping[str, Section], value).values()
            found.append((key, *sorted({shape_of(child) for child in inner}, key=repr)))
        elif isinstance(value, t.Mapping):
            found.append((key, shape_of(value)))
        else:
            found.append((key, value))
    return tuple(found)


def _try_connection(host: Host, step: steps.LoadConnection | steps.SwapIn) -> None:
    """Load a connection under a temporary name, without start, trap and close actions.

    strongSwan would keep and trust the CAs of a connection, so they are validated separately.
    """
    cas = tuple(_authorities(step.section))
    if any(isinstance(pem, str) for pem in cas):
        why = "copies of its certificates are missing"
        advice = "Run the task of its phase 1 again. Nothing was changed."
        raise HostError(f"load connection {step.name}", why, advice)
    try:
        known = host.vici.ca_certificates() if cas else frozenset()
        for pem in cas:
            found = certificate(pem)
            if found is None or found.data not in known:
                host.vici.try_authority(TRIAL, pem)
        host.vici.load_conn(TRIAL, trial_section(step.section))
        host.vici.unload_conn(TRIAL)
    except HostError as error:
        operation = f"load connection {step.name}"
        raise HostError(operation, error.detail, "Nothing was changed.") from error


def _try_key(host: Host, step: steps.LoadKey) -> None:
    operation = f"load private key {step.file.path}"
    known = host.vici.keys()
    # The daemon may hold unmanaged keys. Only a note shows which key is on trial.
    new = step.id not in known
    trial = host.unfinished_run.trying(host.vici.pid, step.id) if new else contextlib.nullcontext()
    try:
        with trial:
            key = host.vici.load_key(step.file.data)
            if key not in known:
                host.vici.unload_key(key)
    except HostError as error:
        raise HostError(operation, error.detail, "Nothing was changed.") from error
    if step.id and key != step.id:
        raise HostError(operation, _ANOTHER, "Nothing was changed.")


_ANOTHER = "it does not belong to the first certificate in the file of the option certificate"


def end_trials(host: Host, daemon: DaemonState) -> None:
    """End the trials of an interrupted run, which the daemon still has loaded."""
    if TRIAL in daemon.connections:
        host.vici.unload_conn(TRIAL)
    if TRIAL in daemon.authorities:
        host.vici.unload_authority(TRIAL)
    for key in daemon.unfinished.keys & daemon.keys:
        host.vici.unload_key(key)
    host.unfinished_run.end(Unfinished(keys=daemon.unfinished.keys))


def trial_section(section: Section) -> Section:
    """Return the connection without actions of its children, and without CAs."""
    quiet = {"start_action": "none", "close_action": "none", "dpd_action": "clear"}
    children = t.cast(t.Mapping[str, Section], section.get("children", {}))
    tried = {**section, "children": {name: {**item, **quiet} for name, item in children.items()}}
    for end, key, kept in _AUTHORITIES:
        if end in section:
            found = {**t.cast(Section, section[end])}
            found[key] = t.cast("tuple[str, ...]", found.get(key, ()))[:kept]
            tried[end] = {name: value for name, value in found.items() if value}
    return tried


def _authorities(section: Section) -> t.Iterator[bytes]:
    """Return the certificates of the CAs of a connection, in PEM."""
    for end, key, kept in _AUTHORITIES:
        found = t.cast("t.Mapping[str, t.Sequence[bytes]]", section.get(end, {}))
        yield from found.get(key, ())[kept:]


# The places of CAs in a connection, and the number of other certificates before them.
_AUTHORITIES = (("local", "certs", 1), ("remote", "cacerts", 0))
