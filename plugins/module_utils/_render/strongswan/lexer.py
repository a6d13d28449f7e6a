# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Tokens of strongSwan's settings grammar, in the text of one file.

The patterns are the rules of settings_lexer.l of strongSwan 5.9.8 and 6.0.1. No pattern may need
something after a part that can be split in several ways: a regular expression that fails there
tries every way. A text may hold characters, or bytes of which each is one character.
"""

from __future__ import annotations

import re
import typing as t

# Text between tokens. A comment ends at its line feed. Behind the last line feed of a file, a
# comment ends at a carriage return too.
_GAP = re.compile(r"(?:#[^\n]*\n|[\t ]*#[^\r\n]*|[\t\r ]+|\n)*")
_LAST_GAP = re.compile(r"(?:[\t ]*#[^\r\n]*|[\t\r ]+)*")
_BEGINS_OF_GAPS = ("#", "\n", " ", "\t", "\r")
_INCLUDE = re.compile(r"include[\t ]+(?=[^=])")
_NAME = re.compile(r'[^#{}:.,="\r\n\t ]+')
_SIGN_IN_LINE = re.compile(r"[\t ]*[={]")
# After a colon, a name may be a path.
_REFERENCE = re.compile(r'[^#{}:.,="\r\n\t ]+(?:\.[^#{}:.,="\r\n\t ]+)*')
_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
# A value reaches to the end of its line, a comment or a closing brace.
_VALUE = re.compile(rf'(?:[\r\t ]+|[^#}}"\r\n\t ]+|{_QUOTED})*', re.DOTALL)
_WORD = re.compile(r'[^"\r\n\t ]+')
_PART = re.compile(rf"({_QUOTED})|{_WORD.pattern}", re.DOTALL)
# A quoted pattern ends with its quote. A bare pattern ends at a blank, which belongs to it, or at a
# character that cannot be in it.
_PATTERN = re.compile(
    r'(?P<bare>(?:\\["#} ]|\\|[^"\\#}\n\t ])*)'
    rf"(?:(?P<quoted>{_QUOTED})|(?P<wrong>\")|[\t ])?",
    re.DOTALL,
)
_BARE_ESCAPED = re.compile(r'\\(["#} ])')
_ESCAPED = re.compile(r"\\(\r?\n|.)|\r", re.DOTALL)
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", "\n": "", "\r\n": "", None: ""}


class FileLine(t.NamedTuple):
    """A line of a file, counted from 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


class Lexer:
    """A position in the text of one file."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        self._last_line = text.rfind("\n") + 1
        self._at = 0
        self._line = 1
        self._counted = 0

    def copy(self) -> Lexer:
        """Return a lexer at the same position, which moves on its own."""
        made = Lexer.__new__(Lexer)
        made.__dict__.update(self.__dict__)
        return made

    def line(self) -> int:
        """Return the line of the next token."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def place(self) -> FileLine:
        """Return the place of the next token."""
        return FileLine(self.path, self.line())

    def is_at(self, sign: str) -> bool:
        """Return whether the text continues with ``sign``."""
        return self._text.startswith(sign, self._at)

    def skip_gap(self) -> bool:
        """Move to the next token. Return False at the end of the text."""
        if not self._text.startswith(_BEGINS_OF_GAPS, self._at):
            return self._at < len(self._text)
        # Behind the last line feed, each `#` would search for a line feed up to the end of the
        # text, in vain.
        for gap, end in ((_GAP, self._last_line), (_LAST_GAP, len(self._text))):
            if self._at < end or gap is _LAST_GAP:
                match = gap.match(self._text, self._at, end)
                self._at = match.end() if match else self._at
            if self._at < end:
                break
        return self._at < len(self._text)

    def sign(self) -> str:
        """Return the next character, and move behind it."""
        self._at += 1
        return self._text[self._at - 1]

    def name(self) -> str | None:
        """Return the name that comes next, and move behind it. None where no name is next."""
        return self._take(_NAME)

    def sign_in_line(self) -> str:
        """Return the ``=`` or ``{`` that comes next behind blanks, and move behind it, or ""."""
        match = _SIGN_IN_LINE.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()[-1]

    def reference(self) -> str | None:
        """Return the path of a section that comes next, as after a colon, or None."""
        return self._take(_REFERENCE)

    def value(self) -> str:
        """Return the text of a value as it is written (see ``parts``), and move behind it."""
        return self._take(_VALUE) or ""

    def include(self) -> bool:
        """Return whether an ``include`` comes next, and move behind the word."""
        return self._text.startswith("include", self._at) and self._take(_INCLUDE) is not None

    def pattern(self) -> str | None:
        """Return the pattern of an include, perhaps empty. None when a quote is not closed."""
        match = _PATTERN.match(self._text, self._at)
        if match is None or match["wrong"]:
            return None
        self._at = match.end()
        bare = _BARE_ESCAPED.sub(r"\1", match["bare"].replace("\r", ""))
        return bare + _unquoted(match["quoted"] or '""')

    def _take(self, token: re.Pattern[str]) -> str | None:
        match = token.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match.group()


def parts(written: str) -> list[str]:
    """Return the words and quoted texts of a value, which strongSwan joins with blanks."""
    stripped = written.strip("\t\r ")
    if _WORD.fullmatch(stripped):
        return [stripped]
    return [
        match.group() if match[1] is None else _unquoted(match[1])
        for match in _PART.finditer(written)
    ]


def unquoted_sign(written: str, sign: str) -> int:
    """Return the line breaks of a value before the first ``sign`` outside quotes, or -1."""
    matches = _PART.finditer(written) if sign in written else ()
    for match in matches:
        if match[1] is None and sign in match.group():
            return written.count("\n", 0, match.start())
    return -1


def _unquoted(quoted: str) -> str:
    return _ESCAPED.sub(lambda match: _MEANINGS.get(match[1], match[1]), quoted[1:-1])
