# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The Gateway as the last run left it, which spares the next run most of the reading.

Without it, a run parses and renders each phase 1 of the host again, also for a change of one. The
note in /run has the Gateway with its rendering, and no key. A phase 1 of the note counts only while
its file has the same identity, size and times, and the code that parses and renders it is the same.
Its keys come from its file. Any doubt drops the note, and the run parses the files. A
run compares everything that it may change or repair with the files in any case.
"""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import stat
import sys
import time
import typing as t
import zlib
from dataclasses import dataclass, fields, replace
from itertools import zip_longest

from ..._errors import HostError
from ..._model.connection import KEYS, IkeConnection
from ..._model.gateway import Gateway
from ..._model.secret import Secret
from ..._model.settings import CONF_TEXTS
from ..._render.artefacts import Artefacts
from ..._render.file import File
from ..._render.network_parts import NetworkParts
from ..._render.strongswan.section import secret_bytes
from ..._render.swanctl_files import SwanctlFile, secrets_of
from .files import Files
from .note import clean_note, write_private
from .regular import regular
from .status import Mark

# A file counts only if it was left alone for this time, in nanoseconds. Two changes within one tick
# of the kernel, 10 ms at most, can leave the same times.
_QUIET = 100_000_000
_PACKAGE = __name__.partition("._host.")[0]
# The rooms whose code decides how a file is read and rendered.
_ROOMS = tuple(f"{_PACKAGE}.{room}" for room in ("_errors", "_model.", "_render."))
# Before the key in a file of the collection. The key itself is one word in base64.
_SECRET = b" secret = "
_SECTION = b"secrets {\n"


@dataclass(frozen=True)
class KnownGateway:
    """A Gateway, its rendering, and the marks of its phase 1 files by path."""

    gateway: Gateway
    rendering: Artefacts
    marks: t.Mapping[str, Mark]

    @property
    def rendered(self) -> tuple[Gateway, Artefacts]:
        return self.gateway, self.rendering

    def at(self, path: str) -> IkeConnection | None:
        """Return the phase 1 of a file that has not changed since it was noted."""
        if path not in self.marks:
            return None
        return self.gateway.connections[self.rendering.swanctl[path].connection_names[0]]


def recall(files: Files) -> KnownGateway | None:
    """Return what the last run noted, or None without a note of the same code.

    The phase 1 objects whose files have changed are left out.
    """
    try:
        with open(regular(files.platform.known_gateway, os.O_NOFOLLOW), "rb") as file:
            if not _is_private(os.fstat(file.fileno())) or not _is_ours(_Reader(file).load()):
                return None
            found = _Reader(file).load()
        if not isinstance(found, KnownGateway) or found.rendering.platform != files.platform:
            return None
        return _with_keys(files, found)
    except Exception:  # A damaged note may raise any error.
        return None


def remember(
    files: Files, gateway: Gateway, rendering: Artefacts, known: KnownGateway | None
) -> None:
    """Note the Gateway of the host and its rendering, unless ``known`` says the same.

    Left out are files that do not hold their rendering, certificates, and networks with conf texts,
    which may have keys. It raises no error, because the next run does without the note.
    """
    marks = {}
    for name, connection in gateway.connections.items():
        parts = rendering.swanctl[files.platform.connection_path(name)]
        if connection.uses_certificates or _has_texts(gateway, connection.network):
            continue
        mark = files.mark(parts.file.path)
        if mark and (_is_known(parts, mark, known) or _is_held(files, parts.file, mark)):
            marks[parts.file.path] = mark
    found = KnownGateway(gateway, rendering, marks)
    bare = _without_keys(found)
    if known is not None and _say_the_same(known, bare, found):
        return
    forget(files)
    if not marks:
        return
    with contextlib.suppress(OSError):
        write_private(files.platform.known_gateway, _pickled(_code()) + _pickled(bare))


def forget(files: Files) -> None:
    """Remove the note."""
    with contextlib.suppress(OSError):
        os.unlink(files.platform.known_gateway)


def clean(files: Files) -> None:
    """Remove the incomplete note of a run that was interrupted while it wrote the note."""
    clean_note(files.platform.known_gateway)


def _say_the_same(known: KnownGateway, bare: KnownGateway, found: KnownGateway) -> bool:
    """Return whether the note has everything. ``bare`` is ``found`` without keys."""
    one, other = known.gateway, bare.gateway
    return (
        known.marks == bare.marks
        and (one.networks, one.settings, one.rules) == (other.networks, other.settings, other.rules)
        and all(
            known.rendering.swanctl[path] == found.rendering.swanctl[path] for path in bare.marks
        )
    )


def _has_texts(gateway: Gateway, network: str) -> bool:
    settings = gateway.settings_of(network)
    return any(getattr(settings, option) for option in CONF_TEXTS)


def _without_keys(known: KnownGateway) -> KnownGateway:
    gateway, rendering = known.rendered
    networks = {
        name: item for name, item in gateway.networks.items() if not _has_texts(gateway, name)
    }
    connections = (known.at(path) for path in known.marks)
    return KnownGateway(
        Gateway(
            networks,
            {name: item for name, item in gateway.settings.items() if name in networks},
            {item.name: _with_keys_of(item, ()) for item in connections if item is not None},
            {name: item for name, item in gateway.rules.items() if name in networks},
        ),
        replace(
            rendering,
            networks=_whole(rendering, gateway, known.marks, networks),
            records={},
            swanctl={path: _parts_without_keys(rendering.swanctl[path]) for path in known.marks},
            daemon={},
        ),
        known.marks,
    )


def _whole(
    rendering: Artefacts, gateway: Gateway, marks: t.Container[str], networks: t.Container[str]
) -> dict[str, NetworkParts]:
    """Return the parts of the networks all of whose phase 1 objects have marks.

    The rules of a network also hold a phase 1 without a mark, whose file may go unnoticed.
    """
    path = rendering.platform.connection_path
    lacking = {
        item.network for item in gateway.connections.values() if path(item.name) not in marks
    }
    return {
        name: parts
        for name, parts in rendering.networks.items()
        if name in networks and name not in lacking
    }


def _parts_without_keys(parts: SwanctlFile) -> SwanctlFile:
    return replace(parts, file=replace(parts.file, data=b""), secrets=())


def _with_keys(files: Files, known: KnownGateway) -> KnownGateway:
    """Return the note with the keys from the files, without the files that have changed."""
    connections, swanctl, marks = {}, {}, {}
    for path, mark in known.marks.items():
        connection = t.cast("IkeConnection", known.at(path))
        file = files.read(path)
        if file is None or files.mark(path) != mark:
            continue
        whole = _with_keys_of(connection, _keys_in(file.data))
        parts = known.rendering.swanctl[path]
        secrets = secrets_of(whole) if parts.connections else ()
        connections[whole.name], marks[path] = whole, mark
        swanctl[path] = replace(parts, file=file, secrets=secrets)
    return KnownGateway(
        replace(known.gateway, connections=connections),
        replace(
            known.rendering,
            networks=_whole(known.rendering, known.gateway, marks, known.gateway.networks),
            swanctl=swanctl,
        ),
        marks,
    )


def _keys_in(data: bytes) -> tuple[Secret, ...]:
    """Return the keys in a file of the collection: the PSK, then the PPK if there is one.

    A key is the last word of its line. Only keys follow the section ``secrets``.
    """
    lines = data[data.rindex(_SECTION) :].split(b"\n")
    words = (line.partition(_SECRET)[2].strip(b'"') for line in lines if _SECRET in line)
    return tuple(Secret(secret_bytes(word.decode())) for word in words)


def _with_keys_of(connection: IkeConnection, keys: t.Sequence[Secret]) -> IkeConnection:
    """Return a phase 1 with other keys, without a check and without values derived from a key."""
    made = copy.copy(connection)
    for name in made.__dict__.keys() - {item.name for item in fields(IkeConnection)}:
        del made.__dict__[name]
    made.__dict__.update(zip_longest(KEYS, keys))
    return made


def _is_known(parts: SwanctlFile, mark: Mark, known: KnownGateway | None) -> bool:
    path = parts.file.path
    return (
        known is not None
        and known.marks.get(path) == mark
        and known.rendering.swanctl.get(path) == parts
    )


def _is_held(files: Files, file: File, mark: Mark) -> bool:
    """Return whether a file has its content, and no other content with the same mark."""
    if time.time_ns() - max(mark.modified, mark.changed) < _QUIET:
        return False
    try:
        return files.read(file.path) == file and files.mark(file.path) == mark
    except HostError:
        return False


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _is_ours(code: t.Mapping[str, int]) -> bool:
    """Return whether the note was written by the code of this run.

    Two modules load different files. Files that only one of them loads do not matter to the other.
    """
    own = _code()
    return all(code[name] == own[name] for name in code.keys() & own.keys())


def _code() -> dict[str, int]:
    """Return a checksum of Python, and of each loaded file that decides how a file is read."""
    found = {"Python": zlib.crc32(sys.version.encode())}
    for name, module in list(sys.modules.items()):
        loader = getattr(module, "__loader__", None)
        if name.startswith(_ROOMS) and loader is not None and module.__file__:
            found[name[len(_PACKAGE) :]] = zlib.crc32(loader.get_data(module.__file__))
    return found


def _pickled(value: object) -> bytes:
    return pickle.dumps(value, protocol=4)


class _Reader(pickle.Unpickler):
    """Reads the values of this collection and addresses, and no other objects."""

    def find_class(self, module: str, name: str) -> t.Any:
        ours = module.startswith(f"{_PACKAGE}.") or module == "ipaddress"
        if ours or (module, name) in (("builtins", "frozenset"), ("builtins", "set")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no value of a Gateway")
