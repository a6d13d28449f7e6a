# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""How a connection that is loaded is exchanged for a changed one.

Left to itself, charon closes what has a start action as soon as it is given something else, and
never renegotiates what has none. Both are avoided by what charon does not look at: it compares
Child SA configurations without their names, but closes SAs and removes traps by name. So the old
connection is first loaded once more with its children under other names, which is no change to
charon; the new one then replaces children that no SA is called after. What has a start action
initiates by itself and stands beside the old SA, which is closed when the new one carries traffic.

The names tell, too: a connection whose children are set aside is one that a run died over.

Source: src/libcharon/plugins/vici/vici_config.c (clear_start_action, run_start_action),
src/libcharon/config/peer_cfg.c (replace_child_cfgs) and install_route in
src/libcharon/plugins/kernel_*/kernel_*_ipsec.c of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from .._render.strongswan.section import Section
from .alike import alike, respelled, sent, would_be_dropped
from .children import bare, children, is_set_aside, quiet, quieted, starts
from .in_force import NOTHING, InForce, child_part, differing, ike_part, values
from .observed import DaemonState
from .plan import Impact, Plan
from .steps import (
    HandOver,
    Initiate,
    InstallTrap,
    SetAside,
    Step,
    Supersede,
    TerminateChild,
    TerminateConnection,
    UninstallTrap,
    UnloadConnection,
)

GRACEFUL, REESTABLISH, DEFER = APPLY = ("graceful", "reestablish", "defer")


@dataclass(frozen=True)
class Exchange:
    """One connection, loaded as ``before``, to be loaded as ``after``.

    With ``new_key``, its peers are to authenticate anew.
    """

    name: str
    before: Section
    after: Section
    daemon: DaemonState
    apply: str = GRACEFUL
    new_key: bool = False

    @property
    def installed(self) -> frozenset[str]:
        """The children that carry traffic now, under whatever name."""
        return frozenset(bare(child) for child in self.daemon.established.get(self.name, ()))

    @cached_property
    def whole(self) -> bool:
        """Whether a new IKE SA is needed: by this change, or by one that was left pending."""
        return self.new_key or bool(self._old_ikes)

    @cached_property
    def _old_ikes(self) -> frozenset[str]:
        """The IKE SAs that were made of other values."""
        wanted = ike_part(self.after)
        return frozenset(key for key, made in self.made_of.ikes.items() if made != wanted)

    @property
    def _replaced(self) -> bool:
        """Whether more than children changed."""
        return {**sent(self.before), "children": {}} != {**sent(self.after), "children": {}}

    @property
    def _abrupt(self) -> bool:
        """Whether the old SAs are closed before new ones come up.

        On an IKE SA of another identity that charon takes for the same, it makes no new one.
        """
        unseen = alike(self.before, self.after) and respelled(self.before, self.after)
        return self.apply == REESTABLISH or (unseen and self.renews)

    @cached_property
    def made_of(self) -> InForce:
        """What each SA was made of: ``before``, unless it goes on with what was before that."""
        noted = self.daemon.pending.get(self.name, NOTHING)
        names = self.daemon.child_names.get(self.name, {}).items()
        return noted.beside(self.before, self._ikes, {key: bare(name) for key, name in names})

    @property
    def _ikes(self) -> frozenset[str]:
        return self.daemon.ike_ids.get(self.name, frozenset())

    @property
    def stale(self) -> tuple[str, ...]:
        """The children that carry traffic with values that are no longer those configured."""
        old, new = children(self.before), children(self.after)
        return tuple(
            name
            for name in sorted(self.installed & new.keys())
            if self.whole or self._misnamed(name) or self._differs(name, old.get(name), new[name])
        )

    def _differs(self, name: str, old: Section | None, new: Section) -> bool:
        """Whether an SA of the child is other than one of ``new`` would be."""
        made = [part for known, part in self.made_of.children.values() if known == name]
        if not made:
            made = [child_part(old)] if old is not None else [{}]
        if starts(new):
            # charon starts what is to start, unless an SA of the very same values is up.
            return any(part != child_part(new) for part in made)
        return any(values(part) != values(child_part(new)) for part in made)

    def _misnamed(self, child: str) -> bool:
        """Whether its SA was made by the peer in the moment in which it was set aside."""
        return child not in self.daemon.established.get(self.name, ())

    @property
    def gone(self) -> tuple[str, ...]:
        return tuple(sorted(children(self.before).keys() - children(self.after).keys()))

    @property
    def renews(self) -> bool:
        """Whether new SAs are negotiated, rather than waited for."""
        return self.apply == REESTABLISH or (self.apply == GRACEFUL and self._initiates)

    @property
    def _initiates(self) -> bool:
        return any(child.get("start_action") != "none" for child in children(self.after).values())

    @property
    def set_aside(self) -> Plan:
        """The first half, which changes nothing: it stands between a run that dies and its harm."""
        steps: list[Step] = []
        loaded = self.daemon.connections.get(self.name, {})
        if not is_set_aside(loaded):
            steps.append(SetAside(self.name, self._held, self.made_of))
        if would_be_dropped(self.before, self.after, loaded):
            steps.append(UnloadConnection(self.name, self._held))
        if self._given_up:
            steps.append(TerminateConnection(self.name))
        return Plan(tuple(steps))

    @property
    def taken_up(self) -> Plan:
        """The second half: the new connection in, its SAs up, the old ones down."""
        steps: list[Step] = []
        if self._abrupt and self.stale:
            steps += self._torn_down()
        section = quiet(self.after, self._put_off)
        steps.append(Supersede(self.name, section, self._held, self.made_of))
        if self._given_up and not self.whole:
            steps += self._begun_again()
        if self.renews:
            steps += self._brought_up()
        for child in self.gone:
            steps += close_child(self.name, child, self.daemon)
        steps += self._routed()
        steps += self._untrapped()
        return Plan(tuple(steps), impacts=self.impacts)

    @property
    def impacts(self) -> tuple[Impact, ...]:
        """What becomes of the SAs that are up."""
        if self.name not in self.daemon.established:
            return (Impact(self.name, "none", "no SA of it is up"),)
        if self._given_up:
            return (Impact(self.name, "ike", "it carries no Child SA: it is closed"),)
        if self._torn_down_whole:
            return (Impact(self.name, "ike", f"{self._changed()}: {self._how('IKE SA')}"),)
        if self.whole and self.renews:
            return (Impact(self.name, "ike", f"{self._changed()}: {self._how('IKE SA')}"),)
        whole = (Impact(self.name, "pending", f"{self._changed()}: {_LATER}"),)
        listed = [self._impact_on(child) for child in sorted(self.installed)]
        if self.whole:
            # What is said of the IKE SA holds for all that stay on it.
            listed = [impact for impact in listed if impact.kind == "child"]
        return (*(whole if self.whole else ()), *listed) or (
            Impact(self.name, "none", "no Child SA of it is up"),
        )

    def _impact_on(self, child: str) -> Impact:
        sa = f"{self.name}/{child}"
        if child in self.gone:
            return Impact(sa, "child", "no longer configured: it is closed")
        if child not in self.stale:
            return Impact(sa, "none", self._kept(child))
        why = self._changed_of(child)
        if self.renews:
            return Impact(sa, "child", f"{why} changed: {self._how('Child SA')}")
        return Impact(sa, "pending", f"{why} changed: {_LATER}")

    def _kept(self, child: str) -> str:
        """Why an SA has what is configured."""
        same = children(self.before).get(child) == children(self.after)[child]
        return "not changed" if same and not self._replaced else "it was made with these values"

    def _changed_of(self, child: str) -> str:
        """What of a child is other than its SAs have it, or than charon has it loaded."""
        new = children(self.after)[child]
        made = [part for name, part in self.made_of.children.values() if name == child and part]
        sides = [(part, child_part(new)) for part in made]
        sides.append((children(self.before).get(child, {}), new))
        return ", ".join(sorted({key for old, now in sides for key in differing(old, now)}))

    def _changed(self) -> str:
        keys = ["psk"] if self.new_key else []
        if self._replaced:
            # Enough is said.
            wanted = ike_part(self.after)
            made = [part for part in self.made_of.ikes.values() if part] or [ike_part(self.before)]
            keys += sorted({key for part in made for key in differing(part, wanted)})
        else:
            keys += differing(self.before, self.after)
        earlier = self._old_ikes and not self._replaced
        return (
            f"{', '.join(keys)} changed{', and a change before it is pending' if earlier else ''}"
        )

    def _how(self, what: str) -> str:
        if self._abrupt:
            again = "then brought up again" if self._initiates else "for the peer to bring up again"
            return f"the {what} is closed, {again}"
        return f"a new {what} is brought up beside it, then it is closed"

    @property
    def _torn_down_whole(self) -> bool:
        """An IKE SA that is left without a child is closed by charon, at one change or another."""
        whole = self.whole or self.installed <= {*self.stale, *self.gone}
        return self._abrupt and bool(self.stale) and whole

    @property
    def _given_up(self) -> bool:
        """Whether an IKE SA without children is to be closed, unless children are but added.

        It is an attempt with the old values, which may go on for ever, or what is left of a tunnel,
        which charon closes at one change and not at another.
        """
        idle = self.name in self.daemon.ike_ids and not self.installed
        old, new = children(self.before), children(self.after)
        return idle and (self.whole or any(new.get(name) != old[name] for name in old))

    def _begun_again(self) -> t.Iterator[Step]:
        """What was being attempted along with what has changed; charon begins the latter itself."""
        old, new = children(self.before), children(self.after)
        for name in sorted(old.keys() & new.keys()):
            if old[name] == new[name] and starts(new[name]):
                yield Initiate(self.name, name)

    def _torn_down(self) -> list[Step]:
        if self._torn_down_whole:
            return [TerminateConnection(self.name)]
        return [TerminateChild(self.name, child) for child in self.stale]

    @property
    def _held(self) -> Section:
        """What charon holds of ``before``, which may have been loaded without its start."""
        return quiet(self.before, quieted(self.daemon.connections.get(self.name, {})))

    @property
    def _put_off(self) -> frozenset[str]:
        """The children that are not to begin with their new values while old ones are up."""
        if self.apply != DEFER:
            return frozenset()
        return frozenset(children(self.after) if self.whole and self.installed else self.stale)

    def _brought_up(self) -> t.Iterator[Step]:
        for name in self.stale:
            action = str(children(self.after)[name].get("start_action"))
            # What never initiates is the peer's to bring up again; what starts begins by itself,
            # unless charon takes it for unchanged.
            if action != "none" and ("start" not in action or self._misnamed(name)):
                yield Initiate(self.name, name)
        waited_for = tuple(
            name for name in self.stale if children(self.after)[name].get("start_action") != "none"
        )
        ids = self.daemon.child_ids.get(self.name, frozenset())
        ikes = self._ikes if self.new_key else self._old_ikes
        if waited_for or (ikes and not self.stale and self.installed):
            yield HandOver(self.name, waited_for, ids, ikes)

    def _routed(self) -> t.Iterator[Step]:
        """The routes into a remote network that go with an old policy, though others need them.

        charon has a single owner of a route, the policy that came first, and does not look for
        another one when that goes. To install a trap once more brings a route back.
        """
        old, new = children(self.before), children(self.after)
        closed = () if self._abrupt or self.apply == DEFER else self.stale
        left = [old[name] for name in (*closed, *self.gone) if name in old]
        for name, child in sorted(new.items()):
            trapped = "trap" in str(child.get("start_action"))
            if trapped and any(_lends_route(item, child) for item in left):
                yield InstallTrap(self.name, name)

    def _untrapped(self) -> t.Iterator[Step]:
        """Put aside, a child that is to trap no longer has kept its trap."""
        for child, section in sorted(children(self.after).items()):
            actions = f"{section.get('start_action')} {section.get('dpd_action')}"
            if "trap" not in actions and (self.name, child) in self.daemon.traps:
                yield UninstallTrap(self.name, child)


_LATER = "it goes on with the old values until it is established anew, which a rekeying is not"


def close_child(name: str, child: str, daemon: DaemonState) -> t.Iterator[Step]:
    """Close what is left of a child that is gone from the configuration."""
    for item in sorted(daemon.established.get(name, ())):
        if item == child or bare(item) == child:
            yield TerminateChild(name, item)
    # A trap that DPD left is unknown to load-conn and unload-conn; one that was renamed as well.
    if (name, child) in daemon.traps:
        yield UninstallTrap(name, child)


def _lends_route(old: Section, new: Section) -> bool:
    """Whether their policies differ, but not all of the networks that they lead to."""
    (local, remote), (new_local, new_remote) = _selectors(old), _selectors(new)
    return (local, remote) != (new_local, new_remote) and not remote.isdisjoint(new_remote)


def _selectors(child: Section) -> tuple[frozenset[str], frozenset[str]]:
    local, remote = (
        t.cast("tuple[str, ...]", child.get(key, ())) for key in ("local_ts", "remote_ts")
    )
    return frozenset(local), frozenset(remote)
