# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Distinguished names (X.501) as strongSwan reads, writes and compares them.

Source: atodn, dntoa and compare_dn in identification.c of strongSwan 5.9.8 and 6.0.1. A text has
its parts in the order of the certificate. It knows neither quotes nor escapes: a comma always ends
a part, or a slash, where the text begins with a slash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from . import der

# The attributes that strongSwan knows by name: shown name, object identifier, other names.
_KNOWN = (
    ("ND", "0.2.262.1.10.7.20", ()),
    ("UID", "0.9.2342.19200300.100.1.1", ()),
    ("DC", "0.9.2342.19200300.100.1.25", ()),
    ("CN", "2.5.4.3", ()),
    ("SN", "2.5.4.4", ()),
    ("serialNumber", "2.5.4.5", ()),
    ("C", "2.5.4.6", ()),
    ("L", "2.5.4.7", ()),
    ("ST", "2.5.4.8", ()),
    ("STREET", "2.5.4.9", ()),
    ("O", "2.5.4.10", ()),
    ("OU", "2.5.4.11", ()),
    ("T", "2.5.4.12", ()),
    ("D", "2.5.4.13", ()),
    ("postalAddress", "2.5.4.16", ()),
    ("postalCode", "2.5.4.17", ()),
    ("N", "2.5.4.41", ()),
    ("G", "2.5.4.42", ()),
    ("I", "2.5.4.43", ()),
    ("dnQualifier", "2.5.4.46", ()),
    ("dmdName", "2.5.4.54", ()),
    ("pseudonym", "2.5.4.65", ()),
    ("ID", "2.5.4.45", ()),
    ("employeeNumber", "2.16.840.1.113730.3.1.3", ("EN",)),
    ("E", "1.2.840.113549.1.9.1", ("Email", "emailAddress")),
    ("unstructuredName", "1.2.840.113549.1.9.2", ("UN",)),
    ("unstructuredAddress", "1.2.840.113549.1.9.8", ("UA",)),
    ("TCGID", "1.3.6.1.4.1.1201.1.1.2.2.75", ()),
)
_SHOWN = {number: name for name, number, _others in _KNOWN}
_NUMBERS = {
    name.casefold(): number for first, number, others in _KNOWN for name in (first, *others)
}
# The attributes with IA5 text. strongSwan ignores the case of the first only.
_EMAIL = "1.2.840.113549.1.9.1"
_IA5 = (_EMAIL, "1.2.840.113549.1.9.2")
_PRINTABLE = re.compile(rb"[A-Za-z0-9 '()+,./:=?-]*")
_ASCII = re.compile(rb"[ -~]*")
_MOST_PARTS = 20
# The longest name that strongSwan shows, in characters.
_LONGEST = 500
# A part of a text, by its separator. A blank may separate attribute and value, too.
_WRITTEN = {
    end: re.compile(rf" *([^ =]+)[ =]+([^{end}]*)(?:{end} *|\Z)", re.DOTALL) for end in ",/"
}
# A value that a text can express: printable ASCII, without characters that would be trimmed.
_CARRIED = re.compile(r"(?:[!-<>-~](?:[ -~]*[!-~])?)?")


@dataclass(frozen=True)
class Part:
    """An attribute by its object identifier, the tag of its text type, and its value in bytes."""

    attribute: str
    tag: int
    value: bytes

    @property
    def name(self) -> str:
        """Return the name that strongSwan shows; the number of an unknown attribute."""
        return _SHOWN.get(self.attribute, self.attribute)

    @property
    def text(self) -> str:
        return self.value.decode("utf-16-be" if self.tag == der.UTF16 else "utf-8", "replace")

    @property
    def is_wildcard(self) -> bool:
        return self.value == b"*"

    @property
    def carried(self) -> bool:
        """Return whether a text can express the part."""
        return self.attribute in _SHOWN and bool(_CARRIED.fullmatch(self.text))

    @property
    def folded(self) -> tuple[str, str]:
        """Return attribute and value, the value in lower case."""
        return self.attribute, self.text.casefold()

    def equals(self, other: Part) -> bool:
        """Return whether strongSwan treats the two as equal."""
        if self.attribute != other.attribute:
            return False
        caseless = self.tag == der.PRINTABLE or (self.tag == der.IA5 and self.attribute == _EMAIL)
        if caseless and self.tag == other.tag:
            return self.value.lower() == other.value.lower()
        return self.value == other.value


@dataclass(frozen=True)
class Name:
    """A distinguished name, its parts in order. The parts of one set follow each other."""

    parts: tuple[Part, ...]
    # The DER encoding, if the name was read from DER.
    encoded: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def read(cls, text: str) -> Name | None:
        """Return the name that strongSwan reads in an identity; None if it reads no name."""
        body = text.lstrip(" ")
        end = "/" if body.startswith("/") else ","
        body = body.removeprefix("/").lstrip(" ")
        parts, at = [], 0
        while at < len(body):
            found = _WRITTEN[end].match(body, at)
            number = _NUMBERS.get(found[1].casefold()) if found else None
            if found is None or number is None:
                return None
            parts.append(_part(number, found[2].rstrip(" ")))
            at = found.end()
        return cls(tuple(parts)) if 0 < len(parts) <= _MOST_PARTS else None

    @classmethod
    def decode(cls, data: bytes) -> Name:
        """Return the name of a DER encoding. Raise ValueError or IndexError for other data."""
        whole = der.element(data)
        parts = (
            Part(der.dotted(der.expected(kind, der.OBJECT_ID)), value.tag, value.content)
            for relative in der.inner(whole, der.SEQUENCE)
            for attribute in der.inner(relative, der.SET)
            for kind, value in [der.inner(attribute, der.SEQUENCE)]
        )
        return cls(tuple(parts), whole.data)

    def __str__(self) -> str:
        """Return the text that strongSwan shows. strongSwan cannot always read this text."""
        return ", ".join(f"{part.name}={part.text}" for part in self.parts)

    @property
    def shown_as_it_is(self) -> bool:
        """Return whether strongSwan shows the same text: known attributes, nothing shortened."""
        known = all(
            part.attribute in _SHOWN and _ASCII.fullmatch(part.value) for part in self.parts
        )
        return known and 0 < len(str(self)) < _LONGEST

    @property
    def identity(self) -> str:
        """Return the text that strongSwan reads as this name; empty if no text exists.

        DER in hexadecimal digits can express every name.
        """
        if not all(
            part.attribute in _SHOWN and _CARRIED.fullmatch(part.text) for part in self.parts
        ):
            return ""
        words = [f"{part.name}={part.text}" for part in self.parts]
        for text in (", ".join(words), "/" + "/".join(words)):
            read = Name.read(text)
            if read is not None and read.equals(self):
                return text
        return ""

    @property
    def folded(self) -> str:
        """Return a key that is equal for two names that differ in case only."""
        return ",".join("=".join(part.folded) for part in self.parts)

    def equals(self, other: Name) -> bool:
        """Return whether strongSwan treats the two as equal."""
        return len(self.parts) == len(other.parts) and all(
            mine.equals(theirs) for mine, theirs in zip(self.parts, other.parts)
        )

    def reordered(self, other: Name) -> bool:
        """Return whether the names have the same parts in another order, ignoring case."""
        mine, theirs = ([part.folded for part in name.parts] for name in (self, other))
        return mine != theirs and sorted(mine) == sorted(theirs)


def _part(number: str, value: str) -> Part:
    data = value.encode()
    if number in _IA5:
        return Part(number, der.IA5, data)
    return Part(number, der.PRINTABLE if _PRINTABLE.fullmatch(data) else der.UTF8, data)
