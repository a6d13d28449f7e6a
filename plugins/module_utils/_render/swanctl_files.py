# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The files under swanctl's conf.d, each with the sections that the daemon loads of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.platform import Platform
from .advanced import loadable
from .connection import bypass_section, connection_section
from .credentials import Credentials, credential_files, with_certificates
from .file import PRIVATE, File
from .network_view import NetworkView
from .pem import key_id
from .records import conf_text, connection_text
from .shared_secrets import SharedSecret, ppk_secret_id, secret_id, secret_section
from .strongswan.section import Section, Value
from .strongswan.writer import render


@dataclass(frozen=True)
class SwanctlFile:
    """A file under conf.d together with the sections that the daemon is to have loaded of it.

    ``connection_names`` and ``secret_ids`` are in the file, loaded or not.
    ``key_id`` is the id by which charon lists the private key. It is empty where the certificate
    has no key that can be read. ``uncertified`` says that copies of the certificates are missing.
    """

    file: File
    connection_names: tuple[str, ...]
    secret_ids: tuple[str, ...] = ()
    connections: t.Mapping[str, Section] = field(default_factory=dict)
    secrets: tuple[SharedSecret, ...] = ()
    extra_files: tuple[File, ...] = ()
    private_key: File | None = None
    key_id: str = ""
    credentials: Credentials | None = None
    uncertified: bool = False


def connection_file(
    gateway: Gateway,
    connection: IkeConnection,
    pem: Credentials | None,
    platform: Platform,
) -> SwanctlFile:
    """Return the file of a phase 1. ``pem`` is None without certificates, or without copies."""
    section = connection_section(connection, gateway.settings_of(connection.network))
    copies = credential_files(connection, pem, platform) if pem else {}
    secrets = secrets_of(connection)
    body = _body(connection, section, copies)
    loaded = gateway.is_active(connection)
    text = connection_text(connection, body, loaded=loaded)
    parts = SwanctlFile(
        File(platform.connection_path(connection.name), text.encode(), PRIVATE),
        (connection.name,),
        tuple(shared.id for shared in secrets),
        extra_files=tuple(file for files in copies.values() for file in files),
        # swanctl loads every file of its directory, also for a phase 1 that is switched off.
        private_key=copies["private_key"][0] if pem else None,
        key_id=key_id(pem.certificate[0]) if pem else "",
        credentials=pem,
        uncertified=connection.authentication == "pubkey" and pem is None,
    )
    if not loaded:
        return parts
    return replace(parts, connections={connection.name: _loadable(section, pem)}, secrets=secrets)


def loaded_section(gateway: Gateway, connection: IkeConnection, pem: Credentials | None) -> Section:
    """Return a phase 1 as the daemon is to have it loaded."""
    return _loadable(connection_section(connection, gateway.settings_of(connection.network)), pem)


def _loadable(section: Section, pem: Credentials | None) -> Section:
    # vici takes contents in the place of file names.
    return with_certificates(section, pem.certificate, pem.ca) if pem else section


def secrets_of(connection: IkeConnection) -> tuple[SharedSecret, ...]:
    """Return the secrets that the daemon is to have for a phase 1: its PSK, then its PPK."""
    secrets = []
    if connection.authentication == "psk" and connection.psk is not None:
        name = secret_id(connection.name)
        secrets.append(SharedSecret(name, "IKE", connection.psk_owners, connection.psk))
    if connection.ppk is not None and connection.ppk_id is not None:
        name = ppk_secret_id(connection.name)
        secrets.append(SharedSecret(name, "PPK", (connection.ppk_id,), connection.ppk))
    return tuple(secrets)


def _body(
    connection: IkeConnection, section: Section, copies: t.Mapping[str, t.Sequence[File]]
) -> Section:
    """Return the sections of a phase 1 as they stand in its file."""
    if copies:
        names = {option: [file.name for file in files] for option, files in copies.items()}
        section = with_certificates(section, names["certificate"], names["ca"])
    body: dict[str, Value] = {"connections": {connection.name: section}}
    secrets = {shared.id: secret_section(shared) for shared in secrets_of(connection)}
    return {**body, "secrets": secrets} if secrets else body


def bypass_file(view: NetworkView, platform: Platform, *, userspace: bool) -> SwanctlFile | None:
    """Return the file of the shunt of ``exclude_my_network``; None where there is no shunt."""
    address = view.network.network_address
    if not view.settings.exclude_my_network or address is None or not view.network.started:
        return None
    # kernel-libipsec handles no shunts, and its routes leave the connected network alone anyway.
    if userspace:
        return None
    body = {f"tunnelwright-bypass-{view.name}": bypass_section((str(address),))}
    text = conf_text(render({"connections": body}))
    file = File(platform.bypass_path(view.name), text.encode(), PRIVATE)
    return SwanctlFile(file, tuple(body), connections=body)


def advanced_file(view: NetworkView, platform: Platform) -> SwanctlFile | None:
    """Return the file of ``swanctl_conf``; None without such a text."""
    text = view.settings.swanctl_conf
    if not text:
        return None
    parts = advanced_parts(view.name, text, platform)
    if view.network.started:
        return parts
    file = replace(parts.file, data=conf_text(text, loaded=False).encode())
    return SwanctlFile(file, parts.connection_names, parts.secret_ids)


def advanced_parts(network: str, text: str, platform: Platform) -> SwanctlFile:
    """Return a ``swanctl_conf`` taken apart. Raises SyntaxFault or ModelError as ``loadable``."""
    connections, secrets = loadable(text)
    return SwanctlFile(
        File(platform.advanced_path(network), conf_text(text).encode(), PRIVATE),
        tuple(connections),
        tuple(shared.id for shared in secrets),
        connections,
        secrets,
    )
