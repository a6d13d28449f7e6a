# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""One run of a module, the same for those that edit: read, edit, plan, try out, apply, answer.

The only place that knows AnsibleModule, and the only one that turns an exception into a failure.
Each run is a process that compiles what it imports, so that what one module needs, and no other, is
imported where it is used.
"""

from __future__ import annotations

import contextlib
import gc
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._errors import ModelError, TunnelwrightError, one_line
from .._host.apply import apply
from .._host.command import execute
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
from .._render.artefacts import Credentials, artefacts
from .behind import behind
from .cleartext import leaving
from .edit import Edit, Params, View
from .foreign import check_configuration
from .given import check_numbers, check_texts, explained, secrets_in
from .own_connection import check_own_connection
from .resource import Resource
from .spec import (
    IPSEC_CHECKPOINT,
    IPSEC_CONNECTION,
    IPSEC_DIAGNOSTICS,
    IPSEC_INFO,
    Spec,
    known_options,
)


def run(resource: Resource) -> None:
    """The ``main`` of a module."""
    module, params = _begun(resource.spec, resource.key)
    try:
        with Host(execute) as host, _at_work(host, module, resource.key) as waited:
            edit, plan, in_order, warnings = _run(resource, host, params, check=module.check_mode)
            notes = [] if module.check_mode else apply(host, plan, in_order)
    except ModelError as error:
        module.fail_json(msg=str(error.within(resource.key)))
    except TunnelwrightError as error:
        module.fail_json(msg=str(error))
    _warn(module, (waited, *edit.warnings, *warnings, *notes))
    result: dict[str, t.Any] = {
        "changed": bool(plan),
        resource.key: edit.result,
        "actions": plan.actions,
        "impact": plan.impact,
        "impacts": _impacts(plan),
    }
    if module._diff:
        result["diff"] = plan.diff
    module.exit_json(**result)


class _Task(AnsibleModule):  # type: ignore[misc]  # ansible-core brings no types
    """The module, with what the task itself gives: no defaults, and numbers that are no texts yet.

    ansible-core has the function that it overrides for modules that have to see this.
    """

    def __init__(self, spec: Spec, key: str) -> None:
        self.given: dict[str, t.Any] = {}
        self.params: dict[str, t.Any] = {}
        self._spec, self._key = spec, key
        try:
            super().__init__(**spec.arguments())
        except OverflowError:
            self.refuse(check_numbers)
            raise

    def _load_params(self) -> None:
        super()._load_params()
        # Null stands for an option that is left out, also where it has a default.
        self.params = {name: value for name, value in self.params.items() if value is not None}
        self.given = {**self.params}

    def fail_json(self, msg: str, **more: t.Any) -> t.NoReturn:
        """End the module, and show no secret, though Ansible failed before it knew the secrets.

        The values of options that it does not know are hidden: a misspelt ``psk`` holds the key.
        """
        self.no_log_values.update(secrets_in(self._spec, self.given))
        invocation = {"module_args": known_options(self.params, self.argument_spec)}
        super().fail_json(explained(msg, self._spec, self.given), invocation=invocation, **more)
        raise AssertionError("fail_json has returned")

    def refuse(self, check: t.Callable[[Spec, t.Mapping[str, t.Any]], None]) -> None:
        """End the module where the check raises ModelError for what the task gives."""
        try:
            check(self._spec, self.given)
        except ModelError as error:
            self.fail_json(msg=str(error.within(self._key)))


def _begun(spec: Spec, key: str) -> tuple[AnsibleModule, Params]:
    module = _Task(spec, key)
    module.refuse(check_texts)
    return module, Params(module.params, module.given)


def _warn(module: AnsibleModule, warnings: t.Iterable[str]) -> None:
    for warning in warnings:
        if warning:
            module.warn(one_line(warning))


@contextlib.contextmanager
def _at_work(host: Host, module: AnsibleModule, what: str) -> t.Iterator[str]:
    """Nobody else is; the note of a wait."""
    with host.exclusive(what) as waited, signs_of_life(host, check=module.check_mode):
        yield waited


def _impacts(plan: Plan) -> list[dict[str, str]]:
    return [{"sa": item.sa, "impact": item.kind, "reason": item.reason} for item in plan.impacts]


def run_checkpoint() -> None:
    """The ``main`` of ipsec_checkpoint, which edits nothing."""
    from . import checkpoint

    key = "ipsec_checkpoint"
    module, params = _begun(IPSEC_CHECKPOINT, key)
    try:
        with Host(execute) as host, host.exclusive(key) as waited:
            answer = checkpoint.carry_out(host, params, check=module.check_mode)
    except ModelError as error:
        module.fail_json(msg=str(error.within(key)))
    except TunnelwrightError as error:
        module.fail_json(msg=str(error))
    _warn(module, (waited, *answer.warnings))
    result: dict[str, t.Any] = {
        "changed": answer.changed,
        key: answer.checkpoint,
        "differs": answer.differs,
        "actions": answer.actions,
        "impact": answer.plan.impact,
        "impacts": _impacts(answer.plan),
    }
    if module._diff:
        result["diff"] = answer.plan.diff
    module.exit_json(**result)


def run_connection() -> None:
    """The ``main`` of ipsec_connection, which edits nothing either, and may fail with an answer."""
    from . import connect

    key = "ipsec_connection"
    module, params = _begun(IPSEC_CONNECTION, key)
    # Ansible shows the options with the result, and nobody knows what is in a log.
    module.params["peer_log"] = [f"{len(params['peer_log'] or ())} lines"]
    try:
        with Host(execute) as host, _at_work(host, module, key) as waited:
            answer = connect.carry_out(host, params, check=module.check_mode)
    except ModelError as error:
        module.fail_json(msg=str(error.within(key)))
    except TunnelwrightError as error:
        module.fail_json(msg=str(error))
    _warn(module, (waited, *map(str, answer.remarks)))
    result: dict[str, t.Any] = {
        "changed": answer.changed,
        key: answer.result,
        "failures": [item.to_result() for item in answer.failures],
        "remarks": [item.to_result() for item in answer.remarks],
        "actions": answer.plan.actions,
        "impact": answer.plan.impact,
        "impacts": _impacts(answer.plan),
    }
    if module._diff:
        result["diff"] = answer.plan.diff
    if answer.failures:
        module.fail_json(msg=answer.message, **result)
    module.exit_json(**result)


def run_info() -> None:
    """The ``main`` of ipsec_info."""
    from . import info

    _look(IPSEC_INFO, "ipsec_info", info.look)


def run_diagnostics() -> None:
    """The ``main`` of ipsec_diagnostics."""
    from . import diagnostics

    _look(IPSEC_DIAGNOSTICS, "ipsec_diagnostics", diagnostics.look)


def _look(spec: Spec, key: str, look: t.Callable[..., tuple[dict[str, t.Any], list[str]]]) -> None:
    """A run that changes nothing: what was found, and warnings."""
    # An eighth of the time on a host with a thousand tunnels, in a process that is about to end.
    gc.disable()
    module, params = _begun(spec, key)
    try:
        with Host(execute) as host:
            found, warnings = look(host, params, check=module.check_mode)
    except ModelError as error:
        module.fail_json(msg=str(error.within(key)))
    except TunnelwrightError as error:
        module.fail_json(msg=str(error))
    _warn(module, warnings)
    module.exit_json(changed=False, **{key: found})


def _run(
    resource: Resource, host: Host, params: Params, *, check: bool
) -> tuple[Edit, Plan, Unfinished, list[str]]:
    """Everything up to the plan; nothing is changed yet."""
    current = read_gateway(host.files)
    edit = resource.edit(current, params)
    installed = installed_credentials(host.files, current)
    given, notes = _given(host, edit)
    # Of copies that were lost, nobody else knows what was in them.
    before = artefacts(current, userspace=was_userspace(host), credentials={**given, **installed})
    userspace = uses_userspace(host, edit.gateway, before=before.userspace)
    after = artefacts(edit.gateway, userspace=userspace, credentials={**installed, **given})
    left = host.journal.read(host.vici.pid)
    scope = touched(before, after, edit.scope, left.networks)
    foreign = check_configuration(resource, params, host.files, after, scope)
    observed = observe(host, before, after, scope)
    warnings = resource.check_host(host, View(current, edit, params, observed, userspace))
    plan = make_plan(before, after, observed, scope, params.get("apply", GRACEFUL))
    warnings += [*notes, *disclosed(plan.replaced)]
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
    """The certificates of the files that the task names, and warnings."""
    if not edit.certified:
        return {}, ()
    connection = edit.gateway.connections[edit.certified]
    credentials, notes = given_credentials(host.files, connection)
    return {connection.name: credentials}, notes
