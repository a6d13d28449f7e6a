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
import json
import os
import typing as t

PENDING = "/run/tunnelwright.pending"


class Pending:
    def __init__(self, path: str = PENDING) -> None:
        self._path = path

    def read(self, pid: int) -> dict[str, frozenset[str]]:
        """The unique ids of such IKE SAs by connection; some may be gone by now."""
        try:
            with open(self._path, encoding="utf-8") as stream:
                note = json.load(stream)
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
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with contextlib.suppress(OSError):
            temporary = f"{self._path}.new"
            with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
                json.dump(note, stream)
            os.replace(temporary, self._path)
