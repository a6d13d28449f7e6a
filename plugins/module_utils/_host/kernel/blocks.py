# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The policies and routes that block cleartext, through iproute2."""

from __future__ import annotations

import ipaddress
import re
import socket
import typing as t

from ..._errors import HostError
from ..._model.selector import PROTOCOLS
from ..._render.blocks import (
    EVERYTHING,
    POLICIES,
    PRIORITIES,
    ROUTES,
    RULE_PRIORITIES,
    TABLE,
    Block,
)
from ..._render.routes import PROTOCOL
from ..command import Run, json_output, last_words, output

# A policy as ``ip xfrm policy list`` shows it. Only ours have one of these priorities.
_POLICY = re.compile(
    r"^src (\S+) dst (\S+)((?: (?:proto \S+|[sd]port \d+|type \d+))*) *\n"
    rf"\tdir (in|fwd|out) .*\bpriority ({'|'.join(map(str, PRIORITIES.values()))}) ",
    re.MULTILINE,
)
_KINDS = {str(priority): kind for kind, priority in PRIORITIES.items()}


# How ``ip`` names the line of a command that failed.
_FAILED_LINE = re.compile(r"^Command failed .*:(\d+)$", re.MULTILINE)


def _by_version(blocks: t.Sequence[Block]) -> t.Iterator[list[Block]]:
    for version in (4, 6):
        group = [block for block in blocks if block.version == version]
        if group:
            yield group


def _to_delete(blocks: t.Sequence[Block]) -> t.Iterator[list[Block]]:
    """Yield the blocks that one batch deletes.

    ``ip`` keeps the selectors of a policy that it deletes for the next command of a batch.
    """
    yield from _by_version([block for block in blocks if block.kind not in POLICIES])
    for block in blocks:
        if block.kind in POLICIES:
            yield [block]


def _failed(failure: str) -> int:
    """Return the place of the first command that failed."""
    found = _FAILED_LINE.search(failure)
    return int(found[1]) - 1 if found else 0


def _reason(failure: str, status: int) -> str:
    return last_words(_FAILED_LINE.sub("", failure), status)


class Blocks:
    def __init__(self, run: Run) -> None:
        self._run = run

    def present(self) -> frozenset[Block]:
        """Return the blocks of the host, of all networks."""
        return frozenset((*self._policies(), *self._routes(), *self._rules()))

    def add(self, blocks: t.Iterable[Block]) -> None:
        """Add blocks, and keep blocks that exist already."""
        known = self.present()
        missing = [block for block in blocks if block not in known]
        for group in _by_version(missing):
            status, failure = self._batch(group, [block.words for block in group])
            if status != 0:
                raise HostError(f"add the {group[_failed(failure)]}", _reason(failure, status))

    def delete(self, blocks: t.Sequence[Block], kept: t.Sequence[Block]) -> None:
        """Delete ``blocks``. A block of ``kept`` that goes with one of them is added again."""
        left = list(blocks)
        for kind in POLICIES:
            # One command for all of them, instead of one for each.
            if not any(block.kind == kind for block in kept):
                first = next((item for item in left if item.kind == kind), None)
                left = [block for block in left if block.kind != kind]
                if first:
                    argv = ["ip", "xfrm", "policy", "deleteall", "action", first.action]
                    what = "delete the policies against cleartext"
                    output(self._run, what, [*argv, "priority", first.priority])
        for group in _to_delete(left):
            words = [block.words_to_delete for block in group]
            status, failure = self._batch(group, words, "-force")
            # A block that another program has deleted meanwhile is gone.
            remaining = self.present().intersection(group) if status != 0 else ()
            if remaining:
                raise HostError(f"delete the {min(remaining)}", _reason(failure, status))
        self.add(item for item in kept if any(_takes_along(block, item) for block in left))

    def _batch(
        self, blocks: t.Sequence[Block], commands: t.Sequence[t.Sequence[str]], *options: str
    ) -> tuple[int, str]:
        """Run the commands of blocks of one IP version. Return the status and what ``ip`` says."""
        lines = "".join(f"{' '.join(words)}\n" for words in commands)
        argv = ["ip", f"-{blocks[0].version}", *options, "-batch", "-"]
        status, printed, errors = self._run(argv, lines)
        return status, errors or printed

    def _policies(self) -> t.Iterator[Block]:
        status, listed, _errors = self._run(["ip", "xfrm", "policy", "list", "nosock"], "")
        if status != 0:
            # A kernel without IPsec has none; a failure for another reason shows when one is added.
            return
        for source, destination, service, direction, priority in _POLICY.findall(listed):
            yield Block(
                _KINDS[priority], source, destination, direction, tuple(_words(service.split()))
            )

    def _routes(self) -> t.Iterator[Block]:
        for version, everything in EVERYTHING.items():
            argv = ["ip", "-j", f"-{version}", "route", "show"]
            argv += ["table", "all", "proto", str(PROTOCOL)]
            for item in json_output(self._run, "list the routes against cleartext", argv):
                kind, table = item.get("type", "unicast"), item.get("table", "main")
                if (kind, table) == ("unreachable", "main"):
                    kind, table = "last resort", TABLE
                if table == TABLE and kind in ROUTES:
                    target = everything if item["dst"] == "default" else item["dst"]
                    yield Block(kind, destination=_network(target))

    def _rules(self) -> t.Iterator[Block]:
        for version, everything in EVERYTHING.items():
            argv = ["ip", "-j", f"-{version}", "rule", "list"]
            for item in json_output(self._run, "list the routing rules", argv):
                table = str(item.get("table"))
                suppress = int(item.get("suppress_prefixlen", -1))
                source, to = _end(item, "src") or everything, _end(item, "dst")
                place = table, suppress >= 0, source == everything, bool(to)
                if item.get("priority") == RULE_PRIORITIES.get(place):
                    yield Block("rule", source, to, table=table, suppress=suppress)


def _words(listed: t.Sequence[str]) -> t.Iterator[str]:
    """Yield the words of a service, with the number of a protocol that is listed by name."""
    for before, word in zip(("", *listed), listed):
        if before != "proto" or word.isdigit():
            yield word
        else:
            yield str(PROTOCOLS.get(word) or socket.getprotobyname(word))


def _end(rule: t.Mapping[str, t.Any], end: str) -> str:
    """Return the source or destination of a routing rule in CIDR form, or an empty text."""
    address, length = rule.get(end, "all"), rule.get(f"{end}len")
    if address == "all":
        return ""
    return _network(f"{address}/{length}" if length is not None else address)


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _takes_along(deleted: Block, other: Block) -> bool:
    """Return whether ``ip`` deletes one policy together with another, by their networks."""
    if deleted.kind not in POLICIES or deleted.kind != other.kind:
        return False
    if (deleted.direction, deleted.version) != (other.direction, other.version):
        return False
    return _within(other.source, deleted.source) and _within(other.destination, deleted.destination)


def _within(inner: str, outer: str) -> bool:
    one, other = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    return other.prefixlen <= one.prefixlen and one.network_address in other
