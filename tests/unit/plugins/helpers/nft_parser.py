# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parser of rendered nftables tables. A parsed table proves that no text breaks out of it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import SyntaxFault
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_text import (
    Chain,
    NftSet,
    Rule,
    SetElement,
    Table,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import MANAGED

_TABLE = re.compile(r"table inet (\S+) \{")
_CHAIN = re.compile(r"\tchain (\S+) \{")
_BASE = re.compile(r"\t\t(type .+;)")
_SET = re.compile(r"\tset (\S+) \{")
_TYPEOF = re.compile(r"\t\ttypeof (.+)")
_ELEMENT = re.compile(
    r"(?:\t\telements = \{ |\t\t\t     )"
    r'([^ ,]+(?: \. [^ ,]+)*)( counter)?(?: comment "([^"]*)")?( \}|,)'
)
_RULE = re.compile(r'\t\t(.+) comment "([^"]*)"')


def parse(text: str) -> Table:
    """Return the table of a text that ``render`` made. Raise SyntaxFault for any other text."""
    lines = text.splitlines()
    opening = _TABLE.fullmatch(lines[3]) if len(lines) > 4 else None
    if opening is None:
        raise SyntaxFault(4, "the table is missing")
    name = opening.group(1)
    frame = [MANAGED, f"table inet {name}", f"delete table inet {name}"]
    if lines[:3] != frame or lines[-1] != "}":
        raise SyntaxFault(1, f"the text does not replace exactly the table {name}")
    rest = lines[4:-1]
    sets = tuple(_parse_sets(rest))
    first = 5 + len(lines[4:-1]) - len(rest)
    return Table(name, tuple(_parse_chains(rest, first=first)), sets)


def _parse_sets(lines: list[str]) -> t.Iterator[NftSet]:
    """Take the sets from the beginning of the lines, and yield them."""
    while lines and (opening := _SET.fullmatch(lines[0])):
        typeof = _TYPEOF.fullmatch(lines[1])
        if typeof is None:
            raise SyntaxFault(5, "the type of a set is expected")
        del lines[:2]
        interval = lines[0] == "\t\tflags interval"
        del lines[:interval]
        counted = lines[0] == "\t\tcounter"
        del lines[:counted]
        elements = tuple(_parse_elements(lines, counted=counted))
        if lines.pop(0) != "\t}":
            raise SyntaxFault(5, f"set {opening[1]} does not end")
        yield NftSet(opening[1], typeof[1], elements, interval, counted)


def _parse_elements(lines: list[str], *, counted: bool) -> t.Iterator[SetElement]:
    end = ""
    while end != " }":
        match = _ELEMENT.fullmatch(lines.pop(0))
        if match is None or bool(match[2]) is not counted:
            raise SyntaxFault(5, "an element is expected")
        yield SetElement(match[1], match[3] or "")
        end = match[4]


def _parse_chains(lines: t.Sequence[str], *, first: int) -> t.Iterator[Chain]:
    """Yield the chains. ``first`` is the number of the first line, for error messages."""
    position = 0
    while position < len(lines):
        chain = _CHAIN.fullmatch(lines[position])
        base = _BASE.fullmatch(lines[position + 1]) if position + 1 < len(lines) else None
        if chain is None:
            raise SyntaxFault(first + position, "a chain is expected")
        position += 2 if base else 1
        rules = []
        while position < len(lines) and lines[position] != "\t}":
            rule = _RULE.fullmatch(lines[position])
            if rule is None:
                raise SyntaxFault(first + position, "a rule with its comment is expected")
            rules.append(Rule(rule.group(1), rule.group(2)))
            position += 1
        if position == len(lines):
            raise SyntaxFault(first + position, f"chain {chain.group(1)} does not end")
        position += 1
        yield Chain(chain.group(1), base.group(1) if base else "", tuple(rules))
