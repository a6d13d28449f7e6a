# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The README shows the output of the demo."""

from __future__ import annotations

import ast
import re
import typing as t

from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import ROOT

MARKS = {"chapter": "=== ", "proved": "  ok  "}
# Titles that the README leaves out.
UNSHOWN = ("Two gateways, each", "The playbook, as on", "All proved", "Next steps")


def printed() -> t.Iterator[re.Pattern[str]]:
    """Yield a pattern for each title and each proof. Any text matches a filled-in value."""
    for call in ast.walk(ast.parse((ROOT / "tools/demo").read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            mark = MARKS.get(call.func.id)
            text = pattern(call.args[0]) if mark else ""
            if text and not text.startswith(tuple(map(re.escape, UNSHOWN))):
                yield re.compile(mark + text)


def pattern(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(
        re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts
    )


def test_readme() -> None:
    page = (ROOT / "README.md").read_text()
    block = page.partition("<!-- demo output: begin -->")[2].partition("<!-- demo output: end")[0]
    shown = [line for line in block.splitlines() if line.startswith(tuple(MARKS.values()))]
    patterns = list(printed())
    assert len(patterns) > 12
    assert not [line for line in shown if not any(item.fullmatch(line) for item in patterns)]
    unseen = [item.pattern for item in patterns if not any(map(item.fullmatch, shown))]
    assert not unseen, "not in the README"
