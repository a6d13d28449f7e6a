# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Explanations of failed attempts to bring tunnels up or to rekey them."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._diagnose.explain import Attempt, Finding, explain
from .._host.host import Host
from .._host.vici.log_events import DaemonLog
from .._model.capabilities import Capabilities
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._plan.connect import Key, Live, Tunnel
from .._render.strongswan_conf import LIBIPSEC
from .addresses import no_address
from .connection_request import ConnectionRequest
from .edit import without_address
from .own_certificate import OwnCertificates


def impossible(host: Host, tunnels: t.Iterable[Tunnel]) -> dict[Key, Finding]:
    """Return the explanation of each tunnel of IKEv1, if the daemon has no IKEv1.

    charon accepts such a connection, and the line about its failure names no connection.
    """
    old = [item for item in tunnels if item.connection.key_exchange == "ikev1"]
    if not old:
        return {}
    capabilities = host.capabilities()
    found = {} if capabilities.ikev1 else {item.key: item for item in old}
    return {
        key: without_ikev1(item.connection, item.child, capabilities) for key, item in found.items()
    }


def without_ikev1(
    connection: IkeConnection, child: ChildSa | None, capabilities: Capabilities
) -> Finding:
    """Return the explanation of a tunnel of IKEv1 on a daemon without IKEv1."""
    finding = explain(Attempt(connection, child, seen="ikev1_not_supported"))
    return replace(finding, detail=f" This host has strongSwan {capabilities.version}.")


def failure_of(
    host: Host, log: DaemonLog, request: ConnectionRequest, tunnel: Tunnel, live: Live
) -> Finding:
    """Return the explanation of a tunnel that is not up after the attempt in ``log``."""
    if tunnel.key in live.lost:
        return explain(Attempt(tunnel.connection, tunnel.child, seen="sa_not_in_kernel"))
    attempt = _attempt(host, log, request, tunnel)
    finding = explain(attempt)
    if finding.cause.code in ("no_answer", "request_lost"):
        finding = explain(replace(attempt, seen=unreachable(host, tunnel.connection)))
    return with_addresses(host, finding)


def rekey_failure_of(
    host: Host, log: DaemonLog, request: ConnectionRequest, tunnel: Tunnel
) -> Finding:
    """Return the explanation of a rekey that the peer refused or did not answer."""
    attempt = _attempt(host, log, request, tunnel)
    return explain(replace(attempt, initiates=True, rekeyed=True))


def _attempt(host: Host, log: DaemonLog, request: ConnectionRequest, tunnel: Tunnel) -> Attempt:
    connection = tunnel.connection
    return Attempt(
        connection,
        tunnel.child,
        log.about(connection.name, connection.remote_gateway),
        request.peer_log,
        initiates=tunnel.initiates,
        own=OwnCertificates(host).of(connection),
    )


def unreachable(host: Host, connection: IkeConnection) -> str:
    """Return why this host cannot reach a peer that does not answer, or an empty text."""
    address = connection.local_address
    if address is not None and address not in host.link.addresses():
        return "local_address_missing"
    peer = connection.peer_address
    if peer is not None and not host.link.has_route(str(peer)):
        return "no_route"
    return ""


def distinct(findings: t.Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings without repetition: one for a fault of a phase 1, not one per phase 2."""
    found: dict[tuple[str, str, str], Finding] = {}
    for item in findings:
        of_phase2 = any(place.option.startswith("ipsec_phase2") for place in item.cause.where)
        shown = item if of_phase2 else replace(item, child=None)
        name = shown.child.name if shown.child else ""
        found.setdefault((shown.connection.name, name, shown.cause.code), shown)
    return tuple(found.values())


def with_addresses(host: Host, finding: Finding) -> Finding:
    """Return the finding with the local networks for which the data plane refuses a tunnel."""
    child = finding.child
    if finding.cause.code != "kernel_refuses_policy" or child is None:
        return finding
    networks = (
        without_address(child.local_network, host.link.addresses())
        if LIBIPSEC in host.vici.plugins()
        else []
    )
    return replace(finding, detail=no_address(networks)) if networks else finding
