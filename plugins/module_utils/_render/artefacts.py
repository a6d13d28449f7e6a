# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Everything that a host is to hold for a Gateway: files, connections, secrets, rules and units.

The planner compares two of these renderings, before and after an edit of the Gateway, with the
state of the host. Nothing here knows how a part gets to the host.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.platform import Platform
from .credentials import Credentials
from .file import PRIVATE, File
from .network_parts import NetworkParts, network_parts, record_file
from .network_view import NetworkView, network_views
from .records import conf_text
from .strongswan_conf import daemon_text
from .swanctl_files import SwanctlFile, advanced_file, bypass_file, connection_file


@dataclass(frozen=True)
class Artefacts:
    """Everything for one Gateway, each part under the key by which the planner finds it.

    ``networks`` and ``records`` by name of the network, ``swanctl`` and ``daemon`` by path.
    """

    platform: Platform
    networks: t.Mapping[str, NetworkParts]
    records: t.Mapping[str, File]
    swanctl: t.Mapping[str, SwanctlFile]
    daemon: t.Mapping[str, File]
    userspace: bool


def artefacts(
    gateway: Gateway,
    platform: Platform,
    *,
    userspace: bool,
    credentials: t.Mapping[str, Credentials],
    known: tuple[Gateway, Artefacts] | None = None,
) -> Artefacts:
    """Return the rendering of a Gateway.

    ``credentials`` by name of the phase 1, for those with ``authentication: pubkey``. ``known`` is
    another Gateway with its rendering, from which equal parts are taken.
    """
    views = network_views(gateway)
    old = network_views(known[0]) if known and known[1].userspace == userspace else {}
    networks = {
        name: known[1].networks[name]
        if known and name in known[1].networks and old.get(name) == view
        else network_parts(view, platform, userspace=userspace)
        for name, view in views.items()
    }
    return Artefacts(
        platform,
        networks,
        {name: record_file(view, networks[name], platform) for name, view in views.items()},
        {
            parts.file.path: parts
            for parts in (
                *_connection_files(gateway, platform, credentials, known),
                *_shared_files(views.values(), platform, userspace=userspace),
            )
        },
        _daemon_files(gateway, views.values(), platform, userspace=userspace),
        userspace and bool(gateway.networks),
    )


def _connection_files(
    gateway: Gateway,
    platform: Platform,
    credentials: t.Mapping[str, Credentials],
    known: tuple[Gateway, Artefacts] | None,
) -> t.Iterator[SwanctlFile]:
    for connection in gateway.connections.values():
        certified = connection.uses_certificates
        pem = credentials.get(connection.name) if certified else None
        same = _same(gateway, connection, pem, platform, known) if known else None
        yield same or connection_file(gateway, connection, pem, platform)


def _same(
    gateway: Gateway,
    connection: IkeConnection,
    pem: Credentials | None,
    platform: Platform,
    known: tuple[Gateway, Artefacts],
) -> SwanctlFile | None:
    """Return the file of a known phase 1, if everything in the file is equal."""
    other, rendering = known
    if other.connections.get(connection.name) != connection:
        return None
    same = (
        other.is_active(connection) == gateway.is_active(connection)
        and other.settings_of(connection.network) == gateway.settings_of(connection.network)
        and rendering.platform == platform
    )
    parts = rendering.swanctl[platform.connection_path(connection.name)]
    return parts if same and parts.credentials == pem else None


def _shared_files(
    views: t.Iterable[NetworkView], platform: Platform, *, userspace: bool
) -> t.Iterator[SwanctlFile]:
    """Yield the files under conf.d that belong to a network, and to no phase 1."""
    for view in views:
        for parts in (
            bypass_file(view, platform, userspace=userspace),
            advanced_file(view, platform),
        ):
            if parts is not None:
                yield parts


def _daemon_files(
    gateway: Gateway, views: t.Iterable[NetworkView], platform: Platform, *, userspace: bool
) -> dict[str, File]:
    """Return the files of the daemon-wide settings, by path."""
    files = []
    if gateway.networks:
        text = daemon_text(gateway, userspace=userspace)
        files.append(File(platform.daemon_file, text.encode()))
    for view in views:
        if view.settings.strongswan_conf:
            path = platform.advanced_daemon_path(view.name)
            files.append(File(path, conf_text(view.settings.strongswan_conf).encode(), PRIVATE))
    return {file.path: file for file in files}
