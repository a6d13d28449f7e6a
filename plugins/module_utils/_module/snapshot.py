# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.


"""The state of a host for ipsec_info."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._errors import HostError
from .._host.files.credentials import installed_credentials
from .._host.host import Host
from .._host.kernel.dataplane import was_userspace
from .._host.observe import daemon_state, observe
from .._host.vici.message import IkeState
from .._model.capabilities import Capabilities
from .._model.connection import IkeConnection
from .._model.daemon import ALL_DAEMONS
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._plan.in_force import NOTHING, InForce
from .._plan.observed import DaemonState, Observed
from .._plan.scope import Scope
from .._plan.standing import Sa
from .._render.advanced_tunnels import (
    advanced_sections,
)
from .._render.artefacts import Artefacts, artefacts
from .._render.strongswan.section import Section


@dataclass(frozen=True)
class HostSnapshot:
    """The observed host at one moment.

    ``silent`` is the reason why the daemon did not answer, or an empty text.
    """

    gateway: Gateway
    wanted: Artefacts
    observed: Observed
    sas: t.Mapping[str, t.Sequence[Sa]]
    now: float
    # The process id of the daemon, or 0 without an answer.
    pid: int = 0
    silent: str = ""
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def daemon(self) -> DaemonState:
        return self.observed.daemon

    @cached_property
    def advanced(self) -> t.Mapping[str, Section]:
        """Return the connections of conf texts, by name."""
        return advanced_sections(self.gateway)

    def section(self, connection: IkeConnection) -> Section | None:
        """Return the section that should be loaded, or None if none should be."""
        if not self.gateway.is_active(connection):
            return None
        parts = self.wanted.swanctl.get(self.wanted.platform.connection_path(connection.name))
        found = self.advanced if parts is None else parts.connections
        return found.get(connection.name)

    def noted(self, connection: IkeConnection) -> InForce:
        return self.daemon.pending.get(connection.name, NOTHING)


def take_snapshot(
    host: Host, gateway: Gateway, connections: t.Sequence[IkeConnection], networks: set[str]
) -> HostSnapshot:
    """Return the observed host, with these connections and networks. Raises HostError."""
    platform = host.platform
    wanted = artefacts(
        gateway,
        platform,
        userspace=was_userspace(host),
        credentials=installed_credentials(host.files, gateway),
    )
    scope = host_scope(networks, platform)
    paths = scope.swanctl | {platform.connection_path(item.name) for item in connections}
    scope = Scope(scope.networks, paths, daemons=ALL_DAEMONS)
    daemon, pid, silent, capabilities = DaemonState(), 0, "", Capabilities()
    sections: tuple[tuple[str, Sa], ...] = ()
    try:
        sections = host.vici.sa_sections()
        pid = host.vici.pid
        daemon = daemon_state(host, [IkeState.of(name, section) for name, section in sections])
        capabilities = host.capabilities()
    except HostError as error:
        silent = str(error)
    sas: dict[str, list[Sa]] = {}
    for name, section in sections:
        sas.setdefault(name, []).append(section)
    observed = observe(host, wanted, wanted, scope, daemon)
    now = time.time()
    return HostSnapshot(gateway, wanted, observed, sas, now, pid, silent, capabilities)


def host_scope(networks: set[str], platform: Platform) -> Scope:
    """Return the scope of everything except the phase 1 objects."""
    paths = {
        path(name) for name in networks for path in (platform.bypass_path, platform.advanced_path)
    }
    return Scope(frozenset(networks), frozenset(paths), daemons=ALL_DAEMONS)
