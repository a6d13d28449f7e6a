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
    reader = _Reader(include)
    reader.enter(path, text)
    while True:
        try:
            reader.run()
        except _Refused as refused:
            blamed = refused.fault.place.path
            first = blamed not in faults
            faults.setdefault(blamed, refused.fault)
            if first and blamed != path:
                reader.leave_out(blamed)
                continue
        except _Endless:
            faults[path] = Fault(Place(path, 1), f"it includes more than {_MOST} files")
        return Reading(
            tuple(faults.values()),
            tuple(reader.sections),
            tuple(reader.patterns),
            frozenset(reader.loops),
        )


# Of files, each as often as it is included: two includes of each other's next file double them.
_MOST = 100_000


class _Endless(Exception):
    pass


class _Refused(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


# What stands between tokens. A comment ends at its line feed, one behind the last line feed of a
# file at a carriage return too.
_GAP = re.compile(r"(?:#[^\n]*\n|[\t ]*#[^\r\n]*|[\t\r ]+|\n)*")
_LAST_GAP = re.compile(r"(?:[\t ]*#[^\r\n]*|[\t\r ]+)*")
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


class _Open(t.NamedTuple):
    """A section that is open; ``outer`` is the one around it, ``depth`` counts from 1."""

    name: str
    place: Place
    outer: _Open | None
    depth: int


class _Included:
    """The files of one include, path and text of each."""

    def __init__(self, files: t.Iterable[tuple[str, str]] = ()) -> None:
        self.files = tuple(files)
        self._behind: dict[int, int] = {}

    def next(self, at: int, left_out: t.Container[str]) -> int:
        """The place of the first file from ``at`` on that is not left out.

        Where thousands are, each is passed over once: what is left out stays so.
        """
        passed = []
        while at < len(self.files) and self.files[at][0] in left_out:
            passed.append(at)
            at = self._behind.get(at, at + 1)
        self._behind.update(dict.fromkeys(passed, at))
        return at


class _Paused(t.NamedTuple):
    """A file that is being read, while one of the ``files`` that it includes is read first.

    ``next`` is the place of the one that comes after it, ``outer`` the file that includes this one.
    """

    lexer: _Lexer
    files: _Included
    next: int
    outer: _Paused | None


class _Mark(t.NamedTuple):
    """All that is known right before a file is entered, with what comes once it is over.

    Nothing of it changes afterwards, so that the reader can go on from here as if the file were
    not there, as often as it has to.
    """

    paused: _Paused | None
    open: _Open | None
    awaited: str
    name: tuple[str, Place]
    found: tuple[int, int, int]


class _Reader:
    """``_awaited`` is what the grammar is in the middle of; empty between statements."""

    def __init__(self, include: Include) -> None:
        self.sections: list[Named] = []
        self.patterns: list[str] = []
        self.loops: list[str] = []
        self._include = include
        self._left_out: set[str] = set()
        self._count = 0
        # The file that is being read, those that it includes here, which of them is next, and those
        # that it is included by.
        self._lexer: _Lexer | None = None
        self._files = _Included()
        self._next = 0
        self._outer: _Paused | None = None
        self._reading: set[str] = set()
        self._marks: dict[str, _Mark] = {}
        self._open: _Open | None = None
        self._awaited = ""
        self._name = ("", Place("", 0))

    def enter(self, path: str, text: str) -> None:
        """One that includes itself is read once; strongSwan would open it until it can't."""
        if path in self._reading:
            self.loops.append(path)
            return
        self._count += 1
        if self._count > _MOST:
            raise _Endless
        if self._lexer is not None:
            self._outer = _Paused(self._lexer.copy(), self._files, self._next, self._outer)
        found = len(self.sections), len(self.patterns), len(self.loops)
        mark = _Mark(self._outer, self._open, self._awaited, self._name, found)
        self._marks.setdefault(path, mark)
        self._reading.add(path)
        self._lexer, self._files, self._next = _Lexer(path, text), _Included(), 0

    def leave_out(self, path: str) -> None:
        """Go back to where the file ``path`` was entered first, and on without it."""
        mark = self._marks[path]
        while path in self._marks:
            self._marks.popitem()
        self._left_out.add(path)
        self._open, self._awaited, self._name = mark.open, mark.awaited, mark.name
        sections, patterns, loops = mark.found
        del self.sections[sections:]
        del self.patterns[patterns:]
        del self.loops[loops:]
        self._resume(mark.paused)
        self._reading = set()
        paused = mark.paused
        while paused is not None:
            self._reading.add(paused.lexer.path)
            paused = paused.outer

    def _resume(self, paused: _Paused | None) -> None:
        """Go on with the file that includes the one that is over."""
        self._lexer, self._files, self._next, self._outer = None, _Included(), 0, None
        if paused is not None:
            lexer, self._files, self._next, self._outer = paused
            self._lexer = lexer.copy()

    def run(self) -> None:
        """Read on to the end of the file that was entered first."""
        while self._lexer is not None:
            at = self._files.next(self._next, self._left_out)
            if at < len(self._files.files):
                self._next = at + 1
                self.enter(*self._files.files[at])
            elif self._lexer.skip_gap():
                self._token(self._lexer)
            else:
                self._reading.discard(self._lexer.path)
                self._resume(self._outer)
        if self._awaited:
            why = _BAD_NAME if self._awaited == "name" else _BAD_REFERENCE
            raise self._refused(self._name[1], why)
        if self._open is not None:
            raise self._refused(self._open.place, "a section is not closed")

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
        elif self._open is None:
            raise self._refused(place, "a } closes no section")
        else:
            self._open = self._open.outer

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
        depth = 0 if self._open is None else self._open.depth
        if self._open is not None and depth == 1:
            self.sections.append(Named(self._open.name, name, place))
        self._open = _Open(name, place, self._open, depth + 1)
        self._awaited = ""

    def _carry_out(self, lexer: _Lexer) -> None:
        pattern = lexer.pattern()
        if pattern is None:
            raise self._refused(lexer.place(), _OPEN_QUOTE)
        if not pattern:
            return
        directory = lexer.path.rpartition("/")[0]
        absolute = pattern if pattern.startswith("/") else f"{directory}/{pattern}"
        self.patterns.append(absolute)
        self._files, self._next = _Included(self._include(absolute)), 0

    def _refused(self, place: Place, why: str) -> _Refused:
        """To blame for what follows a name is the name, which may end another file."""
        return _Refused(Fault(self._name[1] if self._awaited else place, why))


class _Lexer:
    """A place in the text of one file."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        self._lines_end = text.rfind("\n") + 1
        self._at = 0
        self._line = 1
        self._counted = 0

    def copy(self) -> _Lexer:
        made = _Lexer.__new__(_Lexer)
        made.__dict__.update(self.__dict__)
        return made

    def place(self) -> Place:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return Place(self.path, self._line)

    def at(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def skip_gap(self) -> bool:
        """Move to the next token; false at the end of the text."""
        # Behind the last line feed the first kind of a comment would be looked for in vain, and to
        # the end of the text, at each sign of one.
        for gap, end in ((_GAP, self._lines_end), (_LAST_GAP, len(self._text))):
            if self._at < end or gap is _LAST_GAP:
                found = gap.match(self._text, self._at, end)
                self._at = found.end() if found else self._at
            if self._at < end:
                break
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
