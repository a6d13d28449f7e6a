# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A table of nftables as text for ``nft -f``.

The text has the grammar of nft 1.0.6 (Debian 12). nft 1.1.3 (Debian 13) reads it as well.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from .records import MANAGED

# NFTNL_UDATA_COMMENT_MAXLEN: nft refuses a longer one.
LONGEST_COMMENT = 128


@dataclass(frozen=True)
class Rule:
    """A rule: ``expression`` with its verdict, and ``comment`` with its purpose for people."""

    expression: str
    comment: str

    def __str__(self) -> str:
        return f'{self.expression} comment "{self.comment}"'


@dataclass(frozen=True)
class Chain:
    """A chain. ``base`` is its hook: ``type filter hook input priority 0; policy accept;``.

    ``base`` is empty for a chain that other chains jump to.
    """

    name: str
    base: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class SetElement:
    """An element of a set: its key, and the tunnel for which it is there. Peers have no comment."""

    key: str
    comment: str = ""

    def text(self, *, counted: bool) -> str:
        """Return the element as nft lists it."""
        counter = " counter" if counted else ""
        comment = f' comment "{self.comment}"' if self.comment else ""
        return f"{self.key}{counter}{comment}"


@dataclass(frozen=True)
class NftSet:
    """A set whose elements do not overlap. ``typeof`` is the part of a packet that is looked up.

    ``counted`` gives each element a counter of the packets that a lookup has found.
    """

    name: str
    typeof: str
    elements: tuple[SetElement, ...]
    interval: bool = True
    counted: bool = False

    @property
    def version(self) -> int:
        """Return the IP version of the addresses."""
        return 6 if self.typeof.startswith("ip6 ") else 4

    @property
    def lookup(self) -> str:
        """Return the match of a packet by the set, for rules of the same table."""
        return f"{self.typeof} @{self.name}"

    @property
    def inline(self) -> str:
        """Return the same match for a rule of another table, with the elements in the rule."""
        return f"{self.typeof} {set_of(element.key for element in self.elements)}"

    def lines(self) -> list[str]:
        """Return the set as nft lists it, with one element in a line."""
        flags = ["\t\tflags interval"] * self.interval + ["\t\tcounter"] * self.counted
        texts = [element.text(counted=self.counted) for element in self.elements]
        elements = ",\n\t\t\t     ".join(texts)
        return [
            f"\tset {self.name} {{",
            f"\t\ttypeof {self.typeof}",
            *flags,
            f"\t\telements = {{ {elements} }}",
            "\t}",
        ]


@dataclass(frozen=True)
class Table:
    """A table of family inet."""

    name: str
    chains: tuple[Chain, ...]
    sets: tuple[NftSet, ...] = ()


def base(kind: str, hook: str, priority: str) -> str:
    return f"type {kind} hook {hook} priority {priority}; policy accept;"


def rule_with_comment(expression: str, comment: str) -> Rule:
    """Return a rule, with a comment that is cut if it is too long.

    Two names of 64 characters do not fit a comment.
    """
    return Rule(expression, shortened(comment))


def shortened(comment: str) -> str:
    """Return a comment that nft takes. The end of a longer comment is a digest of the whole."""
    if len(comment) <= LONGEST_COMMENT:
        return comment
    digest = hashlib.sha256(comment.encode()).hexdigest()[:8]
    return f"{comment[: LONGEST_COMMENT - 9]}~{digest}"


def set_of(items: t.Iterable[object]) -> str:
    return "{ " + ", ".join(str(item) for item in items) + " }"


def one_of(items: t.Sequence[object]) -> str:
    """Return the one element, or a set of the elements."""
    return str(items[0]) if len(items) == 1 else set_of(items)


def render(content: Table) -> str:
    """Render one transaction for ``nft -f`` that makes or replaces this table alone."""
    lines = [
        MANAGED,
        f"table inet {content.name}",
        f"delete table inet {content.name}",
        f"table inet {content.name} {{",
    ]
    for item in content.sets:
        lines += item.lines()
    for chain in content.chains:
        lines += [f"\tchain {chain.name} {{", *([f"\t\t{chain.base}"] if chain.base else [])]
        lines += [f"\t\t{rule}" for rule in chain.rules]
        lines += ["\t}"]
    lines.append("}")
    return "".join(f"{line}\n" for line in lines)


def body(text: str) -> str:
    """Return the table in a transaction of ``render``, as nft lists it."""
    _transaction, _end, rest = text.partition("\ndelete table inet ")
    return rest.partition("\n")[2]
