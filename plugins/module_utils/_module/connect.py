# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_connection: connect and disconnect tunnels, and explain failures."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._diagnose.explain import Finding
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.tunnels.initiate import bring_up, live_tunnels, rekey, tear_down
from .._host.tunnels.probe import ProbeReply, prepare, send
from .._host.vici.log_events import DaemonLog
from .._model import addresses
from .._model.options import list_of
from .._plan.connect import Live, plan_connected, plan_disconnected, plan_reconnected
from .._plan.plan import Plan
from .at_work import at_work
from .attempts import distinct, failure_of, impossible, rekey_failure_of
from .connection_request import (
    CONNECTED,
    DISCONNECTED,
    ConnectionRequest,
    TunnelStates,
    connection_request,
    tunnel_states,
)
from .edit import Params
from .own_connection import check_disconnection
from .probes import probe_failures, probe_result
from .spec import IPSEC_CONNECTION
from .status import UP
from .task import ModuleOutcome, drive


@dataclass(frozen=True)
class ConnectionResult:
    """The result of the module. With ``failures`` the module fails. ``remarks`` are warnings."""

    changed: bool
    result: t.Mapping[str, t.Any]
    plan: Plan
    failures: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()
    # Each required tunnel carries traffic, though some deviate from their configuration.
    carrying: bool = False

    @property
    def message(self) -> str:
        """Return the text of the failure, or an empty text."""
        return "\n".join(str(item) for item in self.failures)


def run() -> None:
    """Run ipsec_connection. It edits nothing, and may fail with a result."""
    key = "ipsec_connection"

    def body(host: Host, params: Params, *, check: bool) -> ModuleOutcome:
        with at_work(host, key, check=check) as waited:
            answer = carry_out(host, params, check=check)
        values = {
            key: answer.result,
            "failures": [item.to_result() for item in answer.failures],
            "remarks": [item.to_result() for item in answer.remarks],
        }
        warnings = (waited, *map(str, answer.remarks))
        return ModuleOutcome(values, answer.changed, answer.plan, warnings, answer.message)

    # The log of a peer may hold anything. Ansible shows options with the result.
    drive(IPSEC_CONNECTION, key, body, summarised="peer_log")


def carry_out(host: Host, params: Params, *, check: bool) -> ConnectionResult:
    """Run the module. In check mode it only reads. Raises ModelError and HostError."""
    probed = list_of(addresses.host)("probe", params["probe"] or ())
    gateway = read_gateway(host.files)
    request = connection_request(host, gateway, params)
    probes = prepare(host, request.tunnels, probed)
    states = tunnel_states(host, request.tunnels)
    plan = _plan(request, states.live)
    if request.state == DISCONNECTED and plan:
        check_disconnection(host, gateway, request.tunnels)
    if check:
        failures = states.shortcomings(request.required) if request.state == CONNECTED else ()
        never = () if request.state == DISCONNECTED else impossible(host, request.required).values()
        failures = distinct((*never, *failures))
        return ConnectionResult(bool(plan), _result(request, states), plan, failures)
    if request.state == DISCONNECTED:
        tear_down(host, plan.steps)
        states = tunnel_states(host, request.tunnels)
        return ConnectionResult(bool(plan), _result(request, states), plan)
    with host.daemon_log() as log:
        result, states = _connect(host, log, request, states.live, plan)
        if not result.failures and params["check_rekey"]:
            result = _rekeyed(host, log, request, result)
    if probes and (not result.failures or result.carrying):
        result = _probed(result, states, [send(host, item) for item in probes])
    return result


def _plan(request: ConnectionRequest, live: Live) -> Plan:
    if request.state == CONNECTED:
        return plan_connected(request.required, live)
    plan = plan_disconnected if request.state == DISCONNECTED else plan_reconnected
    return plan(request.tunnels, live, one=request.one_child)


def _connect(
    host: Host, log: DaemonLog, request: ConnectionRequest, before: Live, plan: Plan
) -> tuple[ConnectionResult, TunnelStates]:
    tear_down(host, plan.steps)
    again = request.state != CONNECTED
    missing = [item for item in request.required if again or item.key not in before.up]
    never = impossible(host, missing)
    tried = [item for item in missing if item.key not in never]
    if tried:
        initiated = [item for item in tried if item.initiates]
        awaited = [item for item in tried if not item.initiates]
        bring_up(host, log, initiated, awaited, request.timeout)
    states = tunnel_states(host, request.tunnels)
    live = states.live
    failures = [*never.values()]
    failures += [
        failure_of(host, log, request, item, live) for item in tried if item.key not in live.up
    ]
    failures += states.shortcomings(request.required)
    others = [item for item in request.tunnels if item not in request.required]
    result = ConnectionResult(
        changed=bool(plan) and (again or bool(live.up - before.up) or bool(plan.impacts)),
        result=_result(request, states),
        plan=plan,
        failures=distinct(failures),
        remarks=states.shortcomings(others),
        carrying=all(item.key in live.up for item in request.required),
    )
    return result, states


def _rekeyed(
    host: Host, log: DaemonLog, request: ConnectionRequest, result: ConnectionResult
) -> ConnectionResult:
    live = live_tunnels(host, request.tunnels)
    tunnels = [item for item in request.tunnels if item.key in live.up]
    rekeyed = rekey(host, log, tunnels, request.timeout)
    failures = [
        rekey_failure_of(host, log, request, item) for item in tunnels if item.key not in rekeyed
    ]
    values = {**result.result, "rekeyed": sorted(map("/".join, rekeyed))}
    return replace(result, result=values, failures=distinct(failures))


def _probed(
    result: ConnectionResult, states: TunnelStates, replies: t.Sequence[ProbeReply]
) -> ConnectionResult:
    failures = [*probe_failures(states, replies), *result.failures]
    values = {**result.result, "probes": [probe_result(reply) for reply in replies]}
    return replace(result, result=values, failures=distinct(failures))


def _result(request: ConnectionRequest, states: TunnelStates) -> dict[str, t.Any]:
    return {
        **{option: request.params[option] for option in ("network", "phase1", "phase2", "state")},
        "tunnels": [
            {
                "phase1": item.connection.name,
                "phase2": item.child.name,
                "up": states.state(item) == UP,
                "state": states.state(item),
                "initiates": item.initiates,
            }
            for item in request.tunnels
        ],
    }
