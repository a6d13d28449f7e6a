# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/fields.md from the marks ``proves`` of the tests on virtual machines.

    .venv/bin/python tools/field_docs.py

The script first copies the results of the latest runs from .cache/fields.json into
tests/kernel/seen.json.
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
# Effect and proof of each option

This page lists every value of every option of `vpn_network`, `ipsec_settings`, `ipsec_phase1` and
`ipsec_phase2`. *Becomes* is the setting in strongSwan, nftables or systemd. *Seen* is the effect
that a test observed.

The module sets each value on virtual machines with a kernel of their own. A peer answers, packets
pass, and a third host watches the wire. *On* is the release of strongSwan at the end that has the
option: 5.9.8 (Debian 12) and 6.0.1 (Debian 13).

`make kernel-test` repeats the tests. An option that one end alone applies is tested at one of the
two ends, and with `FIELDS=all` at both ends. `tools/field_docs.py` writes this page. The tests are
in `tests/kernel/`.
"""


def rows() -> dict[Row, str]:
    """Return every row of the matrix, with the test that proves it."""
    for file in sorted((ROOT / "tests/kernel").glob("test_*.py")):
        importlib.import_module(f"{TESTS}.{file.stem}")
    return ROWS


def page() -> str:
    """Return the text of docs/fields.md."""
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
    """Escape the characters that are syntax in a table of Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    write(SEEN, read(SEEN) | read(LATEST))
    PAGE.write_text(page())
