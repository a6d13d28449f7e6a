# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Initiation and termination of tunnels, and the state of their SAs in the data plane."""

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

# All times are in seconds.
POLL_S = 0.2
# Without a negotiation for this time, an attempt counts as refused.
IDLE_MEANS_REFUSED_S = 1.0
# The same if it is unknown whether an attempt has started.
IDLE_MEANS_NOT_STARTED_S = 5.0
# The SAs are checked again after this time, because a peer that cannot install its end closes them.
SETTLE_S = 0.5
# Lines of the log may arrive late by this time.
LOG_LAG_S = 0.2
# An attempt of the daemon that already runs gets this time. Its next retransmissions are minutes
# apart, so it would not notice a peer that is reachable again.
RUNNING_ATTEMPT_S = 2.0


def live_tunnels(host: Host, tunnels: t.Sequence[Tunnel]) -> Live:
    """Return the live state of the tunnels, without any change."""
    sas = _sas(host, tunnels)
    up, lost = _installed(host, sas)
    return Live(up, lost, frozenset(sa.name for sa in sas))


def tear_down(host: Host, steps: t.Iterable[Step]) -> None:
    """Apply the steps that close SAs, and skip the others."""
    for step in steps:
        if isinstance(step, TerminateConnection):
            host.vici.terminate_ike(step.name)
        elif isinstance(step, TerminateChild):
            host.vici.terminate_child(step.connection, step.child)


def bring_up(
    host: Host,
    log: DaemonLog,
    initiated: t.Sequence[Tunnel],
    awaited: t.Sequence[Tunnel],
    timeout: float,
) -> Live:
    """Initiate tunnels, and wait until these and the ``awaited`` tunnels are up or refused.

    The wait ends after ``timeout`` seconds. An attempt of this function leaves no IKE SA without a
    Child SA.
    """
    deadline = time.monotonic() + timeout
    replaced = _close_running_attempts(host, log, initiated)
    before = frozenset(sa.uniqueid for sa in _sas(host, initiated))
    up = live_tunnels(host, initiated).up
    for item in initiated:
        if item.key not in up:
            # With IKEv1, initiating a tunnel that is up would rekey it.
            host.vici.initiate(*item.key)
    tunnels = (*initiated, *awaited)
    live = _wait(host, log, tunnels, deadline)
    if all(item.key in live.up for item in tunnels):
        log.listen(SETTLE_S)
        live = live_tunnels(host, tunnels)
    failed = [item for item in initiated if item.key not in live.up]
    if failed:
        log.listen(LOG_LAG_S)
    _close_failed_attempts(host, failed, before, replaced)
    return live


def _close_failed_attempts(
    host: Host, failed: t.Sequence[Tunnel], before: frozenset[str], replaced: frozenset[str]
) -> None:
    for sa in _sas(host, failed):
        if sa.uniqueid not in before and not any(child.up for child in sa.children):
            host.vici.close(sa)
    for item in failed:
        if item.connection.name in replaced:
            # The daemon was already trying, and tries again.
            host.vici.initiate(*item.key)


def rekey(
    host: Host, log: DaemonLog, tunnels: t.Sequence[Tunnel], timeout: float
) -> frozenset[Key]:
    """Rekey each Child SA of the tunnels once. Return the keys of the rekeyed tunnels."""
    deadline = time.monotonic() + timeout
    sas = _sas(host, tunnels)
    wanted = {item.key for item in tunnels}
    old = {child.uniqueid: (sa.name, child) for sa in sas for child in sa.children if child.up}
    for name, child in old.values():
        if (name, child.name) in wanted:
            host.vici.rekey(name, child)
    last_busy = time.monotonic()
    while True:
        sas = _sas(host, tunnels)
        now = time.monotonic()
        rekeyed = frozenset(
            (sa.name, child.name)
            for sa in sas
            for child in sa.children
            if child.up and child.uniqueid not in old
        )
        if any(sa.busy for sa in sas):
            last_busy = now
        if wanted <= rekeyed:
            return frozenset(wanted)
        log.listen(POLL_S)
        if now - last_busy > IDLE_MEANS_REFUSED_S or now > deadline:
            return rekeyed & wanted


def wait_for(host: Host, tunnels: t.Sequence[Tunnel], seconds: float) -> None:
    """Wait until all tunnels are up, until no negotiation runs, or for ``seconds``."""
    wanted = {item.key for item in tunnels}
    last_busy = time.monotonic()
    deadline = last_busy + seconds
    while wanted:
        sas = _sas(host, tunnels)
        now = time.monotonic()
        if any(sa.busy for sa in sas):
            last_busy = now
        if wanted <= _installed(host, sas)[0] or now > min(
            deadline, last_busy + IDLE_MEANS_NOT_STARTED_S
        ):
            return
        time.sleep(POLL_S)


def children_of(sas: t.Iterable[IkeState], tunnel: Tunnel) -> list[ChildState]:
    """Return the Child SAs of a tunnel that carry traffic. A peer may make one per network."""
    return [
        child
        for sa in sas
        for child in sa.children
        if sa.name == tunnel.connection.name and child.up and child.name == tunnel.child.name
    ]


def selectors_of(child: ChildState) -> Selectors:
    """Return the traffic selectors of a Child SA."""
    return Selectors.of(child.local_ts, child.remote_ts)


def _complete(sas: t.Sequence[IkeState], tunnel: Tunnel) -> bool:
    """Return whether all Child SAs of a tunnel that is up exist.

    A peer that initiates may make one Child SA for each pair of networks, one after the other.
    """
    return tunnel.initiates or not tunnel.lacks([*map(selectors_of, children_of(sas, tunnel))])


def _wait(host: Host, log: DaemonLog, tunnels: t.Sequence[Tunnel], deadline: float) -> Live:
    last_busy = dict.fromkeys((item.connection.name for item in tunnels), time.monotonic())
    while True:
        sas = _sas(host, tunnels)
        now = time.monotonic()
        last_busy.update((sa.name, now) for sa in sas if sa.busy)
        up, lost = _installed(host, sas)
        pending = [
            item
            for item in tunnels
            if not (item.key in up and _complete(sas, item))
            and (not item.initiates or now - last_busy[item.connection.name] < IDLE_MEANS_REFUSED_S)
        ]
        if not pending or now > deadline:
            return Live(up, lost, frozenset(sa.name for sa in sas))
        log.listen(POLL_S)


def _close_running_attempts(
    host: Host, log: DaemonLog, initiated: t.Sequence[Tunnel]
) -> frozenset[str]:
    """Wait for attempts that already run, then close them. Return their connections."""
    until = time.monotonic() + RUNNING_ATTEMPT_S
    while True:
        busy = [sa for sa in _sas(host, initiated) if sa.busy]
        if not busy or time.monotonic() > until:
            break
        log.listen(POLL_S)
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
    """Return the Child SAs that are up, and the Child SAs that are missing in the kernel."""
    children = [(sa.name, child) for sa in sas for child in sa.children if child.up]
    if not children or LIBIPSEC in host.vici.plugins():
        # charon itself is the data plane.
        return frozenset((name, child.name) for name, child in children), frozenset()
    spis = host.link.sa_indexes()
    up = frozenset(
        (name, child.name) for name, child in children if {child.spi_in, child.spi_out} <= spis
    )
    return up, frozenset((name, child.name) for name, child in children) - up
