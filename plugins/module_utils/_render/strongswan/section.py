# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Sections as values, and the texts of lists and secrets in them.

A section is an ordered mapping. A value is a text, a tuple (a comma-separated list) or a section.
There are no Booleans, only the texts ``yes`` and ``no``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Union

Value = Union[str, tuple[str, ...], "Section"]
Section = Mapping[str, Value]

# Narrower than the grammar. charon refuses non-ASCII. A section with "%" in its name is looked up
# as a printf format. A section whose name is longer than 127 bytes is read as empty. (So is a
# section whose path in swanctl.conf, connections.x.children.y, is longer than 255 bytes.)
NAME = re.compile(r"[A-Za-z0-9_/@+-]{1,127}")
NAME_RULE = "a name is 1 to 127 characters of A-Z a-z 0-9 _ - + / @"
# The limit of sections within sections: strongSwan finds no section whose path is longer than 512
# bytes.
DEEPEST = 100

_LIST_ITEM = re.compile(r"""[ ,]+|"([^"]*)"|'([^']*)'|([^ ,][^,]*)""")


def split_list(value: str) -> tuple[str, ...]:
    """Return the elements that swanctl makes of a list value.

    Elements are trimmed of blanks (not of tabs) and empty ones vanish. An element that starts with
    a quote, single or double, reaches to the next such quote and may hold commas and blanks.

    Source: collections/enumerator.c (enumerator_create_token) of strongSwan.
    """
    matches = (match for match in _LIST_ITEM.finditer(value) if match.lastindex)
    return tuple(
        (match[1] or match[2] or "") if match[3] is None else match[3].rstrip(" ")
        for match in matches
    )


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{1,2}(?::?[0-9A-Fa-f]{2})*)?")


def secret_text(data: bytes) -> str:
    """Return a secret as a value that swanctl decodes to exactly ``data``, for any bytes."""
    return "0s" + base64.b64encode(data).decode("ascii")


def secret_bytes(text: str) -> bytes:
    """Return the secret that swanctl reads: base64 after ``0s``, hexadecimal after ``0x``.

    swanctl decodes garbage to other garbage. This function raises ``ValueError`` instead, without
    the secret.
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
