# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Owner and mode of the directories of the collection, and of the files of a checkpoint.

The plan of an object compares its files with owner and mode. These directories and files belong to
no object, so that every run compares them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._model.platform import Platform
from .._render.artefacts import Artefacts
from .._render.file import PRIVATE, PUBLIC, ROOT, Directory, File
from .files import access_in_words, directory_difference, written
from .network_steps import ReloadUnits
from .observed import Observed
from .plan import Plan, joined
from .steps import Step


@dataclass(frozen=True)
class SecureDirectory(Step):
    """Set owner and mode of a directory of the collection, which is never undone."""

    directory: Directory

    def __str__(self) -> str:
        return f"set owner root and mode {self.directory.mode:04o} of {self.directory.path}"


def checkpoint_files(platform: Platform) -> dict[str, int]:
    """Return the files that a checkpoint and its rollback leave, with the mode of each."""
    return {
        platform.checkpoint_file: PRIVATE,
        platform.rollback_program: PRIVATE,
        platform.rollback_record: PRIVATE,
        platform.unit_path("tunnelwright.rollback.timer"): PUBLIC,
        platform.unit_path("tunnelwright.rollback.service"): PUBLIC,
    }


def forbidden(platform: Platform) -> dict[str, int]:
    """Return the bits of the mode that each directory of the collection must not have.

    Users other than root must not write there. Where secrets lie, they must not look, either.
    """
    return {platform.record_dir: 0o022, platform.state_dir: 0o077, platform.checkpoint_dir: 0o077}


def plan_ownership(observed: Observed) -> Plan:
    """Return the plan after which only root can write the files that every run relies on."""
    return _plan_directories(observed) + _plan_checkpoint(observed)


def _plan_directories(observed: Observed) -> Plan:
    bits = forbidden(observed.platform)
    pairs = [
        (found, replace(found, mode=found.mode & ~bits[found.path], owner=ROOT))
        for found in observed.directories
    ]
    return joined(
        Plan((SecureDirectory(wanted),), (directory_difference(found, wanted),))
        for found, wanted in pairs
        if found != wanted
    )


def _plan_checkpoint(observed: Observed) -> Plan:
    """Return the plan for a checkpoint. Another run wrote its content, so that it stays."""
    platform = observed.platform
    modes = checkpoint_files(platform)
    wanted = [
        _secured(found, modes[path])
        for path, found in sorted(observed.files.items())
        if path in modes
    ]
    plan = written(wanted, observed)
    units = any(
        difference.header.startswith(platform.unit_path("")) for difference in plan.differences
    )
    return plan + Plan((ReloadUnits(),)) if units else plan


def _secured(found: File, mode: int) -> File:
    return replace(found, mode=mode, owner=ROOT, link="")


def exposed(sides: t.Iterable[Artefacts], observed: Observed) -> tuple[str, ...]:
    """Return warnings about secrets that lie in files which others than root could read."""
    kept = {observed.platform.checkpoint_file: _ALL_SECRETS}
    warnings = []
    for path, advice in sorted({**kept, **dict(_secrets(sides))}.items()):
        found = observed.files.get(path)
        if found is not None and (found.mode & 0o077 or found.owner[0] != ROOT[0]):
            access = access_in_words(found, _secured(found, PRIVATE))
            warnings.append(f"{path} could be read by other users than root ({access}). {advice}")
    return tuple(warnings)


_ALL_SECRETS = "All secrets of this host may be known. Replace them."


def _secrets(sides: t.Iterable[Artefacts]) -> t.Iterator[tuple[str, str]]:
    """Yield the path of each file with a secret, and what to do once others have read it."""
    for side in sides:
        for parts in side.swanctl.values():
            if parts.secret_ids:
                yield parts.file.path, "Its keys may be known. Replace them on both sides."
            if parts.private_key is not None:
                advice = "The key may be known. Replace it and its certificate."
                yield parts.private_key.path, advice
        for file in side.daemon.values():
            if file.mode == PRIVATE:
                yield file.path, "Secrets in it may be known. Replace them."
