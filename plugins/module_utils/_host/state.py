# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Read back, from the files of ours on the host, the Gateway that they were made from."""

from __future__ import annotations

from .._errors import HostError
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.settings import IpsecSettings
from .._render import artefacts, records
from .._render.artefacts import RECORD_DIR, Credentials
from .files import Files


def read_gateway(files: Files) -> Gateway:
    """Raises RecordFault for a file of ours that can't be read any more."""
    networks, settings = {}, {}
    for path in files.find(f"{RECORD_DIR}/*.json"):
        network, options = records.read_network(path, _text(files, path))
        networks[network.name] = network
        settings[network.name] = _settings(files, network.name, options)
    connections = {}
    for path in files.find(artefacts.connection_path("*")):
        connection = records.read_connection(path, _text(files, path))
        connections[connection.name] = connection
    return Gateway(networks, settings, connections)


def installed_credentials(files: Files, gateway: Gateway) -> dict[str, Credentials]:
    """The PEM contents of each phase 1 with certificates, as they lie in swanctl's directories."""
    return {
        connection.name: _credentials(files, artefacts.credential_paths(connection), connection)
        for connection in gateway.connections.values()
        if connection.authentication == "pubkey"
    }


def given_credentials(files: Files, connection: IkeConnection) -> Credentials:
    """The PEM contents of the files that the options of a phase 1 name."""
    paths = {
        option: str(getattr(connection, option)) for option in ("certificate", "private_key", "ca")
    }
    found = _credentials(files, paths, connection)
    for option, path in paths.items():
        if b"-----BEGIN " not in getattr(found, option):
            raise HostError(
                f"phase 1 {connection.name}: {option}", f"{path} is missing or not a PEM file"
            )
    return found


def _credentials(files: Files, paths: dict[str, str], connection: IkeConnection) -> Credentials:
    contents = {}
    for option, path in paths.items():
        file = files.read(path)
        contents[option] = file.data if file is not None else b""
    return Credentials(contents["certificate"], contents["private_key"], contents["ca"])


def _settings(files: Files, network: str, options: object) -> IpsecSettings:
    texts = {
        "swanctl_conf": artefacts.advanced_path(network),
        "strongswan_conf": artefacts.advanced_daemon_path(network),
    }
    found = {option: files.read(path) for option, path in texts.items()}
    conf = {option: records.read_conf(file.data.decode()) for option, file in found.items() if file}
    return IpsecSettings.from_options({**_mapping(options), **conf})


def _mapping(options: object) -> dict[str, object]:
    return dict(options) if isinstance(options, dict) else {}


def _text(files: Files, path: str) -> str:
    file = files.read(path)
    try:
        return file.data.decode("utf-8") if file is not None else ""
    except UnicodeDecodeError:
        raise records.RecordFault(path, "is not UTF-8 text") from None
