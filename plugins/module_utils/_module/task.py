# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The one driver of all modules: options in, a ``ModuleOutcome`` out, exceptions become failures.

No other file knows AnsibleModule, and no other file ends a module.
"""

from __future__ import annotations

import copy
import gc
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import RequiredError, UnsupportedError

from .._errors import EntryErrors, ModelError, TunnelwrightError, one_line
from .._host.command import execute
from .._host.host import Host
from .._plan.plan import Plan
from .alike_warnings import readable
from .edit import Params
from .entries import read_entries
from .given import (
    check_numbers,
    check_texts,
    explained,
    known_options,
    masked_options,
    occurring,
    secrets_in,
    unknown_option,
)
from .spec import Spec

# Entries of a list in the options that Ansible shows with a result.
_MOST_SHOWN = 20


@dataclass(frozen=True)
class ModuleOutcome:
    """The result of a module: ``values`` beside ``changed``, and the values of its plan.

    A value takes the place of what the plan shows under the same name. ``failure`` is the message
    of a module that fails with a result. It is empty otherwise. ``shows_secrets``: the values may
    hold secrets of the task, because the task asks for them.
    """

    values: t.Mapping[str, t.Any]
    changed: bool = False
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()
    failure: str = ""
    shows_secrets: bool = False

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
    if spec.entries:
        params.update(task.entries())
    if summarised:
        task.params[summarised] = [f"{len(params[summarised] or ())} lines"]
    try:
        with Host(execute) as host:
            outcome = body(host, params, check=task.check_mode)
    except ModelError as error:
        task.fail_json(msg=str(error.within(key)))
    except EntryErrors as error:
        task.refuse_entries(error)
    except TunnelwrightError as error:
        task.fail_json(msg=str(error))
    for warning in readable(outcome.warnings):
        task.warn(one_line(warning))
    result = outcome.to_result(diff=task._diff)
    if outcome.failure:
        task.fail_json(msg=outcome.failure, **result)
    task.hide(() if outcome.shows_secrets else (result, outcome.warnings))
    task.exit_json(**result)


def drive_look(
    spec: Spec, key: str, look: t.Callable[..., tuple[dict[str, t.Any], list[str]]]
) -> None:
    """Run a module that looks only.

    The garbage collector is off: the process is about to end, and on a host with a thousand tunnels
    the collector takes an eighth of the time.
    """
    gc.disable()

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        facts, warnings = look(host, params, check=check)
        return ModuleOutcome({key: facts}, warnings=tuple(warnings))

    drive(spec, key, body)


class Validation:
    """The validation of entries by ansible-core. Each Spec is prepared once.

    An entry that changes or removes an object does not need the options that define the object.
    """

    def __init__(self, state: str) -> None:
        self._defines = state not in ("merged", "deleted")
        self._validators: dict[int, ArgumentSpecValidator] = {}

    def __call__(self, spec: Spec, given: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        """Return the options of an entry with types and defaults, and the errors."""
        if id(spec) not in self._validators:
            arguments = spec.arguments()
            self._validators[id(spec)] = ArgumentSpecValidator(
                arguments["argument_spec"],
                required_if=arguments["required_if"] if self._defines else [],
            )
        result = self._validators[id(spec)].validate(given)
        known = spec.argument_spec
        unknown = [str(unknown_option(name, spec)) for name in given if name not in known]
        lacking = [
            f"{name}: is missing. Give it in the entry."
            for name, kind in known.items()
            if kind.get("required") and name not in given
        ]
        # The messages of ansible-core for these two name no fix.
        named = (RequiredError, *((UnsupportedError,) if unknown else ()))
        others = [error.msg for error in result.errors if not isinstance(error, named)]
        return result.validated_parameters, [*unknown, *lacking, *others]


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
        # Ansible converts lists in place.
        self.given = copy.deepcopy(self.params)
        # Ansible knows no secret options of entries, and logs the options of a task.
        self.no_log_values.update(secrets_in(self._spec, self.given))

    def hide(self, shown: object) -> None:
        """Hide the secrets of the task in ``shown``, and in the options that Ansible adds to it.

        Ansible searches each text for each secret, which is quadratic for a thousand entries.
        Therefore the secret options are masked here, and Ansible searches only for the secrets that
        also occur in other texts.
        """
        hidden = secrets_in(self._spec, self.given)
        if not self._spec.entries:
            self.no_log_values.update(hidden)
            return
        self.params = masked_options(self._short(), self._spec)
        self.no_log_values.difference_update(hidden)
        self.no_log_values.update(occurring(hidden, (shown, self.params)))

    def _short(self) -> dict[str, t.Any]:
        """Return the options, with the number of entries in place of a long list of entries."""
        return {
            name: f"{len(value)} entries"
            if name in self._spec.entries and isinstance(value, list) and len(value) > _MOST_SHOWN
            else value
            for name, value in self.params.items()
        }

    def _log_invocation(self) -> None:
        """Log the options to the system log, a long list of entries by its length."""
        params = self.params
        self.params = self._short()
        super()._log_invocation()
        self.params = params

    def entries(self) -> dict[str, list[Params]]:
        """Return the entries of the task. End the module if one of them is refused."""
        try:
            return read_entries(self._spec, self.given, Validation(self.params["state"]))
        except EntryErrors as error:
            self.refuse_entries(error)

    def refuse_entries(self, error: EntryErrors) -> t.NoReturn:
        """End the module with one error in a line."""
        self.fail_json(str(error), lines=True, errors=list(error.errors))

    def fail_json(self, msg: str, *, lines: bool = False, **more: t.Any) -> t.NoReturn:
        """End the module without a secret in the result. ``lines`` keeps the lines of the message.

        Ansible may fail before it knows which values are secret. The values of unknown options are
        hidden too, because a misspelt ``psk`` holds the key.
        """
        parts = msg.splitlines() if lines else [msg]
        said = "\n".join(explained(part, self._spec, self.given) for part in parts)
        self.hide((said, more))
        known = known_options(self.params, self.argument_spec, self._spec.entries)
        invocation = {"module_args": known}
        super().fail_json(said, invocation=invocation, **more)
        raise AssertionError("fail_json has returned")

    def refuse(self, check: t.Callable[[Spec, t.Mapping[str, t.Any]], None]) -> None:
        """End the module if ``check`` raises ModelError for the options of the task."""
        try:
            check(self._spec, self.given)
        except ModelError as error:
            self.fail_json(msg=str(error.within(self._key)))
