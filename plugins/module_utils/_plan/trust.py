# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Warnings about certificates: a CA that other connections trust, and a key that lay open.

strongSwan 5.9.8 and 6.0.1 keep all CA certificates in one set, also those that vici is given for
one connection. A connection that does not say which CA it means accepts each of them.
"""

from __future__ import annotations

import typing as t

from .._model.connection import RESERVED_PREFIX
from .._render import validity
from .._render.artefacts import (
    ADVANCED_FILES,
    CA_DIR,
    CERTIFICATE_DIR,
    Artefacts,
    File,
    SwanctlFile,
)
from .._render.options.phase2 import SHUNTS
from .._render.pem_blocks import blocks
from .._render.strongswan.section import Section
from .observed import DaemonState

# Files that everybody may read, so that their mode is no drift.
_CERTIFICATE_DIRS = (f"{CERTIFICATE_DIR}/", f"{CA_DIR}/")

# The ways to prove who one is, as list-conns and swanctl.conf name them, in which a certificate is
# the proof. Left out, any way is good, a certificate among them.
_CLASSES = ("", "any", "public key")
_EAP_TYPES = ("EAP_TLS", "EAP_DYNAMIC")
_METHODS = ("eap-tls", "eap-dynamic")
_NO_METHODS = ("psk", "xauth", "eap")
# What says which certificates are good, in a section `remote` of swanctl.conf.
_NAMES_OF_CAS = ("cacert", "ca_id", "cert", "pubkeys")


def open_connections(wanted: Artefacts, daemon: DaemonState, paths: t.Container[str]) -> list[str]:
    """Warnings about connections that accept certificates of a CA of ours, though not ours.

    ``paths`` are the files under conf.d that the task is about.
    """
    every = [parts.owned[0] for parts in wanted.swanctl.values() if _brings_ca(parts)]
    here = [
        parts.owned[0]
        for path, parts in wanted.swanctl.items()
        if path in paths and _brings_ca(parts)
    ]
    told = [
        # It can't name the file of a certificate.
        _told(f"{name} of swanctl_conf", every if path in paths else here, "ca_id")
        for path, parts in wanted.swanctl.items()
        if path.startswith(ADVANCED_FILES)
        for name, section in parts.connections.items()
        if _is_open(section)
    ]
    ours = {name for parts in wanted.swanctl.values() for name in parts.owned}
    told += [
        _told(f"{name}, which this collection did not make,", here, "ca_id, cacerts or certs")
        for name, conn in sorted(daemon.connections.items())
        if name not in ours and not name.startswith(RESERVED_PREFIX) and _is_listed_open(conn)
    ]
    return [text for text in told if text]


def _brings_ca(parts: SwanctlFile) -> bool:
    return any(file.path.startswith(f"{CA_DIR}/") for file in parts.extra_files)


def _told(connection: str, cas: t.Sequence[str], keys: str) -> str:
    if not cas:
        return ""
    return (
        f"connection {connection} accepts every certificate of the CA of phase 1 "
        f"{', '.join(cas)}, too: strongSwan trusts a CA for all connections, and this one does not "
        f"say which CA it means; set {keys} in its section remote"
    )


def _is_open(section: Section) -> bool:
    """Whether a connection, as it is written, accepts the certificates of any CA."""
    children = t.cast("t.Mapping[str, Section]", section.get("children", {}))
    if _is_shunt(str(child.get("mode", "")) for child in children.values()):
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
    """The same for a connection as list-conns shows it."""
    children = conn.get("children", {}).values()
    if _is_shunt(child.get("mode", "") for child in children):
        return False
    return any(_listed_end_is_open(end) for name, end in conn.items() if name.startswith("remote-"))


def _listed_end_is_open(end: t.Mapping[str, t.Any]) -> bool:
    kind, eap = end.get("class", ""), end.get("eap-type", "")
    certified = kind in _CLASSES or (kind == "EAP" and eap in _EAP_TYPES)
    return certified and not any(end.get(key) for key in ("cacerts", "ca_id", "certs"))


def _is_shunt(modes: t.Iterable[str]) -> bool:
    """Whether a connection has no peer, but only policies to pass or drop traffic."""
    found = [mode.lower() for mode in modes]
    return bool(found) and all(mode in SHUNTS for mode in found)


def bad_certificates(wanted: Artefacts, paths: t.Container[str], now: float) -> list[str]:
    """Warnings about certificates that are not good, or not for long, in files under conf.d."""
    return [
        text
        for path, parts in wanted.swanctl.items()
        if path in paths and parts.credentials
        for option, pems in (
            ("certificate", parts.credentials.certificate),
            ("ca", parts.credentials.ca),
        )
        for text in validity.warnings(parts.owned[0], option, pems, now)
    ]


def disclosed(files: t.Iterable[File]) -> list[str]:
    """Warnings about private keys among the certificates that were found on the host."""
    return [
        f"{file.path} has a private key in it that every user of this host could read: replace "
        "the key and its certificate"
        for file in files
        if file.path.startswith(_CERTIFICATE_DIRS) and file.mode & 0o004 and _holds_key(file.data)
    ]


def _holds_key(data: bytes) -> bool:
    return any(block.is_key for block in blocks(data))
