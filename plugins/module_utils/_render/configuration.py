# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A whole configuration as strongSwan reads it: a file, and all that it includes, of anybody's.

To strongSwan these files are one stream of tokens, and one fault anywhere makes it refuse all of
it. Where ``settings_file.parse`` refuses more than strongSwan does, for texts of ours, this refuses
exactly what strongSwan 5.9.8 and 6.0.1 refuse. It keeps no values.

Source: settings_lexer.l, settings_parser.y and parser_helper.c of strongSwan. The states of the
lexer are those of its ``%x``; that tests hold the verdicts against a real one is what counts.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# From an absolute shell pattern to the files that match it and can be opened, in order: path and
# text, in which each byte is one character.
Include = t.Callable[[str], t.Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Place:
    """``line`` counts from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


@dataclass(frozen=True)
class Fault:
    """Why strongSwan refuses a file, and with it all others. ``why`` repeats nothing of it."""

    place: Place
    why: str


@dataclass(frozen=True)
class Named:
    """The section ``name`` in the section ``parent`` on the outermost level."""

    parent: str
    name: str
    place: Place


@dataclass(frozen=True)
class Reading:
    """``faults`` has one for each file that must be corrected before strongSwan reads any.

    ``patterns`` are those of the includes that are carried out, absolute; ``loops`` the files that
    include themselves.
    """

    faults: tuple[Fault, ...] = ()
    sections: tuple[Named, ...] = ()
    patterns: tuple[str, ...] = ()
    loops: frozenset[str] = frozenset()


def read(path: str, text: str, include: Include) -> Reading:
    """What strongSwan makes of ``path`` and all that it includes; files with a fault left out."""
    faults: dict[str, Fault] = {}
    while True:
        reader = _Reader(include, faults)
        try:
            reader.file(path, text)
            reader.end()
        except _Refused as refused:
            if refused.fault.place.path not in faults:
                faults[refused.fault.place.path] = refused.fault
                if refused.fault.place.path != path:
                    continue
        return Reading(
            tuple(faults.values()),
            tuple(reader.sections),
            tuple(reader.patterns),
            frozenset(reader.loops),
        )


class _Refused(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


# What stands between tokens. A comment ends at its line feed, one at the end of a file at a
# carriage return too.
_GAP = re.compile(r"(?:#[^\n]*\n|[\t ]*#[^\r\n]*|[\t\r ]+|\n)*")
_INCLUDE = re.compile(r"include[\t ]+(?=[^=])")
_NAME = re.compile(r'[^#{}:.,="\r\n\t ]+')
# After a colon a name may be a path.
_REFERENCE = re.compile(r'[^#{}:.,="\r\n\t ]+(?:\.[^#{}:.,="\r\n\t ]+)*')
_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_VALUE = re.compile(rf'(?:[\r\t ]+|[^#}}"\r\n\t ]+|{_QUOTED})*', re.DOTALL)
# Quoted it ends with its quote, else at a blank, which belongs to it, or at what can't be in it.
_PATTERN = re.compile(
    r'(?P<bare>(?:\\["#} ]|\\|[^"\\#}\n\t ])*)'
    rf"(?:(?P<quoted>{_QUOTED})|(?P<wrong>\")|[\t ])?",
    re.DOTALL,
)
_BARE_ESCAPED = re.compile(r'\\(["#} ])')
_ESCAPED = re.compile(r"\\(\r?\n|.)", re.DOTALL)
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", "\n": "", "\r\n": ""}

_OPEN_QUOTE = "a quote is not closed"
_BAD_NAME = "a name must be followed by {, = or :"
_BAD_REFERENCE = "a : must be followed by the names of sections and {"


class _Reader:
    """``_awaited`` is what the grammar is in the middle of; empty between statements."""

    def __init__(self, include: Include, faulty: t.Container[str]) -> None:
        self.sections: list[Named] = []
        self.patterns: list[str] = []
        self.loops: set[str] = set()
        self._include = include
        self._faulty = faulty
        # The files that are being read, and the sections that are open, outermost first.
        self._files: list[str] = []
        self._open: list[tuple[str, Place]] = []
        self._awaited = ""
        self._name = ("", Place("", 0))

    def file(self, path: str, text: str) -> None:
        """One that includes itself is read once; strongSwan would open it until it can't."""
        if path in self._files:
            self.loops.add(path)
            return
        if path in self._faulty:
            return
        self._files.append(path)
        lexer = _Lexer(path, text)
        while lexer.skip_gap():
            self._token(lexer)
        self._files.pop()

    def end(self) -> None:
        if self._awaited:
            why = _BAD_NAME if self._awaited == "name" else _BAD_REFERENCE
            raise self._refused(self._name[1], why)
        if self._open:
            raise self._refused(self._open[-1][1], "a section is not closed")

    def _token(self, lexer: _Lexer) -> None:
        if self._awaited in ("reference", "more"):
            self._reference(lexer)
            return
        place = lexer.place()
        if lexer.take(_INCLUDE) is not None:
            self._carry_out(lexer)
            return
        name = lexer.take(_NAME)
        sign = lexer.sign() if name is None else ""
        if self._awaited == "name":
            self._named(lexer, sign, place)
        elif name is not None:
            self._name, self._awaited = (name, place), "name"
        elif sign != "}":
            raise self._refused(place, "a name is missing")
        elif not self._open:
            raise self._refused(place, "a } closes no section")
        else:
            self._open.pop()

    def _named(self, lexer: _Lexer, sign: str, place: Place) -> None:
        """What follows a name."""
        if sign == "{":
            self._enter()
        elif sign == ":":
            self._awaited = "reference"
        elif sign == "=":
            self._awaited = ""
            lexer.take(_VALUE)
            if lexer.at('"'):
                raise self._refused(lexer.place(), _OPEN_QUOTE)
        else:
            raise self._refused(place, _BAD_NAME)

    def _reference(self, lexer: _Lexer) -> None:
        place = lexer.place()
        if self._awaited == "reference" and lexer.take(_REFERENCE) is not None:
            self._awaited = "more"
            return
        sign = lexer.sign()
        if self._awaited == "more" and sign == ",":
            self._awaited = "reference"
        elif self._awaited == "more" and sign == "{":
            self._enter()
        else:
            raise self._refused(place, _BAD_REFERENCE)

    def _enter(self) -> None:
        name, place = self._name
        if len(self._open) == 1:
            self.sections.append(Named(self._open[0][0], name, place))
        self._open.append(self._name)
        self._awaited = ""

    def _carry_out(self, lexer: _Lexer) -> None:
        pattern = lexer.pattern()
        if pattern is None:
            raise self._refused(lexer.place(), _OPEN_QUOTE)
        if not pattern:
            return
        directory = self._files[-1].rpartition("/")[0]
        absolute = pattern if pattern.startswith("/") else f"{directory}/{pattern}"
        self.patterns.append(absolute)
        for path, text in self._include(absolute):
            self.file(path, text)

    def _refused(self, place: Place, why: str) -> _Refused:
        """To blame for what follows a name is the name, which may end another file."""
        return _Refused(Fault(self._name[1] if self._awaited else place, why))


class _Lexer:
    """A place in the text of one file."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0

    def place(self) -> Place:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return Place(self._path, self._line)

    def at(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def skip_gap(self) -> bool:
        """Move to the next token; false at the end of the text."""
        self.take(_GAP)
        return self._at < len(self._text)

    def take(self, token: re.Pattern[str]) -> str | None:
        match = token.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match.group()

    def sign(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def pattern(self) -> str | None:
        """That of an include, empty where there is none; None for a quote that is not closed."""
        match = _PATTERN.match(self._text, self._at)
        if match is None or match["wrong"]:
            return None
        self._at = match.end()
        quoted = (match["quoted"] or "")[1:-1].replace("\r", "")
        bare = _BARE_ESCAPED.sub(r"\1", match["bare"].replace("\r", ""))
        return bare + _ESCAPED.sub(lambda found: _MEANINGS.get(found[1], found[1]), quoted)
