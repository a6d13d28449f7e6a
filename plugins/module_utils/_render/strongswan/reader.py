# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The configuration of a host as strongSwan reads it, also the files of other administrators.

strongSwan reads a file and every file that it includes as one text. One fault anywhere makes
strongSwan refuse the whole text.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .files import MOST_FILES, Include, TooManyFiles
from .lexer import FileLine
from .parser import Assignment, Closed, Fault, Inherits, Opened, Parser, Refused, Statement


class SectionPlace(t.NamedTuple):
    """The place of the section ``name``, which stands in the outermost section ``parent``."""

    parent: str
    name: str
    place: FileLine


class PlacedValue(t.NamedTuple):
    """A value as strongSwan reads it, None where it is absent (``name =``)."""

    value: str | None
    place: FileLine


class PlacedSection(t.NamedTuple):
    """A section, merged from all places where it stands. ``place`` is the first of them.

    ``references`` are the sections that it inherits from.
    """

    place: FileLine
    values: dict[str, PlacedValue]
    sections: dict[str, PlacedSection]
    references: list[str]


@dataclass(frozen=True)
class ReadResult:
    """The statements of all files that strongSwan can read, and the faults of the others.

    ``faults`` holds one fault for each file that must be corrected before strongSwan reads any.
    ``patterns`` are the absolute patterns of the includes, ``loops`` the files that include
    themselves.
    """

    faults: tuple[Fault, ...] = ()
    statements: tuple[Statement, ...] = ()
    patterns: tuple[str, ...] = ()
    loops: frozenset[str] = frozenset()

    @property
    def sections(self) -> tuple[SectionPlace, ...]:
        """Return the places of all sections that stand in an outermost section."""
        return tuple(_second_level(self.statements))

    @property
    def tree(self) -> PlacedSection:
        """Return the outermost level. Sections are merged and the last value wins, as in charon."""
        return _tree(self.statements)


def read(path: str, text: str, include: Include) -> ReadResult:
    """Return the statements of ``path`` and every file that it includes, without faulty files."""
    faults: dict[str, Fault] = {}
    parser = Parser(path, text, include)
    while True:
        try:
            parser.run()
        except Refused as refused:
            blamed = refused.fault.place.path
            is_first = blamed not in faults
            faults.setdefault(blamed, refused.fault)
            if is_first and blamed != path:
                parser.leave_out(blamed)
                continue
        except TooManyFiles:
            faults[path] = Fault(FileLine(path, 1), f"it includes more than {MOST_FILES} files")
        return ReadResult(
            tuple(faults.values()),
            tuple(parser.statements),
            tuple(parser.files.patterns),
            frozenset(parser.files.loops),
        )


def _second_level(statements: t.Iterable[Statement]) -> t.Iterator[SectionPlace]:
    depth, parent = 0, ""
    for item in statements:
        if isinstance(item, Closed):
            depth -= 1
        elif isinstance(item, Opened):
            depth += 1
            if depth == 1:
                parent = item.name
            elif depth == 2:
                yield SectionPlace(parent, item.name, item.place)


def _tree(statements: t.Iterable[Statement]) -> PlacedSection:
    root = PlacedSection(FileLine("", 0), {}, {}, [])
    path = [root]
    references: list[str] = []
    for item in statements:
        if isinstance(item, Closed):
            path.pop()
        elif isinstance(item, Inherits):
            references.append(item.reference)
        elif isinstance(item, Assignment):
            path[-1].values[item.name] = PlacedValue(item.value, item.place)
        elif isinstance(item, Opened):
            new = PlacedSection(item.place, {}, {}, [])
            section = path[-1].sections.setdefault(item.name, new)
            section.references.extend(references)
            references.clear()
            path.append(section)
    return root
