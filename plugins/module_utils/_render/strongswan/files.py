# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Included files, which strongSwan reads as one text with the file that includes them.

An ``include`` may stand between any two tokens, except within a value or after a colon. The next
token is then the first token of the first included file.
"""

from __future__ import annotations

import typing as t

from .lexer import Lexer

# From an absolute shell pattern to the files that match it and can be opened, in order: the path
# and the text of each.
Include = t.Callable[[str], t.Iterable[tuple[str, str]]]

# The limit of files, each counted as often as it is included: where each file includes the next
# one twice, the number doubles with each file.
MOST_FILES = 100_000


class TooManyFiles(Exception):
    """More than ``MOST_FILES`` files are included."""


class _IncludedFiles:
    """The files of one include, with the path and the text of each."""

    def __init__(self, files: t.Iterable[tuple[str, str]] = ()) -> None:
        self.files = tuple(files)
        self._behind: dict[int, int] = {}

    def next(self, at: int, left_out: t.Container[str]) -> int:
        """Return the index of the first file from ``at`` on that is not left out.

        A file that is left out stays left out. Each of thousands is therefore passed over once.
        """
        passed = []
        while at < len(self.files) and self.files[at][0] in left_out:
            passed.append(at)
            at = self._behind.get(at, at + 1)
        self._behind.update(dict.fromkeys(passed, at))
        return at


class Position(t.NamedTuple):
    """A file that waits for the ``files`` that it includes.

    ``next`` is the index of the file to read after the current one. ``outer`` is the file that
    includes the waiting file.
    """

    lexer: Lexer
    files: _IncludedFiles
    next: int
    outer: Position | None


class FileStream:
    """The files that are read as one text. ``lexer`` is in the file that is being read.

    ``patterns`` are the absolute patterns of all includes, ``loops`` the files that include
    themselves.
    """

    def __init__(self, include: Include) -> None:
        self.patterns: list[str] = []
        self.loops: list[str] = []
        self.left_out: set[str] = set()
        self.lexer: Lexer | None = None
        self._include = include
        self._count = 0
        self._files = _IncludedFiles()
        self._next = 0
        self._outer: Position | None = None
        self._reading: set[str] = set()

    def next_file(self) -> tuple[str, str] | None:
        """Return the included file that must be read before the current file continues."""
        at = self._files.next(self._next, self.left_out)
        if at == len(self._files.files):
            return None
        self._next = at + 1
        return self._files.files[at]

    def position(self) -> Position | None:
        """Return where reading continues when the next file is left out."""
        if self.lexer is None:
            return None
        return Position(self.lexer.copy(), self._files, self._next, self._outer)

    def enter(self, path: str, text: str) -> None:
        """Read a file next. A file that includes itself is read once.

        strongSwan opens such a file again and again, until it can open no more files.
        """
        if path in self._reading:
            self.loops.append(path)
            return
        self._count += 1
        if self._count > MOST_FILES:
            raise TooManyFiles
        self._outer = self.position()
        self._reading.add(path)
        self.lexer, self._files, self._next = Lexer(path, text), _IncludedFiles(), 0

    def include(self, pattern: str, directory: str) -> None:
        """Read the files of an include next."""
        absolute = pattern if pattern.startswith("/") else f"{directory}/{pattern}"
        self.patterns.append(absolute)
        self._files, self._next = _IncludedFiles(self._include(absolute)), 0

    def leave(self) -> None:
        """Continue with the file that includes the current one."""
        if self.lexer is not None:
            self._reading.discard(self.lexer.path)
        self._continue_at(self._outer)

    def go_back(self, position: Position | None) -> None:
        """Continue at a position of earlier."""
        self._continue_at(position)
        self._reading = set()
        while position is not None:
            self._reading.add(position.lexer.path)
            position = position.outer

    def _continue_at(self, position: Position | None) -> None:
        self.lexer, self._files, self._next, self._outer = None, _IncludedFiles(), 0, None
        if position is not None:
            lexer, self._files, self._next, self._outer = position
            self.lexer = lexer.copy()
