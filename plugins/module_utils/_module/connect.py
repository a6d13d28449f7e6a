# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_connection: bring tunnels up, close them, and say why one does not come up."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._diagnose.causes import CAUSES
from .._diagnose.explain import Attempt, Finding, explain
from .._errors import ModelError
from .._host.files.read_back import loaded_sections, read_gateway
from .._host.host import Host
from .._host.tunnels.initiate import call, close, look, rekey
from .._host.tunnels.outdated_sas import follow
from .._host.tunnels.probe import Answer as ProbeAnswer
from .._host.tunnels.probe import prepare, send
from .._host.vici.log_events import DaemonLog
from .._model import addresses, checks
from .._model.child_text import selectors_text
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.options import list_of
from .._plan.connect import Key, Live, Tunnel, plan_connected, plan_disconnected, plan_reconnected
from .._plan.in_force import NOTHING
from .._plan.plan import Plan
from .._plan.standing import Standing, child_standing
from .addresses import with_addresses
from .edit import Params
from .own_certificate import OwnCertificates
from .own_connection import check_disconnection
from .selection import selected
from .standing import shortcoming
from .status import DOWN, UP, standing_state

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
    # Whether it fails for what the tunnels lack alone: all of them carry something.
    short: bool = False

    @property
    def message(self) -> str:
        return "\n".join(str(item) for item in self.failures)


@dataclass(frozen=True)
class _Seen:
    """What there is of the tunnels, and how those that carry something stand."""

    live: Live
    standings: t.Mapping[Key, Standing] = field(default_factory=dict)

    def state(self, tunnel: Tunnel) -> str:
        if tunnel.key not in self.live.up:
            return DOWN
        standing = self.standings.get(tunnel.key)
        return standing_state(standing) if standing else UP

    def shortcoming(self, tunnel: Tunnel) -> Finding | None:
        standing = self.standings.get(tunnel.key)
        if tunnel.key not in self.live.up or standing is None:
            return None
        return shortcoming(tunnel.connection, tunnel.child, standing)


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

    @property
    def sought(self) -> tuple[Tunnel, ...]:
        """Those that the task fails without."""
        return (*self.called, *self.awaited)


def carry_out(host: Host, params: Params, *, check: bool) -> Answer:
    """One run; in check mode it only looks. Raises ModelError and HostError."""
    timeout = checks.number("timeout", params["timeout"], *TIMEOUTS)
    probed = list_of(addresses.host)("probe", params["probe"] or ())
    if params["state"] == _DISCONNECTED:
        _has_no_use(params, "probe", "check_rekey")
    gateway = read_gateway(host.files)
    task = _Task(
        params,
        _with_sections(host, gateway, selected(gateway, params)),
        timeout,
        None if params["peer_log"] is None else tuple(params["peer_log"]),
    )
    _check_loaded(host, task)
    probes = prepare(host, task.tunnels, probed)
    seen = _look(host, task)
    plan = _plan(task, seen.live)
    if params["state"] == _DISCONNECTED and plan:
        check_disconnection(host, gateway, task.tunnels)
    if check:
        failures = _shortcomings(task.sought, seen) if params["state"] == _CONNECTED else ()
        return Answer(bool(plan), _result(task, seen), plan, failures)
    if params["state"] == _DISCONNECTED:
        close(host, plan.steps)
        return Answer(bool(plan), _result(task, _look(host, task)), plan)
    with host.daemon_log() as log:
        answer, seen = _connect(host, log, task, seen.live, plan)
        if not answer.failures and params["check_rekey"]:
            answer = _rekeyed(host, log, task, answer)
    if probes and (not answer.failures or answer.short):
        answer = _probed(answer, seen, [send(host, item) for item in probes])
    return answer


def _has_no_use(params: Params, *options: str) -> None:
    for option in options:
        if params[option]:
            raise ModelError(
                option,
                params[option],
                f"has no effect with state {params['state']}",
                f"Remove {option}, or set state to connected or reconnected.",
            )


def _with_sections(host: Host, gateway: Gateway, tunnels: t.Sequence[Tunnel]) -> tuple[Tunnel, ...]:
    connections = {item.connection.name: item.connection for item in tunnels}
    sections = loaded_sections(host.files, gateway, connections.values())
    return tuple(replace(item, section=sections[item.connection.name]) for item in tunnels)


def _look(host: Host, task: _Task) -> _Seen:
    live = look(host, task.tunnels)
    names = {item.connection.name for item in task.tunnels}
    sas = [item for item in host.vici.sa_sections() if item[0] in names] if live.up else []
    notes = {}
    if live.up:
        unit, vici = host.platform.daemon_unit, host.vici
        notes = follow(host.pending, host.run, unit, vici.pid, vici.sas())
    standings = {}
    for item in task.tunnels:
        name = item.connection.name
        own = [section for known, section in sas if known == name]
        found = child_standing(item.section, item.child.name, own, notes.get(name, NOTHING))
        if found is not None:
            standings[item.key] = found
    return _Seen(live, standings)


def _shortcomings(tunnels: t.Iterable[Tunnel], seen: _Seen) -> tuple[Finding, ...]:
    """Why tunnels that carry something are not up."""
    found = (seen.shortcoming(item) for item in tunnels)
    return tuple(item for item in found if item is not None)


def _check_loaded(host: Host, task: _Task) -> None:
    """Before anything is said to the daemon that it can't make sense of."""
    known = host.vici.connection_names()
    for tunnel in task.tunnels:
        if tunnel.connection.name not in known:
            raise ModelError(
                "phase1",
                tunnel.connection.name,
                "is not loaded in the IKE daemon",
                "Run the task of this phase 1 again, which loads it.",
            )


def _plan(task: _Task, live: Live) -> Plan:
    if task.params["state"] == _CONNECTED:
        return plan_connected(task.sought, live)
    return _PLANS[task.params["state"]](task.tunnels, live, one=task.one)


def _connect(
    host: Host, log: DaemonLog, task: _Task, before: Live, plan: Plan
) -> tuple[Answer, _Seen]:
    close(host, plan.steps)
    anew = task.params["state"] != _CONNECTED
    missing = [item for item in task.sought if anew or item.key not in before.up]
    if missing:
        called = [item for item in missing if item.calls]
        call(host, log, called, [item for item in missing if not item.calls], task.timeout)
    seen = _look(host, task)
    live = seen.live
    failures = [
        _failure(host, log, task, item, live) for item in missing if item.key not in live.up
    ]
    failures += _shortcomings(task.sought, seen)
    others = [item for item in task.tunnels if item not in task.sought]
    changed = bool(plan) and (anew or bool(live.up - before.up) or bool(plan.impacts))
    short = all(item.key in live.up for item in task.sought)
    remarks = _shortcomings(others, seen)
    answer = Answer(changed, _result(task, seen), plan, _distinct(failures), remarks, short)
    return answer, seen


def _failure(host: Host, log: DaemonLog, task: _Task, tunnel: Tunnel, live: Live) -> Finding:
    if tunnel.key in live.lost:
        return explain(Attempt(tunnel.connection, tunnel.child, seen="sa_not_in_kernel"))
    attempt = _attempt(host, log, task, tunnel)
    finding = explain(attempt)
    if finding.cause.code in ("no_answer", "request_lost"):
        finding = explain(replace(attempt, seen=unreachable(host, tunnel.connection)))
    return with_addresses(host, finding)


def _attempt(host: Host, log: DaemonLog, task: _Task, tunnel: Tunnel) -> Attempt:
    connection = tunnel.connection
    return Attempt(
        connection,
        tunnel.child,
        log.about(connection.name, connection.remote_gateway),
        task.peer_log,
        initiates=tunnel.calls,
        own=OwnCertificates(host).of(connection),
    )


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


def _rekeyed(host: Host, log: DaemonLog, task: _Task, answer: Answer) -> Answer:
    live = look(host, task.tunnels)
    tunnels = [item for item in task.tunnels if item.key in live.up]
    renewed = rekey(host, log, tunnels, task.timeout)
    failures = [
        explain(replace(_attempt(host, log, task, item), initiates=True, rekeyed=True))
        for item in tunnels
        if item.key not in renewed
    ]
    result = {**answer.result, "rekeyed": sorted(map("/".join, renewed))}
    return replace(answer, result=result, failures=_distinct(failures))


def _probed(answer: Answer, seen: _Seen, replies: t.Sequence[ProbeAnswer]) -> Answer:
    failures = [_unanswered(seen, reply) for reply in replies if reply.fault]
    result = {**answer.result, "probes": [_probe_result(reply) for reply in replies]}
    return replace(answer, result=result, failures=_distinct([*failures, *answer.failures]))


def _unanswered(seen: _Seen, reply: ProbeAnswer) -> Finding:
    """What the tunnel lacks is the cause where no SA is for the probe."""
    tunnel = reply.probe.tunnel
    known = None if reply.carried else seen.shortcoming(tunnel)
    finding = known or Finding(
        CAUSES[reply.fault], tunnel.connection, tunnel.child, selectors_text(tunnel.child)
    )
    return replace(finding, evidence=(*finding.evidence, _told(reply)))


def _told(reply: ProbeAnswer) -> str:
    source = f" from {reply.probe.source}" if reply.probe.source else ""
    if not reply.carried:
        return f"probe of {reply.probe.address}{source}: not sent, because no SA is for it"
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


def _result(task: _Task, seen: _Seen) -> dict[str, t.Any]:
    return {
        **{option: task.params[option] for option in ("network", "phase1", "phase2", "state")},
        "tunnels": [
            {
                "phase1": item.connection.name,
                "phase2": item.child.name,
                "up": seen.state(item) == UP,
                "state": seen.state(item),
                "initiates": item.calls,
            }
            for item in task.tunnels
        ],
    }
