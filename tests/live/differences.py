# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The differences between two states of a gateway, as lines that a person can read."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the name of each part that differs, then its lines: removed ``-``, added ``+``."""
    lines = []
    for part in sorted({*before, *after}):
        if before.get(part) != after.get(part):
            texts = [
                json.dumps(state.get(part), indent=1, sort_keys=True).replace("\\n", "\n")
                for state in (before, after)
            ]
            changes = difflib.unified_diff(*(text.splitlines() for text in texts), n=0, lineterm="")
            lines += [f"{part}:", *(line for line in changes if line[:3] not in ("---", "+++"))]
    return lines


# All networks share this file. A change of any network may change it.
DAEMON_FILE = "/etc/strongswan.d/tunnelwright.conf"
# Files and units of the network that exists from the beginning.
ATTACHED = re.compile("tunnelwright.(bypass.)?attached")


def lost(before: dict[str, Any], after: dict[str, Any], *, last: bool = False) -> list[str]:
    """Return the objects that changed or disappeared. New objects do not count.

    Rules of the collection in the chains of another administrator do not count either. With
    ``last``, the last network of the collection was removed too, with its address.
    """
    parts = ["files", "tables", "units", "connections", "numbers", "secrets", "private_keys"]
    parts += ["policies", "pid", *([] if last else ["links"])]
    found = []
    for part in parts:
        old, new = (_entries({**state, **state["held"]}[part]) for state in (before, after))
        for name, entry in old.items():
            ours = name == DAEMON_FILE or (last and ATTACHED.search(name))
            if new.get(name) != entry and not ours:
                found.append(f"{part}: {name}: {entry} -> {new.get(name)}")
    return found


def _entries(part: Any) -> dict[str, Any]:
    if isinstance(part, dict):
        return {name: _theirs(entry) for name, entry in part.items()}
    return {str(item): "" for item in (part if isinstance(part, list) else [part])}


def _theirs(entry: Any) -> Any:
    """Return the text of a table without the rules of the collection."""
    if not isinstance(entry, str):
        return entry
    return [line for line in entry.splitlines() if 'comment "tunnelwright-' not in line]
