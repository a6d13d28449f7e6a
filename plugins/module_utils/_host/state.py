# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Read back, from the files of ours on the host, the Gateway that they were made from."""

from __future__ import annotations

import typing as t

from .._errors import HostError, ModelError, TunnelwrightError
from .._model.connection import CREDENTIALS, IkeConnection
from .._model.gateway import Gateway
from .._model.settings import IpsecSettings
from .._render import artefacts, records
from .._render.advanced import loadable
from .._render.advanced_tunnels import advanced_sections
from .._render.artefacts import RECORD_DIR, Credentials
from .._render.settings_file import Section
from .files import Files


def read_gateway(files: Files) -> Gateway:
    """Raises RecordFault for a file of ours that can't be read any more."""
    networks, settings, rules = {}, {}, {}
    for path in files.find(f"{RECORD_DIR}/*.json"):
        network, options, own = records.read_network(path, _text(files, path))
        _check_name(path, f"{RECORD_DIR}/{network.name}.json")
        networks[network.name] = network
        settings[network.name] = _settings(files, path, network.name, options)
        if own:
            rules[network.name] = own
    connections = {}
    for path in files.find(artefacts.connection_path("*")):
        connection = records.read_connection(path, _text(files, path))
        _check_name(path, artefacts.connection_path(connection.name))
        connections[connection.name] = connection
    return Gateway(networks, settings, connections, rules)


def _check_name(path: str, expected: str) -> None:
    """A copy of one of our files would be taken for the file itself, by us and by swanctl."""
    if path != expected:
        raise records.RecordFault(path, f"holds what belongs in {expected}")


def installed_credentials(files: Files, gateway: Gateway) -> dict[str, Credentials]:
    """The PEM contents of each phase 1 with certificates, as they lie in swanctl's directories.

    One whose files are not all there is left out: its own module installs them anew.
    """
    found = {
        connection.name: _credentials(files, artefacts.credential_paths(connection))
        for connection in gateway.connections.values()
        if connection.authentication == "pubkey"
    }
    return {
        name: pem for name, pem in found.items() if pem.certificate and pem.private_key and pem.ca
    }


def loaded_sections(
    files: Files, gateway: Gateway, connections: t.Iterable[IkeConnection]
) -> dict[str, Section]:
    """The connections as the daemon is to have them loaded, those of conf texts included."""
    chosen = tuple(connections)
    certified = any(item.authentication == "pubkey" for item in chosen)
    credentials = installed_credentials(files, gateway) if certified else {}
    advanced = advanced_sections(gateway)
    return {
        item.name: advanced[item.name]
        if item.name in advanced
        else artefacts.loaded_section(gateway, item, credentials.get(item.name))
        for item in chosen
    }


def given_credentials(files: Files, connection: IkeConnection) -> Credentials:
    """The PEM contents of the files that the options of a phase 1 name."""
    paths = {option: str(getattr(connection, option)) for option in CREDENTIALS}
    found = _credentials(files, paths)
    for option, path in paths.items():
        if b"-----BEGIN " not in getattr(found, option):
            raise HostError(
                f"phase 1 {connection.name}: {option}", f"{path} is missing or not a PEM file"
            )
    return found


def _credentials(files: Files, paths: dict[str, str]) -> Credentials:
    contents = {}
    for option, path in paths.items():
        file = files.read(path)
        contents[option] = file.data if file is not None else b""
    return Credentials(contents["certificate"], contents["private_key"], contents["ca"])


def _settings(
    files: Files, record: str, network: str, options: t.Mapping[str, t.Any]
) -> IpsecSettings:
    texts = {
        "swanctl_conf": artefacts.advanced_path(network),
        "strongswan_conf": artefacts.advanced_daemon_path(network),
    }
    found = {option: _text(files, path) for option, path in texts.items()}
    conf = {option: records.read_conf(text) for option, text in found.items() if text}
    try:
        loadable(conf.get("swanctl_conf", ""))
    except TunnelwrightError as error:
        raise records.RecordFault(texts["swanctl_conf"], str(error)) from None
    try:
        return IpsecSettings.from_options({**options, "network": network, **conf})
    except (ModelError, TypeError) as error:
        raise records.RecordFault(record, str(error)) from None


def _text(files: Files, path: str) -> str:
    file = files.read(path)
    try:
        return file.data.decode("utf-8") if file is not None else ""
    except UnicodeDecodeError:
        raise records.RecordFault(path, "is not UTF-8 text") from None
