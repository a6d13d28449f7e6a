# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The scope of a run: the objects that its plan compares and repairs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.daemon import ALL_DAEMONS, DaemonId
from .._model.platform import Platform
from .._render.artefacts import Artefacts
from .observed import NOTHING, Unfinished

_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Scope:
    """The objects whose drift a module repairs, besides the objects of its edit.

    ``networks`` are names, ``swanctl`` are paths of files, and ``daemons`` are the daemons whose
    settings are in the scope. A module that edits one tunnel must not touch, or report, the state
    of another tunnel.
    """

    networks: frozenset[str] = frozenset()
    swanctl: frozenset[str] = frozenset()
    daemons: frozenset[DaemonId] = frozenset()


def network_scope(name: str, platform: Platform) -> Scope:
    """Return the scope of a network and its settings."""
    files = frozenset({platform.bypass_path(name), platform.advanced_path(name)})
    return Scope(frozenset({name}), files, daemons=ALL_DAEMONS)


def touched(
    before: Artefacts, after: Artefacts, scope: Scope, left: frozenset[str] = frozenset()
) -> Scope:
    """Return the scope with all objects of the edit, and the networks of an interrupted run.

    ``left`` are the networks that the interrupted run worked on.
    """
    networks = before.networks.keys() | after.networks.keys()
    return Scope(
        scope.networks | changed_keys(before.networks, after.networks) | (left & networks),
        scope.swanctl | changed_keys(before.swanctl, after.swanctl),
        scope.daemons | (ALL_DAEMONS if before.daemon != after.daemon else frozenset()),
    )


def settled(
    before: Artefacts, after: Artefacts, scope: Scope, left: Unfinished = NOTHING
) -> Unfinished:
    """Return the unfinished work that is finished after a plan for this scope.

    ``left`` is the work of interrupted runs. Finished are the objects in the scope, and the objects
    that no file has.
    """
    others = [
        part
        for side in (before, after)
        for path, part in side.swanctl.items()
        if path not in scope.swanctl
    ]
    connections = {name for part in others for name in part.connection_names}
    secrets = {name for part in others for name in part.secret_ids}
    return Unfinished(
        {name: ids for name, ids in left.connections.items() if name not in connections},
        left.secrets - secrets,
        settings=bool(scope.daemons),
        networks=scope.networks,
    )


def files_in(before: Artefacts, after: Artefacts, scope: Scope) -> frozenset[str]:
    """Return the paths of the files that the planner compares."""
    paths = {*before.daemon, *after.daemon} if scope.daemons else set()
    for side in (before, after):
        for name in scope.networks:
            if name in side.networks:
                paths |= {file.path for file in side.networks[name].files}
        paths |= {file.path for file in side.records.values()}
        for path in scope.swanctl:
            if path in side.swanctl:
                paths |= {path, *(file.path for file in side.swanctl[path].extra_files)}
    return frozenset(paths)


def changed_keys(before: t.Mapping[str, _T], after: t.Mapping[str, _T]) -> frozenset[str]:
    """Return the keys with different values."""
    return frozenset(key for key in {*before, *after} if before.get(key) != after.get(key))
