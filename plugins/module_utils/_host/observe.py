# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Look at the host: everything that the planner compares, and nothing else."""

from __future__ import annotations

import typing as t

from .._errors import HostError
from .._plan.observed import DaemonState, NetworkState, Observed
from .._plan.planner import Scope, files_in
from .._render import nft
from .._render.artefacts import Artefacts, File, NetworkParts, unit_name
from .._render.network_files import hook_prefix
from .host import Host


def observe(host: Host, before: Artefacts, after: Artefacts, scope: Scope) -> Observed:
    """Reads only; rules are tried in a throw-away network namespace."""
    return Observed(
        _files(host, files_in(before, after, scope)),
        {
            name: _network(host, parts)
            for name in scope.networks
            for parts in [after.networks.get(name) or before.networks.get(name)]
            if parts is not None
        },
        daemon_state(host),
    )


def _files(host: Host, paths: t.Iterable[str]) -> dict[str, File]:
    found = {path: host.files.read(path) for path in paths}
    return {path: file for path, file in found.items() if file is not None}


def daemon_state(host: Host) -> DaemonState:
    vici = host.vici
    established = {}
    for sa in vici.sas():
        if sa.up:
            installed = {child.name for child in sa.children if child.up}
            established[sa.name] = frozenset(installed) | established.get(sa.name, frozenset())
    return DaemonState(
        vici.version().get("version", ""),
        vici.plugins(),
        vici.connections(),
        vici.secrets(),
        established,
        frozenset((policy.ike, policy.child) for policy in vici.policies()),
    )


def _network(host: Host, parts: NetworkParts) -> NetworkState:
    network = parts.network
    link = host.link.get(network.device)
    unit = unit_name(network.name)
    present, match = _rules(host, parts)
    return NetworkState(
        link is not None,
        link is not None and link.up,
        link.mtu if link else None,
        link.addresses if link else (),
        frozenset(version for version in (4, 6) if host.link.forwarding(version)),
        present,
        match,
        host.systemd.is_enabled(unit),
        host.systemd.is_active(unit),
    )
