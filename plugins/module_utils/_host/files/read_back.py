# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The Gateway, read back from the files of the collection on the host."""

from __future__ import annotations

import typing as t

from ..._errors import HostError, ModelError, TunnelwrightError
from ..._model.connection import IkeConnection
from ..._model.gateway import Gateway
from ..._model.settings import IpsecSettings
from ..._render import records
from ..._render.advanced import loadable
from ..._render.advanced_tunnels import advanced_sections
from ..._render.strongswan.section import Section
from ..._render.swanctl_files import loaded_section
from .credentials import installed_credentials
from .files import Files
from .known_gateway import KnownGateway


def read_gateway(files: Files, known: KnownGateway | None = None) -> Gateway:
    """Return the Gateway. Raises RecordFault for a damaged file of the collection.

    ``known`` is the Gateway that the last run noted. The files of its phase 1 objects that have not
    changed since are not read.
    """
    networks, settings, rules = {}, {}, {}
    platform = files.platform
    for path in files.find(platform.record_path("*")):
        network, options, own = records.read_network(path, _text(files, path))
        _check_name(path, platform.record_path(network.name))
        networks[network.name] = network
        settings[network.name] = _settings(files, path, network.name, options)
        if own:
            rules[network.name] = own
    connections = {}
    for path in files.find(platform.connection_path("*")):
        connection = known.at(path) if known is not None else None
        if connection is None:
            connection = records.read_connection(path, _text(files, path))
            _check_name(path, platform.connection_path(connection.name))
        connections[connection.name] = connection
    return Gateway(networks, settings, connections, rules)


def _check_name(path: str, expected: str) -> None:
    """Refuse a copy of a file, which the collection and swanctl would read as another object."""
    if path != expected:
        raise records.RecordFault(path, f"holds what belongs in {expected}")


def loaded_sections(
    files: Files, gateway: Gateway, connections: t.Iterable[IkeConnection]
) -> dict[str, Section]:
    """Return the sections that the daemon should have loaded, including sections of conf texts."""
    chosen = tuple(connections)
    certified = any(item.uses_certificates for item in chosen)
    credentials = installed_credentials(files, gateway) if certified else {}
    advanced = advanced_sections(gateway)
    return {
        item.name: advanced[item.name]
        if item.name in advanced
        else loaded_section(gateway, item, credentials.get(item.name))
        for item in chosen
    }


def _settings(
    files: Files, record: str, network: str, options: t.Mapping[str, t.Any]
) -> IpsecSettings:
    texts = {
        "swanctl_conf": files.platform.advanced_path(network),
        "strongswan_conf": files.platform.advanced_daemon_path(network),
    }
    found = {option: _text(files, path) for option, path in texts.items()}
    conf = {option: records.read_conf(text) for option, text in found.items() if text}
    try:
        loadable(conf.get("swanctl_conf", ""))
    except TunnelwrightError as error:
        raise records.RecordFault(texts["swanctl_conf"], records.reason(error)) from None
    try:
        return IpsecSettings.from_options({**options, "network": network, **conf})
    except (ModelError, TypeError) as error:
        raise records.RecordFault(record, records.reason(error)) from None


def _text(files: Files, path: str) -> str:
    try:
        file = files.read(path)
        return file.data.decode("utf-8") if file is not None else ""
    except HostError as error:
        raise records.RecordFault(path, f"cannot be read: {error.detail}") from None
    except UnicodeDecodeError:
        raise records.RecordFault(path, "is not UTF-8 text") from None
