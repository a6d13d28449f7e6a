# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The one driver of all modules: options in, a ``ModuleOutcome`` out, exceptions become failures.

No other file knows AnsibleModule, and no other file ends a module.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

from .._errors import ModelError, TunnelwrightError, one_line
from .._host.command import execute
from .._host.host import Host
from .._plan.plan import Plan
from .edit import Params
from .given import check_numbers, check_texts, explained, secrets_in
from .spec import Spec, known_options


@dataclass(frozen=True)
class ModuleOutcome:
    """The result of a module: ``values`` beside ``changed``, and the values of its plan.

    A value takes the place of what the plan shows under the same name. ``failure`` is the message
    of a module that fails with a result. It is empty otherwise.
    """

    values: t.Mapping[str, t.Any]
    changed: bool = False
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()
    failure: str = ""

    def to_result(self, *, diff: bool) -> dict[str, t.Any]:
        """Return the result of the module, with the diff if the task asks for it."""
        shown = {} if self.plan is None else _shown(self.plan, diff=diff)
        return {"changed": self.changed, **shown, **self.values}


def _shown(plan: Plan, *, diff: bool) -> dict[str, t.Any]:
    impacts = [{"sa": item.sa, "impact": item.kind, "reason": item.reason} for item in plan.impacts]
    shown = {"actions": plan.actions, "impact": plan.impact, "impacts": impacts}
    return {**shown, "diff": plan.diff} if diff else shown


class Body(t.Protocol):
    """The work of one module. It raises ModelError and HostError."""

    def __call__(self, host: Host, params: Params, *, check: bool) -> ModuleOutcome: ...


def drive(spec: Spec, key: str, body: Body, *, summarised: str = "") -> None:
    """Run a module whose object is called ``key``, and end the process with its result.

    ``summarised`` is an option whose number of lines Ansible shows in place of the lines.
    """
    task = _Task(spec, key)
    task.refuse(check_texts)
    params = Params(task.params, task.given)
    if summarised:
        task.params[summarised] = [f"{len(params[summarised] or ())} lines"]
    try:
        with Host(execute) as host:
            outcome = body(host, params, check=task.check_mode)
    except ModelError as error:
        task.fail_json(msg=str(error.within(key)))
    except TunnelwrightError as error:
        task.fail_json(msg=str(error))
    for warning in filter(None, outcome.warnings):
        task.warn(one_line(warning))
    result = outcome.to_result(diff=task._diff)
    if outcome.failure:
        task.fail_json(msg=outcome.failure, **result)
    task.exit_json(**result)


class _Task(AnsibleModule):  # type: ignore[misc]  # ansible-core brings no types
    """The AnsibleModule, and the options as the task gives them: no defaults, no conversion.

    ansible-core documents ``_load_params`` as the method to override for this purpose.
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
        # An option that is null is left out, even if the option has a default.
        self.params = {name: value for name, value in self.params.items() if value is not None}
        self.given = {**self.params}

    def fail_json(self, msg: str, **more: t.Any) -> t.NoReturn:
        """End the module without a secret in the result.

        Ansible may fail before it knows which values are secret. The values of unknown options are
        hidden too, because a misspelt ``psk`` holds the key.
        """
        self.no_log_values.update(secrets_in(self._spec, self.given))
        invocation = {"module_args": known_options(self.params, self.argument_spec)}
        super().fail_json(explained(msg, self._spec, self.given), invocation=invocation, **more)
        raise AssertionError("fail_json has returned")

    def refuse(self, check: t.Callable[[Spec, t.Mapping[str, t.Any]], None]) -> None:
        """End the module if ``check`` raises ModelError for the options of the task."""
        try:
            check(self._spec, self.given)
        except ModelError as error:
            self.fail_json(msg=str(error.within(self._key)))
