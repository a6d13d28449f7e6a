# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Certificates and private keys in the files of a task, and their installed copies."""

from __future__ import annotations

import functools
import re
import typing as t

from ..._errors import HostError, ModelError
from ..._model.authentication import CREDENTIALS
from ..._model.connection import IkeConnection
from ..._model.gateway import Gateway
from ..._render import pem_blocks
from ..._render.bundle import (
    Bundle,
    Elsewhere,
    check_authorities,
    check_sizes,
    own_chain,
    without_others,
)
from ..._render.credentials import Credentials, cleaned, credential_paths
from ..._render.pem import Certificate
from ..._render.records import copies_in
from .certificates import loaded_at_start
from .files import Files

# In bytes, larger than a bundle of two hundred certificates.
LARGEST = 2**20


def installed_credentials(files: Files, gateway: Gateway) -> dict[str, Credentials]:
    """Return the PEM contents of the copies for each phase 1 with certificates.

    A phase 1 with a missing copy is left out. The module of that phase 1 installs the copy again.
    """
    found = {
        connection.name: installed(files, connection)
        for connection in gateway.connections.values()
        if connection.uses_certificates
    }
    return {name: pem for name, pem in found.items() if pem is not None}


def installed(files: Files, connection: IkeConnection) -> Credentials | None:
    """Return the installed credentials of one phase 1, or None if a copy is missing."""
    found = {option: _copies(files, paths) for option, paths in copies(files, connection).items()}
    if not all(found.values()):
        return None
    own = without_others(found["certificate"], found["ca"])
    return Credentials(own, found["private_key"][0], found["ca"])


def copies(files: Files, connection: IkeConnection) -> dict[str, tuple[str, ...]]:
    """Return the paths of the copies of a phase 1, according to its file, by option."""
    platform = files.platform
    file = files.look(platform.connection_path(connection.name))
    names = copies_in(file.data.decode("utf-8", "replace")) if file is not None else {}
    found = {}
    for option, first in credential_paths(connection, platform).items():
        named = tuple(
            f"{platform.credential_dirs[option]}/{name}" for name in names.get(option, ())
        )
        found[option] = named if all(map(_own(connection), named)) and named else (first,)
    return found


def _own(connection: IkeConnection) -> t.Callable[[str], object]:
    """Return a test whether a path is a copy of this phase 1."""
    return re.compile(rf".*/tunnelwright\.{connection.name}(?:\.[0-9]+)?\.pem").fullmatch


def _copies(files: Files, paths: t.Iterable[str]) -> tuple[bytes, ...]:
    """Return the contents of the copies, or an empty tuple if one of them is missing.

    Version 0.1.0 copied a file with several certificates unchanged.
    """
    contents: list[bytes] = []
    for path in paths:
        copy = files.look(path)
        data = cleaned(copy, files.platform).data if copy is not None else b""
        if not data:
            return ()
        contents += pem_blocks.certificates(data) or [data]
    return tuple(contents)


def given_credentials(
    files: Files, connection: IkeConnection
) -> tuple[Credentials, tuple[str, ...]]:
    """Return the credentials in the files that the options of a phase 1 name, and warnings.

    Raises ModelError for a file without a usable block, and for certificates that do not match the
    phase 1.
    """
    subject = connection.subject
    given = {
        option: _Given(option, str(getattr(connection, option)), subject) for option in CREDENTIALS
    }
    data = {option: item.take(files) for option, item in given.items()}
    own, peers = (
        Bundle(subject, option, str(getattr(connection, option)), data[option])
        for option in ("certificate", "ca")
    )
    check_sizes((own, peers))
    elsewhere = _elsewhere(files, connection)
    warnings = [text for item in given.values() for text in item.warnings]
    warnings += check_authorities(peers, elsewhere)
    chain, more = own_chain(own, connection.identifier, peers.known, elsewhere)
    unique = tuple(dict.fromkeys(peers.pems))
    return Credentials(chain, data["private_key"][0], unique), tuple(warnings + more)


def _elsewhere(files: Files, connection: IkeConnection) -> Elsewhere:
    """Return the CAs in unmanaged files, which strongSwan loads at its start."""
    own = _own(connection)

    @functools.cache
    def found() -> tuple[Certificate, ...]:
        known = loaded_at_start(files)
        return tuple(item for path, item in known.items() if not own(path))

    return found


class _Given:
    """The file at ``path``, the value of ``option`` of ``subject``."""

    def __init__(self, option: str, path: str, subject: str) -> None:
        self.warnings: list[str] = []
        self._option, self._path, self._subject = option, path, subject

    def take(self, files: Files) -> tuple[bytes, ...]:
        """Return the blocks that the option uses."""
        data = self._read(files)
        if self._option == "private_key":
            return (self._key(data),)
        return self._certificates(data)

    def _read(self, files: Files) -> bytes:
        try:
            file = files.read(self._path, LARGEST)
        except HostError as error:
            raise self._refused(f"cannot be read: {error.detail}") from None
        if file is None:
            raise self._refused("does not exist on this host")
        if not file.data:
            raise self._refused("is empty")
        return file.data

    def _certificates(self, data: bytes) -> tuple[bytes, ...]:
        found = [block for block in pem_blocks.blocks(data) if block.is_certificate]
        if not found:
            raise self._lacks("certificate", data)
        for number, block in enumerate(found, 1):
            if block.content is None:
                raise self._refused(f"is damaged: its certificate {number} cannot be read")
        self._warn(data, lambda block: block.is_certificate, "its certificates are")
        return pem_blocks.certificates(data)

    def _key(self, data: bytes) -> bytes:
        keys = [block for block in pem_blocks.blocks(data) if block.whole and block.is_key]
        if not keys:
            raise self._lacks("private key", data)
        if len(keys) > 1:
            problem = f"holds {len(keys)} private keys, of which strongSwan loads one"
            raise self._refused(problem, "Keep only the private key of the certificate in it.")
        (key,) = keys
        if key.encrypted:
            problem = "holds an encrypted private key, and the IKE daemon cannot ask for the "
            problem += "passphrase"
            raise self._refused(problem, "Decrypt it: openssl pkey -in FILE -out NEW.")
        if key.label not in pem_blocks.KEYS:
            problem = f"holds a private key that strongSwan does not load: {key.label}"
            fix = f"Convert it to one of the kinds {', '.join(pem_blocks.KEYS)}."
            raise self._refused(problem, fix)
        copied = pem_blocks.private_key(key)
        if not copied:
            raise self._refused("is damaged: its private key cannot be read")
        self._warn(data, lambda block: block == key, "its private key is")
        return copied

    def _warn(
        self, data: bytes, wanted: t.Callable[[pem_blocks.PemBlock], bool], copied: str
    ) -> None:
        rest = pem_blocks.others(data, wanted)
        if rest:
            self.warnings.append(
                f"{self._subject}: {self._option}: {self._path} also holds {rest}: only {copied} "
                "copied, and the rest is left alone"
            )

    def _lacks(self, what: str, data: bytes) -> ModelError:
        found = pem_blocks.others(data, lambda _block: False)
        if not pem_blocks.blocks(data):
            return self._refused("is not a PEM file, because no line in it begins a block")
        return self._refused(f"holds no {what}, but {found or 'parameters of a key'}")

    def _refused(self, problem: str, fix: str = "") -> ModelError:
        size = LARGEST // 2**20
        content = _CONTENTS[self._option]
        fix = fix or (
            f"Put a PEM file with {content} there, a regular file of up to {size} MiB on the "
            "managed host."
        )
        return ModelError(self._option, self._path, problem, fix, self._subject)


_CONTENTS = {
    "certificate": "the certificate of this gateway",
    "private_key": "the private key of the certificate",
    "ca": "the certificate of the CA",
}
