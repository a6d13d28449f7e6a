# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The text of a section, such that strongSwan reads every value back unchanged.

For every section that ``render`` accepts, and each tuple in it::

    parse(render({"key": "text"})) == {"key": "text"}
    split_list(parse(render({"key": items}))["key"]) == items
"""

from __future__ import annotations

import re

from .section import DEEPEST, NAME, NAME_RULE, Section, split_list

# Words that need no quotes; "a, b" is the text of a list.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*+-]+(?:, [A-Za-z0-9_.:/@*+-]+)*")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"},
)
# NUL ends a text in C. Lone surrogates have no UTF-8 form.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_INDENT = "    "


def render(section: Section, *, indent: int = 0) -> str:
    """Return the text of ``section``, one line per entry, each ending in a newline.

    ``indent`` is the number of sections that the text will stand in. Raises ``ValueError`` for a
    name, nesting, list element or character that the grammar cannot carry. The message never holds
    a value.
    """
    lines: list[str] = []
    _append(lines, section, indent)
    return "".join(lines)


def _append(lines: list[str], section: Section, depth: int) -> None:
    pad = _INDENT * depth
    for name, value in section.items():
        if not NAME.fullmatch(name) or name == "include":
            raise ValueError(f"{name!r} cannot be a name: {NAME_RULE}, and not 'include'")
        if isinstance(value, (str, tuple)):
            lines.append(f"{pad}{name} = {_written(name, _joined(name, value))}\n")
        else:
            if depth == DEEPEST:
                raise ValueError(f"{name}: sections are nested more than {DEEPEST} deep")
            lines.append(f"{pad}{name} {{\n")
            _append(lines, value, depth + 1)
            lines.append(f"{pad}}}\n")


def _joined(name: str, value: str | tuple[str, ...]) -> str:
    """Return the text that strongSwan is to read. The text of a tuple splits into that tuple."""
    if isinstance(value, str):
        return value
    text = ", ".join(value)
    if split_list(text) != value:
        raise ValueError(
            f"{name}: a list element must not be empty, hold a comma, start with a quote,"
            " or start or end with a blank"
        )
    return text


def _written(name: str, text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    if _UNWRITABLE.search(text):
        raise ValueError(f"{name}: a value must not hold NUL or a lone surrogate")
    return f'"{text.translate(_ESCAPES)}"'
