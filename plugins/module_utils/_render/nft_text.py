# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A table of nftables as text for ``nft -f``, and back.

The text is that of nft 1.0.6 (Debian 12), which 1.1.3 (Debian 13) reads as well.
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
    """``expression`` is nft's, verdict included; ``comment`` tells people what the rule is for."""

    expression: str
    comment: str

    def __str__(self) -> str:
        return f'{self.expression} comment "{self.comment}"'


@dataclass(frozen=True)
class Chain:
    """``base`` is the line that hooks it: ``type filter hook input priority 0; policy accept;``.

    It is empty where other chains jump here.
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
    """Two names of 64 characters do not fit a comment: cut, they keep a digest of the whole."""
    if len(comment) > LONGEST_COMMENT:
        digest = hashlib.sha256(comment.encode()).hexdigest()[:8]
        comment = f"{comment[: LONGEST_COMMENT - 9]}~{digest}"
    return Rule(expression, comment)


def set_of(items: t.Iterable[object]) -> str:
    return "{ " + ", ".join(str(item) for item in items) + " }"


def one_of(items: t.Sequence[object]) -> str:
    """The one element, or a set of them."""
    return str(items[0]) if len(items) == 1 else set_of(items)


def render(content: Table) -> str:
    """One transaction for ``nft -f``, which makes or replaces this table and touches no other."""
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
    """Whether nft's listing of a table is, word for word, the table of a text that ``render`` made.

    nft breaks the lines of long sets. It reads back what it lists, so such a table is the one that
    the text makes. Of others this tells nothing: some rules are listed otherwise than written.
    """
    _transaction, _end, body = text.partition("\ndelete table inet ")
    # In 1.1.3 the code has no name.
    named = listing.replace(" icmp code 4 ", " icmp code frag-needed ")
    return named.split() == body.partition("\n")[2].split()
