# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Statements of a strongSwan configuration, with files and lines, exactly as strongSwan reads them.

The parser refuses a text when strongSwan 5.9.8 and 6.0.1 refuse it, and no other text. ``strict``
is the policy for our own texts, ``reader`` the policy for the files of other administrators.

Source: settings_lexer.l, settings_parser.y and parser_helper.c of strongSwan. Tests compare the
verdicts with a real strongSwan.
"""

from __future__ import annotations

import typing as t

from .files import FileStream, Include, Position
from .lexer import FileLine, Lexer, parts

OPEN_QUOTE = "a quote is not closed"
OPEN_SECTION = "a section is not closed"
BAD_NAME = "a name must be followed by = (a value) or { (a section)"
DOTTED_NAME = "a name must not hold a dot: write a section within a section"
BAD_REFERENCE = "a : must be followed by the names of sections and {"


class Opened(t.NamedTuple):
    """``name {``: a section begins."""

    name: str
    place: FileLine


class Inherits(t.NamedTuple):
    """The section that begins next inherits from the section ``reference``."""

    reference: str
    place: FileLine


class Assignment(t.NamedTuple):
    """``name = value``. ``written`` is the value with its quotes."""

    name: str
    place: FileLine
    written: str
    value_line: int

    @property
    def value(self) -> str | None:
        """Return the value as strongSwan reads it, or None where it is absent (``name =``)."""
        texts = parts(self.written)
        return " ".join(texts) if texts else None


class Closed(t.NamedTuple):
    """``}``: the innermost section ends."""

    place: FileLine


class Included(t.NamedTuple):
    """``include pattern``."""

    place: FileLine


Statement = t.Union[Opened, Inherits, Assignment, Closed, Included]


class Fault(t.NamedTuple):
    """The reason why strongSwan refuses a file. ``why`` repeats no text of the file."""

    place: FileLine
    why: str


class Refused(Exception):
    """strongSwan refuses the text."""

    def __init__(self, place: FileLine, why: str) -> None:
        super().__init__(place, why)
        self.fault = Fault(place, why)


class _OpenSection(t.NamedTuple):
    place: FileLine
    outer: _OpenSection | None


class _Name(t.NamedTuple):
    """A name whose sign is still to come."""

    name: str
    place: FileLine


class _Inheriting(t.NamedTuple):
    """A section whose references are still to come. ``complete`` after a reference."""

    name: str
    place: FileLine
    complete: bool


# The begun statement, which may reach from one file into the next. None between statements.
_Begun = t.Union[_Name, _Inheriting, None]


class _Mark(t.NamedTuple):
    """The state of the parser right before a file is entered. It can continue from there."""

    position: Position | None
    open: _OpenSection | None
    begun: _Begun
    statements: int
    patterns: int
    loops: int


class Parser:
    """Reads a file with every file that it includes. ``statements`` are in the order of reading."""

    def __init__(self, path: str, text: str, include: Include) -> None:
        self.statements: list[Statement] = []
        self.files = FileStream(include)
        self._marks: dict[str, _Mark] = {}
        self._open: _OpenSection | None = None
        self._begun: _Begun = None
        self._enter(path, text)

    def run(self) -> None:
        """Read on to the end of the first file.

        Raises ``Refused``, and ``TooManyFiles``. After ``Refused``, ``leave_out`` must come first.
        """
        while self.files.lexer is not None:
            lexer = self.files.lexer
            file = self.files.next_file()
            if file is not None:
                self._enter(*file)
                continue
            while lexer.skip_gap():
                if self._read_token(lexer):
                    break
            else:
                self.files.leave()
        if self._begun is not None:
            unfinished_name = isinstance(self._begun, _Name)
            raise Refused(self._begun.place, BAD_NAME if unfinished_name else BAD_REFERENCE)
        if self._open is not None:
            raise Refused(self._open.place, OPEN_SECTION)

    def leave_out(self, path: str) -> None:
        """Go back to where the file ``path`` was first entered, and continue without it."""
        mark = self._marks[path]
        while path in self._marks:
            self._marks.popitem()
        self._open, self._begun = mark.open, mark.begun
        del self.statements[mark.statements :]
        del self.files.patterns[mark.patterns :]
        del self.files.loops[mark.loops :]
        self.files.left_out.add(path)
        self.files.go_back(mark.position)

    def _enter(self, path: str, text: str) -> None:
        counts = len(self.statements), len(self.files.patterns), len(self.files.loops)
        mark = _Mark(self.files.position(), self._open, self._begun, *counts)
        self.files.enter(path, text)
        self._marks.setdefault(path, mark)

    def _read_token(self, lexer: Lexer) -> bool:
        """Read the next token, and return whether it is an include."""
        if isinstance(self._begun, _Inheriting):
            self._read_reference(lexer, self._begun)
            return False
        place = lexer.place()
        if lexer.include():
            self._include(lexer, place)
            return True
        name = lexer.name()
        if self._begun is not None:
            self._read_sign(lexer, self._begun, lexer.sign() if name is None else "")
        elif name is None:
            self._read_brace(lexer.sign(), place)
        else:
            self._begun = _Name(name, place)
            # Nearly every name has its sign in the same line. Reading both at once saves time.
            sign = lexer.sign_in_line()
            if sign:
                self._read_sign(lexer, self._begun, sign)
        return False

    def _read_brace(self, sign: str, place: FileLine) -> None:
        if sign != "}":
            raise Refused(place, f"{sign} where a name must stand")
        if self._open is None:
            raise Refused(place, "} closes no section")
        self.statements.append(Closed(place))
        self._open = self._open.outer

    def _read_sign(self, lexer: Lexer, begun: _Name, sign: str) -> None:
        """Read the value or the section behind a name. A name that has neither is at fault."""
        if sign == "=":
            line = lexer.line()
            self.statements.append(Assignment(begun.name, begun.place, lexer.value(), line))
            self._begun = None
            if lexer.is_at('"'):
                raise Refused(lexer.place(), OPEN_QUOTE)
        elif sign == "{":
            self._open_section(begun)
        elif sign == ":":
            self._begun = _Inheriting(begun.name, begun.place, complete=False)
        else:
            raise Refused(begun.place, DOTTED_NAME if sign == "." else BAD_NAME)

    def _read_reference(self, lexer: Lexer, begun: _Inheriting) -> None:
        reference = None if begun.complete else lexer.reference()
        if reference is not None:
            self.statements.append(Inherits(reference, begun.place))
            self._begun = begun._replace(complete=True)
            return
        sign = lexer.sign()
        if begun.complete and sign == ",":
            self._begun = begun._replace(complete=False)
        elif begun.complete and sign == "{":
            self._open_section(begun)
        else:
            raise Refused(begun.place, BAD_REFERENCE)

    def _open_section(self, begun: _Name | _Inheriting) -> None:
        self.statements.append(Opened(begun.name, begun.place))
        self._open = _OpenSection(begun.place, self._open)
        self._begun = None

    def _include(self, lexer: Lexer, place: FileLine) -> None:
        self.statements.append(Included(place))
        pattern = lexer.pattern()
        if pattern is None:
            blamed = lexer.place() if self._begun is None else self._begun.place
            raise Refused(blamed, OPEN_QUOTE)
        if pattern:
            self.files.include(pattern, lexer.path.rpartition("/")[0])
