# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What was found on the host, as plain data: the other half of what the planner compares."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._model.platform import DEBIAN, Platform
from .._render.blocks import Block
from .._render.file import Directory, File
from .._render.pem import Certificate
from .._render.routes import Route
from .in_force import InForce


@dataclass(frozen=True)
class Unfinished:
    """What a run that died had in hand, so that the daemon may hold what its files don't tell.

    ``connections`` are the unique ids of the Child SAs that each had before it was touched.
    """

    connections: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    settings: bool = False
    # The ids of private keys that were loaded on trial.
    keys: frozenset[str] = frozenset()
    # Their files, rules and interfaces, whichever module it was.
    networks: frozenset[str] = frozenset()


NOTHING = Unfinished()


@dataclass(frozen=True)
class DaemonState:
    """What charon says of itself. ``connections`` is list-conns as it came, texts decoded."""

    version: str = ""
    plugins: frozenset[str] = frozenset()
    connections: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    # Children installed by name of the connection; a connection is listed while its IKE SA is up.
    established: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Traps and shunts (pass, drop), as connection and child.
    traps: frozenset[tuple[str, str]] = frozenset()
    shunts: frozenset[tuple[str, str]] = frozenset()
    # The unique ids of all IKE SAs and of all Child SAs, by name of the connection.
    ike_ids: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    child_ids: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    # The names of the Child SAs that are installed, by connection and unique id.
    child_names: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    # Source and destination of the outbound policies in the kernel; None where charon keeps its
    # policies to itself.
    policies: frozenset[tuple[str, str]] | None = None
    # The ids of the private keys.
    keys: frozenset[str] = frozenset()
    # The certificates of CAs, in DER, and which of them no file has; None where nobody looked.
    cas: frozenset[bytes] | None = None
    remembered: tuple[Certificate, ...] = ()
    # The subjects of the CAs in sections `authorities`, by name of the section.
    authorities: t.Mapping[str, str] = field(default_factory=dict)
    unfinished: Unfinished = NOTHING
    # SAs that go on with the values of a configuration that was replaced since, by connection.
    pending: t.Mapping[str, InForce] = field(default_factory=dict)

    @cached_property
    def trapped(self) -> t.Mapping[str, frozenset[str]]:
        """The children with a trap, by name of the connection."""
        found: dict[str, set[str]] = {}
        for connection, child in self.traps:
            found.setdefault(connection, set()).add(child)
        return {name: frozenset(children) for name, children in found.items()}

    @property
    def release(self) -> int:
        """The first number of the version (5 or 6); 0 where it is not known."""
        digits = self.version.partition(".")[0]
        return int(digits) if digits.isdigit() else 0


@dataclass(frozen=True)
class NetworkState:
    """A network as it is live. ``addresses`` are those of its device, link-local ones left out."""

    device_exists: bool = False
    device_up: bool = False
    mtu: int | None = None
    addresses: tuple[str, ...] = ()
    forwarding: frozenset[int] = frozenset()
    rules_present: bool = False
    rules_match: bool = False
    enabled: bool = False
    active: bool = False
    guard_enabled: bool = False
    guard_active: bool = False
    # systemd has not read the unit files as they are now.
    unit_stale: bool = False


@dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, File] = field(default_factory=dict)
    networks: t.Mapping[str, NetworkState] = field(default_factory=dict)
    daemon: DaemonState = DaemonState()
    # All that the collection made, whichever network they were made for.
    routes: tuple[Route, ...] = ()
    blocks: frozenset[Block] = frozenset()
    # Those of ours that are there.
    directories: tuple[Directory, ...] = ()
    # Copies of certificates that no file under conf.d names, by the path of the file that would.
    strays: t.Mapping[str, tuple[File, ...]] = field(default_factory=dict)
    platform: Platform = DEBIAN
