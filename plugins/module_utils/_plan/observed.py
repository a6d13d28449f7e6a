# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What was found on the host, as plain data: the other half of what the planner compares."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._render.artefacts import File


@dataclass(frozen=True)
class DaemonState:
    """What charon says of itself. ``connections`` is list-conns as it came, texts decoded."""

    version: str = ""
    plugins: frozenset[str] = frozenset()
    connections: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    # Children installed by name of the connection; a connection is listed while its IKE SA is up.
    established: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    traps: frozenset[tuple[str, str]] = frozenset()
    # The unique ids of all Child SAs, by name of the connection.
    child_ids: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    # The ids of the private keys.
    keys: frozenset[str] = frozenset()

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


@dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, File] = field(default_factory=dict)
    networks: t.Mapping[str, NetworkState] = field(default_factory=dict)
    daemon: DaemonState = DaemonState()
