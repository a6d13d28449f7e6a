# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Bring tunnels up and close them, and say truly whether they are up."""

from __future__ import annotations

import time
import typing as t

from ..._plan.connect import Key, Live, Tunnel
from ..._plan.selectors import Selectors
from ..._plan.steps import Step, TerminateChild, TerminateConnection
from ..._render.strongswan_conf import LIBIPSEC
from ..host import Host
from ..vici.log_events import DaemonLog
from ..vici.message import ChildState, IkeState

_PAUSE = 0.2
# Nothing is being negotiated for so long: it is over.
_QUIET = 1.0
# The same where it is not known whether anything has begun at all.
_GIVEN_UP = 5.0
# What came up is looked at once more: a peer that can't install its end closes it at once.
_PROOF = 0.5
# What was logged is on its way for a moment.
_LATE = 0.2
# An attempt that was under way gets so long. Later the daemon repeats its messages ever more
# rarely, and a peer that has come back in the meantime would not be noticed for minutes.
_UNDER_WAY = 2.0


def look(host: Host, tunnels: t.Sequence[Tunnel]) -> Live:
    """Which of them are up; reads only."""
    sas = _sas(host, tunnels)
    up, lost = _installed(host, sas)
    return Live(up, lost, frozenset(sa.name for sa in sas))


def close(host: Host, steps: t.Iterable[Step]) -> None:
    """Those of the steps that close something."""
    for step in steps:
        if isinstance(step, TerminateConnection):
            host.vici.terminate_ike(step.name)
        elif isinstance(step, TerminateChild):
            host.vici.terminate_child(step.connection, step.child)


def call(
    host: Host,
    log: DaemonLog,
    called: t.Sequence[Tunnel],
    awaited: t.Sequence[Tunnel],
    timeout: float,
) -> Live:
    """Initiate some, and wait until they and the ``awaited`` are up or refused, or time is up.

    Of what this has begun, nothing is left half done: an IKE SA without a Child SA is closed.
    """
    deadline = time.monotonic() + timeout
    displaced = _make_way(host, log, called)
    before = frozenset(sa.uniqueid for sa in _sas(host, called))
    up = look(host, called).up
    for item in called:
        if item.key not in up:
            # IKEv1 would take it for a wish to rekey.
            host.vici.initiate(*item.key)
    tunnels = (*called, *awaited)
    live = _wait(host, log, tunnels, deadline)
    if all(item.key in live.up for item in tunnels):
        log.listen(_PROOF)
        live = look(host, tunnels)
    failed = [item for item in called if item.key not in live.up]
    if failed:
        log.listen(_LATE)
    _clear_up(host, failed, before, displaced)
    return live


def _clear_up(
    host: Host, failed: t.Sequence[Tunnel], before: frozenset[str], displaced: frozenset[str]
) -> None:
    for sa in _sas(host, failed):
        if sa.uniqueid not in before and not any(child.up for child in sa.children):
            host.vici.close(sa)
    for item in failed:
        if item.connection.name in displaced:
            # The daemon was trying by itself, and goes on.
            host.vici.initiate(*item.key)


def rekey(
    host: Host, log: DaemonLog, tunnels: t.Sequence[Tunnel], timeout: float
) -> frozenset[Key]:
    """Have each renew its keys once; those that did."""
    deadline = time.monotonic() + timeout
    sas = _sas(host, tunnels)
    wanted = {item.key for item in tunnels}
    old = {child.uniqueid: (sa.name, child) for sa in sas for child in sa.children if child.up}
    for name, child in old.values():
        if (name, child.name) in wanted:
            host.vici.rekey(name, child)
    quiet = time.monotonic()
    while True:
        sas = _sas(host, tunnels)
        now = time.monotonic()
        renewed = frozenset(
            (sa.name, child.name)
            for sa in sas
            for child in sa.children
            if child.up and child.uniqueid not in old
        )
        if any(sa.busy for sa in sas):
            quiet = now
        if wanted <= renewed:
            return frozenset(wanted)
        log.listen(_PAUSE)
        if now - quiet > _QUIET or now > deadline:
            return renewed & wanted


def wait_for(host: Host, tunnels: t.Sequence[Tunnel], seconds: float) -> None:
    """Until all are up, until the daemon negotiates nothing any more, or until time is up."""
    wanted = {item.key for item in tunnels}
    quiet = time.monotonic()
    deadline = quiet + seconds
    while wanted:
        sas = _sas(host, tunnels)
        now = time.monotonic()
        if any(sa.busy for sa in sas):
            quiet = now
        if wanted <= _installed(host, sas)[0] or now > min(deadline, quiet + _GIVEN_UP):
            return
        time.sleep(_PAUSE)


def children_of(sas: t.Iterable[IkeState], tunnel: Tunnel) -> list[ChildState]:
    """The Child SAs of a tunnel that carry traffic; a peer may have made one for each network."""
    return [
        child
        for sa in sas
        for child in sa.children
        if sa.name == tunnel.connection.name and child.up and child.name == tunnel.child.name
    ]


def selectors_of(child: ChildState) -> Selectors:
    return Selectors.of(child.local_ts, child.remote_ts)


def _complete(sas: t.Sequence[IkeState], tunnel: Tunnel) -> bool:
    """Whether nothing of a tunnel that is up remains to be waited for.

    A peer that calls may bring up one SA for each pair of networks, one after the other.
    """
    return tunnel.calls or not tunnel.lacks([*map(selectors_of, children_of(sas, tunnel))])


def _wait(host: Host, log: DaemonLog, tunnels: t.Sequence[Tunnel], deadline: float) -> Live:
    quiet = dict.fromkeys((item.connection.name for item in tunnels), time.monotonic())
    while True:
        sas = _sas(host, tunnels)
        now = time.monotonic()
        quiet.update((sa.name, now) for sa in sas if sa.busy)
        up, lost = _installed(host, sas)
        open_ = [
            item
            for item in tunnels
            if not (item.key in up and _complete(sas, item))
            and (not item.calls or now - quiet[item.connection.name] < _QUIET)
        ]
        if not open_ or now > deadline:
            return Live(up, lost, frozenset(sa.name for sa in sas))
        log.listen(_PAUSE)


def _make_way(host: Host, log: DaemonLog, called: t.Sequence[Tunnel]) -> frozenset[str]:
    """Give attempts under way a moment, then close them; the connections of those."""
    until = time.monotonic() + _UNDER_WAY
    while True:
        busy = [sa for sa in _sas(host, called) if sa.busy]
        if not busy or time.monotonic() > until:
            break
        log.listen(_PAUSE)
    stuck = [sa for sa in busy if sa.state == "CONNECTING"]
    for sa in stuck:
        host.vici.close(sa)
    return frozenset(sa.name for sa in stuck)


def _sas(host: Host, tunnels: t.Sequence[Tunnel]) -> tuple[IkeState, ...]:
    names = {item.connection.name for item in tunnels}
    if len(names) == 1:
        return host.vici.sas(*names)
    return tuple(sa for sa in host.vici.sas() if sa.name in names) if names else ()


def _installed(host: Host, sas: t.Sequence[IkeState]) -> tuple[frozenset[Key], frozenset[Key]]:
    """The Child SAs that are up, and those that are so for the daemon alone."""
    children = [(sa.name, child) for sa in sas for child in sa.children if child.up]
    if not children or LIBIPSEC in host.vici.plugins():
        # charon itself is the data plane.
        return frozenset((name, child.name) for name, child in children), frozenset()
    known = host.link.sa_indexes()
    up = frozenset(
        (name, child.name) for name, child in children if {child.spi_in, child.spi_out} <= known
    )
    return up, frozenset((name, child.name) for name, child in children) - up
