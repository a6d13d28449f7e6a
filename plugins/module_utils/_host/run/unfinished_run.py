# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The note of the changes that a run has in progress. An interrupted run leaves its note.

The daemon does not report which secret or settings it holds, nor which of two SAs is the old one.
The note is valid for one process of the daemon, because another process has loaded everything from
files. Networks are noted because the next run may edit a tunnel that, according to its file, was
never in the rules of the network.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import replace

from ..._model.platform import Platform
from ..._plan.observed import Unfinished
from ..._plan.plan import Plan
from ..._plan.steps import (
    HandOver,
    LoadConnection,
    LoadSecret,
    ParkChildren,
    ReloadSettings,
    RemoveFile,
    SwapIn,
    UnloadConnection,
    UnloadSecret,
    WriteFile,
)
from ..file_error import file_error
from ..files.note import clean_note, read_note, write_note


class UnfinishedRun:
    """The note at ``path``."""

    def __init__(self, path: str, platform: Platform) -> None:
        self._path = path
        self._platform = platform

    def read(self, pid: int) -> Unfinished:
        """Return the unfinished changes of runs with the daemon process ``pid``."""
        noted, left = self._noted()
        return left if noted == pid else Unfinished(networks=left.networks)

    def begin(self, pid: int, plan: Plan) -> Unfinished:
        """Add the changes of the plan to the note. Return the former content of the note."""
        mine, left = unfinished(plan, self._platform), self.read(pid)
        if mine != Unfinished():
            self._note(
                pid,
                Unfinished(
                    {**left.connections, **mine.connections},
                    left.secrets | mine.secrets,
                    left.settings or mine.settings,
                    left.keys,
                    left.networks | mine.networks,
                ),
            )
        return left

    def end(self, settled: Unfinished) -> None:
        """Remove the settled changes from the note, also changes of other runs."""
        pid, left = self._noted()
        others = {
            name: ids for name, ids in left.connections.items() if name not in settled.connections
        }
        rest = Unfinished(
            others,
            left.secrets - settled.secrets,
            left.settings and not settled.settings,
            left.keys - settled.keys,
            left.networks - settled.networks,
        )
        if rest != left:
            self._note(pid, rest)

    def take_back(self, pid: int, left: Unfinished) -> None:
        """Restore the note to its content before ``begin``, after an undo."""
        self._note(pid, left)

    @contextlib.contextmanager
    def trying(self, pid: int, key: str) -> t.Iterator[None]:
        """Note a private key as loaded on trial, until the end of the block."""
        left = self.read(pid)
        self._note(pid, replace(left, keys=left.keys | {key}))
        try:
            yield
        finally:
            self._note(pid, replace(left, keys=left.keys - {key}))

    def clean(self) -> None:
        """Remove the incomplete note of a run that was interrupted while it wrote the note."""
        clean_note(self._path)

    def _noted(self) -> tuple[int, Unfinished]:
        try:
            note = read_note(self._path)
            connections = {name: frozenset(ids) for name, ids in note["connections"].items()}
            return int(note["pid"]), Unfinished(
                connections,
                frozenset(note["secrets"]),
                note["settings"] is True,
                frozenset(note["keys"]),
                frozenset(note["networks"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0, Unfinished()

    def _note(self, pid: int, work: Unfinished) -> None:
        try:
            if work == Unfinished():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path)
                return
            write_note(self._path, _plain(pid, work))
        except OSError as error:
            # A directory may be in the place of the temporary file.
            raise file_error(f"write {error.filename or self._path}", error) from None


def unfinished(plan: Plan, platform: Platform) -> Unfinished:
    """Return the changes that are uncertain if a run with this plan is interrupted."""
    connections: dict[str, frozenset[str]] = {}
    secrets, networks = set(), set()
    settings = False
    for step in plan.steps:
        if isinstance(step, HandOver):
            connections[step.connection] = step.old
        elif isinstance(step, (LoadConnection, ParkChildren, SwapIn, UnloadConnection)):
            connections.setdefault(step.name, frozenset())
        elif isinstance(step, LoadSecret):
            secrets.add(step.shared.id)
        elif isinstance(step, UnloadSecret):
            secrets.add(step.id)
        elif isinstance(step, ReloadSettings):
            settings = True
        elif isinstance(step, (WriteFile, RemoveFile)):
            directory, name = os.path.split(step.file.path)
            networks |= {name.rpartition(".")[0]} if directory == platform.record_dir else set()
    return Unfinished(connections, frozenset(secrets), settings, networks=frozenset(networks))


def _plain(pid: int, work: Unfinished) -> dict[str, object]:
    return {
        "pid": pid,
        "connections": {name: sorted(ids) for name, ids in work.connections.items()},
        "secrets": sorted(work.secrets),
        "settings": work.settings,
        "keys": sorted(work.keys),
        "networks": sorted(work.networks),
    }
