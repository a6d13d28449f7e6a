# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.


"""The facts that ipsec_info returns. Pure."""

from __future__ import annotations

import typing as t

from .._host.vici.facts import Facts, child_facts, ike_facts
from .._host.vici.message import IkeState
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.quantum import has_round, sa_is_quantum_safe
from .._plan.in_force import is_key
from .._plan.loaded_proposals import Texts, shown, shown_child
from .._plan.observed import NetworkState
from .._plan.plan import Difference
from .._plan.standing import CHILD_UP, IKE_UP, Sa, child_standing, ike_deviations
from .._releases.advisories import TABLE_DATE, lacking
from .._releases.packages import Installed
from .._render.advanced_tunnels import (
    advanced_child_options,
    advanced_options,
)
from .._render.strongswan_conf import LIBIPSEC
from .certificate_facts import certificate_facts
from .snapshot import HostSnapshot
from .standing import shortcoming
from .status import DOWN, OUTDATED, UP, phase1_state, phase2_state, standing_state

# The states of a Child SA that was replaced or closed, and that charon still lists.
_GOING = ("REKEYED", "DELETING", "DELETED")


def daemon_facts(seen: HostSnapshot, *, replaced: bool | None) -> Facts:
    """Return the facts of the IKE daemon. ``replaced`` is whether its files were replaced."""
    dataplane = "userspace" if LIBIPSEC in seen.daemon.plugins else "kernel"
    return {
        "running": not seen.silent,
        "version": seen.daemon.version or None,
        "dataplane": None if seen.silent else dataplane,
        "plugins": sorted(seen.daemon.plugins),
        "restart_needed": None if seen.silent else replaced,
    }


def package_facts(installed: Installed) -> Facts:
    """Return the distribution and the packages."""
    return {
        "distribution": installed.distribution or None,
        "codename": installed.codename or None,
        "installed": {item.name: item.version for item in installed.packages},
    }


def advisory_facts(installed: Installed) -> list[Facts] | None:
    """Return the security fixes that the packages lack. None if the table cannot know them."""
    found = lacking(installed)
    if found is None:
        return None
    return [
        {
            "id": item.id,
            "component": item.vulnerability.component,
            "text": item.vulnerability.effect,
            "package": item.package,
            "installed": item.installed,
            "fixed_in": item.upload.version,
            "source": item.upload.source,
            "table_date": TABLE_DATE,
        }
        for item in found
    ]


def unmanaged_connections(seen: HostSnapshot) -> list[str]:
    """Return the names of the unmanaged connections in the daemon."""
    ours = {name for part in seen.wanted.swanctl.values() for name in part.connection_names}
    return sorted(seen.daemon.connections.keys() - ours)


def network_facts(seen: HostSnapshot, name: str) -> Facts:
    """Return the facts of a network."""
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


def phase1_facts(seen: HostSnapshot, connection: IkeConnection, drift: list[Facts]) -> Facts:
    """Return the facts of a phase 1, its SAs and its phase 2 objects."""
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
        "quantum_safe": _whole(sa_is_quantum_safe(sa) for sa in _established(sections)),
        "options": connection.to_options(),
        "loaded": loaded,
        "sas": sas,
        "pending": pending + _pending_keys(seen, connection),
        "phase2": phase2,
        "certificates": certificate_facts(seen.wanted, seen.now, connection),
        "drift": drift,
        "explanation": None,
        "log": [],
    }


def advanced_facts(seen: HostSnapshot, connection: IkeConnection) -> Facts:
    """Return the facts of a connection of a conf text. Its drift is drift of the network."""
    facts = phase1_facts(seen, connection, [])
    section = seen.advanced[connection.name]
    for child, entry in zip(connection.children, facts["phase2"]):
        entry["options"] = advanced_child_options(child, section)
    return {**facts, "advanced": True, "options": advanced_options(connection)}


def _pending(seen: HostSnapshot, connection: IkeConnection) -> list[Facts]:
    """Return the values of the IKE SAs that differ from the configuration."""
    section = seen.section(connection)
    if section is None:
        return []
    sas = seen.sas.get(connection.name, ())
    found = ike_deviations(section, sas, seen.noted(connection))
    return [item.to_result() for item in found]


def _pending_keys(seen: HostSnapshot, connection: IkeConnection) -> list[Facts]:
    """Return an entry for each new key, with which no IKE SA has authenticated."""
    noted = seen.noted(connection)
    keys = (("psk", connection.psk, noted.keys), ("ppk", connection.ppk, noted.ppks))
    return [
        {"key": option, "in_force": "the one before", "configured": "the new one"}
        for option, key, digests in keys
        if key is not None and not all(is_key(item, key.reveal()) for item in digests.values())
    ]


def _phase2(
    seen: HostSnapshot, connection: IkeConnection, child: ChildSa, ike: t.Sequence[IkeState]
) -> Facts:
    section = seen.section(connection)
    standing = None
    if section is not None and child.enabled:
        found = seen.sas.get(connection.name, ())
        standing = child_standing(section, child.name, found, seen.noted(connection))
    finding = shortcoming(connection, child, standing) if standing else None
    pairs = [
        (sa, section)
        for sa in seen.sas.get(connection.name, ())
        for section in sa.get("child-sas", {}).values()
        if section["name"] == child.name and section["state"] not in _GOING
    ]
    sas = [child_facts(section, seen.now) for _ike, section in pairs]
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
        "quantum_safe": _whole(
            sa_is_quantum_safe(sa) or has_round(section)
            for sa, section in pairs
            if section["state"] in CHILD_UP
        ),
        "options": child.to_options(),
        "loaded": child.name in loaded,
        "sas": sas,
        "missing": [pair.to_result() for pair in standing.missing] if standing else [],
        "pending": [item.to_result() for item in standing.deviations] if standing else [],
        "explanation": finding.to_result() if finding else None,
    }


def _established(sections: t.Iterable[Sa]) -> t.Iterator[Sa]:
    return (section for section in sections if section["state"] in IKE_UP)


def _whole(safe: t.Iterable[bool]) -> bool | None:
    """Return whether all SAs that are up are quantum safe, None if none is up."""
    found = [*safe]
    return all(found) if found else None


def _loaded(conn: Sa | None) -> Facts | None:
    """Return the values that the daemon reports, or None if the connection is not loaded."""
    if conn is None:
        return None
    return {
        "version": conn.get("version"),
        "local_address": list(conn.get("local_addrs", ())),
        "remote_gateway": list(conn.get("remote_addrs", ())),
        "identifier": conn.get("local-1", {}).get("id"),
        "peer_identifier": conn.get("remote-1", {}).get("id"),
        "proposals": _listed(shown(conn)),
        "phase2": {
            name: {
                "mode": child.get("mode", "").lower(),
                "local_network": list(child.get("local-ts", ())),
                "remote_network": list(child.get("remote-ts", ())),
                "proposals": _listed(shown_child(child)),
            }
            for name, child in sorted(conn.get("children", {}).items())
        },
    }


def _listed(proposals: Texts | None) -> list[str] | None:
    return None if proposals is None else list(proposals)


def drift_facts(differences: t.Iterable[Difference]) -> list[Facts]:
    """Return differences as the module returns them."""
    return [
        {"object": item.header, "actual": item.before.strip(), "expected": item.after.strip()}
        for item in differences
    ]
