# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The edit of a module, without the host."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.gateway import Gateway
from .._plan.observed import Observed
from .._plan.planner import Scope


class Params(dict[str, t.Any]):
    """The options of a task, with the defaults of the module.

    ``given`` are the options that the task itself gives. An option that is null is left out.
    """

    def __init__(self, options: t.Mapping[str, t.Any], task: t.Mapping[str, t.Any]) -> None:
        super().__init__(options)
        self.given = frozenset(name for name in options if task.get(name) is not None)

    def said(self, **others: t.Any) -> dict[str, t.Any]:
        """Return the given options alone, with ``others`` in the place of theirs."""
        return {**{name: self[name] for name in self.given}, **others}


@dataclass(frozen=True)
class Edit:
    """The Gateway as the options want it, and what the module answers for.

    ``result`` is returned under the name of the object, without secrets. ``certified`` is the
    phase 1 whose certificates come from the files that its options name, which may be new ones;
    every other keeps the copies that it has.
    """

    gateway: Gateway
    scope: Scope
    result: t.Mapping[str, t.Any]
    warnings: tuple[str, ...] = ()
    certified: str = ""


@dataclass(frozen=True)
class View:
    """An edit with the state of the host, for the checks that need the host."""

    current: Gateway
    edit: Edit
    params: Params
    observed: Observed
    userspace: bool
