# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The Gateway as the last run left it, which spares the next run most of the reading.

Without it, a run reads and renders each phase 1 of the host again, also for a change of one. The
note in /run has the Gateway with its rendering. A phase 1 of the note counts only while its file
has the same identity, size and times, and the code that reads and renders it is the same. Any doubt
drops the note, and the run reads the files. A run compares everything that it may change or repair
with the files in any case. The note holds keys, like the files, and only root can read it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import stat
import sys
import time
import typing as t
import zlib
from dataclasses import dataclass
from functools import cached_property

from ..._errors import HostError
from ..._model.connection import IkeConnection
from ..._model.gateway import Gateway
from ..._render.artefacts import Artefacts
from ..._render.file import File
from ..._render.swanctl_files import SwanctlFile
from .files import Files
from .note import write_private
from .regular import regular
from .status import Mark

# A file counts only if it was left alone for this time, in nanoseconds. Two changes within one tick
# of the kernel, 10 ms at most, can leave the same times.
_QUIET = 100_000_000
_PACKAGE = __name__.partition("._host.")[0]
# The rooms whose code decides how a file is read and rendered.
_ROOMS = tuple(f"{_PACKAGE}.{room}" for room in ("_errors", "_model.", "_render."))


@dataclass(frozen=True)
class KnownGateway:
    """A Gateway, its rendering, and the marks of its phase 1 files by path."""

    gateway: Gateway
    rendering: Artefacts
    marks: t.Mapping[str, Mark]

    @property
    def rendered(self) -> tuple[Gateway, Artefacts]:
        return self.gateway, self.rendering

    @cached_property
    def _by_path(self) -> dict[str, IkeConnection]:
        path = self.rendering.platform.connection_path
        return {path(item.name): item for item in self.gateway.connections.values()}

    def at(self, path: str, mark: Mark | None) -> IkeConnection | None:
        """Return the phase 1 of a file, if the file still has the mark."""
        if mark is None or self.marks.get(path) != mark:
            return None
        return self._by_path.get(path)


def recall(files: Files) -> KnownGateway | None:
    """Return what the last run noted, or None without a note of the same code."""
    try:
        with open(regular(files.platform.known_gateway, os.O_NOFOLLOW), "rb") as file:
            if not _is_private(os.fstat(file.fileno())) or not _is_ours(_Reader(file).load()):
                return None
            found = _Reader(file).load()
    except Exception:  # A damaged note may raise any error.
        return None
    ours = isinstance(found, KnownGateway) and found.rendering.platform == files.platform
    return found if ours else None


def remember(
    files: Files, gateway: Gateway, rendering: Artefacts, known: KnownGateway | None
) -> None:
    """Note the Gateway of the host and its rendering, unless ``known`` says the same.

    A file that does not hold its rendering is left out. It raises no error, because the next run
    does without the note.
    """
    marks = {}
    for name in gateway.connections:
        parts = rendering.swanctl[files.platform.connection_path(name)]
        mark = files.mark(parts.file.path)
        if mark and (_is_known(parts, mark, known) or _is_held(files, parts.file, mark)):
            marks[parts.file.path] = mark
    if known is not None and (known.marks, known.gateway) == (marks, gateway):
        return
    forget(files)
    if not marks:
        return
    note = _pickled(_code()) + _pickled(KnownGateway(gateway, rendering, marks))
    with contextlib.suppress(OSError):
        write_private(files.platform.known_gateway, note)


def forget(files: Files) -> None:
    """Remove the note, so that no key outlives its file."""
    with contextlib.suppress(OSError):
        os.unlink(files.platform.known_gateway)


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
