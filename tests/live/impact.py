# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reported and the observed impact of a change on SAs that are up."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.tests.live.host import Event, Run, Sas

# The impacts that an observer can distinguish, from harmless to worst.
UNTOUCHED, CHILD, IKE = SEEN = ("untouched", "child", "ike")


@dataclass(frozen=True)
class Impact:
    """One of ``SEEN`` for each SA that was up before (``site-b``, ``site-b/net``)."""

    per_sa: t.Mapping[str, str]

    @property
    def worst(self) -> str:
        return max(self.per_sa.values(), key=SEEN.index, default=UNTOUCHED)

    def __str__(self) -> str:
        touched = {name: what for name, what in self.per_sa.items() if what != UNTOUCHED}
        return ", ".join(f"{name}: {what}" for name, what in sorted(touched.items())) or UNTOUCHED


def seen(before: Sas, after: Sas, events: t.Sequence[Event]) -> Impact:
    """Return the observed impact, from the SAs before and after a change and all events between.

    A closed IKE SA closes its Child SAs. A replaced SA counts as closed.
    """
    gone = closed(events)
    per_sa = {}
    for name, ids in before.ike.items():
        lost = ids - after.ike.get(name, frozenset())
        per_sa[name] = IKE if lost or name in gone else UNTOUCHED
    for name, ids in before.child.items():
        connection = name.partition("/")[0]
        lost = ids - after.child.get(name, frozenset())
        touched = CHILD if lost or name in gone else UNTOUCHED
        per_sa[name] = IKE if per_sa.get(connection) == IKE else touched
    return Impact(per_sa)


def closed(events: t.Sequence[Event]) -> frozenset[str]:
    """Return the connections and Child SAs of which an event reports a closed SA."""
    return frozenset(
        name
        for event in events
        if event["kind"] in ("ike-updown", "child-updown") and "up" not in event["message"]
        for name in named(event)
    )


def named(event: Event) -> list[str]:
    """Return the SAs that an event is about."""
    found = []
    for connection, sa in event["message"].items():
        if isinstance(sa, dict) and event["kind"].startswith("ike"):
            found.append(connection)
        elif isinstance(sa, dict):
            # A killed daemon may leave an incomplete event.
            items = sa.get("child-sas", {}).values()
            found += [f"{connection}/{item['name']}" for item in items if "name" in item]
    return found


def told(run: Run, before: Sas) -> Impact:
    """Return the impact that the result of a module reports, for each SA of ``before``."""
    effect = {"none": UNTOUCHED, "pending": UNTOUCHED, "child": CHILD, "ike": IKE}
    said = {item["sa"]: effect[item["impact"]] for item in run.result["impacts"]}
    per_sa = {}
    for name in (*before.ike, *before.child):
        connection = name.partition("/")[0]
        whole = said.get(connection, UNTOUCHED) == IKE
        per_sa[name] = IKE if whole else said.get(name, UNTOUCHED)
    return Impact(per_sa)
