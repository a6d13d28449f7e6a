# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The whole configuration that strongSwan reads at its next load, including unmanaged files."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from ..._render.strongswan.reader import ReadResult, read
from .files import Files

# The byte order mark of UTF-8, with each byte as one character.
_BYTE_ORDER_MARK = "\xef\xbb\xbf"


@dataclass(frozen=True)
class Configuration:
    """The result of reading. ``oddities`` has a text about each file with a surprising effect."""

    reading: ReadResult
    oddities: t.Mapping[str, str]


def read_configuration(
    files: Files, path: str, good: t.Mapping[str, bytes] | None = None
) -> Configuration:
    """Return the configuration that strongSwan reads from ``path`` and its includes.

    ``good`` has contents by path. A file with such a content is without fault, and counts as empty.
    """
    oddities: dict[str, str] = {}
    known = {path: data.decode("latin-1") for path, data in (good or {}).items()}

    def include(pattern: str) -> list[tuple[str, str]]:
        texts = ((path, _text(files, path, oddities)) for path in files.find(pattern))
        return [
            (path, "" if text == known.get(path) else text)
            for path, text in texts
            if text is not None
        ]

    text = _text(files, path, oddities)
    reading = read(path, text or "", include)
    return Configuration(reading, {**oddities, **dict.fromkeys(sorted(reading.loops), _LOOP)})


def _text(files: Files, path: str, oddities: dict[str, str]) -> str | None:
    """Return the content, with one character for each byte, or None for an unread file."""
    file = None
    try:
        kind = files.kind(path)
        if kind == "file":
            file = files.read(path)
    except HostError as error:
        oddities[path] = f"can't be read ({error.detail}): {_NOTHING}"
        return None
    if file is None:
        # strongSwan skips a directory silently.
        if kind != "directory":
            oddities[path] = _OTHER if kind == "other" else _MISSING
        return None
    text = file.data.decode("latin-1")
    if text.startswith(_BYTE_ORDER_MARK):
        oddities[path] = _MARKED
    return text


_NOTHING = "strongSwan loads nothing from it"
_MISSING = f"does not exist, or is a link to nothing: {_NOTHING}"
# The collection would wait too.
_OTHER = "is a pipe or a device: strongSwan waits for it without end"
_LOOP = "includes itself: strongSwan reads it repeatedly until it cannot open more files"
_MARKED = (
    "begins with a byte order mark, which strongSwan reads as a part of the first name: the first "
    "section is not loaded"
)
