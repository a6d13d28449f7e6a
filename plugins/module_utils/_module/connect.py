# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_connection: bring tunnels up, close them, and say why one does not come up."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._diagnose.causes import CAUSES
from .._diagnose.explain import Attempt, Finding, explain
from .._diagnose.known import selectors
from .._errors import ModelError
from .._host.dial import call, child_of, close, look, rekey
from .._host.host import Host
from .._host.probe import Answer as ProbeAnswer
from .._host.probe import prepare, send
from .._host.state import read_gateway
from .._host.vici_log import ViciLog
from .._model import addresses, checks
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.options import list_of
from .._plan.connect import Live, Tunnel, plan_connected, plan_disconnected, plan_reconnected
from .._plan.plan import Plan
from .edit import Params

# In seconds. The shorter ones end before a message is sent a second time.
TIMEOUTS = (1, 600)

_CONNECTED, _DISCONNECTED = "connected", "disconnected"
_PLANS: dict[str, t.Callable[..., Plan]] = {
    _DISCONNECTED: plan_disconnected,
    "reconnected": plan_reconnected,
}


@dataclass(frozen=True)
class Answer:
    """What the module returns; with ``failures`` it fails. ``remarks`` are less than failures."""

    changed: bool
    result: t.Mapping[str, t.Any]
    plan: Plan
    failures: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()

    @property
    def message(self) -> str:
        return "\n".join(str(item) for item in self.failures)


@dataclass(frozen=True)
class _Task:
    """The options, checked, and what they are about."""

    params: Params
    tunnels: tuple[Tunnel, ...]
    timeout: int
    peer_log: tuple[str, ...] | None

    @property
    def one(self) -> bool:
        return self.params["phase2"] is not None

    @property
    def called(self) -> tuple[Tunnel, ...]:
        return tuple(item for item in self.tunnels if item.calls)

    @property
    def awaited(self) -> tuple[Tunnel, ...]:
        """Those that the peer brings up; of a whole network, nobody waits for them."""
        named = self.params["phase1"] is not None
        return tuple(item for item in self.tunnels if not item.calls and named)


def carry_out(host: Host, params: Params, *, check: bool) -> Answer:
    """One run; in check mode it only looks. Raises ModelError and HostError."""
    timeout = checks.number("timeout", params["timeout"], *TIMEOUTS)
    probed = list_of(addresses.host)("probe", params["probe"] or ())
    if params["state"] == _DISCONNECTED:
        _has_no_use(params, "probe", "check_rekey")
    task = _Task(
        params,
        selected(read_gateway(host.files), params),
        timeout,
        None if params["peer_log"] is None else tuple(params["peer_log"]),
    )
    _check_loaded(host, task)
    probes = prepare(host, task.tunnels, probed)
    live = look(host, task.tunnels)
    plan = _plan(task, live)
    if check:
        return Answer(bool(plan), _result(task, live), plan)
    if params["state"] == _DISCONNECTED:
        close(host, plan.steps)
        return Answer(bool(plan), _result(task, look(host, task.tunnels)), plan)
    with host.daemon_log() as log:
        answer = _connect(host, log, task, live, plan)
        if not answer.failures and params["check_rekey"]:
            answer = _rekeyed(host, log, task, answer)
    if not answer.failures and probes:
        answer = _probed(answer, [send(host, item) for item in probes])
    return answer


def _has_no_use(params: Params, *options: str) -> None:
    for option in options:
        if params[option]:
            raise ModelError(
                option,
                params[option],
                f"has no use with state {params['state']}",
                f"state connected or reconnected; or leave {option} out",
            )


def selected(gateway: Gateway, params: Params) -> tuple[Tunnel, ...]:
    """The tunnels that the options mean. Raises ModelError where there is none, and why."""
    network = checks.network_name("network", params["network"])
    name, child = params["phase1"], params["phase2"]
    if network not in gateway.networks:
        known = ", ".join(sorted(gateway.networks)) or "none yet: make one with vpn_network"
        raise ModelError("network", network, "does not exist on this host", known)
    if not gateway.networks[network].started:
        raise ModelError(
            "network", network, "is stopped: it has no tunnels", "a network that is started"
        )
    if child is not None and name is None:
        raise ModelError("phase2", child, "is named without its phase 1", "phase1 with it")
    if name is None:
        connections = gateway.connections_of(network)
        enabled = [item for item in connections if item.enabled]
    else:
        named = gateway.connection_of_child(name, network, "")
        enabled = [_enabled(named, "phase1", name)]
    tunnels = tuple(
        Tunnel(item, part) for item in enabled for part in item.children if part.enabled
    )
    return _the_one(tunnels, enabled[0], child) if child is not None else _any(tunnels, name)


def _enabled(connection: IkeConnection, option: str, name: str) -> IkeConnection:
    if not connection.enabled:
        raise ModelError(option, name, "is disabled", "one with state: present")
    return connection


def _the_one(
    tunnels: tuple[Tunnel, ...], connection: IkeConnection, name: str
) -> tuple[Tunnel, ...]:
    found = tuple(item for item in tunnels if item.child.name == name)
    if found:
        return found
    why = "is disabled" if connection.child(name) else f"is no phase 2 of {connection.name}"
    known = ", ".join(sorted(item.child.name for item in tunnels))
    raise ModelError("phase2", name, why, known or "none yet: make one with ipsec_phase2")


def _any(tunnels: tuple[Tunnel, ...], name: str | None) -> tuple[Tunnel, ...]:
    if not tunnels and name is not None:
        raise ModelError(
            "phase1", name, "has no phase 2, so that it carries nothing", "one with a phase 2"
        )
    return tunnels


def _check_loaded(host: Host, task: _Task) -> None:
    """Before anything is said to the daemon that it can't make sense of."""
    known = host.vici.connection_names()
    for tunnel in task.tunnels:
        if tunnel.connection.name not in known:
            raise ModelError(
                "phase1",
                tunnel.connection.name,
                "is not loaded in the IKE daemon",
                "one that is: run its task again, which loads it",
            )


def _plan(task: _Task, live: Live) -> Plan:
    if task.params["state"] == _CONNECTED:
        return plan_connected((*task.called, *task.awaited), live)
    return _PLANS[task.params["state"]](task.tunnels, live, one=task.one)


def _connect(host: Host, log: ViciLog, task: _Task, before: Live, plan: Plan) -> Answer:
    close(host, plan.steps)
    anew = task.params["state"] != _CONNECTED
    missing = [item for item in (*task.called, *task.awaited) if anew or item.key not in before.up]
    if missing:
        called = [item for item in missing if item.calls]
        call(host, log, called, [item for item in missing if not item.calls], task.timeout)
    live = look(host, task.tunnels)
    failures = [
        _failure(host, log, task, item, live) for item in missing if item.key not in live.up
    ]
    remarks = [
        remark for item in task.tunnels if item.key in live.up for remark in _remarks(host, item)
    ]
    changed = bool(plan) and (anew or bool(live.up - before.up) or bool(plan.impacts))
    return Answer(changed, _result(task, live), plan, _distinct(failures), tuple(remarks))


def _failure(host: Host, log: ViciLog, task: _Task, tunnel: Tunnel, live: Live) -> Finding:
    if tunnel.key in live.lost:
        return explain(Attempt(tunnel.connection, tunnel.child, seen="sa_not_in_kernel"))
    attempt = _attempt(log, task, tunnel)
    finding = explain(attempt)
    if finding.cause.code in ("no_answer", "request_lost"):
        finding = explain(replace(attempt, seen=unreachable(host, tunnel.connection)))
    return finding


def _attempt(log: ViciLog, task: _Task, tunnel: Tunnel) -> Attempt:
    connection = tunnel.connection
    lines = log.about(connection.name, connection.remote_gateway)
    return Attempt(connection, tunnel.child, lines, task.peer_log, called=tunnel.calls)


def unreachable(host: Host, connection: IkeConnection) -> str:
    """What this host knows of a peer that does not answer."""
    address = connection.local_address
    if address is not None and address not in host.link.addresses():
        return "local_address_missing"
    peer = connection.peer_address
    if peer is not None and not host.link.has_route(str(peer)):
        return "no_route"
    return ""


def _distinct(findings: t.Sequence[Finding]) -> tuple[Finding, ...]:
    """What is wrong with a phase 1 is said once for all that is on it."""
    found: dict[tuple[str, str, str], Finding] = {}
    for item in findings:
        whole = not any(place.option.startswith("ipsec_phase2") for place in item.cause.where)
        told = replace(item, child=None) if whole else item
        name = told.child.name if told.child else ""
        found.setdefault((told.connection.name, name, told.cause.code), told)
    return tuple(found.values())


def _remarks(host: Host, tunnel: Tunnel) -> t.Iterator[Finding]:
    """What came up otherwise than it is configured, without a word from either side."""
    state = child_of(host, tunnel)
    if state is None:
        return
    child = tunnel.child
    if state.mode.lower() != child.mode:
        yield Finding(
            CAUSES["mode_mismatch"], tunnel.connection, child, child.mode, state.mode.lower()
        )
    wanted = {str(item) for item in (*child.local_network, *child.remote_network)}
    taken = {item.split("|")[0] for item in (*state.local_ts, *state.remote_ts)}
    if wanted and not wanted <= taken:
        theirs = f"{', '.join(state.local_ts)} to {', '.join(state.remote_ts)}"
        yield Finding(
            CAUSES["selectors_narrowed"], tunnel.connection, child, selectors(child), theirs
        )


def _rekeyed(host: Host, log: ViciLog, task: _Task, answer: Answer) -> Answer:
    live = look(host, task.tunnels)
    tunnels = [item for item in task.tunnels if item.key in live.up]
    renewed = rekey(host, log, tunnels, task.timeout)
    failures = [
        explain(replace(_attempt(log, task, item), called=True, rekeyed=True))
        for item in tunnels
        if item.key not in renewed
    ]
    result = {**answer.result, "rekeyed": sorted(map("/".join, renewed))}
    return replace(answer, result=result, failures=_distinct(failures))


def _probed(answer: Answer, replies: t.Sequence[ProbeAnswer]) -> Answer:
    failures = [
        Finding(
            CAUSES[reply.fault],
            reply.probe.tunnel.connection,
            reply.probe.tunnel.child,
            ours=selectors(reply.probe.tunnel.child),
            evidence=(_told(reply),),
        )
        for reply in replies
        if reply.fault
    ]
    result = {**answer.result, "probes": [_probe_result(reply) for reply in replies]}
    return replace(answer, result=result, failures=tuple(failures))


def _told(reply: ProbeAnswer) -> str:
    source = f" from {reply.probe.source}" if reply.probe.source else ""
    return (
        f"probe of {reply.probe.address}{source}: {reply.sent} packets went into the tunnel, "
        f"{reply.received} came out of it"
    )


def _probe_result(reply: ProbeAnswer) -> dict[str, t.Any]:
    return {
        "address": str(reply.probe.address),
        "tunnel": str(reply.probe.tunnel),
        "answered": not reply.fault,
        "packets_sent": reply.sent,
        "packets_received": reply.received,
    }


def _result(task: _Task, live: Live) -> dict[str, t.Any]:
    return {
        **{option: task.params[option] for option in ("network", "phase1", "phase2", "state")},
        "tunnels": [
            {
                "phase1": item.connection.name,
                "phase2": item.child.name,
                "up": item.key in live.up,
                "calls": item.calls,
            }
            for item in task.tunnels
        ],
    }
