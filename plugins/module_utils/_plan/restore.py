# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Back to files that were kept: what differs from them, and what a plan leaves to be done."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._model.platform import Platform
from .._render.artefacts import Artefacts
from .._render.file import File
from .._render.network_parts import NetworkParts
from .._render.swanctl_files import SwanctlFile
from .differences import access_in_words, file_difference
from .files import removed, written
from .observed import Observed
from .plan import Difference, Plan
from .planner import Scope
from .steps import RemoveFile, WriteFile

# By path.
Kept = t.Mapping[str, File]


def verbatim(rendered: Artefacts, kept: Kept) -> Artefacts:
    """The rendering with every file as it was kept, whoever wrote it, and whatever its mode."""
    return replace(
        rendered,
        networks={name: _network(parts, kept) for name, parts in rendered.networks.items()},
        records=_files(rendered.records, kept),
        swanctl={path: _swanctl(parts, kept) for path, parts in rendered.swanctl.items()},
        daemon=_files(rendered.daemon, kept),
    )


def _files(files: t.Mapping[str, File], kept: Kept) -> dict[str, File]:
    return {key: _as_kept(file, kept) for key, file in files.items()}


def _network(parts: NetworkParts, kept: Kept) -> NetworkParts:
    return replace(
        parts,
        script=_as_kept(parts.script, kept),
        rules=_as_kept(parts.rules, kept),
        unit=_as_kept(parts.unit, kept),
        guard_unit=_as_kept(parts.guard_unit, kept),
    )


def _swanctl(parts: SwanctlFile, kept: Kept) -> SwanctlFile:
    return replace(
        parts,
        file=_as_kept(parts.file, kept),
        extra_files=tuple(_as_kept(file, kept) for file in parts.extra_files),
    )


def _as_kept(file: File, kept: Kept) -> File:
    return kept.get(file.path, file)


def everything(before: Artefacts, after: Artefacts) -> Scope:
    """All that either side knows of."""
    return Scope(
        frozenset({*before.networks, *after.networks}),
        frozenset({*before.swanctl, *after.swanctl}),
        daemon=True,
    )


def leftovers(plan: Plan, now: Kept, kept: Kept, platform: Platform) -> Plan:
    """What else has to come, change and go, after ``plan``, so that just the kept files are there.

    A spoilt or stray file belongs to no object, so that no plan for the objects has a step for it.
    """
    left = dict(now)
    for step in plan.steps:
        if isinstance(step, WriteFile):
            left[step.file.path] = step.file
        elif isinstance(step, RemoveFile):
            left.pop(step.file.path, None)
    observed = Observed(left, platform=platform)
    stray = [left[path] for path in sorted(left.keys() - kept.keys())]
    return written([kept[path] for path in sorted(kept)], observed) + removed(stray, observed)


def differences(kept: Kept, now: Kept, platform: Platform) -> tuple[Difference, ...]:
    """From the kept files to those of now, secrets masked."""
    return tuple(
        file_difference(kept.get(path), now.get(path), platform)
        for path in sorted(_changed(kept, now))
    )


def in_words(kept: Kept, now: Kept) -> tuple[str, ...]:
    """One text for each file that differs."""
    return tuple(f"{path}: {_change(path, kept, now)}" for path in sorted(_changed(kept, now)))


def _changed(kept: Kept, now: Kept) -> set[str]:
    return {path for path in {*kept, *now} if kept.get(path) != now.get(path)}


def _change(path: str, kept: Kept, now: Kept) -> str:
    if path not in kept:
        return "added"
    if path not in now:
        return "removed"
    found = access_in_words(now[path], kept[path])
    return f"changed ({found})" if found else "changed"
