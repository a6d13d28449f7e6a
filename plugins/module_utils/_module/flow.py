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
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._errors import ModelError, TunnelwrightError, one_line
from .._host.apply import apply, end_trials, try_out
from .._host.command import not_started
from .._host.dataplane import uses_userspace, was_userspace
from .._host.host import Host
from .._host.observe import observe
from .._host.state import given_credentials, installed_credentials, read_gateway
from .._host.timer import signs_of_life
from .._plan.exchange import GRACEFUL
from .._plan.observed import Unfinished
from .._plan.plan import Plan
from .._plan.planner import make_plan, settled, touched
from .._render.artefacts import Credentials, artefacts
from .cleartext import exposed
from .edit import Edit, Params, View
from .foreign import check_configuration
from .given import check_numbers, check_texts, explained, secrets_in
from .resource import Resource
from .spec import IPSEC_CHECKPOINT, IPSEC_CONNECTION, IPSEC_DIAGNOSTICS, IPSEC_INFO, Spec


def run(resource: Resource) -> None:
    """The ``main`` of a module."""
    module, params = _begun(resource.spec, resource.key)
    try:
        with Host(_runner(module)) as host, _at_work(host, module, resource.key) as waited:
            edit, plan, in_order, warnings = _run(resource, host, params)
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

    def fail_json(self, msg: str, **more: t.Any) -> None:
        """End the module, and show no secret, though Ansible failed before it knew the secrets."""
        self.no_log_values.update(secrets_in(self._spec, self.given))
        super().fail_json(explained(msg, self._spec, self.given), **more)

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
        with Host(_runner(module)) as host, host.exclusive(key) as waited:
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
        with Host(_runner(module)) as host, _at_work(host, module, key) as waited:
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
        with Host(_runner(module)) as host:
            found, warnings = look(host, params, check=module.check_mode)
    except ModelError as error:
        module.fail_json(msg=str(error.within(key)))
    except TunnelwrightError as error:
        module.fail_json(msg=str(error))
    _warn(module, warnings)
    module.exit_json(changed=False, **{key: found})


def _run(
    resource: Resource, host: Host, params: Params
) -> tuple[Edit, Plan, Unfinished, list[str]]:
    """Everything up to the plan; nothing is changed yet."""
    current = read_gateway(host.files)
    edit = resource.edit(current, params)
    before = artefacts(
        current,
        userspace=was_userspace(host),
        credentials=installed_credentials(host.files, current),
    )
    userspace = uses_userspace(host, edit.gateway, before=before.userspace)
    after = artefacts(edit.gateway, userspace=userspace, credentials=_credentials(host, edit))
    left = host.journal.read(host.vici.pid)
    scope = touched(before, after, edit.scope, left.networks)
    foreign = check_configuration(resource, params, host.files, after, scope)
    observed = observe(host, before, after, scope)
    warnings = resource.check_host(host, View(current, edit, params, observed, userspace))
    plan = make_plan(before, after, observed, scope, params.get("apply", GRACEFUL))
    foreign.allow(plan)
    end_trials(host, observed.daemon)
    try_out(host, plan)
    in_order = settled(before, after, scope, left)
    warnings += exposed(host.link, before, after)
    return edit, plan, in_order, foreign.warnings + warnings


def _credentials(host: Host, edit: Edit) -> dict[str, Credentials]:
    credentials = installed_credentials(host.files, edit.gateway)
    if edit.certified:
        connection = edit.gateway.connections[edit.certified]
        credentials[connection.name] = given_credentials(host.files, connection)
    return credentials


def _runner(module: AnsibleModule) -> t.Callable[[list[str], str], tuple[int, str, str]]:
    def execute(argv: list[str], stdin: str) -> tuple[int, str, str]:
        try:
            status, output, errors = module.run_command(
                argv, data=stdin, environ_update=_PLAIN, handle_exceptions=False
            )
        except OSError as error:
            raise not_started(argv[0], error) from None
        return int(status), str(output), str(errors)

    return execute


# Messages of the tools in English, whatever the host speaks.
_PLAIN = {"LC_ALL": "C", "LANG": "C"}
