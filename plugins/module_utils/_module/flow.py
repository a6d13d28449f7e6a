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
from dataclasses import dataclass

from .._errors import HostError, ModelError
from .._host.apply import apply
from .._host.files.credentials import given_credentials, installed_credentials
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.kernel.dataplane import uses_userspace, was_userspace
from .._host.observe import observe
from .._host.rollback.timer import signs_of_life
from .._host.run.trial import end_trials, try_out
from .._host.without import DAEMON, leave_out
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
from .behind import behind
from .cleartext import leaving
from .edit import Asked, Edit, Params, View
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
            current = read_gateway(host.files)
            made = _planned(resource, host, params, current, check=check)
            notes = [] if check else apply(host, made.plan, made.settled)
        said = (waited, *made.warnings, *notes)
        return ModuleOutcome({key: made.edit.result}, bool(made.plan), made.plan, said)

    drive(resource.spec, key, body)


def run_gateway() -> None:
    """Run ipsec_gateway, which edits several objects as one. The garbage collector is off."""
    from .gateway import GatewayResource, summary
    from .gathered import gathered, rendered

    resource = GatewayResource()
    gc.disable()

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        if params["state"] == "gathered":
            return ModuleOutcome({"gathered": gathered(read_gateway(host.files))})
        if params["state"] == "rendered":
            texts, warnings = rendered(params, host.platform)
            shows = params["show_secrets"]
            return ModuleOutcome({"rendered": texts}, warnings=warnings, shows_secrets=shows)
        lacks = leave_out(host) if check else []
        with _at_work(host, resource.key, check=check) as waited:
            current = read_gateway(host.files)
            made = _planned(resource, host, params, current, check=check)
            notes = [] if check else apply(host, made.plan, made.settled)
            left = [] if check or not made.plan else _left(host, made)
        values = summary(current, made.edit.gateway, made.plan, host.platform)
        said = (waited, *_incomplete(lacks), *made.warnings, *notes)
        return ModuleOutcome(values, bool(made.plan), made.plan, said, _failure(left))

    drive(resource.spec, resource.key, body)


def _incomplete(lacks: t.Sequence[str]) -> list[str]:
    """Return the warnings of check mode about the parts that the host lacks."""
    if not lacks:
        return []
    why = "; ".join(text.rstrip(".") for text in lacks)
    return [
        f"a run needs parts that this host lacks, and fails without them: {why}. Check mode "
        "predicts the run on a host where they work, and where nothing of this collection is "
        "loaded. It can't check what they support."
    ]


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
    """Hold the lock of the host, and yield the note of a wait for the lock, or an empty text.

    Check mode without the rights of root does without the lock.
    """
    lock = host.exclusive(key) if host.may_lock or not check else contextlib.nullcontext("")
    with lock as waited, signs_of_life(host, check=check):
        yield waited


@dataclass(frozen=True)
class _Planned:
    """The plan of a run, and everything that it depends on.

    ``settled`` are the entries of the note of unfinished changes that the plan settles.
    """

    edit: Edit
    plan: Plan
    settled: Unfinished
    warnings: tuple[str, ...]
    after: Artefacts
    scope: Scope


def _left(host: Host, made: _Planned) -> list[str]:
    """Return the steps that the scope still needs after the plan. No step should be left."""
    host.nft.forget()
    observed = observe(host, made.after, made.after, made.scope)
    return make_plan(made.after, made.after, observed, made.scope).actions


def _failure(left: t.Sequence[str]) -> str:
    if not left:
        return ""
    steps = "; ".join(left[:_MOST_STEPS])
    more = f"; and {len(left) - _MOST_STEPS} more" if len(left) > _MOST_STEPS else ""
    return (
        "The run made its changes, but the host still differs from the configuration. Still to do: "
        f"{steps}{more}. Find out what changes the host back, and run the task again."
    )


# Steps in a message.
_MOST_STEPS = 5


def _planned(
    resource: Resource, host: Host, params: Params, current: Gateway, *, check: bool
) -> _Planned:
    """Return the edit and its plan.

    ``current`` is the Gateway of the files on the host. Nothing is changed. Raises ModelError and
    HostError.
    """
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
    warnings += leaving(host.link, before, after)
    warnings += behind(after, observed.daemon, scope, plan)
    # A missing file of a package that is not installed yet is no fault.
    new = DAEMON in host.missing and not host.files.kind(platform.swanctl_conf)
    warnings = [*([] if new else foreign.warnings), *warnings]
    said = (*edit.warnings, *exposed((before, after), observed), *warnings)
    return _Planned(edit, plan, in_order, said, after, scope)


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
