# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change does to SAs that are up: what the module says of it, and what was seen."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.tests.live.host import Event, Run, Sas

# From harmless to worst, as far as it can be seen from outside.
UNTOUCHED, CHILD, IKE = SEEN = ("untouched", "child", "ike")


@dataclass(frozen=True)
class Impact:
    """Per SA that was up before (``site-b``, ``site-b/net``), one of ``SEEN``."""

    per_sa: t.Mapping[str, str]

    @property
    def worst(self) -> str:
        return max(self.per_sa.values(), key=SEEN.index, default=UNTOUCHED)

    def __str__(self) -> str:
        touched = {name: what for name, what in self.per_sa.items() if what != UNTOUCHED}
        return ", ".join(f"{name}: {what}" for name, what in sorted(touched.items())) or UNTOUCHED


def seen(before: Sas, after: Sas, events: t.Sequence[Event]) -> Impact:
    """From the SAs before and after, and every event between the two.

    An IKE SA that went took its Child SAs along. An SA that was replaced by a new one went.
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
    """The connections and Child SAs of which an event says that an SA went down."""
    return frozenset(
        name
        for event in events
        if event["kind"] in ("ike-updown", "child-updown") and "up" not in event["message"]
        for name in named(event)
    )


def named(event: Event) -> list[str]:
    """The SAs that an event is about."""
    found = []
    for connection, sa in event["message"].items():
        if isinstance(sa, dict) and event["kind"].startswith("ike"):
            found.append(connection)
        elif isinstance(sa, dict):
            # A daemon that is killed meanwhile may leave half an event.
            items = sa.get("child-sas", {}).values()
            found += [f"{connection}/{item['name']}" for item in items if "name" in item]
    return found


def told(run: Run, before: Sas) -> Impact:
    """What a result says, in full where it has ``impacts``."""
    effect = {"none": UNTOUCHED, "pending": UNTOUCHED, "child": CHILD, "ike": IKE}
    said = {item["sa"]: effect[item["impact"]] for item in run.result["impacts"]}
    per_sa = {}
    for name in (*before.ike, *before.child):
        connection = name.partition("/")[0]
        whole = said.get(connection, UNTOUCHED) == IKE
        per_sa[name] = IKE if whole else said.get(name, UNTOUCHED)
    return Impact(per_sa)
