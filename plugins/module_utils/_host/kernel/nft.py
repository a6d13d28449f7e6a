# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""nftables as the kernel has it, through ``nft``. Only ``load`` changes the rules of the host."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from ..command import Run, json_output, output

# The output of `nft -s -j list`: {"table": ...}, {"chain": ...}, {"rule": ...}, in that order.
Ruleset = tuple[dict[str, t.Any], ...]
# Family, table and name of a chain.
_Place = tuple[str, str, str]

OWN_TABLES = "tunnelwright-"

# The text comes by standard input, so that nothing of it is ever a shell's to read.
_TRIAL = ("unshare", "--net", "sh", "-c")
_ALL = "nft -f - && nft -s -j list ruleset"
# The output in one piece, because nft prints line by line. Protocols are numbers, in the form in
# which they are written, and in which they are listed without /etc/protocols.
_LISTED = 'listed=$(nft -s -p list table inet "$1") && printf "%s\\n" "$listed"'
# The names together with the listing, because nft 1.0.6 reads all rules even for the names.
_NAMES_AND_TABLE = (
    'nft list tables & listed=$(nft -s -p list table inet "$1" 2>/dev/null); '
    'wait $! && printf "%s\\n" "$listed"'
)

_LIST, _TRY = "list the nftables rules", "try the nftables rules"

_VERSION = re.compile(r"nftables v(\S+)")
_WITH_JSON = re.compile(r"^\s*json:\s*yes$", re.MULTILINE)

_IPTABLES_TABLES = ("raw", "mangle", "nat", "filter", "security")
_IPTABLES_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


@dataclass(frozen=True)
class BaseChain:
    """An unmanaged base chain. ``drops`` is true if it drops packets that no rule accepts."""

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
        """Return whether the table belongs to iptables-nft, which cannot show it with our rules."""
        return (
            self.family in ("ip", "ip6")
            and self.table in _IPTABLES_TABLES
            and self.chain in _IPTABLES_CHAINS
        )


class Nft:
    """The rulesets of the host. Unmanaged rules are listed once and kept until ``forget``.

    A table of the collection is compared as text. As JSON, the rules of a thousand tunnels take
    most of a second to list and read.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tables: tuple[tuple[str, str], ...] | None = None
        self._foreign: Ruleset | None = None

    def features(self) -> dict[str, t.Any]:
        """Return the version of nft, and whether it was built with ``json``."""
        printed = output(self._run, "get the version of nft", ["nft", "-V"])
        version = _VERSION.match(printed)
        if version is None:
            raise HostError("get the version of nft", f"nft printed {printed[:200]!r}")
        return {"version": version[1], "json": _WITH_JSON.search(printed) is not None}

    def forget(self) -> None:
        """Drop the kept listing, because rules are about to change."""
        self._tables = self._foreign = None

    def table(self, name: str) -> str:
        """Return the live table ``inet <name>`` as nft lists it, or an empty text without one."""
        printed = output(self._run, _LIST, ["sh", "-c", _NAMES_AND_TABLE, "sh", name])
        names, opening, content = printed.partition(f"table inet {name} {{\n")
        self._tables = _tables(names)
        if not opening and ("inet", name) in self._tables:
            raise HostError(_LIST, f"nft does not list table inet {name}")
        return opening + content

    def load(self, purpose: str, text: str) -> None:
        """Load a transaction. ``purpose`` is for the error: ``could not <purpose>``."""
        self.forget()
        output(self._run, purpose, ["nft", "--file", "-"], text)

    def expected_table(self, text: str, name: str) -> str:
        """Return the listing of a text that is loaded in an empty network namespace.

        Raises HostError if nft refuses the text.
        """
        return output(self._run, _TRY, [*_TRIAL, f"nft -f - && {_LISTED}", "sh", name], text)

    def expected(self, text: str) -> Ruleset:
        """Return everything that the kernel has after it has loaded a text."""
        return normalised(json_output(self._run, _TRY, [*_TRIAL, _ALL], text))

    def own_rules_by_chain(self, prefix: str) -> dict[str, Ruleset]:
        """Return the rules with a comment that begins with ``prefix``, by chain."""
        found: dict[str, list[dict[str, t.Any]]] = {}
        for rule in _of_kind(self.foreign(), "rule"):
            if rule.get("comment", "").startswith(prefix):
                chain = f"{rule['family']} {rule['table']} {rule['chain']}"
                found.setdefault(chain, []).append({"rule": rule})
        return {chain: tuple(rules) for chain, rules in found.items()}

    def foreign_chains(self) -> tuple[BaseChain, ...]:
        """Return every base chain in an unmanaged table."""
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
        """Return everything that is live in unmanaged tables."""
        if self._foreign is None:
            self._foreign = tuple(
                entry
                for family, name in self.tables()
                if not name.startswith(OWN_TABLES)
                for entry in self._listed("-s", "-t", "-j", "list", "table", family, name)
            )
        return self._foreign

    def tables(self) -> tuple[tuple[str, str], ...]:
        """Return family and name of each table."""
        if self._tables is None:
            self._tables = _tables(output(self._run, _LIST, ["nft", "list", "tables"]))
        return self._tables

    def _listed(self, *words: str) -> Ruleset:
        return normalised(json_output(self._run, _LIST, ["nft", *words]))


def _tables(listed: str) -> tuple[tuple[str, str], ...]:
    """Return family and name of tables from lines such as ``table inet filter``."""
    found = [line.split() for line in listed.splitlines() if line]
    if any(len(words) != 3 or words[0] != "table" for words in found):
        raise HostError(_LIST, f"nft printed an unknown form of output: {listed[:200]}")
    return tuple((family, name) for _table, family, name in found)


def rules_in(ruleset: Ruleset, family: str, table: str, chain: str) -> Ruleset:
    """Return the entries of the rules of one chain."""
    place = (family, table, chain)
    return tuple({"rule": rule} for rule in _of_kind(ruleset, "rule") if _place(rule) == place)


def _place(rule: dict[str, t.Any]) -> _Place:
    return rule["family"], rule["table"], rule["chain"]


def normalised(listed: t.Any) -> Ruleset:
    """Return the JSON of nft without version, handles and counters."""
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
    """Return whether the last rule drops every packet, itself or in a chain that it jumps to."""
    statements = last[place]["expr"] if place in last else []
    acts = [item for item in statements if not {"counter", "log"} & item.keys()]
    if len(acts) != 1:
        return False
    if {"drop", "reject"} & acts[0].keys():
        return True
    goes_to = acts[0].get("jump") or acts[0].get("goto")
    # nft refuses chains that jump in circles, so this ends.
    return bool(goes_to) and _ends_in_drop(last, (*place[:2], goes_to["target"]))
