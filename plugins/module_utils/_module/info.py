# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_info: what is configured, what is loaded, what is up, and where these differ."""

from __future__ import annotations

import contextlib
import ipaddress
import time
import typing as t
from dataclasses import dataclass, fields

from .._errors import HostError, ModelError
from .._host.dataplane import was_userspace
from .._host.dial import wait_for
from .._host.host import Host
from .._host.observe import daemon_state, observe
from .._host.state import installed_credentials, read_gateway
from .._host.vici_facts import Facts, Section, child_facts, ike_facts, moment
from .._host.vici_message import ChildState, IkeState
from .._model import checks
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._plan.connect import Tunnel
from .._plan.drift import drift_of_files, drift_of_host
from .._plan.observed import DaemonState, NetworkState, Observed
from .._plan.plan import Difference
from .._plan.planner import Scope
from .._render.artefacts import (
    Artefacts,
    advanced_path,
    artefacts,
    bypass_path,
    connection_path,
    credential_paths,
)
from .._render.pem import Certificate, certificate
from .._render.strongswan_conf import LIBIPSEC
from .edit import Params
from .reasons import add_reasons
from .status import DOWN, UP, phase1_state, phase2_state

# What charon still lists of a Child SA that has been replaced or closed.
_GOING = ("REKEYED", "DELETING", "DELETED")


# In seconds.
WAIT = (0, 600)


@dataclass(frozen=True)
class Seen:
    """The host at one moment. ``silent`` is why the daemon told nothing, empty where it did."""

    gateway: Gateway
    wanted: Artefacts
    observed: Observed
    sas: t.Mapping[str, t.Sequence[Section]]
    now: float
    # The process of the daemon; 0 where it is silent.
    pid: int = 0
    silent: str = ""

    @property
    def daemon(self) -> DaemonState:
        return self.observed.daemon


def look(host: Host, params: Params, *, check: bool = False) -> tuple[Facts, list[str]]:
    """What is there, and warnings. Raises ModelError for a name that there is not, and HostError.

    In check mode it is the same. A daemon or a journal that tells nothing is no error: the rest is
    worth knowing then, too.
    """
    seconds = checks.number("wait", params["wait"], *WAIT)
    if seconds and not check:
        _wait(host, params, seconds)
    with host.exclusive("ipsec_info"):
        gateway = read_gateway(host.files)
        connections = _chosen(gateway, params)
        networks = {item.network for item in connections}
        if params["phase1"] is None:
            named = params["network"]
            networks = {named} if named is not None else {*gateway.networks}
        seen = _see(host, gateway, connections, networks)
    files = [seen.wanted.swanctl[connection_path(item.name)] for item in connections]
    drifts = drift_of_files(files, seen.observed)
    phase1 = [
        {**_phase1(seen, item), "drift": _drift(drift)} for item, drift in zip(connections, drifts)
    ]
    warnings = [seen.silent] if seen.silent else []
    try:
        add_reasons(host, seen.pid, zip(connections, phase1))
    except HostError as error:
        warnings.append(str(error))
    facts = {
        "time": moment(seen.now),
        "addresses": [item for item in sorted(host.link.addresses()) if not _local(item)],
        "daemon": _daemon(seen),
        "networks": [_network(seen, name) for name in sorted(networks & {*gateway.networks})],
        "phase1": phase1,
        "unmanaged": _unmanaged(seen),
        "drift": _drift(drift_of_host(seen.wanted, seen.observed, _host_scope(networks))),
    }
    return facts, warnings


def _wait(host: Host, params: Params, seconds: int) -> None:
    """For the tunnels that this side begins by itself."""
    gateway = read_gateway(host.files)
    tunnels = [
        Tunnel(item, child)
        for item in _chosen(gateway, params)
        if gateway.powered(item) and item.connection_behavior == "start"
        for child in item.children
        if child.enabled
    ]
    with contextlib.suppress(HostError):
        # A daemon that does not answer is told of by the look that follows.
        wait_for(host, tunnels, seconds)


def _chosen(gateway: Gateway, params: Params) -> list[IkeConnection]:
    """The phase 1 objects that were asked for, by name."""
    for option, known in (("network", gateway.networks), ("phase1", gateway.connections)):
        if params[option] is not None and params[option] not in known:
            legal = ", ".join(sorted(known)) or "none: there is none on this host"
            raise ModelError(option, params[option], "does not exist on this host", legal)
    return [
        item
        for name, item in sorted(gateway.connections.items())
        if params["phase1"] in (None, name) and params["network"] in (None, item.network)
    ]


def _see(
    host: Host, gateway: Gateway, connections: t.Sequence[IkeConnection], networks: set[str]
) -> Seen:
    wanted = artefacts(
        gateway,
        userspace=was_userspace(host),
        credentials=installed_credentials(host.files, gateway),
    )
    scope = _host_scope(networks)
    paths = scope.swanctl | {connection_path(item.name) for item in connections}
    scope = Scope(scope.networks, paths, daemon=True)
    daemon, pid, silent = DaemonState(), 0, ""
    sections: tuple[tuple[str, Section], ...] = ()
    try:
        sections = host.vici.sa_sections()
        pid = host.vici.pid
        daemon = daemon_state(host, [IkeState.of(name, section) for name, section in sections])
    except HostError as error:
        silent = str(error)
    sas: dict[str, list[Section]] = {}
    for name, section in sections:
        sas.setdefault(name, []).append(section)
    observed = observe(host, wanted, wanted, scope, daemon)
    return Seen(gateway, wanted, observed, sas, time.time(), pid, silent)


def _host_scope(networks: set[str]) -> Scope:
    """All but the tunnels."""
    paths = {path(name) for name in networks for path in (bypass_path, advanced_path)}
    return Scope(frozenset(networks), frozenset(paths), daemon=True)


def _local(address: str) -> bool:
    """Whether it is known on the host, or on one link of it, alone."""
    known = ipaddress.ip_address(address)
    return known.is_loopback or known.is_link_local


def _daemon(seen: Seen) -> Facts:
    dataplane = "userspace" if LIBIPSEC in seen.daemon.plugins else "kernel"
    return {
        "running": not seen.silent,
        "version": seen.daemon.version or None,
        "dataplane": None if seen.silent else dataplane,
        "plugins": sorted(seen.daemon.plugins),
    }


def _unmanaged(seen: Seen) -> list[str]:
    ours = {name for part in seen.wanted.swanctl.values() for name in part.owned}
    return sorted(seen.daemon.connections.keys() - ours)


def _network(seen: Seen, name: str) -> Facts:
    network = seen.gateway.networks[name]
    live = seen.observed.networks.get(name, NetworkState())
    up = live.device_up and live.active and live.rules_match
    return {
        "name": name,
        "state": (UP if up else DOWN) if network.started else "stopped",
        "interface": network.device,
        "addresses": list(live.addresses),
        "mtu": live.mtu,
        "options": network.to_options(),
        "settings": seen.gateway.settings_of(name).to_options(),
        "rules": [rule.to_options() for rule in seen.gateway.rules.get(name, ())],
    }


def _phase1(seen: Seen, connection: IkeConnection) -> Facts:
    sections = seen.sas.get(connection.name, ())
    ike = [IkeState.of(connection.name, section) for section in sections]
    phase2 = [_phase2(seen, connection, child, ike) for child in connection.children]
    sas = [ike_facts(section, seen.now) for section in sections]
    loaded = _loaded(seen.daemon.connections.get(connection.name))
    return {
        "name": connection.name,
        "network": connection.network,
        "state": phase1_state(
            (item["state"] for item in phase2),
            enabled=seen.gateway.powered(connection),
            up=any(item.up for item in ike),
            busy=any(item.busy for item in ike),
            waiting=loaded is not None,
        ),
        "since": min((sa["since"] for sa in sas if sa["since"]), default=None),
        "options": connection.to_options(),
        "loaded": loaded,
        "sas": sas,
        "phase2": phase2,
        "certificates": _certificates(seen, connection),
        "explanation": None,
        "log": [],
    }


def _phase2(
    seen: Seen, connection: IkeConnection, child: ChildSa, ike: t.Sequence[IkeState]
) -> Facts:
    sections = [
        section
        for sa in seen.sas.get(connection.name, ())
        for section in sa.get("child-sas", {}).values()
        if section["name"] == child.name and section["state"] not in _GOING
    ]
    sas = [child_facts(section, seen.now) for section in sections]
    trapped = (connection.name, child.name) in seen.daemon.traps
    responder = connection.connection_behavior == "responder_only"
    loaded = seen.daemon.connections.get(connection.name, {}).get("children", {})
    return {
        "name": child.name,
        "state": phase2_state(
            enabled=seen.gateway.powered(connection) and child.enabled,
            up=any(ChildState.of(section).up for section in sections),
            busy=any(item.busy for item in ike),
            waiting=child.name in loaded
            and (responder or (trapped and connection.connection_behavior == "on_demand")),
        ),
        "since": min((sa["since"] for sa in sas if sa["since"]), default=None),
        "options": child.to_options(),
        "loaded": child.name in loaded,
        "sas": sas,
        "explanation": None,
    }


def _loaded(conn: Section | None) -> Facts | None:
    """What the daemon shows of a connection; None where it has none of this name."""
    if conn is None:
        return None
    return {
        "version": conn.get("version"),
        "local_address": list(conn.get("local_addrs", ())),
        "remote_gateway": list(conn.get("remote_addrs", ())),
        "identifier": conn.get("local-1", {}).get("id"),
        "peer_identifier": conn.get("remote-1", {}).get("id"),
        "phase2": {
            name: {
                "mode": child.get("mode", "").lower(),
                "local_network": list(child.get("local-ts", ())),
                "remote_network": list(child.get("remote-ts", ())),
            }
            for name, child in sorted(conn.get("children", {}).items())
        },
    }


def _certificates(seen: Seen, connection: IkeConnection) -> list[Facts]:
    """Of the copies that the daemon reads; one that can't be read has no dates."""
    if connection.authentication != "pubkey":
        return []
    parts = seen.wanted.swanctl[connection_path(connection.name)]
    contents = {file.path: file.data for file in parts.extra_files}
    found = []
    for option, path in credential_paths(connection).items():
        if option != "private_key":
            known = certificate(contents.get(path, b""))
            found.append({"option": option, "file": path, **_dates(known)})
    return found


def _dates(known: Certificate | None) -> Facts:
    return {
        item.name: getattr(known, item.name) if known is not None else None
        for item in fields(Certificate)
    }


def _drift(differences: t.Iterable[Difference]) -> list[Facts]:
    return [
        {"what": item.header, "found": item.before.strip(), "wanted": item.after.strip()}
        for item in differences
    ]
