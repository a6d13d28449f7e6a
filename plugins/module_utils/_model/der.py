# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""DER, the encoding of certificates and distinguished names (X.690), as far as they need it.

Data that is not DER raises ValueError or IndexError. The time is linear in the length of the data.
"""

from __future__ import annotations

import typing as t

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_ID = 0x01, 0x02, 0x03, 0x04, 0x06
UTF8, PRINTABLE, IA5, UTC_TIME, UTF16 = 0x0C, 0x13, 0x16, 0x17, 0x1E
SEQUENCE, SET = 0x30, 0x31


class Element(t.NamedTuple):
    """An element. ``data`` is the whole element; ``content`` is the data inside it."""

    tag: int
    content: bytes
    data: bytes


def element(data: bytes) -> Element:
    """Return the first element of ``data``."""
    return _element(data, 0)


def elements(data: bytes) -> list[Element]:
    """Return the elements of ``data``, which must hold elements only."""
    at, found = 0, []
    while at < len(data):
        found.append(_element(data, at))
        at += len(found[-1].data)
    return found


def inner(item: Element, tag: int) -> list[Element]:
    """Return the elements inside an element, which must have this tag."""
    return elements(expected(item, tag))


def expected(item: Element, tag: int) -> bytes:
    """Return the content of an element, which must have this tag."""
    if item.tag != tag:
        raise ValueError(f"tag {item.tag:#x} in the place of {tag:#x}")
    return item.content


def dotted(content: bytes) -> str:
    """Return an object identifier in numbers: ``2.5.4.3``."""
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _element(data: bytes, at: int) -> Element:
    start = at + 2
    length = data[at + 1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("an element ends too early")
    return Element(data[at], data[start:end], data[at:end])
