# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The steps that a plan is made of. Each says what it does, and which step takes it back.

A step is data: ``str(step)`` is the line shown under ``actions``, in check mode and in the real run
alike, and ``_host.apply`` is what carries it out.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._render.artefacts import File
from .._render.shared_secrets import SharedSecret
from .._render.strongswan.section import Section
from .in_force import NOTHING, InForce


@dataclass(frozen=True)
class Step:
    """Base of all steps."""

    def undo(self) -> Step | None:
        """The step that restores what was before; None where nothing has to be taken back."""
        return None

    @property
    def brought(self) -> tuple[Step, ...]:
        """What takes away what came along with it, when the rest has been taken back."""
        return ()


@dataclass(frozen=True)
class Refresh(Step):
    """Has files read again, and is taken back by doing so once more when they are restored."""

    def undo(self) -> Step:
        return self


@dataclass(frozen=True)
class WriteFile(Step):
    """Put a file in place atomically. ``before`` is what it held, None where it was not there."""

    file: File
    before: File | None = None

    def __str__(self) -> str:
        return f"write {self.file.path}"

    def undo(self) -> Step:
        if self.before is None:
            return RemoveFile(self.file)
        return WriteFile(self.before)


@dataclass(frozen=True)
class RemoveFile(Step):
    """``file`` is the file as it was found, so that it can be restored."""

    file: File

    def __str__(self) -> str:
        return f"remove {self.file.path}"

    def undo(self) -> Step:
        return WriteFile(self.file)


@dataclass(frozen=True)
class LoadConnection(Step):
    """vici ``load-conn`` of one connection; ``before`` is what our file had loaded, if anything."""

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
class SetAside(Step):
    """Load a connection as it is, its children under other names: no change to charon."""

    name: str
    section: Section = field(repr=False)
    # Noted before its file is written.
    made_of: InForce = field(default=NOTHING, repr=False)

    def __str__(self) -> str:
        return f"load connection {self.name} with its children set aside"

    def undo(self) -> Step:
        return LoadConnection(self.name, self.section)


@dataclass(frozen=True)
class Supersede(Step):
    """Load a changed connection in the place of ``before``, whose children were set aside.

    ``made_of`` is what the SAs that are up were made of; None where that is not known.
    """

    name: str
    section: Section = field(repr=False)
    before: Section = field(repr=False)
    made_of: InForce | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"load connection {self.name}"

    def undo(self) -> Step:
        return Revert(self.name, self.before, self.section, self.made_of)


@dataclass(frozen=True)
class Revert(Step):
    """Take back a ``Supersede``: the other way round, and as gracefully."""

    name: str
    section: Section = field(repr=False)
    loaded: Section = field(repr=False)
    made_of: InForce | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"load connection {self.name} as it was"


@dataclass(frozen=True)
class UnloadConnection(Step):
    """vici ``unload-conn``; established SAs stay, so that a Terminate step goes with it."""

    name: str
    before: Section | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"unload connection {self.name}"

    def undo(self) -> Step | None:
        return LoadConnection(self.name, self.before) if self.before is not None else None


@dataclass(frozen=True)
class LoadSecret(Step):
    """vici ``load-shared``; replaces in place the secret that has its id.

    ``ikes`` are the IKE SAs, by connection, that have authenticated with the one before.
    """

    shared: SharedSecret
    before: SharedSecret | None = None
    ikes: t.Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"load secret {self.shared.id}"

    def undo(self) -> Step:
        return LoadSecret(self.before) if self.before else UnloadSecret(self.shared.id)


@dataclass(frozen=True)
class UnloadSecret(Step):
    id: str
    before: SharedSecret | None = None

    def __str__(self) -> str:
        return f"unload secret {self.id}"

    def undo(self) -> Step | None:
        return LoadSecret(self.before) if self.before else None


@dataclass(frozen=True)
class LoadKey(Step):
    """vici ``load-key``: make a private key known to the daemon.

    ``id`` is that of the key of its certificate; empty where the certificate does not tell.
    """

    file: File
    id: str = ""

    def __str__(self) -> str:
        return f"load private key {self.file.path}"

    def undo(self) -> Step:
        return UnloadKey(self.file)


@dataclass(frozen=True)
class UnloadKey(Step):
    """vici ``unload-key``, unless another file in swanctl's directory holds the same key."""

    file: File

    def __str__(self) -> str:
        return f"unload private key {self.file.path}"

    def undo(self) -> Step:
        return LoadKey(self.file)


@dataclass(frozen=True)
class TerminateConnection(Step):
    """Close every IKE SA of a connection."""

    name: str

    def __str__(self) -> str:
        return f"close the IKE SA of {self.name}"


@dataclass(frozen=True)
class TerminateChild(Step):
    """Close the Child SAs of one phase 2, and take away a trap that it left."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"close the Child SA {self.connection}/{self.child}"


@dataclass(frozen=True)
class Initiate(Step):
    """Have a child established, beside one that has its name but other values."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"initiate {self.connection}/{self.child}"


@dataclass(frozen=True)
class HandOver(Step):
    """Wait until the children carry traffic anew, then close the SAs that they had before.

    ``old`` are the unique ids of the Child SAs of the connection before, ``ikes`` those of its IKE
    SAs if these are to go too. Where the peer refuses the new values, the old SAs stay.
    """

    connection: str
    children: tuple[str, ...]
    old: frozenset[str] = field(repr=False)
    ikes: frozenset[str] = field(default=frozenset(), repr=False)
    # Children that may have nothing new to take up.
    optional: bool = False

    def __str__(self) -> str:
        if not self.children:
            return f"close the old IKE SA of {self.connection}"
        names = ", ".join(f"{self.connection}/{child}" for child in self.children)
        return f"hand over to the new SAs of {names}, then close the old ones"


@dataclass(frozen=True)
class InstallTrap(Step):
    """vici ``install``: put back the trap, or the shunt, of a child that is loaded."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"install the policy of {self.connection}/{self.child}"


@dataclass(frozen=True)
class UninstallTrap(Step):
    """vici ``uninstall``: take away a trap policy whose child is gone from the configuration."""

    connection: str
    child: str

    def __str__(self) -> str:
        return f"uninstall the trap of {self.connection}/{self.child}"


@dataclass(frozen=True)
class ReloadSettings(Refresh):
    """vici ``reload-settings``: strongswan.conf is read again, no SA is touched."""

    def __str__(self) -> str:
        return "reload the settings of the IKE daemon"


@dataclass(frozen=True)
class RestartDaemon(Refresh):
    """The one step that interrupts every tunnel of the host; ``why`` is shown with it."""

    why: str

    def __str__(self) -> str:
        return f"restart the IKE daemon: {self.why}"
