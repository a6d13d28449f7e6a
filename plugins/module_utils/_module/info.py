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
from dataclasses import dataclass
from functools import cached_property

from .._errors import HostError
from .._host.files.credentials import installed_credentials
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.kernel.dataplane import was_userspace
from .._host.observe import daemon_state, observe
from .._host.tunnels.initiate import wait_for
from .._host.vici.facts import Facts, child_facts, ike_facts, moment
from .._host.vici.message import IkeState
from .._model import checks
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.daemon import ALL_DAEMONS
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._plan.authorities import told
from .._plan.connect import Tunnel
from .._plan.drift import drift_of_files, drift_of_host
from .._plan.in_force import NOTHING, InForce, is_key
from .._plan.observed import DaemonState, NetworkState, Observed
from .._plan.overlaps import overlaps
from .._plan.ownership import exposed
from .._plan.plan import Difference
from .._plan.planner import Scope
from .._plan.standing import Sa, child_standing, ike_deviations
from .._plan.trust import bad_certificates, disclosed, open_connections
from .._render.advanced_tunnels import (
    advanced_child_options,
    advanced_options,
    advanced_sections,
    advanced_tunnels,
)
from .._render.artefacts import Artefacts, artefacts
from .._render.strongswan.section import Section
from .._render.strongswan_conf import LIBIPSEC
from .certificate_facts import certificate_facts
from .edit import Params
from .reasons import add_reasons
from .selection import not_on_this_host
from .standing import shortcoming
from .status import DOWN, OUTDATED, UP, phase1_state, phase2_state, standing_state

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
    sas: t.Mapping[str, t.Sequence[Sa]]
    now: float
    # The process of the daemon; 0 where it is silent.
    pid: int = 0
    silent: str = ""

    @property
    def daemon(self) -> DaemonState:
        return self.observed.daemon

    @cached_property
    def advanced(self) -> t.Mapping[str, Section]:
        """The connections of conf texts, by name."""
        return advanced_sections(self.gateway)

    def section(self, connection: IkeConnection) -> Section | None:
        """The connection as it is to be loaded; None for one that is not to be."""
        if not self.gateway.is_active(connection):
            return None
        parts = self.wanted.swanctl.get(self.wanted.platform.connection_path(connection.name))
        found = self.advanced if parts is None else parts.connections
        return found.get(connection.name)

    def noted(self, connection: IkeConnection) -> InForce:
        return self.daemon.pending.get(connection.name, NOTHING)


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
        advanced = advanced_tunnels(gateway)
        connections, others = _chosen(gateway, advanced, params)
        networks = {item.network for item in (*connections, *others)}
        if params["phase1"] is None:
            named = params["network"]
            networks = {named} if named is not None else {*gateway.networks}
        seen = _see(host, gateway, connections, networks)
    files = [seen.wanted.swanctl[host.platform.connection_path(item.name)] for item in connections]
    drifts = drift_of_files(files, seen.observed)
    found = [
        *((item, _phase1(seen, item, _drift(drift))) for item, drift in zip(connections, drifts)),
        *((item, _advanced(seen, item)) for item in others),
    ]
    found.sort(key=lambda pair: pair[0].name)
    warnings = [*([seen.silent] if seen.silent else []), *exposed((seen.wanted,), seen.observed)]
    warnings += disclosed(seen.observed.files.values(), host.platform)
    paths = {item.file.path for item in files}
    warnings += open_connections(seen.wanted, seen.daemon, paths)
    warnings += overlaps(seen.wanted, seen.daemon, paths)
    warnings += told(seen.daemon.remembered)
    warnings += bad_certificates(seen.wanted, paths, seen.now)
    try:
        add_reasons(host, seen.pid, found)
    except HostError as error:
        warnings.append(str(error))
    facts = {
        "time": moment(seen.now),
        "addresses": [item for item in sorted(host.link.addresses()) if not _local(item)],
        "daemon": _daemon(seen),
        "networks": [_network(seen, name) for name in sorted(networks & {*gateway.networks})],
        "phase1": [facts for _connection, facts in found],
        "unmanaged": _unmanaged(seen),
        "drift": _drift(
            drift_of_host(seen.wanted, seen.observed, _host_scope(networks, host.platform))
        ),
    }
    return facts, warnings


def _wait(host: Host, params: Params, seconds: int) -> None:
    """For the tunnels that this side begins by itself."""
    gateway = read_gateway(host.files)
    managed, _advanced = _chosen(gateway, advanced_tunnels(gateway), params)
    tunnels = [
        Tunnel(item, child)
        for item in managed
        if gateway.is_active(item) and item.connection_behavior == "start"
        for child in item.children
        if child.enabled
    ]
    with contextlib.suppress(HostError):
        # A daemon that does not answer is told of by the look that follows.
        wait_for(host, tunnels, seconds)


def _chosen(
    gateway: Gateway, advanced: t.Mapping[str, IkeConnection], params: Params
) -> tuple[list[IkeConnection], list[IkeConnection]]:
    """The phase 1 objects that were asked for, by name, and those of conf texts."""
    names = {**gateway.connections, **advanced}
    for option, known in (("network", gateway.networks), ("phase1", names)):
        if params[option] is not None and params[option] not in known:
            raise not_on_this_host(option, params[option], known)
    managed, others = (
        [
            item
            for name, item in sorted(items.items())
            if params["phase1"] in (None, name) and params["network"] in (None, item.network)
        ]
        for items in (gateway.connections, advanced)
    )
    return managed, others


def _see(
    host: Host, gateway: Gateway, connections: t.Sequence[IkeConnection], networks: set[str]
) -> Seen:
    platform = host.platform
    wanted = artefacts(
        gateway,
        platform,
        userspace=was_userspace(host),
        credentials=installed_credentials(host.files, gateway),
    )
    scope = _host_scope(networks, platform)
    paths = scope.swanctl | {platform.connection_path(item.name) for item in connections}
    scope = Scope(scope.networks, paths, daemons=ALL_DAEMONS)
    daemon, pid, silent = DaemonState(), 0, ""
    sections: tuple[tuple[str, Sa], ...] = ()
    try:
        sections = host.vici.sa_sections()
        pid = host.vici.pid
        daemon = daemon_state(host, [IkeState.of(name, section) for name, section in sections])
    except HostError as error:
        silent = str(error)
    sas: dict[str, list[Sa]] = {}
    for name, section in sections:
        sas.setdefault(name, []).append(section)
    observed = observe(host, wanted, wanted, scope, daemon)
    return Seen(gateway, wanted, observed, sas, time.time(), pid, silent)


def _host_scope(networks: set[str], platform: Platform) -> Scope:
    """All but the tunnels."""
    paths = {
        path(name) for name in networks for path in (platform.bypass_path, platform.advanced_path)
    }
    return Scope(frozenset(networks), frozenset(paths), daemons=ALL_DAEMONS)


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
    ours = {name for part in seen.wanted.swanctl.values() for name in part.connection_names}
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


def _phase1(seen: Seen, connection: IkeConnection, drift: list[Facts]) -> Facts:
    sections = seen.sas.get(connection.name, ())
    ike = [IkeState.of(connection.name, section) for section in sections]
    phase2 = [_phase2(seen, connection, child, ike) for child in connection.children]
    sas = [ike_facts(section, seen.now) for section in sections]
    loaded = _loaded(seen.daemon.connections.get(connection.name))
    pending = _pending(seen, connection)
    carrying = OUTDATED if pending else UP
    return {
        "name": connection.name,
        "network": connection.network,
        "advanced": False,
        "state": phase1_state(
            (item["state"] for item in phase2),
            enabled=seen.gateway.is_active(connection),
            carrying=carrying if any(item.up for item in ike) else "",
            busy=any(item.busy for item in ike),
            waiting=loaded is not None,
        ),
        "since": min((sa["since"] for sa in sas if sa["since"]), default=None),
        "options": connection.to_options(),
        "loaded": loaded,
        "sas": sas,
        "pending": pending + _pending_key(seen, connection),
        "phase2": phase2,
        "certificates": certificate_facts(seen.wanted, seen.now, connection),
        "drift": drift,
        "explanation": None,
        "log": [],
    }


def _advanced(seen: Seen, connection: IkeConnection) -> Facts:
    """A tunnel of a conf text. What differs from the text is drift of its network."""
    facts = _phase1(seen, connection, [])
    section = seen.advanced[connection.name]
    for child, entry in zip(connection.children, facts["phase2"]):
        entry["options"] = advanced_child_options(child, section)
    return {**facts, "advanced": True, "options": advanced_options(connection)}


def _pending(seen: Seen, connection: IkeConnection) -> list[Facts]:
    """What of an IKE SA that is up is not as it is configured."""
    section = seen.section(connection)
    if section is None:
        return []
    sas = seen.sas.get(connection.name, ())
    found = ike_deviations(section, sas, seen.noted(connection))
    return [item.to_result() for item in found]


def _pending_key(seen: Seen, connection: IkeConnection) -> list[Facts]:
    """A pre-shared key with which no IKE SA that is up has authenticated; the SA does not mind."""
    digests = {*seen.noted(connection).keys.values()}
    key = connection.psk.reveal() if connection.psk is not None else b""
    if all(is_key(digest, key) for digest in digests):
        return []
    return [{"key": "psk", "in_force": "the one before", "configured": "the new one"}]


def _phase2(
    seen: Seen, connection: IkeConnection, child: ChildSa, ike: t.Sequence[IkeState]
) -> Facts:
    section = seen.section(connection)
    standing = None
    if section is not None and child.enabled:
        found = seen.sas.get(connection.name, ())
        standing = child_standing(section, child.name, found, seen.noted(connection))
    finding = shortcoming(connection, child, standing) if standing else None
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
            enabled=seen.gateway.is_active(connection) and child.enabled,
            carrying=standing_state(standing) if standing else "",
            busy=any(item.busy for item in ike),
            waiting=child.name in loaded
            and (responder or (trapped and connection.connection_behavior == "on_demand")),
        ),
        "since": min((sa["since"] for sa in sas if sa["since"]), default=None),
        "options": child.to_options(),
        "loaded": child.name in loaded,
        "sas": sas,
        "missing": [pair.to_result() for pair in standing.missing] if standing else [],
        "pending": [item.to_result() for item in standing.deviations] if standing else [],
        "explanation": finding.to_result() if finding else None,
    }


def _loaded(conn: Sa | None) -> Facts | None:
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


def _drift(differences: t.Iterable[Difference]) -> list[Facts]:
    return [
        {"object": item.header, "actual": item.before.strip(), "expected": item.after.strip()}
        for item in differences
    ]
