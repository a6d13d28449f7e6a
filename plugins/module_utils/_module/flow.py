# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The run of a module that edits one object: read, edit, plan, try out, apply, answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .._errors import HostError, ModelError
from .._host.apply import apply
from .._host.files.credentials import given_credentials, installed_credentials
from .._host.files.known_gateway import KnownGateway, recall, remember
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.kernel.dataplane import uses_userspace, was_userspace
from .._host.observe import observe
from .._host.run.trial import end_trials, try_out
from .._host.without import DAEMON
from .._model.gateway import Gateway
from .._plan.authorities import told
from .._plan.observed import Unfinished
from .._plan.overlaps import overlaps
from .._plan.ownership import exposed
from .._plan.plan import Plan
from .._plan.planner import make_plan
from .._plan.scope import Scope, settled, touched
from .._plan.swap.decision import GRACEFUL
from .._plan.trust import bad_certificates, disclosed, open_connections
from .._render.artefacts import Artefacts, artefacts
from .._render.credentials import Credentials
from .at_work import at_work
from .behind import behind
from .cleartext import leaving
from .edit import Asked, Edit, Params, View
from .foreign import check_configuration
from .own_connection import check_own_connection
from .resource import Resource
from .task import ModuleOutcome, drive


def run(resource: Resource) -> None:
    """Run a module that edits the Gateway of the host."""
    key = resource.key

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        with at_work(host, key, check=check) as waited:
            made = planned(resource, host, params, check=check)
            notes = [] if check else carried_out(host, made)
        said = (waited, *made.warnings, *notes)
        return ModuleOutcome({key: made.edit.result}, bool(made.plan), made.plan, said)

    drive(resource.spec, key, body)


@dataclass(frozen=True)
class Planned:
    """The plan of a run, and everything that it depends on.

    ``current`` is the Gateway of the files on the host, and ``known`` the note of the last run.
    ``settled`` are the entries of the note of unfinished changes that the plan settles.
    """

    current: Gateway
    edit: Edit
    plan: Plan
    settled: Unfinished
    warnings: tuple[str, ...]
    after: Artefacts
    scope: Scope
    known: KnownGateway | None


def carried_out(host: Host, made: Planned) -> list[str]:
    """Apply the plan, and note the Gateway for the next run. Return notes. Raises HostError."""
    notes = apply(host, made.plan, made.settled)
    remember(host.files, made.edit.gateway, made.after, made.known)
    return notes


def planned(resource: Resource, host: Host, params: Params, *, check: bool) -> Planned:
    """Return the edit and its plan. Nothing is changed. Raises ModelError and HostError."""
    platform = host.platform
    known = recall(host.files)
    current = read_gateway(host.files, known)
    edit = resource.edit(current, params, platform)
    installed = installed_credentials(host.files, current)
    given, notes = _given(host, edit)
    # Lost copies are in no other place.
    before = artefacts(
        current,
        platform,
        userspace=was_userspace(host),
        credentials={**given, **installed},
        known=known.rendered if known is not None else None,
    )
    userspace = uses_userspace(host, edit.gateway, before=before.userspace)
    after = artefacts(
        edit.gateway,
        platform,
        userspace=userspace,
        credentials={**installed, **given},
        known=(current, before),
    )
    left = host.unfinished_run.read(host.vici.pid)
    scope = touched(before, after, edit.scope, left.networks)
    foreign = check_configuration(resource, params, host.files, after, scope)
    observed = observe(host, before, after, scope)
    warnings = resource.check_host(
        host, View(current, edit, params, observed, userspace, Asked(host))
    )
    apply_to_sas = params.get("apply", GRACEFUL)
    plan = make_plan(before, after, observed, scope, apply_to_sas, edit.apply)
    warnings += [*notes, *disclosed(plan.replaced, platform)]
    warnings += open_connections(after, observed.daemon, scope.swanctl)
    warnings += overlaps(after, observed.daemon, scope.swanctl)
    warnings += told(observed.daemon.remembered)
    warnings += bad_certificates(after, scope.swanctl, time.time())
    foreign.allow(plan)
    warnings += check_own_connection(host, before, after, check=check)
    if DAEMON not in host.missing:
        end_trials(host, observed.daemon)
        try_out(host, plan)
    in_order = settled(before, after, scope, left)
    warnings += leaving(host.ways, before, after)
    warnings += behind(after, observed.daemon, scope, plan)
    # A missing file of a package that is not installed yet is no fault.
    new = DAEMON in host.missing and not host.files.kind(platform.swanctl_conf)
    warnings = [*([] if new else foreign.warnings), *warnings]
    said = (*edit.warnings, *exposed((before, after), observed), *warnings)
    return Planned(current, edit, plan, in_order, said, after, scope, known)


def _given(host: Host, edit: Edit) -> tuple[dict[str, Credentials], list[str]]:
    """Return the certificates in the files that the task names, by phase 1, and warnings."""
    found: dict[str, Credentials] = {}
    warnings: list[str] = []
    for name in sorted(edit.certified):
        connection = edit.gateway.connections[name]
        try:
            found[name], notes = given_credentials(host.files, connection)
        except (HostError, ModelError) as error:
            if not host.missing:
                raise
            # An earlier task of the play may bring the files.
            notes = (f"the certificates of {connection.subject} were not checked: {error}",)
        warnings += notes
    return found, warnings
