# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""nftables as the kernel has it, read through ``nft -j``. Nothing here changes the host's rules."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from ..command import Run, json_output, output

# What `nft -s -j list` holds: {"table": {...}}, {"chain": {...}}, {"rule": {...}}, in that order.
Ruleset = tuple[dict[str, t.Any], ...]
# Family, table and name of a chain.
_Place = tuple[str, str, str]

OWN_TABLES = "tunnelwright-"

# The text comes by standard input, so that nothing of it is ever a shell's to read.
_TRIAL = ("unshare", "--net", "sh", "-c")
_ALL = "nft -f - && nft -s -j list ruleset"
# In one piece: nft prints line by line. Protocols as numbers, as they are written, and as they are
# listed anyway where /etc/protocols is missing.
_LISTED = 'listed=$(nft -s -p list table inet "$1") && printf "%s\\n" "$listed"'
# The names beside the listing: for them alone nft 1.0.6 reads all rules, too.
_NAMES_AND_TABLE = (
    'nft list tables & listed=$(nft -s -p list table inet "$1" 2>/dev/null); '
    'wait $! && printf "%s\\n" "$listed"'
)

_LIST, _TRY = "list the nftables rules", "try the nftables rules"

_IPTABLES_TABLES = ("raw", "mangle", "nat", "filter", "security")
_IPTABLES_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


@dataclass(frozen=True)
class BaseChain:
    """A base chain of somebody else. It ``drops`` if what none of its rules takes is dropped."""

    family: str
    table: str
    chain: str
    hook: str
    policy: str
    drops: bool

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.chain}"

    @property
    def iptables(self) -> bool:
        """Whether iptables-nft takes it for its own: it can't show a table that holds our rules."""
        return (
            self.family in ("ip", "ip6")
            and self.table in _IPTABLES_TABLES
            and self.chain in _IPTABLES_CHAINS
        )


class Nft:
    """The rules of others are listed once and kept, until ``forget``: a run looks, then acts.

    A table of ours is compared as text, which is all that is asked of it: as JSON, the rules of a
    thousand tunnels take most of a second to list and to read.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tables: tuple[tuple[str, str], ...] | None = None
        self._foreign: Ruleset | None = None

    def forget(self) -> None:
        """Rules are about to change."""
        self._tables = self._foreign = None

    def table(self, name: str) -> str:
        """The live table ``inet <name>`` as nft lists it; empty where there is none."""
        printed = output(self._run, _LIST, ["sh", "-c", _NAMES_AND_TABLE, "sh", name])
        names, opening, content = printed.partition(f"table inet {name} {{\n")
        self._tables = _tables(names)
        if not opening and ("inet", name) in self._tables:
            raise HostError(_LIST, f"nft does not list table inet {name}")
        return opening + content

    def expected_table(self, text: str, name: str) -> str:
        """The same of what the kernel makes of a text, seen in a network namespace of its own.

        Raises HostError where nft refuses the text.
        """
        return output(self._run, _TRY, [*_TRIAL, f"nft -f - && {_LISTED}", "sh", name], text)

    def expected(self, text: str) -> Ruleset:
        """All that the kernel makes of a text."""
        return normalised(json_output(self._run, _TRY, [*_TRIAL, _ALL], text))

    def own_rules_by_chain(self, prefix: str) -> dict[str, Ruleset]:
        """The rules whose comment begins with ``prefix``, by chain (``inet filter input``)."""
        found: dict[str, list[dict[str, t.Any]]] = {}
        for rule in _of_kind(self.foreign(), "rule"):
            if rule.get("comment", "").startswith(prefix):
                chain = f"{rule['family']} {rule['table']} {rule['chain']}"
                found.setdefault(chain, []).append({"rule": rule})
        return {chain: tuple(rules) for chain, rules in found.items()}

    def foreign_chains(self) -> tuple[BaseChain, ...]:
        """Every base chain in a table that is not of this collection."""
        ruleset = self.foreign()
        last = {_place(rule): rule for rule in _of_kind(ruleset, "rule")}
        return tuple(
            BaseChain(
                chain["family"],
                chain["table"],
                chain["name"],
                chain["hook"],
                chain["policy"],
                chain["policy"] == "drop"
                or _ends_in_drop(last, (chain["family"], chain["table"], chain["name"])),
            )
            for chain in _of_kind(ruleset, "chain")
            if "hook" in chain and "policy" in chain
        )

    def foreign(self) -> Ruleset:
        """All that is live in tables that are not of this collection."""
        if self._foreign is None:
            self._foreign = tuple(
                entry
                for family, name in self.tables()
                if not name.startswith(OWN_TABLES)
                for entry in self._listed("-s", "-t", "-j", "list", "table", family, name)
            )
        return self._foreign

    def tables(self) -> tuple[tuple[str, str], ...]:
        """Family and name of each."""
        if self._tables is None:
            self._tables = _tables(output(self._run, _LIST, ["nft", "list", "tables"]))
        return self._tables

    def _listed(self, *words: str) -> Ruleset:
        return normalised(json_output(self._run, _LIST, ["nft", *words]))


def _tables(listed: str) -> tuple[tuple[str, str], ...]:
    """Of lines such as ``table inet filter``."""
    found = [line.split() for line in listed.splitlines() if line]
    if any(len(words) != 3 or words[0] != "table" for words in found):
        raise HostError(_LIST, f"nft printed an unknown form of output: {listed[:200]}")
    return tuple((family, name) for _table, family, name in found)


def rules_in(ruleset: Ruleset, family: str, table: str, chain: str) -> Ruleset:
    """The entries of the rules of one chain."""
    place = (family, table, chain)
    return tuple({"rule": rule} for rule in _of_kind(ruleset, "rule") if _place(rule) == place)


def _place(rule: dict[str, t.Any]) -> _Place:
    return rule["family"], rule["table"], rule["chain"]


def normalised(listed: t.Any) -> Ruleset:
    """nft's JSON without what differs between two equal rulesets: version, handles, counts."""
    try:
        return tuple(
            {kind: _plain(item) for kind, item in entry.items()}
            for entry in listed["nftables"]
            if "metainfo" not in entry
        )
    except (KeyError, TypeError, AttributeError):
        why = f"nft printed an unknown form of output: {str(listed)[:200]}"
        raise HostError(_LIST, why) from None


def _plain(item: t.Any) -> t.Any:
    if isinstance(item, dict):
        return {
            key: None if key == "counter" else _plain(value)
            for key, value in item.items()
            if key != "handle"
        }
    if isinstance(item, list):
        return [_plain(element) for element in item]
    return item


def _of_kind(ruleset: Ruleset, kind: str) -> t.Iterator[dict[str, t.Any]]:
    return (entry[kind] for entry in ruleset if kind in entry)


def _ends_in_drop(last: t.Mapping[_Place, dict[str, t.Any]], place: _Place) -> bool:
    """Whether the last rule drops whatever reaches it, itself or in the chain that it goes to."""
    statements = last[place]["expr"] if place in last else []
    acts = [item for item in statements if not {"counter", "log"} & item.keys()]
    if len(acts) != 1:
        return False
    if {"drop", "reject"} & acts[0].keys():
        return True
    goes_to = acts[0].get("jump") or acts[0].get("goto")
    # nft refuses chains that jump in circles, so this ends.
    return bool(goes_to) and _ends_in_drop(last, (*place[:2], goes_to["target"]))
