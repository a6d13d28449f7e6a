# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A listed table of nftables, and the elements of its sets that differ from the wanted table."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# The name of a set, and the text between the braces of its elements. A comment is in quotes.
_SET = re.compile(
    r"""(\n\tset (\S+) \{(?:\n(?!\t\}).*?)*?\n\t\telements = )\{([^"}]*(?:"[^"]*"[^"}]*)*)\}"""
)
_ELEMENT = re.compile(r"""(?=[^,])[^",]*(?:"[^"]*"[^",]*)*""")
# Addresses that are joined by dots. A counter or a comment follows.
_KEY = re.compile(r"\S+(?: \. \S+)*")
_COMMENT = re.compile(r' comment "([^"]*)"')


@dataclass(frozen=True)
class Listing:
    """A table of nftables: its words without elements, and the elements of each set by key."""

    words: tuple[str, ...]
    elements: t.Mapping[str, t.Mapping[str, str]]


@dataclass(frozen=True)
class ElementChanges:
    """The elements that one transaction deletes and adds, as pairs of set and element."""

    deleted: tuple[tuple[str, str], ...] = ()
    added: tuple[tuple[str, str], ...] = ()

    def reversed(self) -> ElementChanges:
        return ElementChanges(self.added, self.deleted)

    def left_in(self, live: Listing) -> ElementChanges:
        """Return the changes that a table still lacks. A part may be there after a failure."""
        wanted = {(name, key_of(text)): text for name, text in self.added}
        found = {
            (name, key): text
            for name, elements in live.elements.items()
            for key, text in elements.items()
        }
        return ElementChanges(
            tuple(
                (name, text)
                for name, text in self.deleted
                for place in [(name, key_of(text))]
                if place in found and found[place] != wanted.get(place)
            ),
            tuple(
                (name, text)
                for (name, key), text in wanted.items()
                if found.get((name, key)) != text
            ),
        )

    def transaction(self, table: str) -> str:
        """Return the text for ``nft -f``."""
        lines = [
            f"delete element inet {table} {name} {{ {key_of(element)} }}"
            for name, element in self.deleted
        ]
        lines += [
            f"add element inet {table} {name} {{ {element} }}" for name, element in self.added
        ]
        return "".join(f"{line}\n" for line in lines)

    @property
    def deleted_labels(self) -> tuple[str, ...]:
        """Return the tunnels of the elements that exist, and that are not wanted so."""
        return _labels(self.deleted)

    @property
    def added_labels(self) -> tuple[str, ...]:
        """Return the tunnels of the elements that are wanted, and that do not exist."""
        return _labels(self.added)


def read_listing(text: str) -> Listing:
    """Return a table from the output of ``nft -s -p list table``."""
    elements = {
        name: {key_of(element): element for element in _elements(inside)}
        for _head, name, inside in _SET.findall(text)
    }
    # nft 1.1.3 lists the number of the code.
    skeleton = _SET.sub(r"\1", text).replace(" icmp code 4 ", " icmp code frag-needed ")
    return Listing(tuple(skeleton.split()), elements)


def _elements(inside: str) -> t.Iterator[str]:
    return (" ".join(found.split()) for found in _ELEMENT.findall(inside))


def key_of(element: str) -> str:
    """Return the key of an element, by which nft deletes it."""
    match = _KEY.match(element)
    return match[0] if match else element


def element_changes(live: Listing, wanted: Listing) -> ElementChanges | None:
    """Return the changes that turn the live table into the wanted one; None if they are not enough.

    A set without elements is listed without them, so that its words differ.
    """
    if live.words != wanted.words:
        return None
    deleted, added = [], []
    for name, elements in wanted.elements.items():
        found = live.elements.get(name, {})
        deleted += [(name, text) for key, text in found.items() if elements.get(key) != text]
        added += [(name, text) for key, text in elements.items() if found.get(key) != text]
    return ElementChanges(tuple(deleted), tuple(added))


def _labels(elements: t.Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the tunnels of elements, and the addresses of elements that are peers."""
    found = ((_COMMENT.search(element), key_of(element)) for _name, element in elements)
    names = (match[1].partition(":")[0] if match else f"peer {key}" for match, key in found)
    return tuple(sorted(dict.fromkeys(names), key=lambda name: name.startswith("peer ")))
