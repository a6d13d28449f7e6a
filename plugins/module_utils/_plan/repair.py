# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Drift of one connection that is as it was configured in its file, but not in force as it should.

Somebody unloaded it or loaded another under its name, took a policy away, left an SA or a trap that
no configuration has; or a run of ours died over it. Each is told by name, and put right with what
disturbs least.
"""

from __future__ import annotations

import re
import typing as t

from .._render.strongswan.section import Section
from .alike import would_be_dropped
from .children import bare, children, is_set_aside, is_shunt
from .connection_swap import close_child
from .differences import state_difference
from .foreign_replacement import Usurper, idle
from .loaded import is_loaded
from .observed import DaemonState
from .plan import Difference, Impact, Plan, joined
from .steps import (
    HandOver,
    Initiate,
    InstallTrap,
    LoadConnection,
    Step,
    Supersede,
    TerminateChild,
    UninstallTrap,
    UnloadConnection,
)

_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")


def plan_repair(name: str, section: Section, daemon: DaemonState) -> Plan:
    """``section`` is what the file has, and the file was read as ours."""
    loaded = daemon.connections.get(name)
    if loaded is not None and (is_set_aside(loaded) or name in daemon.unfinished.connections):
        return _resumed(name, section, daemon) + _leftovers(name, section, daemon)
    if not is_loaded(section, loaded):
        return _reloaded(name, section, daemon) + _leftovers(name, section, daemon)
    return _policies(name, section, daemon) + _leftovers(name, section, daemon)


def _reloaded(name: str, section: Section, daemon: DaemonState) -> Plan:
    """A connection that somebody else unloaded, or loaded otherwise."""
    loaded = daemon.connections.get(name)
    header = f"connection {name} in the IKE daemon"
    load = LoadConnection(name, section, section)
    if loaded is None:
        up = name in daemon.established
        impacts = (Impact(name, "none", "it goes on") if up else idle(name),)
        return Plan((load,), (state_difference(header, "not loaded", "loaded"),), impacts)
    difference = state_difference(header, "not as it should be", "loaded")
    steps: list[Step] = [load]
    if would_be_dropped(section, section, loaded):
        steps = [UnloadConnection(name, section), LoadConnection(name, section)]
    usurper = Usurper(name, section, loaded, daemon)
    return Plan((*usurper.first, *steps, *usurper.steps), (difference,), usurper.impacts)


def _resumed(name: str, section: Section, daemon: DaemonState) -> Plan:
    """A run died while it exchanged the connection: the second half of it again.

    What has been negotiated anew by then is a duplicate to charon, and stays.
    """
    up = daemon.established.get(name, frozenset()) & children(section).keys()
    steps: list[Step] = [Supersede(name, section, section)]
    waiting = tuple(
        child
        for child in sorted(up)
        if "start" not in (action := str(children(section)[child].get("start_action")))
        and action != "none"
    )
    steps += [Initiate(name, child) for child in waiting]
    old = daemon.unfinished.connections.get(name) or daemon.child_ids.get(name, frozenset())
    if up and old:
        steps.append(HandOver(name, tuple(sorted(up)), old, optional=True))
    header = f"connection {name} in the IKE daemon"
    difference = state_difference(header, "left by a run that died", "loaded")
    impacts = tuple(
        Impact(f"{name}/{child}", "child", "a run died over it: the old one is closed, if it is up")
        for child in sorted(up)
    )
    return Plan(
        tuple(steps), (difference,), impacts or (Impact(name, "none", "no SA of it is up"),)
    )


def _policies(name: str, section: Section, daemon: DaemonState) -> Plan:
    """Traps and shunts that somebody took from charon, or from the kernel behind its back."""
    if daemon.policies is None or not _can_trap(section):
        return Plan()
    return joined(
        _policy(name, child, options, daemon)
        for child, options in sorted(children(section).items())
        if _traps(options) or child in daemon.established.get(name, ())
    )


def _can_trap(section: Section) -> bool:
    """charon installs a trap to an address; whether it can to a name depends on name servers."""
    peers = section.get("remote_addrs", ())
    return all(_ADDRESS.fullmatch(peer) for peer in ((peers,) if isinstance(peers, str) else peers))


def _traps(options: Section) -> bool:
    return "trap" in str(options.get("start_action"))


def _policy(name: str, child: str, options: Section, daemon: DaemonState) -> Plan:
    shunt = is_shunt(options)
    if _traps(options) and (name, child) not in (daemon.shunts if shunt else daemon.traps):
        difference = state_difference(f"policy of {name}/{child}", "not installed", "installed")
        return Plan((InstallTrap(name, child),), (difference,))
    if _in_kernel(options, daemon):
        return Plan()
    difference = state_difference(f"policy of {name}/{child} in the kernel", "gone", "installed")
    if child in daemon.established.get(name, ()):
        return _renewed(name, child, options, difference)
    # Asked for a shunt that it believes to be there, charon does nothing.
    first = (UninstallTrap(name, child),) if shunt else ()
    return Plan((*first, InstallTrap(name, child)), (difference,))


def _renewed(name: str, child: str, options: Section, difference: Difference) -> Plan:
    """An SA whose traffic goes nowhere; charon would take a new one beside it for a duplicate."""
    steps: list[Step] = [TerminateChild(name, child)]
    if _traps(options):
        steps.append(InstallTrap(name, child))
    if options.get("start_action") != "none":
        steps.append(Initiate(name, child))
    why = "its policy is gone from the kernel: it is closed, and brought up again"
    return Plan(tuple(steps), (difference,), (Impact(f"{name}/{child}", "child", why),))


def _in_kernel(options: Section, daemon: DaemonState) -> bool:
    """Whether the outbound policies are there; True where they can't be told from the options."""
    pairs = [
        (local, remote)
        for local in _networks(options.get("local_ts"))
        for remote in _networks(options.get("remote_ts"))
        if (":" in local) == (":" in remote)
    ]
    return all(pair in (daemon.policies or ()) for pair in pairs)


def _networks(value: t.Any) -> tuple[str, ...]:
    """Plain networks; a port, a protocol or ``dynamic`` shows otherwise in the kernel."""
    items = (value,) if isinstance(value, str) else tuple(value or ())
    return items if all("/" in item and "[" not in item for item in items) else ()


def _leftovers(name: str, section: Section, daemon: DaemonState) -> Plan:
    """SAs and traps of children that the connection does not have."""
    up = daemon.established.get(name, frozenset())
    trapped = daemon.trapped.get(name, frozenset())
    return joined(
        _leftover(name, child, section, daemon)
        for child in sorted((up | trapped) - children(section).keys())
    )


def _leftover(name: str, child: str, section: Section, daemon: DaemonState) -> Plan:
    up = daemon.established.get(name, frozenset())
    steps = tuple(close_child(name, child, daemon))
    why = "not configured: it is closed"
    configured = children(section).get(bare(child))
    if configured is not None and bare(child) not in up:
        # The peer made it in the moment in which the child was set aside, and it carries traffic.
        if configured.get("start_action") == "none":
            return Plan()
        steps = _renamed(name, bare(child), daemon)
        why = "it has the name of a child set aside: a new one takes over, then it is closed"
    difference = state_difference(f"{name}/{child} in the IKE daemon", "left over", "gone")
    impacts = (Impact(f"{name}/{child}", "child", why),) if child in up else ()
    return Plan(steps, (difference,), impacts)


def _renamed(name: str, child: str, daemon: DaemonState) -> tuple[Step, ...]:
    old = daemon.child_ids.get(name, frozenset())
    return Initiate(name, child), HandOver(name, (child,), old, optional=True)
