# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The run of each module. Modules that edit share one: read, edit, plan, try out, apply, answer.

Each run is a process that compiles each file that it imports. A function below therefore imports
the files that one module alone needs.
"""

from __future__ import annotations

import contextlib
import gc
import time
import typing as t

from .._host.apply import apply
from .._host.files.credentials import given_credentials, installed_credentials
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.kernel.dataplane import uses_userspace, was_userspace
from .._host.observe import observe
from .._host.rollback.timer import signs_of_life
from .._host.run.trial import end_trials, try_out
from .._plan.authorities import told
from .._plan.observed import Unfinished
from .._plan.overlaps import overlaps
from .._plan.ownership import exposed
from .._plan.plan import Plan
from .._plan.planner import make_plan, settled, touched
from .._plan.swap.decision import GRACEFUL
from .._plan.trust import bad_certificates, disclosed, open_connections
from .._render.artefacts import artefacts
from .._render.credentials import Credentials
from .behind import behind
from .cleartext import leaving
from .edit import Edit, Params, View
from .foreign import check_configuration
from .own_connection import check_own_connection
from .resource import Resource
from .spec import IPSEC_CHECKPOINT, IPSEC_CONNECTION, IPSEC_DIAGNOSTICS, IPSEC_INFO
from .task import Body, ModuleOutcome, drive


def run(resource: Resource) -> None:
    """Run a module that edits the Gateway of the host."""
    key = resource.key

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        with _at_work(host, key, check=check) as waited:
            edit, plan, in_order, warnings = _planned(resource, host, params, check=check)
            notes = [] if check else apply(host, plan, in_order)
        said = (waited, *edit.warnings, *warnings, *notes)
        return ModuleOutcome({key: edit.result}, bool(plan), plan, said)

    drive(resource.spec, key, body)


def run_checkpoint() -> None:
    """Run ipsec_checkpoint. It edits nothing, and does not restart its own timer."""
    from . import checkpoint

    key = "ipsec_checkpoint"

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        with host.exclusive(key) as waited:
            answer = checkpoint.carry_out(host, params, check=check)
        # A rollback does more than its plan where the plan can't reach.
        values = {
            key: answer.checkpoint,
            "differences": answer.differs,
            "actions": answer.actions,
        }
        return ModuleOutcome(values, answer.changed, answer.plan, (waited, *answer.warnings))

    drive(IPSEC_CHECKPOINT, key, body)


def run_connection() -> None:
    """Run ipsec_connection. It edits nothing, and may fail with a result."""
    from . import connect

    key = "ipsec_connection"

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        with _at_work(host, key, check=check) as waited:
            answer = connect.carry_out(host, params, check=check)
        values = {
            key: answer.result,
            "failures": [item.to_result() for item in answer.failures],
            "remarks": [item.to_result() for item in answer.remarks],
        }
        warnings = (waited, *map(str, answer.remarks))
        return ModuleOutcome(values, answer.changed, answer.plan, warnings, answer.message)

    # The log of a peer may hold anything. Ansible shows options with the result.
    drive(IPSEC_CONNECTION, key, body, summarised="peer_log")


def run_info() -> None:
    """Run ipsec_info, which changes nothing."""
    from . import info

    gc.disable()
    drive(IPSEC_INFO, "ipsec_info", _looking("ipsec_info", info.look))


def run_diagnostics() -> None:
    """Run ipsec_diagnostics, which changes nothing."""
    from . import diagnostics

    gc.disable()
    drive(IPSEC_DIAGNOSTICS, "ipsec_diagnostics", _looking("ipsec_diagnostics", diagnostics.look))


def _looking(key: str, look: t.Callable[..., tuple[dict[str, t.Any], list[str]]]) -> Body:
    """Return the body of a module that looks only.

    The garbage collector is off: the process is about to end, and on a host with a thousand tunnels
    the collector takes an eighth of the time.
    """

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        facts, warnings = look(host, params, check=check)
        return ModuleOutcome({key: facts}, warnings=tuple(warnings))

    return body


@contextlib.contextmanager
def _at_work(host: Host, key: str, *, check: bool) -> t.Iterator[str]:
    """Hold the lock of the host, and yield the note of a wait for the lock, or an empty text."""
    with host.exclusive(key) as waited, signs_of_life(host, check=check):
        yield waited


def _planned(
    resource: Resource, host: Host, params: Params, *, check: bool
) -> tuple[Edit, Plan, Unfinished, list[str]]:
    """Return the edit, its plan, the entries of the note that it settles, and warnings.

    It changes nothing on the host. Raises ModelError and HostError.
    """
    current = read_gateway(host.files)
    platform = host.platform
    edit = resource.edit(current, params, platform)
    installed = installed_credentials(host.files, current)
    given, notes = _given(host, edit)
    # Lost copies are in no other place.
    before = artefacts(
        current,
        platform,
        userspace=was_userspace(host),
        credentials={**given, **installed},
    )
    userspace = uses_userspace(host, edit.gateway, before=before.userspace)
    after = artefacts(
        edit.gateway, platform, userspace=userspace, credentials={**installed, **given}
    )
    left = host.unfinished_run.read(host.vici.pid)
    scope = touched(before, after, edit.scope, left.networks)
    foreign = check_configuration(resource, params, host.files, after, scope)
    observed = observe(host, before, after, scope)
    warnings = resource.check_host(host, View(current, edit, params, observed, userspace))
    plan = make_plan(before, after, observed, scope, params.get("apply", GRACEFUL))
    warnings += [*notes, *disclosed(plan.replaced, platform)]
    warnings += open_connections(after, observed.daemon, scope.swanctl)
    warnings += overlaps(after, observed.daemon, scope.swanctl)
    warnings += told(observed.daemon.remembered)
    warnings += bad_certificates(after, scope.swanctl, time.time())
    foreign.allow(plan)
    warnings += check_own_connection(host, before, after, check=check)
    end_trials(host, observed.daemon)
    try_out(host, plan)
    in_order = settled(before, after, scope, left)
    warnings += leaving(host.link, before, after)
    warnings += behind(after, observed.daemon, scope, plan)
    return edit, plan, in_order, [*exposed((before, after), observed), *foreign.warnings, *warnings]


def _given(host: Host, edit: Edit) -> tuple[dict[str, Credentials], tuple[str, ...]]:
    """Return the certificates in the files that the task names, and warnings."""
    if not edit.certified:
        return {}, ()
    connection = edit.gateway.connections[edit.certified]
    credentials, notes = given_credentials(host.files, connection)
    return {connection.name: credentials}, notes
