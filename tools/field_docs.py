# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/fields.md, from what the tests on virtual machines say that they prove.

``.venv/bin/python tools/field_docs.py`` writes it anew. What came of the latest runs, in
.cache/fields.json, is taken over into tests/kernel/seen.json first.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import (
    LATEST,
    ROWS,
    SEEN,
    Row,
    read,
    releases,
    write,
)

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/fields.md"
TESTS = "ansible_collections.tunnelwright.ipsec.tests.kernel"

INTRODUCTION = """\
# What each option does, and where it was seen

Every value of every option of `vpn_network`, `ipsec_settings`, `ipsec_phase1` and `ipsec_phase2`,
what it becomes in strongSwan, nftables or systemd, and what shows it at work: set by the module on
virtual machines with a kernel of their own, with a peer, packets, and the wire between them
watched by a third host. `on` is the release of strongSwan at the end whose option it is: 5.9.8
(Debian 12) and 6.0.1 (Debian 13).

`make kernel-test` repeats it, what only one end does for either in turn, and `FIELDS=all` for both.
Written by `tools/field_docs.py`; the tests are in `tests/kernel/`.
"""


def rows() -> dict[Row, str]:
    """Every row of the matrix, and the test that proves it."""
    for file in sorted((ROOT / "tests/kernel").glob("test_*.py")):
        importlib.import_module(f"{TESTS}.{file.stem}")
    return ROWS


def page() -> str:
    """The whole document."""
    outcomes = read(SEEN)
    parts = [INTRODUCTION]
    for module in ("vpn_network", "ipsec_settings", "ipsec_phase1", "ipsec_phase2"):
        parts.append(f"\n## {module}\n\n| option | value | becomes | seen | on | test |\n")
        parts.append("| --- | --- | --- | --- | --- | --- |\n")
        parts += [
            f"| `{row.field.partition('.')[2]}` | {row.value} | {_code(row.becomes)} "
            f"| {_code(row.shown_by)} | {', '.join(releases(outcomes, test)) or 'not yet'} "
            f"| `{test}` |\n"
            for row, test in sorted(rows().items())
            if row.field.startswith(f"{module}.")
        ]
    return "".join(parts)


def _code(text: str) -> str:
    """What a table of Markdown would take for its own."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    write(SEEN, read(SEEN) | read(LATEST))
    PAGE.write_text(page())
