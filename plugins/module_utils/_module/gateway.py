# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_gateway."""

from __future__ import annotations

import gc
import typing as t

from .._errors import ModelError, Unsupported
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.observe import observe
from .._host.without import leave_out
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._plan.plan import Plan
from .._plan.planner import make_plan
from .at_work import at_work
from .concerned import RESOURCES, Concerned, concerned
from .edit import Edit, Params, View
from .entries import ErrorList, identity, label
from .flow import Planned, carried_out, planned
from .gateway_edit import GatewayEdit
from .gateway_spec import IPSEC_GATEWAY
from .gathered import gathered, rendered
from .network import check_entry
from .spec import Spec
from .task import ModuleOutcome, drive

_CheckHost = t.Callable[[Host, View], list[str]]

_CHECKS: dict[str, _CheckHost] = {
    "networks": check_entry,
    **{option: resource.check_host for option, resource in RESOURCES.items()},
}


class GatewayResource:
    spec: t.ClassVar[Spec] = IPSEC_GATEWAY
    key: t.ClassVar[str] = "ipsec_gateway"

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        return GatewayEdit(current, params, platform).made()

    def check_host(self, host: Host, view: View) -> list[str]:
        """Check every object that the task describes or starts. Raises EntryErrors."""
        if view.params["state"] == "deleted":
            return []
        errors, warnings = ErrorList(), list[str]()
        for item in _checked(view):
            if errors.full:
                break
            try:
                warnings += _CHECKS[item.option](host, item.view(view))
            except ModelError as error:
                errors.add(item.subject, error)
            except Unsupported as error:
                errors.note(item.subject, str(error))
        errors.raise_all()
        # Several entries of one network have the same warnings about the host.
        return list(dict.fromkeys(warnings))


def _checked(view: View) -> t.Iterator[Concerned]:
    """Yield the entries, then the objects without entry that a changed network concerns."""
    described = set()
    for option in _CHECKS:
        for entry in view.params[option]:
            described.add(identity(option, entry))
            yield Concerned(option, entry, label(entry.place, entry), described=True)
    for item in concerned(view.current, view.edit):
        if identity(item.option, item.params) not in described:
            yield item


def run() -> None:
    """Run ipsec_gateway, which edits several objects as one. The garbage collector is off."""
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
        with at_work(host, resource.key, check=check) as waited:
            made = planned(resource, host, params, check=check)
            notes = [] if check else carried_out(host, made)
            left = [] if check or not made.plan else _left(host, made)
        values = summary(made.current, made.edit.gateway, made.plan, host.platform)
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


def _left(host: Host, made: Planned) -> list[str]:
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


def summary(before: Gateway, after: Gateway, plan: Plan, platform: Platform) -> dict[str, t.Any]:
    """Return ``summary`` and ``objects`` of a result.

    ``objects`` has the objects that the run makes, changes, repairs or removes. An object is
    repaired if its description stays, and the host differed from it.
    """
    known, wanted = _objects(before, platform), _objects(after, platform)
    counts = dict.fromkeys(("made", "changed", "repaired", "removed", "unchanged"), 0)
    objects = []
    for kind, name in sorted({*known, *wanted}):
        old, new = known.get((kind, name)), wanted.get((kind, name))
        word = _word(old, new, plan)
        counts[word] += 1
        if word != "unchanged":
            objects.append({"kind": kind, "name": name, "becomes": word})
    return {"summary": counts, "objects": objects}


# The value of an object, and the part of the plan that repairs it.
_Object = tuple[object, str]


def _objects(gateway: Gateway, platform: Platform) -> dict[tuple[str, str], _Object]:
    found: dict[tuple[str, str], _Object] = {}
    for network in gateway.networks.values():
        found["network", network.name] = (network, network.name)
    for settings in gateway.special_settings:
        found["settings", settings.network] = (settings, "")
    for rules in gateway.rules.values():
        for rule in rules:
            found["rule", f"{rule.network}/{rule.name}"] = (rule, "")
    for connection in gateway.connections.values():
        path = platform.connection_path(connection.name)
        options = (connection.to_options(), connection.psk, connection.ppk)
        found["phase1", connection.name] = (options, path)
        for child in connection.children:
            found["phase2", f"{connection.name}/{child.name}"] = (child, "")
    return found


def _word(old: _Object | None, new: _Object | None, plan: Plan) -> str:
    if old is None:
        return "made"
    if new is None:
        return "removed"
    if old[0] != new[0]:
        return "changed"
    return "repaired" if new[1] in plan.repaired else "unchanged"
