# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A block against cleartext, in the words of ``ip``: a policy, a route or a routing rule."""

from __future__ import annotations

from dataclasses import dataclass

from .routes import PROTOCOL

# By kind. The priorities of charon are between 10,000 and 400,000: a pass comes before these, and
# the other two are the last of all.
PRIORITIES = {"block": 4294967295, "allow": 4294967294, "pass": 116}
# The kernel holds two policies with the same selectors only if their marks differ. charon sets no
# mark. This one matches every packet whose mark has the highest bit clear.
UNBLOCKED = "0x80000000"
_MARK = ("mark", "0", "mask", UNBLOCKED)
# The routing table of the blocks, which is looked up after the table of charon.
TABLE = "116"

# The tables of charon and of the host.
CHARON_TABLE, MAIN = "220", "main"
# By table, and whether routes are left out, any source is meant, and there is a destination. The
# rule of charon has priority 220. ``ip`` would delete a rule for some source in the place of one
# for any source, so that these two have different priorities.
RULE_PRIORITIES = {
    (MAIN, False, True, True): 210,
    (CHARON_TABLE, False, False, False): 211,
    (TABLE, False, False, False): 212,
    (MAIN, True, True, True): 213,
    (MAIN, True, True, False): 213,
    (CHARON_TABLE, True, True, False): 214,
    (MAIN, False, True, False): 215,
    (TABLE, False, True, False): 231,
}

# The greatest metric that there is.
LAST_METRIC = 4294967295

EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}

POLICIES, ROUTES = tuple(PRIORITIES), ("unreachable", "throw", "last resort")


@dataclass(frozen=True, order=True)
class Block:
    """A policy (block, allow or pass), a route (unreachable, throw or last resort), or a rule.

    A pass keeps packets out of the tunnels of charon. An allow is for packets without a tunnel.
    A rule is a routing rule. It has ``table`` looked up, without the routes whose prefix has the
    length ``suppress`` or less.

    A route of last resort lies in the main table, and gives way to any other. Networks are in CIDR
    form, and empty if the kind has none. ``direction`` of a policy is out, fwd or in. ``service``
    has the words of ``ip xfrm policy`` for the traffic of a policy, such as ``proto 6 dport 443``;
    none for all traffic.
    """

    kind: str
    source: str = ""
    destination: str = ""
    direction: str = ""
    service: tuple[str, ...] = ()
    table: str = ""
    suppress: int = -1

    def __str__(self) -> str:
        if self.kind == "rule":
            return f"routing rule {self.listed}"
        if self.kind in ROUTES:
            return f"{self.kind} route to {self.destination}"
        what = " ".join((self.source, "to", self.destination, *self.service))
        return f"{self.kind} policy {self.direction} {what}"

    @property
    def version(self) -> int:
        return 6 if ":" in (self.source or self.destination) else 4

    @property
    def selector(self) -> tuple[str, ...]:
        """Return the words of ``ip xfrm policy`` that name a policy."""
        ends = ("src", self.source, "dst", self.destination)
        return (*ends, *self.service, "dir", self.direction)

    @property
    def priority(self) -> str:
        return str(PRIORITIES[self.kind])

    @property
    def action(self) -> str:
        """Return the action of the kernel when a policy matches."""
        return "block" if self.kind == "block" else "allow"

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of ``ip`` that make the block. All but a rule can be repeated."""
        if self.kind == "rule":
            return ("rule", "add", *self._rule)
        if self.kind in ROUTES:
            return ("route", "replace", *self._route)
        action = ("priority", self.priority, "action", self.action)
        return ("xfrm", "policy", "update", *self.selector, *_MARK, *action)

    @property
    def words_to_delete(self) -> tuple[str, ...]:
        """Return the words of ``ip`` that delete the block.

        For a policy, they also delete each block within its networks, because ``ip`` deletes no
        single policy that has such a mark.
        """
        if self.kind == "rule":
            return ("rule", "delete", *self._rule)
        if self.kind in ROUTES:
            return ("route", "delete", *self._route)
        action = ("action", self.action, "priority", self.priority)
        return ("xfrm", "policy", "deleteall", *self.selector, *action)

    @property
    def listed(self) -> str:
        """Return the text of a rule in ``ip rule list``, which shows a host without its length."""
        source, to = (
            end.removesuffix("/32").removesuffix("/128") for end in (self.source, self.destination)
        )
        ends = ["from", "all" if self._from_any else source, *(["to", to] if to else [])]
        return " ".join((*ends, *self._lookup))

    @property
    def rule_priority(self) -> int:
        return RULE_PRIORITIES[
            self.table, self.suppress >= 0, self._from_any, bool(self.destination)
        ]

    @property
    def _from_any(self) -> bool:
        return self.source in EVERYTHING.values()

    @property
    def _rule(self) -> tuple[str, ...]:
        to = ("to", self.destination) if self.destination else ()
        marks = ("priority", str(self.rule_priority), "protocol", str(PROTOCOL))
        return ("from", self.source, *to, *self._lookup, *marks)

    @property
    def _lookup(self) -> tuple[str, ...]:
        left_out = ("suppress_prefixlength", str(self.suppress)) if self.suppress >= 0 else ()
        return ("lookup", self.table, *left_out)

    @property
    def _route(self) -> tuple[str, ...]:
        marks = ("proto", str(PROTOCOL))
        if self.kind == "last resort":
            return ("unreachable", self.destination, "metric", str(LAST_METRIC), *marks)
        return (self.kind, self.destination, "table", TABLE, *marks)
