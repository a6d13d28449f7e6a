# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The certificates and the private key of a phase 1, and the copies that strongSwan reads."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._model.connection import IkeConnection
from .._model.platform import Platform
from .file import PRIVATE, PUBLIC, File
from .options.phase1 import credential_file
from .pem_blocks import blocks, certificates, private_key
from .strongswan.section import Section


@dataclass(frozen=True)
class Credentials:
    """PEM contents of a phase 1 with ``authentication: pubkey``, each certificate alone.

    ``certificate`` holds the certificate of the gateway, then the CAs between it and its root.
    """

    certificate: tuple[bytes, ...] = field(repr=False)
    private_key: bytes = field(repr=False)
    ca: tuple[bytes, ...] = field(repr=False)


def credential_paths(connection: IkeConnection, platform: Platform) -> dict[str, str]:
    """Return the path of the first copy, by option."""
    name = credential_file(connection)
    return {option: f"{folder}/{name}" for option, folder in platform.credential_dirs.items()}


def credential_files(
    connection: IkeConnection, pem: Credentials, platform: Platform
) -> dict[str, tuple[File, ...]]:
    """Return the copies by option.

    Each certificate has a file, because strongSwan reads only the first one of a file.
    """
    contents = {"certificate": pem.certificate, "private_key": (pem.private_key,), "ca": pem.ca}
    return {
        option: tuple(
            File(
                f"{folder}/{credential_file(connection, number)}",
                data,
                PRIVATE if option == "private_key" else PUBLIC,
            )
            for number, data in enumerate(contents[option], 1)
        )
        for option, folder in platform.credential_dirs.items()
    }


def with_certificates(
    section: Section, certs: t.Sequence[str | bytes], cacerts: t.Sequence[str | bytes]
) -> Section:
    """Return the section of a phase 1 with these certificates, by name or by content."""
    local = {**t.cast(Section, section["local"]), "certs": tuple(certs)}
    remote = {**t.cast(Section, section["remote"]), "cacerts": tuple(cacerts)}
    return t.cast(Section, {**section, "local": local, "remote": remote})


def cleaned(file: File, platform: Platform) -> File:
    """Return a file of the collection with the content alone that its directory is for.

    Version 0.1.0 copied whole files, so that a certificate may have its private key beside it.
    """
    data = b""
    if file.directory == platform.key_dir:
        keys = [block for block in blocks(file.data) if block.whole and block.is_key]
        data = private_key(keys[0]) if keys else b""
    elif file.directory in platform.read_whole:
        data = b"".join(certificates(file.data))
    # A file that can't be read stays as it is.
    return replace(file, data=data) if data else file
