# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Warn about certificates: a CA that other connections trust, and a key that others could read.

strongSwan 5.9.8 and 6.0.1 keep all CA certificates in one set, also a CA that vici receives for one
connection. A connection that names no CA accepts certificates of each CA.
"""

from __future__ import annotations

import typing as t

from .._model.connection import RESERVED_PREFIX
from .._model.platform import Platform
from .._render import validity
from .._render.artefacts import Artefacts
from .._render.file import File
from .._render.pem_blocks import blocks
from .._render.strongswan.section import Section
from .._render.swanctl_files import SwanctlFile
from .children import children, is_shunt
from .observed import DaemonState

# Authentication by certificate, as list-conns and swanctl.conf name it. Without a value, charon
# accepts any authentication, also a certificate.
_CLASSES = ("", "any", "public key")
_EAP_TYPES = ("EAP_TLS", "EAP_DYNAMIC")
_METHODS = ("eap-tls", "eap-dynamic")
_NO_METHODS = ("psk", "xauth", "eap")
# Options of a section `remote` of swanctl.conf that limit the accepted certificates.
_NAMES_OF_CAS = ("cacert", "ca_id", "cert", "pubkeys")


def open_connections(wanted: Artefacts, daemon: DaemonState, paths: t.Container[str]) -> list[str]:
    """Return warnings about connections that accept certificates of the CA of another phase 1.

    ``paths`` are the files under conf.d of the task.
    """
    ca_dir = wanted.platform.ca_dir
    every = [
        parts.connection_names[0] for parts in wanted.swanctl.values() if _brings_ca(parts, ca_dir)
    ]
    here = [
        parts.connection_names[0]
        for path, parts in wanted.swanctl.items()
        if path in paths and _brings_ca(parts, ca_dir)
    ]
    warnings = [
        # A conf text can't name the file of a certificate, so that ca_id remains.
        _warning(f"{name} of swanctl_conf", every if path in paths else here, "ca_id")
        for path, parts in wanted.swanctl.items()
        if path.startswith(wanted.platform.advanced_prefix)
        for name, section in parts.connections.items()
        if _is_open(section)
    ]
    ours = {name for parts in wanted.swanctl.values() for name in parts.connection_names}
    warnings += [
        _warning(f"{name}, which this collection did not make,", here, "ca_id, cacerts or certs")
        for name, conn in sorted(daemon.connections.items())
        if name not in ours and not name.startswith(RESERVED_PREFIX) and _is_listed_open(conn)
    ]
    return [text for text in warnings if text]


def _brings_ca(parts: SwanctlFile, ca_dir: str) -> bool:
    return any(file.directory == ca_dir for file in parts.extra_files)


def _warning(connection: str, cas: t.Sequence[str], keys: str) -> str:
    if not cas:
        return ""
    return (
        f"connection {connection} also accepts every certificate of the CA of phase 1 "
        f"{', '.join(cas)}: strongSwan trusts a CA for all connections, and this connection names "
        f"no CA. Set {keys} in its section remote."
    )


def _is_open(section: Section) -> bool:
    """Return whether a written connection accepts certificates of any CA."""
    if _has_only_shunts(children(section)):
        return False
    ends = [
        end
        for name, end in section.items()
        if name.startswith("remote") and isinstance(end, t.Mapping)
    ]
    return any(map(_end_is_open, ends or [{}]))


def _end_is_open(end: Section) -> bool:
    method = str(end.get("auth", ""))
    certified = method.startswith(_METHODS) or not method.startswith(_NO_METHODS)
    return certified and not any(key.startswith(_NAMES_OF_CAS) for key in end)


def _is_listed_open(conn: t.Mapping[str, t.Any]) -> bool:
    """Return whether a connection in list-conns accepts certificates of any CA."""
    if _has_only_shunts(conn.get("children", {})):
        return False
    return any(_listed_end_is_open(end) for name, end in conn.items() if name.startswith("remote-"))


def _listed_end_is_open(end: t.Mapping[str, t.Any]) -> bool:
    kind, eap = end.get("class", ""), end.get("eap-type", "")
    certified = kind in _CLASSES or (kind == "EAP" and eap in _EAP_TYPES)
    return certified and not any(end.get(key) for key in ("cacerts", "ca_id", "certs"))


def _has_only_shunts(of: t.Mapping[str, t.Mapping[str, t.Any]]) -> bool:
    """Return whether a connection has no peer, but only policies that pass or drop packets."""
    return bool(of) and all(map(is_shunt, of.values()))


def bad_certificates(wanted: Artefacts, paths: t.Container[str], now: float) -> list[str]:
    """Return warnings about certificates that are invalid, or expire soon."""
    return [
        text
        for path, parts in wanted.swanctl.items()
        if path in paths and parts.credentials
        for option, pems in (
            ("certificate", parts.credentials.certificate),
            ("ca", parts.credentials.ca),
        )
        for text in validity.warnings(parts.connection_names[0], option, pems, now)
    ]


def disclosed(files: t.Iterable[File], platform: Platform) -> list[str]:
    """Return warnings about private keys in certificate files that every user could read."""
    # Every user may read these files, so that their mode is no drift.
    readable = (platform.certificate_dir, platform.ca_dir)
    return [
        f"{file.path} contains a private key that every user of this host could read. Replace the "
        "key and its certificate."
        for file in files
        if file.directory in readable and file.mode & 0o004 and _holds_key(file.data)
    ]


def _holds_key(data: bytes) -> bool:
    return any(block.is_key for block in blocks(data))
