# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What a run has in hand, kept while it has it: a run that is killed leaves its note behind.

The daemon does not show which secret or settings it holds, nor which of two SAs is the old one. The
note is about one daemon process: another one has loaded everything from files.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from dataclasses import replace

from .._errors import HostError
from .._plan.observed import Unfinished
from .._plan.plan import Plan
from .._plan.steps import (
    HandOver,
    LoadConnection,
    LoadSecret,
    ReloadSettings,
    SetAside,
    Supersede,
    UnloadConnection,
    UnloadSecret,
)

JOURNAL = "/run/tunnelwright.unfinished"


class Journal:
    def __init__(self, path: str = JOURNAL) -> None:
        self._path = path

    def read(self, pid: int) -> Unfinished:
        """What runs left unfinished with the daemon ``pid``."""
        try:
            with open(self._path, encoding="utf-8") as stream:
                note = json.load(stream)
            if note["pid"] != pid:
                return Unfinished()
            connections = {name: frozenset(ids) for name, ids in note["connections"].items()}
            return Unfinished(
                connections,
                frozenset(note["secrets"]),
                note["settings"] is True,
                frozenset(note["keys"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Unfinished()

    def begin(self, pid: int, plan: Plan) -> None:
        """Note what the plan will do to the daemon, besides what is noted already."""
        mine, left = unfinished(plan), self.read(pid)
        if mine == Unfinished():
            return
        self._note(
            pid,
            Unfinished(
                {**left.connections, **mine.connections},
                left.secrets | mine.secrets,
                left.settings or mine.settings,
                left.keys,
            ),
        )

    def end(self, pid: int, plan: Plan) -> None:
        """The plan was carried out, or taken back."""
        mine, left = unfinished(plan), self.read(pid)
        if mine == Unfinished():
            return
        others = {
            name: ids for name, ids in left.connections.items() if name not in mine.connections
        }
        settings = left.settings and not mine.settings
        self._note(pid, Unfinished(others, left.secrets - mine.secrets, settings, left.keys))

    @contextlib.contextmanager
    def trying(self, pid: int, key: str) -> t.Iterator[None]:
        """A private key is loaded on trial, and no longer when this ends."""
        left = self.read(pid)
        self._note(pid, replace(left, keys=left.keys | {key}))
        try:
            yield
        finally:
            self._note(pid, replace(left, keys=left.keys - {key}))

    def clean(self) -> None:
        """Remove the note that a run was killed over while it wrote it."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self._path}.new")

    def _note(self, pid: int, work: Unfinished) -> None:
        try:
            if work == Unfinished():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path)
                return
            temporary = f"{self._path}.new"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
                json.dump(_plain(pid, work), stream)
            os.replace(temporary, self._path)
        except OSError as error:
            raise HostError(f"write {self._path}", error.strerror or str(error)) from None


def unfinished(plan: Plan) -> Unfinished:
    """What a run that dies with this plan in hand leaves uncertain."""
    connections: dict[str, frozenset[str]] = {}
    secrets = set()
    settings = False
    for step in plan.steps:
        if isinstance(step, HandOver):
            connections[step.connection] = step.old
        elif isinstance(step, (LoadConnection, SetAside, Supersede, UnloadConnection)):
            connections.setdefault(step.name, frozenset())
        elif isinstance(step, LoadSecret):
            secrets.add(step.shared.id)
        elif isinstance(step, UnloadSecret):
            secrets.add(step.id)
        elif isinstance(step, ReloadSettings):
            settings = True
    return Unfinished(connections, frozenset(secrets), settings)


def _plain(pid: int, work: Unfinished) -> dict[str, object]:
    return {
        "pid": pid,
        "connections": {name: sorted(ids) for name, ids in work.connections.items()},
        "secrets": sorted(work.secrets),
        "settings": work.settings,
        "keys": sorted(work.keys),
    }
