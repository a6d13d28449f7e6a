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
class Table:
    """A table of family inet."""

    name: str
    chains: tuple[Chain, ...]


def base(kind: str, hook: str, priority: str) -> str:
    return f"type {kind} hook {hook} priority {priority}; policy accept;"


def rule_with_comment(expression: str, comment: str) -> Rule:
    """Return a rule. A comment that is too long is cut, and ends in a digest of the whole.

    Two names of 64 characters do not fit a comment.
    """
    if len(comment) > LONGEST_COMMENT:
        digest = hashlib.sha256(comment.encode()).hexdigest()[:8]
        comment = f"{comment[: LONGEST_COMMENT - 9]}~{digest}"
    return Rule(expression, comment)


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
    for chain in content.chains:
        lines += [f"\tchain {chain.name} {{", *([f"\t\t{chain.base}"] if chain.base else [])]
        lines += [f"\t\t{rule}" for rule in chain.rules]
        lines += ["\t}"]
    lines.append("}")
    return "".join(f"{line}\n" for line in lines)


def is_listed(listing: str, text: str) -> bool:
    """Return whether nft lists a table word for word as ``render`` wrote it.

    nft breaks the lines of long sets, and reads back its own listing. So the text makes such a
    table. Other listings prove nothing, because nft lists some rules in other words.
    """
    _transaction, _end, body = text.partition("\ndelete table inet ")
    # nft 1.1.3 lists the number of the code.
    named = listing.replace(" icmp code 4 ", " icmp code frag-needed ")
    return named.split() == body.partition("\n")[2].split()
