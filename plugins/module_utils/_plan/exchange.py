# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""How a connection whose SAs are up is exchanged for a changed one.

Left to itself, charon closes what has a start action as soon as it is given something else, and
never renegotiates what has none. Both are avoided by what charon does not look at: it compares
Child SA configurations without their names, but closes SAs and removes traps by name. So the old
connection is first loaded once more with its children under other names, which is no change to
charon; the new one then replaces children that no SA is called after. What has a start action
initiates by itself and stands beside the old SA, which is closed when the new one carries traffic.

Source: src/libcharon/plugins/vici/vici_config.c (clear_start_action, run_start_action) and
src/libcharon/config/peer_cfg.c (replace_child_cfgs) of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._render.settings_file import Section
from .observed import DaemonState
from .steps import (
    HandOver,
    Initiate,
    LoadConnection,
    Step,
    TerminateChild,
    TerminateConnection,
    UninstallTrap,
    UnloadConnection,
)

GRACEFUL, REESTABLISH, DEFER = APPLY = ("graceful", "reestablish", "defer")

# What charon leaves out when it compares a connection with the one that it has.
_NOT_COMPARED = "dpd_timeout"

# No phase 2 can bear such a name.
_ASIDE = "{}.replaced"


@dataclass(frozen=True)
class Exchange:
    """One connection, loaded as ``before`` with SAs that are up, to be loaded as ``after``."""

    name: str
    before: Section
    after: Section
    daemon: DaemonState

    @property
    def installed(self) -> frozenset[str]:
        """The children that carry traffic now."""
        return self.daemon.established.get(self.name, frozenset())

    @property
    def whole(self) -> bool:
        """Whether more than children changed, so that a new IKE SA is needed."""
        return {**self.before, "children": {}} != {**self.after, "children": {}}

    @property
    def stale(self) -> tuple[str, ...]:
        """The children that carry traffic with values that are no longer those configured."""
        old, new = children(self.before), children(self.after)
        return tuple(
            name
            for name in sorted(self.installed & new.keys())
            if self.whole or old.get(name) != new[name]
        )

    @property
    def gone(self) -> tuple[str, ...]:
        return tuple(sorted(children(self.before).keys() - children(self.after).keys()))

    @property
    def initiates(self) -> bool:
        return any(child.get("start_action") != "none" for child in children(self.after).values())

    def impact(self, apply: str) -> str:
        """What becomes of the SAs that are up: replaced (or closed), or left as they are."""
        if self.stale and (apply == DEFER or (apply == GRACEFUL and not self.initiates)):
            return "child" if self._closing() else "pending"
        if self.whole and self.stale:
            return "ike"
        return "child" if self.stale or self._closing() else "none"

    def steps(self, apply: str) -> tuple[Step, ...]:
        """The old children aside, the new connection in, its SAs up, the old ones down."""
        made: list[Step] = [*self._aside()]
        if apply == REESTABLISH and self.stale:
            made += self._torn_down()
        made.append(LoadConnection(self.name, self._loaded(apply), self.before))
        if apply != DEFER:
            made += self._brought_up()
        for child in self.gone:
            made += close_child(self.name, child, self.daemon)
        made += self._untrapped()
        return tuple(made)

    def _aside(self) -> t.Iterator[Step]:
        renamed = {_ASIDE.format(name): child for name, child in children(self.before).items()}
        aside = {**self.before, "children": renamed}
        yield LoadConnection(self.name, aside, self.before, " with its children set aside")
        if would_be_dropped(self.before, self.after, self.daemon.connections.get(self.name, {})):
            yield UnloadConnection(self.name, self.before)

    def _torn_down(self) -> list[Step]:
        if self.whole:
            return [TerminateConnection(self.name)]
        return [TerminateChild(self.name, child) for child in self.stale]

    def _loaded(self, apply: str) -> Section:
        if apply != DEFER:
            return self.after
        # What starts would bring the new values up at once; the file has the start action.
        quiet = {
            name: {
                **child,
                "start_action": str(child["start_action"]).replace("trap|start", "trap"),
            }
            for name, child in children(self.after).items()
        }
        return {**self.after, "children": quiet}

    def _brought_up(self) -> list[Step]:
        if not self.stale or not self.initiates:
            return []
        made: list[Step] = [
            Initiate(self.name, name)
            for name in self.stale
            if "start" not in str(children(self.after)[name].get("start_action"))
        ]
        ids = self.daemon.child_ids.get(self.name, frozenset())
        return [*made, HandOver(self.name, self.stale, ids)]

    def _untrapped(self) -> t.Iterator[Step]:
        """Put aside, a child that is to trap no longer has kept its trap."""
        for child, section in sorted(children(self.after).items()):
            actions = f"{section.get('start_action')} {section.get('dpd_action')}"
            if "trap" not in actions and (self.name, child) in self.daemon.traps:
                yield UninstallTrap(self.name, child)

    def _closing(self) -> bool:
        return bool(self.installed.intersection(self.gone))


def children(section: Section | None) -> t.Mapping[str, Section]:
    if section is None:
        return {}
    return t.cast(t.Mapping[str, Section], section.get("children", {}))


def close_child(name: str, child: str, daemon: DaemonState) -> t.Iterator[Step]:
    """Close what is left of a child that is gone from the configuration."""
    if child in daemon.established.get(name, ()):
        yield TerminateChild(name, child)
    # A trap that DPD left is unknown to load-conn and unload-conn; one that was renamed as well.
    if (name, child) in daemon.traps:
        yield UninstallTrap(name, child)


def starting(section: Section) -> bool:
    """Whether charon initiates a child of the connection by itself."""
    return any("start" in str(child.get("start_action")) for child in children(section).values())


def would_be_dropped(before: Section | None, after: Section, loaded: t.Mapping[str, t.Any]) -> bool:
    """Whether charon would take ``after`` for what it has loaded, though it differs."""

    def compared(section: Section) -> Section:
        return {**section, "children": {}, _NOT_COMPARED: ""}

    stale = str(loaded.get(_NOT_COMPARED, "0")) != str(after.get(_NOT_COMPARED, "0"))
    return stale and (before is None or compared(before) == compared(after))
