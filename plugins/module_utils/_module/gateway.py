# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_gateway."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ModelError
from .._host.host import Host
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._plan.plan import Plan
from .concerned import RESOURCES, Concerned, concerned
from .edit import Edit, Params, View
from .entries import ErrorList, identity, label
from .gateway_edit import GatewayEdit
from .gateway_spec import IPSEC_GATEWAY
from .network import check_entry
from .spec import Spec

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
        for option, params, subject in _checked(view):
            if errors.full:
                break
            try:
                warnings += _CHECKS[option](host, replace(view, params=params))
            except ModelError as error:
                errors.add(subject, error)
        errors.raise_all()
        # Several entries of one network have the same warnings about the host.
        return list(dict.fromkeys(warnings))


def _checked(view: View) -> t.Iterator[Concerned]:
    """Yield the entries, then the objects without entry that a changed network concerns."""
    described = set()
    for option in _CHECKS:
        for entry in view.params[option]:
            described.add(identity(option, entry))
            yield Concerned(option, entry, label(entry.place, entry))
    for item in concerned(view.current, view.edit):
        if identity(item.option, item.params) not in described:
            yield item


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
        options = (connection.to_options(), connection.psk)
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
