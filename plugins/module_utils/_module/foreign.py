# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Unmanaged configuration files that conflict with the files of the modules.

strongSwan reads all files as one configuration. A fault in any file makes it drop everything. It
merges sections of the same name key by key.
"""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass

from .._errors import HostError, ModelError
from .._host.files.configuration import Configuration, read_configuration
from .._host.files.files import Files
from .._model.platform import Platform
from .._plan.plan import Plan
from .._plan.scope import Scope
from .._plan.steps import ReloadSettings, RestartDaemon
from .._render.artefacts import Artefacts
from .._render.strongswan.reader import ReadResult, SectionPlace
from .._render.swanctl_files import SwanctlFile
from .edit import Params
from .entries import ErrorList, label
from .given import subject_of
from .resource import Resource

_UNLOADED = (
    "the next `swanctl --load-all` or restart of strongSwan unloads every connection and secret"
)
_DOWN = "the next restart of strongSwan fails, and every call of swanctl"

# The option that names the object of a file, for the modules where this option is not ``name``.
# The path of a file of this task, and the error about a name in it.
_Double = tuple[str, ModelError]

_NAMING = {"ipsec_settings": "network", "ipsec_phase2": "phase1", "vpn_rule": "network"}


@dataclass(frozen=True)
class Foreign:
    """``swanctl`` and ``daemon`` are faults for which strongSwan refuses one or the other."""

    swanctl: tuple[str, ...] = ()
    daemon: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()

    @property
    def warnings(self) -> list[str]:
        return [*self.swanctl, *self.daemon, *self.oddities]

    def allow(self, plan: Plan) -> None:
        """Refuse a plan that would bring on what the warnings are about."""
        for step in plan.steps:
            restarts = isinstance(step, RestartDaemon)
            faults = (*(self.swanctl if restarts else ()), *self.daemon)
            if faults and (restarts or isinstance(step, ReloadSettings)):
                raise HostError(str(step), "; ".join(faults), "Nothing was changed.")


def check_configuration(
    resource: Resource, params: Params, files: Files, wanted: Artefacts, scope: Scope
) -> Foreign:
    """Return the faults of all files that strongSwan reads.

    Raises ModelError for a name of this task that an unmanaged file has too. Files of the
    collection in the scope are left out, because the task repairs them.
    """
    platform = files.platform
    rendered = {path: parts.file.data for path, parts in wanted.swanctl.items()}
    swanctl = read_configuration(files, platform.swanctl_conf, rendered)
    doubles = _doubles(resource, params, swanctl.reading.sections, wanted, scope)
    _refuse(resource, params, wanted.platform, list(doubles))
    daemon = read_configuration(files, platform.strongswan_conf)
    repaired = {*scope.swanctl, *(wanted.daemon if scope.daemons else ())}
    oddities = {**swanctl.oddities, **daemon.oddities}
    return Foreign(
        _faults(swanctl.reading, repaired, _UNLOADED),
        _faults(daemon.reading, repaired, _DOWN),
        (
            *(f"{path} {what}" for path, what in oddities.items() if path not in repaired),
            *_blind(swanctl, platform.swanctl_conf, platform.connection_path("x")),
            *_blind(daemon, platform.strongswan_conf, platform.daemon_file),
        ),
    )


def _faults(reading: ReadResult, repaired: t.Container[str], effect: str) -> tuple[str, ...]:
    return tuple(
        f"{fault.place}: {fault.why}: {effect}"
        for fault in reading.faults
        if fault.place.path not in repaired
    )


def _blind(found: Configuration, root: str, ours: str) -> tuple[str, ...]:
    """Return a warning if strongSwan, reading ``root``, would not read the path ``ours``."""
    reading = found.reading
    if root in found.oddities or any(fault.place.path == root for fault in reading.faults):
        return ()
    if any(fnmatch.fnmatchcase(ours, pattern) for pattern in reading.patterns):
        return ()
    directory = ours.rpartition("/")[0]
    return (
        f"{root} does not include {directory}/*.conf, so that strongSwan does not load the files "
        f"of this collection. Add the line `include {directory}/*.conf` to {root}.",
    )


def _refuse(
    resource: Resource, params: Params, platform: Platform, doubles: t.Sequence[_Double]
) -> None:
    """Raise the error of a name that another file has, for several objects with their entries."""
    if not doubles:
        return
    if not resource.spec.entries:
        raise doubles[0][1]
    errors = ErrorList()
    for path, error in doubles:
        errors.add(_entry_of(params, path, platform), error)
    errors.raise_all()


def _entry_of(params: Params, path: str, platform: Platform) -> str:
    """Return the place and the name of the entry that makes a file."""
    makes = {
        **{platform.advanced_path(item["network"]): item for item in params["settings"]},
        **{platform.connection_path(item["name"]): item for item in params["phase1"]},
    }
    return label(makes[path].place, makes[path]) if path in makes else "gateway"


def _doubles(
    resource: Resource,
    params: Params,
    sections: t.Iterable[SectionPlace],
    wanted: Artefacts,
    scope: Scope,
) -> t.Iterator[_Double]:
    theirs = {
        (section.parent, section.name): section
        for section in sections
        if section.place.path not in (wanted.swanctl.keys() | scope.swanctl)
    }
    advanced = wanted.platform.advanced_prefix
    for path in sorted(scope.swanctl & wanted.swanctl.keys()):
        for parent, name in _names(wanted.swanctl[path]):
            double = theirs.get((parent, name))
            if double is not None:
                yield path, _double(resource, params, double, advanced=path.startswith(advanced))


def _names(parts: SwanctlFile) -> list[tuple[str, str]]:
    """Return the loaded names of a file. Commented sections conflict with nothing."""
    connections = [("connections", name) for name in parts.connections]
    return connections + [("secrets", shared.id) for shared in parts.secrets]


def _double(
    resource: Resource, params: Params, double: SectionPlace, *, advanced: bool
) -> ModelError:
    option = _NAMING.get(resource.key, "name")
    value = params.get(option, double.name)
    if resource.key == "ipsec_settings" and advanced:
        option, value = "swanctl_conf", double.name
    what = {"connections": "connection", "secrets": "secret"}[double.parent]
    return ModelError(
        option,
        value,
        f"makes the {what} {double.name}, which is in {double.place} already: strongSwan would "
        "merge both sections key by key",
        "Use another name, or remove the section from that file.",
        subject_of(resource.spec, params),
    )
