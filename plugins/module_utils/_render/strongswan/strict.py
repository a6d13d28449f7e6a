# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The strict policy, for our own texts and the texts of ``configuration_mode: advanced``.

A text is refused when strongSwan refuses it. It is also refused for

- dependence on other files and sections: ``include`` and inheritance;
- characters that strongSwan does not read as they look: a bare carriage return, NUL, a byte order
  mark, an unquoted ``{`` in a value;
- names that strongSwan parses but does not find, or mixes up: names outside ``NAME``, nesting
  beyond ``DEEPEST``, a key and a section of the same name.

Faults name lines, keys and sections. They never repeat a value or stray text, which may be part of
a secret.
"""

from __future__ import annotations

import re
import typing as t

from ..._errors import SyntaxFault
from .lexer import unquoted_sign
from .parser import (
    BAD_REFERENCE,
    OPEN_SECTION,
    Assignment,
    Closed,
    Fault,
    Included,
    Opened,
    Parser,
    Refused,
    Statement,
)
from .section import DEEPEST, NAME, NAME_RULE, Section

# A parsed text: a Section without tuples.
_Parsed = dict[str, t.Union[str, "_Parsed"]]

_INCLUDES = "include is not possible in this text. Write the included lines here instead"
_INHERITS = (
    "a section must not inherit (a : b) in this text. Write the inherited lines here instead"
)


def parse(text: str, *, unique: bool = False) -> Section:
    """Return the sections of ``text``, with lists as they are written (see ``split_list``).

    A section or key that appears twice is merged key by key and the last value wins, as in charon.
    With ``unique`` it is a fault. A key without a value (``key =``) is absent from the result.
    Raises ``SyntaxFault`` with the line, counted from 1.
    """
    _check_characters(text)
    parser = Parser("", text, lambda _pattern: ())
    fault = None
    try:
        parser.run()
    except Refused as refused:
        fault = refused.fault
    tree = _Tree(unique=unique)
    for statement in parser.statements:
        tree.add(statement)
    if fault is not None:
        raise SyntaxFault(fault.place.line, tree.explain(fault))
    return tree.root


class _Tree:
    """The sections of a text, to which its statements are added one by one."""

    def __init__(self, *, unique: bool) -> None:
        self.root: _Parsed = {}
        self._unique = unique
        # The open sections, outermost first, and their names.
        self._open: list[_Parsed] = [self.root]
        self._path: tuple[str, ...] = ()
        # The first statement with each path.
        self._first: dict[tuple[str, ...], Opened | Assignment] = {}

    def add(self, statement: Statement) -> None:
        """Add a statement, or raise ``SyntaxFault``."""
        if isinstance(statement, Assignment):
            self._set(statement)
        elif isinstance(statement, Opened):
            self._enter(statement)
        elif isinstance(statement, Closed):
            self._open.pop()
            self._path = self._path[:-1]
        else:
            why = _INCLUDES if isinstance(statement, Included) else _INHERITS
            raise SyntaxFault(statement.place.line, why)

    def explain(self, fault: Fault) -> str:
        """Return the reason of a fault of the grammar, in the words of this policy."""
        if fault.why == OPEN_SECTION:
            return f"section {self._path[-1]} is not closed"
        return _INHERITS if fault.why == BAD_REFERENCE else fault.why

    def _set(self, assignment: Assignment) -> None:
        self._check_name(assignment)
        breaks = unquoted_sign(assignment.written, "{")
        if breaks >= 0:
            raise SyntaxFault(assignment.value_line + breaks, "{ in a value must be quoted")
        value = assignment.value
        if value is None:
            self._open[-1].pop(assignment.name, None)
        else:
            self._open[-1][assignment.name] = value

    def _enter(self, opened: Opened) -> None:
        self._check_name(opened)
        if len(self._path) == DEEPEST:
            why = f"sections are nested more than {DEEPEST} deep"
            raise SyntaxFault(opened.place.line, why)
        section = self._open[-1].setdefault(opened.name, {})
        if not isinstance(section, str):  # never: _check_name has refused a key of that name
            self._open.append(section)
            self._path += (opened.name,)

    def _check_name(self, statement: Opened | Assignment) -> None:
        """Refuse a name that strongSwan does not find, and a name that is there already."""
        name, line = statement.name, statement.place.line
        if name == "include":
            raise SyntaxFault(line, _INCLUDES)
        if not NAME.fullmatch(name):
            raise SyntaxFault(line, NAME_RULE)
        path = (*self._path, name)
        first = self._first.setdefault(path, statement)
        is_same_kind = type(first) is type(statement)
        if first is statement or (is_same_kind and not self._unique):
            return
        where = f"{'.'.join(path)} is already in line {first.place.line}"
        kinds = "" if is_same_kind else ": it cannot be both a value and a section"
        raise SyntaxFault(line, f"{where}{kinds}")


def _check_characters(text: str) -> None:
    if text.startswith("\ufeff"):
        raise SyntaxFault(1, "a byte order mark, which hides the first section from strongSwan")
    wrong = re.search(r"\0|\r(?!\n)", text)
    if wrong:
        why = "a NUL" if wrong.group() == "\0" else "a carriage return that ends no line"
        raise SyntaxFault(text.count("\n", 0, wrong.start()) + 1, why)
