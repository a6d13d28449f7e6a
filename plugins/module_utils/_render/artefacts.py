# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What the host is to hold for a Gateway: every file, loaded connection, secret, rule and unit.

The planner compares two of these renderings, before and after an edit of the Gateway, with what the
host holds. Nothing here knows how any of it gets there.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.network import VpnNetwork
from . import network_files, nft
from .advanced import loadable
from .blocks import Block, cleartext_blocks
from .connection import bypass_section, connection_section
from .network_rules import network_rules
from .options.phase1 import credential_file
from .pem import key_id
from .pem_blocks import blocks, certificates, private_key
from .records import conf_text, connection_text, network_record
from .routes import Route, routes
from .shared_secrets import SharedSecret, secret_id, secrets_section
from .strongswan.section import Section, Value
from .strongswan.writer import render
from .strongswan_conf import daemon_text

RECORD_DIR = "/etc/tunnelwright"
SWANCTL_DIR = "/etc/swanctl"
CONF_DIR = f"{SWANCTL_DIR}/conf.d"
KEY_DIR = f"{SWANCTL_DIR}/private"
STRONGSWAN_DIR = "/etc/strongswan.d"
DAEMON_FILE = f"{STRONGSWAN_DIR}/tunnelwright.conf"
UNIT_DIR = "/etc/systemd/system"
CERTIFICATE_DIR = f"{SWANCTL_DIR}/x509"
CA_DIR = f"{SWANCTL_DIR}/x509ca"
# Of which swanctl loads every file, whatever its name, and of a file the first certificate or key.
READ_WHOLE = (CERTIFICATE_DIR, KEY_DIR, CA_DIR)
# What the files of `swanctl_conf` begin with.
ADVANCED_FILES = f"{CONF_DIR}/tunnelwright.advanced."
# Nobody else has files there.
STATE_DIR = "/var/lib/tunnelwright"
CHECKPOINT_DIR = f"{STATE_DIR}/checkpoint"
OURS_ALONE = (RECORD_DIR, CHECKPOINT_DIR, STATE_DIR)
# In these the names of files of ours begin with "tunnelwright".
SHARED = (CONF_DIR, *READ_WHOLE, STRONGSWAN_DIR, UNIT_DIR)

PRIVATE = 0o600
PUBLIC = 0o644
# User and group.
ROOT = (0, 0)
# What a checkpoint and its rollback leave, with the mode of each.
STATE_FILE = f"{CHECKPOINT_DIR}/state.json"
CHECKPOINT_FILES = {
    STATE_FILE: PRIVATE,
    f"{CHECKPOINT_DIR}/rollback.pyz": PRIVATE,
    f"{STATE_DIR}/rolled-back.json": PRIVATE,
    f"{UNIT_DIR}/tunnelwright.rollback.timer": PUBLIC,
    f"{UNIT_DIR}/tunnelwright.rollback.service": PUBLIC,
}
# What users other than root must not do in directories of ours: write, or anything.
FORBIDDEN = {RECORD_DIR: 0o022, STATE_DIR: 0o077, CHECKPOINT_DIR: 0o077}


@dataclass(frozen=True)
class File:
    """A file of ours. ``data`` is its whole content.

    ``link`` is where a symbolic link leads that was found in its place; then the rest is about what
    is there.
    """

    path: str
    data: bytes = field(repr=False)
    mode: int = PUBLIC
    owner: tuple[int, int] = ROOT
    link: str = ""


@dataclass(frozen=True)
class Directory:
    """A directory of ours as it was found."""

    path: str
    mode: int
    owner: tuple[int, int] = ROOT


@dataclass(frozen=True)
class Credentials:
    """PEM contents of a phase 1 with ``authentication: pubkey``, each certificate by itself.

    ``certificate`` is that of the gateway and those of the CAs between it and its root.
    """

    certificate: tuple[bytes, ...] = field(repr=False)
    private_key: bytes = field(repr=False)
    ca: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True)
class SwanctlFile:
    """A file under conf.d together with what the daemon is to have loaded of it.

    ``connection_names`` and ``secret_ids`` name the content of the file, loaded or not.
    """

    file: File
    connection_names: tuple[str, ...]
    secret_ids: tuple[str, ...] = ()
    connections: t.Mapping[str, Section] = field(default_factory=dict)
    secrets: tuple[SharedSecret, ...] = ()
    extra_files: tuple[File, ...] = ()
    private_key: File | None = None
    # By which charon lists the private key; empty where the certificate does not tell.
    key_id: str = ""
    credentials: Credentials | None = None
    # The copies of its certificates are not all there.
    uncertified: bool = False


@dataclass(frozen=True)
class NetworkParts:
    """A network's files and what is to be live of it.

    Interface, forwarding and routes are live while the network is switched on; rules and blocks
    always.
    """

    network: VpnNetwork
    script: File
    rules: File
    unit: File
    guard_unit: File
    ruleset: nft.RulesetInput
    forwarding: tuple[int, ...] = ()
    routes: tuple[Route, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        return self.rules, self.script, self.guard_unit, self.unit


@dataclass(frozen=True)
class Artefacts:
    """Everything for one Gateway, each part under the key by which the planner finds it."""

    networks: t.Mapping[str, NetworkParts]
    records: t.Mapping[str, File]
    swanctl: t.Mapping[str, SwanctlFile]
    daemon: t.Mapping[str, File]
    userspace: bool


def artefacts(
    gateway: Gateway, *, userspace: bool, credentials: t.Mapping[str, Credentials]
) -> Artefacts:
    """``credentials`` by name of the phase 1, for those with ``authentication: pubkey``."""
    swanctl = {}
    for connection in gateway.connections.values():
        parts = _connection_file(gateway, connection, credentials)
        swanctl[parts.file.path] = parts
    for name in gateway.networks:
        for parts in (
            *_bypass_file(gateway, name, userspace=userspace),
            *_advanced_file(gateway, name),
        ):
            swanctl[parts.file.path] = parts
    records = {
        name: File(
            f"{RECORD_DIR}/{name}.json",
            network_record(
                network, gateway.settings_of(name), gateway.rules.get(name, ())
            ).encode(),
        )
        for name, network in gateway.networks.items()
    }
    return Artefacts(
        {name: _network_parts(gateway, name, userspace=userspace) for name in gateway.networks},
        records,
        swanctl,
        _daemon_files(gateway, userspace=userspace),
        userspace and bool(gateway.networks),
    )


def connection_path(name: str) -> str:
    return f"{CONF_DIR}/tunnelwright.phase1.{name}.conf"


def bypass_path(network: str) -> str:
    return f"{CONF_DIR}/tunnelwright.bypass.{network}.conf"


def advanced_path(network: str) -> str:
    return f"{ADVANCED_FILES}{network}.conf"


def advanced_daemon_path(network: str) -> str:
    return f"{STRONGSWAN_DIR}/tunnelwright.advanced.{network}.conf"


# Where the copies lie that charon and swanctl read, by option.
CREDENTIAL_DIRS = {"certificate": CERTIFICATE_DIR, "private_key": KEY_DIR, "ca": CA_DIR}


def credential_paths(connection: IkeConnection) -> dict[str, str]:
    """The first copy of each, by option."""
    name = credential_file(connection)
    return {option: f"{directory}/{name}" for option, directory in CREDENTIAL_DIRS.items()}


def cleaned(file: File) -> File:
    """A file of ours without what its place is not for.

    Version 0.1.0 copied whole files, so that a certificate may have its private key beside it.
    """
    directory = file.path.rpartition("/")[0]
    kept = b""
    if directory == KEY_DIR:
        keys = [block for block in blocks(file.data) if block.whole and block.is_key]
        kept = private_key(keys[0]) if keys else b""
    elif directory in READ_WHOLE:
        kept = b"".join(certificates(file.data))
    # What can't be read is not ours to judge.
    return replace(file, data=kept) if kept else file


def _connection_file(
    gateway: Gateway,
    connection: IkeConnection,
    credentials: t.Mapping[str, Credentials],
) -> SwanctlFile:
    settings = gateway.settings_of(connection.network)
    plain = section = connection_section(connection, settings)
    pem = credentials.get(connection.name) if connection.authentication == "pubkey" else None
    pem_files = _credential_files(connection, pem) if pem else {}
    if pem:
        section = _certified(plain, *(_names(pem_files[option]) for option in _CERTIFIED))
    body: dict[str, Value] = {"connections": {connection.name: section}}
    secrets: tuple[SharedSecret, ...] = ()
    if connection.authentication == "psk" and connection.psk is not None:
        owners = connection.psk_owners
        body["secrets"] = secrets_section(connection.name, owners, connection.psk)
        secrets = (SharedSecret(secret_id(connection.name), "IKE", owners, connection.psk),)
    loaded = gateway.is_active(connection)
    text = connection_text(connection, body, loaded=loaded)
    file = File(connection_path(connection.name), text.encode(), PRIVATE)
    parts = SwanctlFile(
        file,
        (connection.name,),
        tuple(shared.id for shared in secrets),
        extra_files=tuple(item for files in pem_files.values() for item in files),
        # As swanctl loads whatever lies in its directory, switched off or not.
        private_key=pem_files["private_key"][0] if pem else None,
        key_id=key_id(pem.certificate[0]) if pem else "",
        credentials=pem,
        uncertified=connection.authentication == "pubkey" and pem is None,
    )
    if not loaded:
        return parts
    return replace(
        parts,
        connections={connection.name: _loadable(plain, pem)},
        secrets=secrets,
    )


def loaded_section(gateway: Gateway, connection: IkeConnection, pem: Credentials | None) -> Section:
    """A phase 1 as the daemon is to have it loaded."""
    return _loadable(connection_section(connection, gateway.settings_of(connection.network)), pem)


def _loadable(section: Section, pem: Credentials | None) -> Section:
    # As vici takes it: contents in the place of file names.
    return _certified(section, pem.certificate, pem.ca) if pem else section


_CERTIFIED = ("certificate", "ca")


def _credential_files(connection: IkeConnection, pem: Credentials) -> dict[str, tuple[File, ...]]:
    """A file for each certificate, since strongSwan reads only the first one of a file."""
    contents = {"certificate": pem.certificate, "private_key": (pem.private_key,), "ca": pem.ca}
    return {
        option: tuple(
            File(
                f"{CREDENTIAL_DIRS[option]}/{credential_file(connection, number)}",
                data,
                PRIVATE if option == "private_key" else PUBLIC,
            )
            for number, data in enumerate(found, 1)
        )
        for option, found in contents.items()
    }


def _names(files: t.Iterable[File]) -> tuple[str, ...]:
    return tuple(file.path.rpartition("/")[2] for file in files)


def _certified(
    section: Section, certs: t.Sequence[str | bytes], cacerts: t.Sequence[str | bytes]
) -> Section:
    """The section with these certificates, by name or by content."""
    local = {**t.cast(Section, section["local"]), "certs": tuple(certs)}
    remote = {**t.cast(Section, section["remote"]), "cacerts": tuple(cacerts)}
    return t.cast(Section, {**section, "local": local, "remote": remote})


def _bypass_file(gateway: Gateway, name: str, *, userspace: bool) -> tuple[SwanctlFile, ...]:
    network = gateway.networks[name]
    wanted = gateway.settings_of(name).exclude_my_network and network.network_address is not None
    # kernel-libipsec handles no shunts; its routes leave the connected network alone anyway.
    if not wanted or userspace or not network.started:
        return ()
    body = {f"tunnelwright-bypass-{name}": bypass_section((str(network.network_address),))}
    text = conf_text(render({"connections": body}))
    file = File(bypass_path(name), text.encode(), PRIVATE)
    return (SwanctlFile(file, tuple(body), connections=body),)


def _advanced_file(gateway: Gateway, name: str) -> tuple[SwanctlFile, ...]:
    text = gateway.settings_of(name).swanctl_conf
    if not text:
        return ()
    parts = advanced_parts(name, text)
    if gateway.networks[name].started:
        return (parts,)
    file = replace(parts.file, data=conf_text(text, loaded=False).encode())
    return (SwanctlFile(file, parts.connection_names, parts.secret_ids),)


def advanced_parts(network: str, text: str) -> SwanctlFile:
    """``swanctl_conf`` taken apart. Raises SyntaxFault or ModelError as ``loadable`` does."""
    connections, secrets = loadable(text)
    return SwanctlFile(
        File(advanced_path(network), conf_text(text).encode(), PRIVATE),
        tuple(connections),
        tuple(shared.id for shared in secrets),
        connections,
        secrets,
    )


def _daemon_files(gateway: Gateway, *, userspace: bool) -> dict[str, File]:
    files = {}
    if gateway.networks:
        text = daemon_text(gateway, userspace=userspace)
        files[DAEMON_FILE] = File(DAEMON_FILE, text.encode())
    for name in gateway.networks:
        text_of_network = gateway.settings_of(name).strongswan_conf
        if text_of_network:
            path = advanced_daemon_path(name)
            files[path] = File(path, conf_text(text_of_network).encode(), PRIVATE)
    return files


def _network_parts(gateway: Gateway, name: str, *, userspace: bool) -> NetworkParts:
    network = gateway.networks[name]
    rules = network_rules(gateway, name, userspace=userspace)
    versions = {tunnel.local.version for tunnel in rules.tunnels}
    if network.network_address is not None:
        versions.add(network.network_address.version)
    barred = cleartext_blocks(rules, network.on_link)
    return NetworkParts(
        network,
        File(
            f"{RECORD_DIR}/{name}.sh",
            network_files.script(network, rules, barred).encode(),
            0o755,
        ),
        File(f"{RECORD_DIR}/{name}.nft", nft.render(nft.table(rules)).encode()),
        File(f"{UNIT_DIR}/{unit_name(name)}", network_files.unit(network).encode()),
        File(f"{UNIT_DIR}/{guard_unit_name(name)}", network_files.guard_unit(network).encode()),
        rules,
        tuple(sorted(versions)),
        routes(network, rules.vpn_rules),
        barred,
    )


def unit_name(network: str) -> str:
    """The unit of a network's interface."""
    return f"tunnelwright-{network}.service"


def guard_unit_name(network: str) -> str:
    """The unit of a network's rules. No name of a network has a dot."""
    return f"tunnelwright-{network}.guard.service"
