# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The combined state of many gateways: tunnels, sites and problems. Pure."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ._topology import placed, size_of

Facts = t.Mapping[str, t.Any]
Made = dict[str, t.Any]

# From the most to the least urgent state. `unknown` is a host without a result.
ORDER = ("down", "partial", "outdated", "unknown", "connecting", "idle", "up", "disabled")
_PROBLEM_STATES = ("down", "partial", "outdated", "connecting")


def fleet(results: t.Mapping[str, Facts], addresses: t.Mapping[str, str] | None = None) -> Made:
    """Return counts, gateways, problems, tunnels and topology of a fleet.

    ``results`` are the results of ipsec_info, or its failures, by name of the host. ``addresses``
    are addresses that peers use for a host, in addition to the addresses of its interfaces.
    """
    hosts = {name: _Host(result) for name, result in sorted(results.items())}
    sites = _Sites(hosts, addresses or {})
    gateways = [_gateway(name, host) for name, host in hosts.items()]
    tunnels = sorted(
        (
            tunnel
            for name, host in hosts.items()
            for phase1 in host.info.get("phase1", ())
            for tunnel in _tunnels(name, phase1, sites, host.info["time"])
        ),
        key=lambda item: (
            ORDER.index(item["state"]),
            item["gateway"],
            item["phase1"],
            item["phase2"] or "",
        ),
    )
    states = [item["state"] for item in tunnels]
    return {
        "counts": {state: states.count(state) for state in ORDER if state in states},
        "gateways": gateways,
        "problems": _problems(tunnels),
        "tunnels": tunnels,
        "topology": _topology(gateways, tunnels),
    }


class _Host:
    """A host with its ``info``, or with the ``error`` if there is none."""

    def __init__(self, result: Facts) -> None:
        self.info: Facts = result.get("ipsec_info") or {}
        self.error = None if self.info else str(result.get("msg") or "no result of ipsec_info")


class _Sites:
    """The names of peers: a host of the fleet, or the address of an unmanaged peer."""

    def __init__(self, hosts: t.Mapping[str, _Host], addresses: t.Mapping[str, str]) -> None:
        self._hosts: dict[str, str] = {}
        for name, host in hosts.items():
            for address in (name, addresses.get(name), *host.info.get("addresses", ())):
                if address:
                    self._hosts.setdefault(str(address), name)

    def of(self, gateway: str, phase1: Facts) -> str:
        """Return the name of a peer by the configured address, or the address in an SA."""
        configured = str(phase1["options"]["remote_gateway"])
        seen = [str(sa["remote_host"]) for sa in phase1["sas"] if sa["remote_host"]]
        for address in (configured, *seen):
            if self._hosts.get(address, gateway) != gateway:
                return self._hosts[address]
        return seen[0] if configured == "%any" and seen else configured


def _gateway(name: str, host: _Host) -> Made:
    info = host.info
    daemon = info.get("daemon", {})
    return {
        "name": name,
        "error": host.error,
        "running": bool(daemon.get("running")),
        "version": daemon.get("version"),
        "ike_versions": list(info.get("capabilities", {}).get("ike_versions", ())),
        "dataplane": daemon.get("dataplane"),
        "restart_needed": bool(daemon.get("restart_needed")),
        # None if the table of advisories does not know the packages.
        "advisories": info.get("advisories"),
        "networks": [
            {key: network[key] for key in ("name", "state", "interface", "addresses")}
            for network in info.get("networks", ())
        ],
        "drift": list(info.get("drift", ())),
        "unmanaged": list(info.get("unmanaged", ())),
    }


def _tunnels(gateway: str, phase1: Facts, sites: _Sites, now: str) -> t.Iterator[Made]:
    """Yield a tunnel for each phase 2, and for each phase 1 without a phase 2."""
    shared = {
        "gateway": gateway,
        "phase1": phase1["name"],
        "network": phase1["network"],
        "advanced": phase1["advanced"],
        "peer": sites.of(gateway, phase1),
        "remote_gateway": phase1["options"]["remote_gateway"],
        "ike": _ike(phase1["sas"]),
        "ike_version": phase1["sas"][0]["version"] if phase1["sas"] else None,
        "certificate": _certificate(phase1["certificates"], now),
        "drift": list(phase1["drift"]),
    }
    if not phase1["phase2"]:
        yield {**shared, **_own(phase1, None, now)}
    for phase2 in phase1["phase2"]:
        yield {**shared, **_own(phase1, phase2, now)}


def _ike(sas: t.Sequence[Facts]) -> str | None:
    """Return the algorithms of an IKE SA, and whether it uses a PPK."""
    return f"{sas[0]['algorithms']}{' PPK' if sas[0]['ppk'] else ''}" if sas else None


def _own(phase1: Facts, phase2: Facts | None, now: str) -> Made:
    it = phase2 if phase2 is not None else phase1
    sas = phase2["sas"] if phase2 is not None else []
    options = phase2["options"] if phase2 is not None else {}
    well = it["state"] in ("up", "disabled")
    pending = list(it["pending"])
    pending += [item for item in phase1["pending"] if item not in pending]
    return {
        "phase2": phase2["name"] if phase2 is not None else None,
        "state": it["state"],
        "quantum_safe": it.get("quantum_safe"),
        "since": it["since"],
        "age": _seconds(it["since"], now),
        "local_network": list(options.get("local_network") or ()),
        "remote_network": list(options.get("remote_network") or ()),
        "missing": list(phase2["missing"]) if phase2 is not None else [],
        "pending": pending,
        "algorithms": sas[0]["algorithms"] if sas else None,
        "protocol": sas[0]["protocol"] if sas else options.get("protocol"),
        "bytes_in": sum(sa["bytes_in"] for sa in sas),
        "bytes_out": sum(sa["bytes_out"] for sa in sas),
        "rekey_in": min((sa["rekey_in"] for sa in sas if sa["rekey_in"] is not None), default=None),
        "explanation": None if well else it.get("explanation"),
        "log": [] if well else list(phase1["log"]),
    }


def _certificate(certificates: t.Iterable[Facts], now: str) -> Made | None:
    """Return the certificate that expires first. ``days`` is negative if it has expired."""
    dated = [item for item in certificates if item["not_after"]]
    if not dated:
        return None
    first = min(dated, key=lambda item: str(item["not_after"]))
    remaining = _seconds(now, str(first["not_after"])) or 0
    return {
        "subject": first["subject"],
        "not_after": first["not_after"],
        "days": remaining // 86400,
    }


def _problems(tunnels: t.Sequence[Facts]) -> list[Made]:
    """Return the problems, once for each phase 1, with the two ends of a tunnel side by side."""
    groups: dict[tuple[str, str], list[Facts]] = {}
    for tunnel in tunnels:
        if tunnel["state"] in _PROBLEM_STATES:
            groups.setdefault((tunnel["gateway"], tunnel["phase1"]), []).append(tunnel)
    shared = ("gateway", "phase1", "peer", "state", "since", "age", "drift", "log")
    problems = [
        {
            **{key: group[0][key] for key in shared},
            "phase2": [item["phase2"] for item in group if item["phase2"]],
            "explanation": next((it["explanation"] for it in group if it["explanation"]), None),
        }
        for group in groups.values()
    ]
    return sorted(problems, key=lambda it: (sorted((it["gateway"], it["peer"])), it["gateway"]))


def _seconds(begin: str | None, end: str) -> int | None:
    if begin is None:
        return None
    return int((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())


def _topology(gateways: t.Sequence[Facts], tunnels: t.Sequence[Facts]) -> Made:
    silent = {item["name"] for item in gateways if item["error"]}
    states: dict[tuple[str, str], list[str]] = {}
    for tunnel in tunnels:
        pair = sorted((tunnel["gateway"], tunnel["peer"]))
        states.setdefault((pair[0], pair[1]), []).append(tunnel["state"])
    own = {item["name"]: item for item in gateways}
    sites = [*own, *sorted({name for pair in states for name in pair} - own.keys())]
    size = size_of(len(sites))
    places = placed(sites, states.keys(), size)
    return {
        "width": size[0],
        "height": size[1],
        "sites": [
            {
                "name": name,
                "managed": name in own,
                "state": "unknown" if name in silent else "up",
                "x": places[name][0],
                "y": places[name][1],
            }
            for name in sites
        ],
        "lines": [
            {
                "between": list(pair),
                "state": _together(tunnel_states),
                "tunnels": len(tunnel_states),
                "from": list(places[pair[0]]),
                "to": list(places[pair[1]]),
            }
            for pair, tunnel_states in sorted(states.items())
        ],
    }


def _together(states: t.Sequence[str]) -> str:
    """Return the state of a line. Disabled tunnels count only if all tunnels are disabled."""
    counted = {*states} - {"disabled"} or {"disabled"}
    if "up" in counted and counted & {"down", "connecting"}:
        return "partial"
    return min(counted, key=ORDER.index)
