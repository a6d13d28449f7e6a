# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which IKE SAs go on with the values of a configuration that has been replaced since.

charon does not show what an IKE SA was made of. It matters at the next change: charon brings
nothing up on such an IKE SA, but makes a new one. The note is about one daemon process.
"""

from __future__ import annotations

import contextlib
import typing as t

from .note import read_note, write_note

PENDING = "/run/tunnelwright.pending"


class Pending:
    def __init__(self, path: str = PENDING) -> None:
        self._path = path

    def read(self, pid: int) -> dict[str, frozenset[str]]:
        """The unique ids of such IKE SAs by connection; some may be gone by now."""
        try:
            note = read_note(self._path)
            if note["pid"] != pid:
                return {}
            return {name: frozenset(ids) for name, ids in note["connections"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def add(self, pid: int, name: str, ids: t.Iterable[str]) -> None:
        """Without the note, the next change may replace more than it says: no reason to fail."""
        known = self.read(pid)
        known[name] = known.get(name, frozenset()) | frozenset(ids)
        note = {"pid": pid, "connections": {key: sorted(item) for key, item in known.items()}}
        with contextlib.suppress(OSError):
            write_note(self._path, note)
