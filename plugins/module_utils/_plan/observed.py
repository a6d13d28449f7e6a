# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The state of the host as plain data, which the planner compares with the artefacts."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._model.daemon import DAEMON, DaemonId
from .._model.platform import DEBIAN, Platform
from .._render.blocks import Block
from .._render.file import Directory, File
from .._render.nft_listing import ElementChanges
from .._render.pem import Certificate
from .._render.routes import Route
from .in_force import InForce


@dataclass(frozen=True)
class Unfinished:
    """The work of interrupted runs, after which charon may differ from its files.

    ``connections`` are the unique ids of the Child SAs that each connection had before the run.
    """

    connections: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    settings: bool = False
    # The ids of private keys that a run loaded to try them.
    keys: frozenset[str] = frozenset()
    # Networks whose files, rules and interfaces a run of any module worked on.
    networks: frozenset[str] = frozenset()


NOTHING = Unfinished()


@dataclass(frozen=True)
class DaemonState:
    """The state that charon reports. ``connections`` is list-conns with decoded texts."""

    version: str = ""
    plugins: frozenset[str] = frozenset()
    connections: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    # Installed children by connection. A connection is listed while its IKE SA is up.
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
    # The certificates of CAs in DER, and the CAs that no file has; None when they were not read.
    cas: frozenset[bytes] | None = None
    remembered: tuple[Certificate, ...] = ()
    # The subjects of the CAs in sections `authorities`, by name of the section.
    authorities: t.Mapping[str, str] = field(default_factory=dict)
    unfinished: Unfinished = NOTHING
    # SAs that keep the values of an older configuration, by connection.
    pending: t.Mapping[str, InForce] = field(default_factory=dict)
    # The daemon that these facts are about.
    id: DaemonId = DAEMON

    @cached_property
    def trapped(self) -> t.Mapping[str, frozenset[str]]:
        """Return the children with a trap, by name of the connection."""
        trapped: dict[str, set[str]] = {}
        for connection, child in self.traps:
            trapped.setdefault(connection, set()).add(child)
        return {name: frozenset(children) for name, children in trapped.items()}

    @property
    def release(self) -> int:
        """Return the first number of the version (5 or 6); 0 when it is not known."""
        digits = self.version.partition(".")[0]
        return int(digits) if digits.isdigit() else 0


@dataclass(frozen=True)
class NetworkState:
    """The live state of a network. ``addresses`` are its addresses, without link-local ones."""

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
    # systemd has not read the present unit files.
    unit_stale: bool = False
    # The elements of nftables sets to change, if the rules differ by elements alone.
    elements: ElementChanges | None = None


@dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, File] = field(default_factory=dict)
    networks: t.Mapping[str, NetworkState] = field(default_factory=dict)
    daemon: DaemonState = DaemonState()
    # Every route and block that the collection made, for any network.
    routes: tuple[Route, ...] = ()
    blocks: frozenset[Block] = frozenset()
    # The existing directories of the collection.
    directories: tuple[Directory, ...] = ()
    # Copies of certificates that no file under conf.d uses, by the path of the file of their name.
    strays: t.Mapping[str, tuple[File, ...]] = field(default_factory=dict)
    platform: Platform = DEBIAN
