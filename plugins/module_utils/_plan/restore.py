# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Restore kept files: render them, plan the rest, and show the differences from them."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._model.daemon import ALL_DAEMONS
from .._model.platform import Platform
from .._render.artefacts import Artefacts
from .._render.file import File
from .._render.network_parts import NetworkParts
from .._render.swanctl_files import SwanctlFile
from .files import access_in_words, file_difference, removed, written
from .observed import Observed
from .plan import Difference, Plan
from .scope import Scope
from .steps import RemoveFile, WriteFile

FilesByPath = t.Mapping[str, File]


def verbatim(rendered: Artefacts, kept: FilesByPath) -> Artefacts:
    """Return the rendering with each file replaced by the kept file, with owner and mode."""
    return replace(
        rendered,
        networks={name: _network(parts, kept) for name, parts in rendered.networks.items()},
        records=_files(rendered.records, kept),
        swanctl={path: _swanctl(parts, kept) for path, parts in rendered.swanctl.items()},
        daemon=_files(rendered.daemon, kept),
    )


def _files(files: t.Mapping[str, File], kept: FilesByPath) -> dict[str, File]:
    return {key: _as_kept(file, kept) for key, file in files.items()}


def _network(parts: NetworkParts, kept: FilesByPath) -> NetworkParts:
    return replace(
        parts,
        script=_as_kept(parts.script, kept),
        rules=_as_kept(parts.rules, kept),
        unit=_as_kept(parts.unit, kept),
        guard_unit=_as_kept(parts.guard_unit, kept),
    )


def _swanctl(parts: SwanctlFile, kept: FilesByPath) -> SwanctlFile:
    return replace(
        parts,
        file=_as_kept(parts.file, kept),
        extra_files=tuple(_as_kept(file, kept) for file in parts.extra_files),
    )


def _as_kept(file: File, kept: FilesByPath) -> File:
    return kept.get(file.path, file)


def everything(before: Artefacts, after: Artefacts) -> Scope:
    """Return the scope of all objects of both sides."""
    return Scope(
        frozenset({*before.networks, *after.networks}),
        frozenset({*before.swanctl, *after.swanctl}),
        daemons=ALL_DAEMONS,
    )


def leftovers(plan: Plan, present: FilesByPath, kept: FilesByPath, platform: Platform) -> Plan:
    """Return the plan that follows ``plan``, so that exactly the kept files exist.

    A damaged or stray file belongs to no object, so that a plan for objects has no step for it.
    """
    remaining = dict(present)
    for step in plan.steps:
        if isinstance(step, WriteFile):
            remaining[step.file.path] = step.file
        elif isinstance(step, RemoveFile):
            remaining.pop(step.file.path, None)
    observed = Observed(remaining, platform=platform)
    stray = [remaining[path] for path in sorted(remaining.keys() - kept.keys())]
    return written([kept[path] for path in sorted(kept)], observed) + removed(stray, observed)


def differences(
    kept: FilesByPath, present: FilesByPath, platform: Platform
) -> tuple[Difference, ...]:
    """Return the differences from the kept to the present files, with secrets masked."""
    return tuple(
        file_difference(kept.get(path), present.get(path), platform)
        for path in sorted(_changed(kept, present))
    )


def in_words(kept: FilesByPath, present: FilesByPath) -> tuple[str, ...]:
    """Return a text for each file that differs."""
    return tuple(
        f"{path}: {_change(path, kept, present)}" for path in sorted(_changed(kept, present))
    )


def _changed(kept: FilesByPath, present: FilesByPath) -> set[str]:
    return {path for path in {*kept, *present} if kept.get(path) != present.get(path)}


def _change(path: str, kept: FilesByPath, present: FilesByPath) -> str:
    if path not in kept:
        return "added"
    if path not in present:
        return "removed"
    access = access_in_words(present[path], kept[path])
    return f"changed ({access})" if access else "changed"
