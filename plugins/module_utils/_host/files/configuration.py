# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Read the configuration of strongSwan as it will be read next time, whoever wrote it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from ..._render.strongswan.reader import ReadResult, read
from .files import Files

# UTF-8 at the beginning of a text, with each byte as one character.
_BYTE_ORDER_MARK = "\xef\xbb\xbf"


@dataclass(frozen=True)
class Configuration:
    """``oddities`` says of files, by path, what strongSwan does with them that nobody wants."""

    reading: ReadResult
    oddities: t.Mapping[str, str]


def read_configuration(files: Files, path: str) -> Configuration:
    """All that strongSwan reads when it is given ``path``."""
    oddities: dict[str, str] = {}

    def include(pattern: str) -> list[tuple[str, str]]:
        texts = ((path, _text(files, path, oddities)) for path in files.find(pattern))
        return [(path, text) for path, text in texts if text is not None]

    text = _text(files, path, oddities)
    reading = read(path, text or "", include)
    return Configuration(reading, {**oddities, **dict.fromkeys(sorted(reading.loops), _LOOP)})


def _text(files: Files, path: str, oddities: dict[str, str]) -> str | None:
    """The content, with one character for each byte; None for what is not read."""
    file = None
    try:
        kind = files.kind(path)
        if kind == "file":
            file = files.read(path)
    except HostError as error:
        oddities[path] = f"can't be read ({error.detail}): {_NOTHING}"
        return None
    if file is None:
        # A directory is passed over without a word.
        if kind != "directory":
            oddities[path] = _OTHER if kind == "other" else _MISSING
        return None
    text = file.data.decode("latin-1")
    if text.startswith(_BYTE_ORDER_MARK):
        oddities[path] = _MARKED
    return text


_NOTHING = "strongSwan loads nothing from it"
_MISSING = f"does not exist, or is a link to nothing: {_NOTHING}"
# For us too.
_OTHER = "is a pipe or a device: strongSwan waits for it without end"
_LOOP = "includes itself: strongSwan reads it again and again, until it can open no more files"
_MARKED = (
    "begins with a byte order mark, which strongSwan takes for a part of the first name: what "
    "stands under this name is not loaded"
)
