# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/fields.md from the marks ``proves`` of the tests on virtual machines.

The settings of strongSwan come from the table in plugins/module_utils/_render/options.

    .venv/bin/python tools/field_docs.py

The script first copies the results of the latest runs from .cache/fields.json into
tests/kernel/seen.json.
"""

from __future__ import annotations

import importlib
import sys
import typing as t
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.daemon import (
    DAEMON,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.phase1 import (
    PHASE1,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.phase2 import (
    PHASE2,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.table import (
    Setting,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import (
    LATEST,
    ROWS,
    SEEN,
    Row,
    read,
    releases,
    write,
    written,
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
option: 5.9.8 (Debian 12), 6.0.1 (Debian 13) and forky (6.1).

`make kernel-test` repeats the tests. An option that one end alone applies is tested at one of the
two ends, and with `FIELDS=all` at both ends. `tools/field_docs.py` writes this page. The tests are
in `tests/kernel/`.
"""


# The path of each table of keys in swanctl.conf or strongswan.conf.
TABLES: dict[str, tuple[Setting[t.Any], ...]] = {
    "connections.<phase 1>.": PHASE1,
    "connections.<phase 1>.children.<phase 2>.": PHASE2,
    "": DAEMON,
}
KEYS = """
## Keys of strongSwan

Options decide these keys of swanctl.conf (`connections`) and strongswan.conf (`charon`). Beside
them, the collection writes pre-shared keys, the shunts of `exclude_my_network`, the plugin of the
userspace data plane, and conf texts.

| key | options |
| --- | --- |
"""


def rows() -> dict[Row, str]:
    """Return every row of the matrix, with the test that proves it."""
    for file in sorted((ROOT / "tests/kernel").glob("test_*.py")):
        importlib.import_module(f"{TESTS}.{file.stem}")
    return ROWS


def texts() -> dict[tuple[str, str], str]:
    """Return the keys and texts that an option becomes, by option and value."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in (row for table in TABLES.values() for row in table):
        for value, text in row.texts.items():
            found.setdefault((row.option, written(value)), []).append(f"{row.key} = {text}")
    return {field: ", ".join(keys) for field, keys in found.items()}


def page() -> str:
    """Return the text of docs/fields.md."""
    outcomes = read(SEEN)
    becomes = texts()
    parts = [INTRODUCTION]
    for module in ("vpn_network", "ipsec_settings", "ipsec_phase1", "ipsec_phase2"):
        parts.append(f"\n## {module}\n\n| option | value | becomes | seen | on | test |\n")
        parts.append("| --- | --- | --- | --- | --- | --- |\n")
        parts += [
            f"| `{row.field.partition('.')[2]}` | {row.value} "
            f"| {_code(becomes.get((row.field, row.value), row.becomes))} "
            f"| {_code(row.shown_by)} | {', '.join(releases(outcomes, test)) or 'not yet'} "
            f"| `{test}` |\n"
            for row, test in sorted(rows().items())
            if row.field.startswith(f"{module}.")
        ]
    parts.append(KEYS)
    for path, table in TABLES.items():
        parts += [f"| `{path}{row.key}` | {_options(row)} |\n" for row in table]
    return "".join(parts)


def _options(row: Setting[t.Any]) -> str:
    return ", ".join(f"`{option}`" for option in (row.option, *row.also))


def _code(text: str) -> str:
    """Escape the characters that are syntax in a table of Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    write(SEEN, read(SEEN) | read(LATEST))
    PAGE.write_text(page())
