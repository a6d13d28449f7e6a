# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""strongSwan's settings grammar, the one of swanctl.conf and strongswan.conf: to text and back.

A section is an ordered mapping. A value is a text, a tuple (a comma-separated list) or a section;
booleans do not exist, the caller writes ``yes`` or ``no``. The contract, held for every section
that ``render`` accepts::

    parse(render(section)) == canonical(section)        # canonical: each tuple joined to its text
    split_list(canonical(section)[key]) == section[key]  # for each tuple

``parse`` reads a text as strongSwan 5.9.8 and 6.0.1 do, or refuses it. Beyond what strongSwan
itself refuses, it refuses

- what makes a text depend on something outside it: ``include`` and inheritance;
- what reads differently than it looks: a bare carriage return, NUL, an unquoted ``{`` in a value;
- what strongSwan parses but cannot look up or tell apart: names outside ``_NAME``, nesting beyond
  ``_DEEPEST``, a key and a section of the same name.

Its faults name lines, keys and sections but never repeat a value or stray text, which may be part
of a secret.

Source: src/libstrongswan/settings/settings_lexer.l, settings_parser.y and
collections/enumerator.c (enumerator_create_token) of strongSwan.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Union

from .._errors import SyntaxFault

Value = Union[str, tuple[str, ...], "Section"]
Section = Mapping[str, Value]

# What a parsed text consists of: a Section without tuples.
_Parsed = dict[str, Union[str, "_Parsed"]]

# Narrower than the grammar: non-ASCII is refused by charon, "%" is taken for a printf format when a
# section is looked up, and a section whose name is longer than 127 bytes is read as empty. (So is
# one whose path in swanctl.conf, connections.x.children.y, is longer than 255.)
_NAME = re.compile(r"[A-Za-z0-9_/@+-]{1,127}")
_NAME_RULE = "a name is 1 to 127 characters of A-Z a-z 0-9 _ - + / @"
# Sections within sections: strongSwan looks nothing up whose path is longer than 512 bytes.
_DEEPEST = 100

# Words that need no quotes; "a, b" is what a joined list looks like.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@*+-]+(?:, [A-Za-z0-9_.:/@*+-]+)*")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"},
)
# NUL ends a text in C; lone surrogates have no UTF-8 form.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_INDENT = "    "


def render(section: Section, *, indent: int = 0) -> str:
    """The text of ``section``, one line per entry, each ending in a newline.

    ``indent`` is the number of sections that the text will stand in. Raises ``ValueError`` for a
    name, nesting, list element or character that the grammar cannot carry; the message never holds
    a value.
    """
    lines: list[str] = []
    _append(lines, section, indent)
    return "".join(lines)


def _append(lines: list[str], section: Section, depth: int) -> None:
    pad = _INDENT * depth
    for name, value in section.items():
        if not _NAME.fullmatch(name) or name == "include":
            raise ValueError(f"{name!r} cannot be a name: {_NAME_RULE}, and not 'include'")
        if isinstance(value, (str, tuple)):
            lines.append(f"{pad}{name} = {_written(name, _joined(name, value))}\n")
        else:
            if depth == _DEEPEST:
                raise ValueError(f"{name}: sections are nested more than {_DEEPEST} deep")
            lines.append(f"{pad}{name} {{\n")
            _append(lines, value, depth + 1)
            lines.append(f"{pad}}}\n")


def _joined(name: str, value: str | tuple[str, ...]) -> str:
    """The text that strongSwan is to see; for a tuple, one that splits into that tuple again."""
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


def canonical(section: Section) -> Section:
    """``section`` as ``parse`` returns it: every tuple joined to the text written for it."""
    return {
        name: canonical(value) if isinstance(value, Mapping) else _joined(name, value)
        for name, value in section.items()
    }


_LIST_ITEM = re.compile(r"""[ ,]+|"([^"]*)"|'([^']*)'|([^ ,][^,]*)""")


def split_list(value: str) -> tuple[str, ...]:
    """The elements that swanctl makes of a list value.

    Elements are trimmed of blanks (not of tabs) and empty ones vanish. One that starts with a
    quote, single or double, reaches to the next such quote and may hold commas and blanks.
    """
    found = (match for match in _LIST_ITEM.finditer(value) if match.lastindex)
    return tuple(
        (match[1] or match[2] or "") if match[3] is None else match[3].rstrip(" ")
        for match in found
    )


def parse(text: str, *, unique: bool = False) -> Section:
    """The sections of ``text``, with lists as the text they are written as (see ``split_list``).

    A section or key that appears twice is merged key by key and the last value wins, as in charon;
    with ``unique`` it is a fault. A key without a value (``key =``) is absent from the result.
    Raises ``SyntaxFault`` with the line, counted from 1.
    """
    return _Reader(text, unique=unique).sections()


# Blanks and comments. Nothing after it may be required to match: "###" can be split in
# exponentially many ways, and a regex that fails there tries them all.
_GAP = r"(?:[ \t\n]|#[^\n]*)*"
_BLANK = re.compile(_GAP)
_STATEMENT = re.compile(
    rf'(?P<end>\}})|(?P<name>[^#{{}}:.,="\n\t ]+){_GAP}(?P<sign>[^#}}\n\t ])?',
)
_VALUE_PART = re.compile(
    r'[ \t]*(?:"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<word>[^#{}"\n\t ]+)|(?P<wrong>["{]))',
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}
_INCLUDES = "include is not possible here: this text must be complete in itself"
_MISPLACED = {
    ":": "a section must not inherit (a : b): this text must be complete in itself",
    ".": "a name must not hold a dot: write a section within a section",
}


class _Reader:
    """One pass over a text, statement by statement; ``self._at`` is where the next one starts."""

    def __init__(self, text: str, *, unique: bool) -> None:
        self._text = text
        self._check_characters()
        self._text = text.replace("\r\n", "\n")
        self._unique = unique
        self._at = 0
        self._root: _Parsed = {}
        # The open sections, outermost first: name, where it was opened, content.
        self._open: list[tuple[str, int, _Parsed]] = []
        self._path: tuple[str, ...] = ()
        # Everything met so far, by path: whether a key (=) or a section ({), and where.
        self._seen: dict[tuple[str, ...], tuple[str, int]] = {}

    def sections(self) -> _Parsed:
        while self._skip_gap():
            self._statement()
        if self._open:
            name, at, _content = self._open[-1]
            raise self._fault(at, f"section {name} is not closed")
        return self._root

    def _statement(self) -> None:
        at = self._at
        match = _STATEMENT.match(self._text, at)
        if match is None:
            raise self._fault(at, f"{self._text[at]} where a name must stand")
        self._at = match.end()
        if match["end"]:
            self._leave(at)
            return
        name, sign = match["name"], match["sign"]
        self._declare(name, sign or "", at)
        if sign == "{":
            self._enter(name, at)
        else:
            self._assign(name)

    def _declare(self, name: str, sign: str, at: int) -> None:
        """Refuse what is neither ``name =`` nor ``name {``, a name we do not take, and doubles."""
        if name == "include":
            raise self._fault(at, _INCLUDES)
        if sign not in ("=", "{"):
            bare = "a name must be followed by = (a value) or { (a section)"
            raise self._fault(at, _MISPLACED.get(sign, bare))
        if not _NAME.fullmatch(name):
            raise self._fault(at, _NAME_RULE)
        path = (*self._path, name)
        first_sign, first_at = self._seen.setdefault(path, (sign, at))
        if first_at == at or (first_sign == sign and not self._unique):
            return
        where = f"{'.'.join(path)} is already in line {self._line(first_at)}"
        if first_sign != sign:
            raise self._fault(at, f"{where}: it cannot be both a value and a section")
        raise self._fault(at, where)

    def _enter(self, name: str, at: int) -> None:
        if len(self._open) == _DEEPEST:
            raise self._fault(at, f"sections are nested more than {_DEEPEST} deep")
        section = self._content().setdefault(name, {})
        if not isinstance(section, str):  # never: _declare has refused a key of that name
            self._open.append((name, at, section))
            self._path += (name,)

    def _assign(self, name: str) -> None:
        value = self._value()
        if value is None:
            self._content().pop(name, None)
        else:
            self._content()[name] = value

    def _leave(self, at: int) -> None:
        if not self._open:
            raise self._fault(at, "} closes no section")
        self._open.pop()
        self._path = self._path[:-1]

    def _value(self) -> str | None:
        """Words and quoted texts up to the end of the line, a comment or a brace."""
        parts: list[str] = []
        while True:
            match = _VALUE_PART.match(self._text, self._at)
            if match is None:
                return " ".join(parts) if parts else None
            if match["wrong"] == '"':
                raise self._fault(match.start("wrong"), "a quote that is not closed")
            if match["wrong"]:
                raise self._fault(match.start("wrong"), "{ in a value must be quoted")
            self._at = match.end()
            quoted = match["quoted"]
            parts.append(match["word"] if quoted is None else _ESCAPED.sub(_meaning, quoted))

    def _content(self) -> _Parsed:
        return self._open[-1][2] if self._open else self._root

    def _skip_gap(self) -> bool:
        """Move to the next statement; false at the end of the text."""
        gap = _BLANK.match(self._text, self._at)
        if gap:
            self._at = gap.end()
        return self._at < len(self._text)

    def _check_characters(self) -> None:
        if self._text.startswith("\ufeff"):
            raise self._fault(0, "a byte order mark, which hides the first section from strongSwan")
        wrong = re.search(r"\0|\r(?!\n)", self._text)
        if wrong:
            what = "a NUL" if wrong.group() == "\0" else "a carriage return that ends no line"
            raise self._fault(wrong.start(), what)

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _fault(self, at: int, why: str) -> SyntaxFault:
        return SyntaxFault(self._line(at), why)


def _meaning(escape: re.Match[str]) -> str:
    return _MEANINGS.get(escape[1], escape[1])


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{1,2}(?::?[0-9A-Fa-f]{2})*)?")


def secret_text(data: bytes) -> str:
    """A secret as a value that swanctl decodes to exactly ``data``, whatever its bytes."""
    return "0s" + base64.b64encode(data).decode("ascii")


def secret_bytes(text: str) -> bytes:
    """What swanctl makes of the value of a secret: base64 after ``0s``, hexadecimal after ``0x``.

    swanctl decodes garbage to other garbage; here that is a ``ValueError``, without the secret.
    """
    prefix, rest = text[:2].lower(), text[2:]
    if prefix == "0s":
        if not _BASE64.fullmatch(rest):
            raise ValueError("a secret that starts with 0s must be base64")
        return base64.b64decode(rest)
    if prefix == "0x":
        if not _HEX.fullmatch(rest):
            raise ValueError("a secret that starts with 0x must be hexadecimal")
        digits = rest.replace(":", "")
        return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)
    return text.encode("utf-8")
