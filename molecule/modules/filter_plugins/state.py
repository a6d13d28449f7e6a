# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is different between two states of a gateway, in a form that a person can read."""

from __future__ import annotations

import difflib
import json
from typing import Any


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Lines that went, with ``-``, and that came, with ``+``, under the part that they are of."""
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


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"differences": differences}
