# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The note of SAs that keep the values of a former configuration.

charon does not report the values of an SA. They matter for the state of a tunnel, and at the next
change: charon makes a new IKE SA, and brings up nothing on an outdated one. The note is valid for
one process of the daemon. It follows the SAs through rekeys by the lines of charon in the journal.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import asdict, replace

from ..._errors import HostError
from ..._plan.in_force import NOTHING, InForce, key_digest
from ..._render.shared_secrets import SharedSecret
from ..command import Run
from ..files.note import clean_note, read_note, write_note
from ..vici.message import IkeState
from .charon_log import read_log

Notes = dict[str, InForce]


class Pending:
    """The note at ``path``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, pid: int) -> Notes:
        """Return the notes by connection. Some of the SAs may no longer exist."""
        try:
            note = read_note(self._path)
            if note["pid"] != pid:
                return {}
            return {name: _read(entry) for name, entry in note["connections"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def put(self, pid: int, name: str, made_of: InForce) -> None:
        """Note the values of the SAs of a connection, and keep the note about its keys."""
        notes = self.read(pid)
        known = notes.get(name, NOTHING)
        self.write(pid, {**notes, name: replace(made_of, keys=known.keys, ppks=known.ppks)})

    def put_key(self, pid: int, name: str, ikes: t.Iterable[str], shared: SharedSecret) -> None:
        """Note a digest of the PSK or PPK with which IKE SAs have authenticated."""
        notes = self.read(pid)
        known = notes.get(name, NOTHING)
        digest = key_digest(shared.secret.reveal(), os.urandom(8).hex())
        digests = {**dict.fromkeys(ikes, digest), **known.digests(shared.kind)}
        self.write(pid, {**notes, name: known.with_digests(shared.kind, digests)})

    def write(self, pid: int, notes: t.Mapping[str, InForce]) -> None:
        """Write the note. A failure is ignored: without the note, a tunnel may seem up to date."""
        entries = {name: asdict(noted) for name, noted in notes.items() if noted}
        with contextlib.suppress(OSError):
            write_note(self._path, {"pid": pid, "connections": entries})

    def clean(self) -> None:
        """Remove the incomplete note of a run that was interrupted while it wrote the note."""
        clean_note(self._path)


def _read(entry: t.Any) -> InForce:
    if isinstance(entry, list):
        # An earlier version noted only the unique ids of the IKE SAs.
        return InForce({key: {} for key in entry})
    children = {key: (name, made) for key, (name, made) in entry["children"].items()}
    # An earlier version knew no PPK.
    return InForce(entry["ikes"], children, entry["keys"], entry.get("ppks", {}))


def follow(pending: Pending, run: Run, unit: str, pid: int, sas: t.Iterable[IkeState]) -> Notes:
    """Return the notes about existing SAs, and remove notes about other SAs.

    ``run`` reads the journal if a rekey may have replaced an SA.
    """
    notes = pending.read(pid)
    if not notes:
        return {}
    there = {name: [sa for sa in sas if sa.name == name] for name in notes}
    strangers = [name for name, noted in notes.items() if _strange(noted, there[name])]
    log = _log(run, unit, pid, strangers) if strangers else {}
    found = {
        name: noted.followed(name, log.get(name, ())).among(*_ids(there[name]))
        for name, noted in notes.items()
    }
    if found != notes:
        pending.write(pid, found)
    return {name: noted for name, noted in found.items() if noted}


def _strange(noted: InForce, sas: t.Iterable[IkeState]) -> bool:
    """Return whether an SA exists that may have replaced a noted SA."""
    names = {name for name, _made in noted.children.values()}
    ikes = {*noted.ikes, *noted.keys, *noted.ppks}
    return any(
        (ikes and sa.uniqueid not in ikes)
        or any(
            child.name in names and child.uniqueid not in noted.children for child in sa.children
        )
        for sa in sas
    )


def _ids(sas: t.Sequence[IkeState]) -> tuple[set[str], set[str]]:
    children = {child.uniqueid for sa in sas for child in sa.children if not child.gone}
    return {sa.uniqueid for sa in sas}, children


def _log(run: Run, unit: str, pid: int, names: t.Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return the lines of each connection. Empty if the journal cannot be read."""
    found: dict[str, list[tuple[str, str]]] = {}
    with contextlib.suppress(HostError):
        for line in read_log(run, unit, connections=names):
            if line.pid == pid:
                about = line.sa.partition("/")[2]
                found.setdefault(line.connection, []).append((about, line.text))
    return found
