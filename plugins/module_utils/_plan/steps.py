# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The steps of a plan. Each step describes itself and returns the step that undoes it.

A step is data. ``str(step)`` is the line under ``actions``, in check mode and in the real run.
``_host.apply`` carries the step out.

The file is longer than 300 lines, because it is a list: every step about files and charon.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._model.daemon import DAEMON, DaemonId
from .._render.file import File
from .._render.shared_secrets import SharedSecret
from .._render.strongswan.section import Section
from .in_force import NOTHING, InForce


@dataclass(frozen=True)
class Step:
    """Base of all steps."""

    def undo(self) -> Step | None:
        """Return the step that restores the state before; None when nothing must be undone."""
        return None

    @property
    def also_undo(self) -> tuple[Step, ...]:
        """Return the steps that remove side effects, after all other steps are undone."""
        return ()


@dataclass(frozen=True)
class Refresh(Step):
    """Have files read again. It is undone by a repetition after the files are restored."""

    def undo(self) -> Step:
        return self


@dataclass(frozen=True)
class DaemonStep(Step):
    """Base of the steps that act on an IKE daemon."""

    @property
    def daemon(self) -> DaemonId:
        """Return the daemon of the step. Only one daemon exists."""
        return DAEMON


@dataclass(frozen=True)
class WriteFile(Step):
    """Write a file atomically. ``before`` is the file before, or None when there was none.

    ``action`` stands before the path in the line of the step.
    """

    file: File
    before: File | None = None
    action: str = "write"

    def __str__(self) -> str:
        return f"{self.action} {self.file.path}"

    def undo(self) -> Step:
        if self.before is None:
            return RemoveFile(self.file)
        return WriteFile(self.before)


@dataclass(frozen=True)
class RemoveFile(Step):
    """Remove ``file``, which is kept as it was found, so that it can be restored."""

    file: File

    def __str__(self) -> str:
        return f"remove {self.file.path}"

    def undo(self) -> Step:
        return WriteFile(self.file)


@dataclass(frozen=True)
class LoadConnection(DaemonStep):
    """vici ``load-conn`` of one connection; ``before`` is the section in the file before."""

    name: str
    section: Section = field(repr=False)
    before: Section | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"load connection {self.name}"

    def undo(self) -> Step:
        if self.before is None:
            return UnloadConnection(self.name)
        return LoadConnection(self.name, self.before)


@dataclass(frozen=True)
class ParkChildren(DaemonStep):
    """Load a connection as it is, with its children under parked names: no change to charon."""

    name: str
    section: Section = field(repr=False)
    # Noted on the host before the file is written.
    in_force: InForce = field(default=NOTHING, repr=False)

    def __str__(self) -> str:
        return f"load connection {self.name} with its children renamed to NAME.replaced"

    def undo(self) -> Step:
        return LoadConnection(self.name, self.section)


@dataclass(frozen=True)
class SwapIn(DaemonStep):
    """Load a changed connection in the place of ``before``, whose children are parked.

    ``in_force`` are the values of the SAs that are up; None when these are not known.
    """

    name: str
    section: Section = field(repr=False)
    before: Section = field(repr=False)
    in_force: InForce | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"load connection {self.name}"

    def undo(self) -> Step:
        return SwapBack(self.name, self.before, self.section, self.in_force)


@dataclass(frozen=True)
class SwapBack(DaemonStep):
    """Undo a ``SwapIn`` without a gap: load ``section`` again in the place of ``loaded``."""

    name: str
    section: Section = field(repr=False)
    loaded: Section = field(repr=False)
    in_force: InForce | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"load the previous connection {self.name}"


@dataclass(frozen=True)
class UnloadConnection(DaemonStep):
    """vici ``unload-conn``. Established SAs stay, so that a Terminate step follows."""

    name: str
    before: Section | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"unload connection {self.name}"

    def undo(self) -> Step | None:
        return LoadConnection(self.name, self.before) if self.before is not None else None


@dataclass(frozen=True)
class LoadSecret(DaemonStep):
    """vici ``load-shared``, which replaces a loaded secret with the same id.

    ``ikes`` are the unique ids of the IKE SAs, by connection, that authenticated with ``before``.
    """

    shared: SharedSecret
    before: SharedSecret | None = None
    ikes: t.Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"load secret {self.shared.id}"

    def undo(self) -> Step:
        return LoadSecret(self.before) if self.before else UnloadSecret(self.shared.id)


@dataclass(frozen=True)
class UnloadSecret(DaemonStep):
    id: str
    before: SharedSecret | None = None

    def __str__(self) -> str:
        return f"unload secret {self.id}"

    def undo(self) -> Step | None:
        return LoadSecret(self.before) if self.before else None


@dataclass(frozen=True)
class LoadKey(DaemonStep):
    """vici ``load-key`` of a private key.

    ``id`` is the key id in its certificate, or empty when the certificate can't be read.
    """

    file: File
    id: str = ""

    def __str__(self) -> str:
        return f"load private key {self.file.path}"

    def undo(self) -> Step:
        return UnloadKey(self.file)


@dataclass(frozen=True)
class UnloadKey(DaemonStep):
    """vici ``unload-key``, unless another file in swanctl's directory holds the same key."""

    file: File

    def __str__(self) -> str:
        return f"unload private key {self.file.path}"

    def undo(self) -> Step:
        return LoadKey(self.file)


@dataclass(frozen=True)
class TerminateConnection(DaemonStep):
    """Close every IKE SA of a connection."""

    name: str

    def __str__(self) -> str:
        return f"close the IKE SA of {self.name}"


@dataclass(frozen=True)
class TerminateChild(DaemonStep):
    """Close the Child SAs of one phase 2, and remove a trap that it left."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"close the Child SA {self.connection}/{self.child}"


@dataclass(frozen=True)
class Initiate(DaemonStep):
    """Initiate a child, beside an SA with its name but other values."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"initiate {self.connection}/{self.child}"


@dataclass(frozen=True)
class HandOver(DaemonStep):
    """Wait until new SAs of the children carry traffic, then close the old SAs.

    ``old`` are the unique ids of the old Child SAs of the connection. ``ikes`` are the unique ids
    of the old IKE SAs that must be closed too. The old SAs stay when the peer refuses the new
    values.
    """

    connection: str
    children: tuple[str, ...]
    old: frozenset[str] = field(repr=False)
    ikes: frozenset[str] = field(default=frozenset(), repr=False)
    # The children may have no new values to negotiate.
    optional: bool = False

    def __str__(self) -> str:
        if not self.children:
            return f"close the old IKE SA of {self.connection}"
        names = ", ".join(f"{self.connection}/{child}" for child in self.children)
        return f"wait for the new Child SAs of {names}, then close the old Child SAs"


@dataclass(frozen=True)
class InstallTrap(DaemonStep):
    """vici ``install``: install the trap or the shunt of a loaded child again."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"install the policy of {self.connection}/{self.child}"


@dataclass(frozen=True)
class UninstallTrap(DaemonStep):
    """vici ``uninstall``: remove the trap policy of a child that is no longer configured."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"uninstall the trap of {self.connection}/{self.child}"


@dataclass(frozen=True)
class ReloadSettings(Refresh, DaemonStep):
    """vici ``reload-settings``: charon reads strongswan.conf again, and touches no SA."""

    def __str__(self) -> str:
        return "reload the settings of the IKE daemon"


@dataclass(frozen=True)
class RestartDaemon(Refresh, DaemonStep):
    """Restart charon, which interrupts every tunnel of the host. ``why`` is shown."""

    why: str

    def __str__(self) -> str:
        return f"restart the IKE daemon: {self.why}"
