# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observed host after the steps of a plan."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    Proposal,
    Use,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import network_steps, steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.children import (
    with_parked_children,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    NetworkState,
    Observed,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.ownership import (
    SecureDirectory,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import Artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import certificate
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan_conf import (
    LIBIPSEC,
)

VERSIONS = {"0": "IKEv1/2", "1": "IKEv1", "2": "IKEv2"}
CLASSES = {"psk": "pre-shared key", "pubkey": "public key"}
ACTIONS = {"clear": "none", "trap": "trap", "restart": "start"}


def listed(section: t.Mapping[str, t.Any], *, proposals: bool = False) -> dict[str, t.Any]:
    """Return a loaded connection as charon's list-conns shows it.

    strongSwan 6.0.7 and later also show ``proposals``.
    """
    conn: dict[str, t.Any] = {
        "version": VERSIONS[section.get("version", "0")],
        "local_addrs": section.get("local_addrs", ("%any",)),
        "remote_addrs": section.get("remote_addrs", ("%any",)),
        "unique": "UNIQUE_REPLACE",
        "children": {},
    }
    for key in ("rekey_time", "dpd_delay", "dpd_timeout"):
        if section.get(key, "0") != "0":
            conn[key] = section[key]
    if "ppk_id" in section:
        conn["ppk_id"] = section["ppk_id"]
    if section.get("ppk_required", "no") == "yes":
        conn["ppk_required"] = "yes"
    for end in ("local", "remote"):
        auth = section.get(end, {}).get("auth", "psk")
        conn[f"{end}-1"] = {"class": CLASSES[auth]}
        for key in ("certs", "cacerts"):
            pems = section.get(end, {}).get(key, ())
            found = [certificate(pem) for pem in pems if isinstance(pem, bytes)]
            conn[f"{end}-1"][key] = [str(item.subject) if item else "CN=odd" for item in found]
        if "id" in section.get(end, {}):
            conn[f"{end}-1"]["id"] = section[end]["id"]
    for name, child in section.get("children", {}).items():
        conn["children"][name] = {
            "mode": child.get("mode", "tunnel").upper(),
            "rekey_time": child.get("rekey_time", "3600"),
            "close_action": child.get("close_action", "none"),
            "dpd_action": ACTIONS[child.get("dpd_action", "clear")],
            "local-ts": child.get("local_ts", ("dynamic",)),
            "remote-ts": child.get("remote_ts", ("dynamic",)),
        }
        if proposals:
            for use in (Use.ESP, Use.AH):
                key = f"{use.name.lower()}_proposals"
                conn["children"][name][key] = _shown(child.get(key, ()), use)
    if proposals:
        conn["proposals"] = _shown(section.get("proposals", ()), Use.IKE)
    return conn


def _shown(keywords: t.Iterable[str], use: Use) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return proposals of the collection as list-conns shows them, by their number."""
    found = {}
    for number, keyword in enumerate(keywords):
        item = Proposal.parse(keyword, use)
        algorithms: dict[str, t.Any] = {
            "encr": item.algorithm and f"{ENCRYPTIONS[item.algorithm].charon}_{item.key_length}",
            "integ": item.hash and HASHES[item.hash].integrity,
            "prf": item.prf and HASHES[item.prf].prf,
            "ke": item.dh_group and DH[item.dh_group].charon,
            "sn": None if use is Use.IKE else "NO_EXT_SEQ",
        }
        found[str(number)] = {kind: (name,) for kind, name in algorithms.items() if name}
    return found


def carried_out(plan: Plan, host: Observed, wanted: Artefacts) -> Observed:
    """Return the host after the plan. The scripts of the networks bring up ``wanted``."""
    for step in plan.steps:
        host = _carry_out(step, host, wanted)
    return host


def _carry_out(step: steps.Step, host: Observed, wanted: Artefacts) -> Observed:
    daemon = host.daemon
    if isinstance(step, steps.WriteFile):
        return replace(host, files={**host.files, step.file.path: step.file})
    if isinstance(step, SecureDirectory):
        others = (item for item in host.directories if item.path != step.directory.path)
        return replace(host, directories=(*others, step.directory))
    if isinstance(step, steps.RemoveFile):
        assert step.file.path in host.files
        return replace(host, files=_without(host.files, step.file.path))
    if isinstance(step, steps.ParkChildren):
        loaded = {**daemon.connections, step.name: listed(with_parked_children(step.section))}
        return replace(host, daemon=replace(daemon, connections=loaded))
    if isinstance(step, (steps.LoadConnection, steps.SwapIn)):
        loaded = {**daemon.connections, step.name: listed(step.section)}
        return replace(host, daemon=replace(daemon, connections=loaded))
    if isinstance(step, steps.UnloadConnection):
        assert step.name in daemon.connections
        loaded = _without(daemon.connections, step.name)
        return replace(host, daemon=replace(daemon, connections=loaded))
    if isinstance(step, steps.LoadSecret):
        return replace(host, daemon=replace(daemon, secrets=daemon.secrets | {step.shared.id}))
    if isinstance(step, steps.UnloadSecret):
        return replace(host, daemon=replace(daemon, secrets=daemon.secrets - {step.id}))
    if isinstance(step, steps.TerminateConnection):
        up = _without(daemon.established, step.name)
        return replace(host, daemon=replace(daemon, established=up))
    if isinstance(step, steps.TerminateChild):
        left = daemon.established[step.connection] - {step.child}
        up = {**daemon.established, step.connection: left}
        return replace(host, daemon=replace(daemon, established=up))
    if isinstance(step, steps.Initiate):
        # The peer decides whether an SA comes up.
        assert step.child in daemon.connections[step.connection]["children"]
        return host
    if isinstance(step, steps.UninstallTrap):
        traps = daemon.traps - {(step.connection, step.child)}
        return replace(host, daemon=replace(daemon, traps=traps))
    if isinstance(step, steps.RestartDaemon):
        return replace(host, daemon=_restarted(daemon, wanted))
    return _network_step(step, host, wanted)


def _restarted(daemon: DaemonState, wanted: Artefacts) -> DaemonState:
    plugins = daemon.plugins - {LIBIPSEC} | ({LIBIPSEC} if wanted.userspace else set())
    return replace(daemon, plugins=frozenset(plugins), established={})


def _network_step(step: steps.Step, host: Observed, wanted: Artefacts) -> Observed:
    if isinstance(step, network_steps.SwitchUnit):
        name = step.unit[len("tunnelwright-") : -len(".service")]
        if name.endswith(".guard"):
            return _guard_switched(step.verb, host, name.rpartition(".")[0], wanted)
        state = host.networks.get(name, NetworkState())
        if step.verb in ("enable", "disable"):
            return _with(host, name, replace(state, enabled=step.verb == "enable"))
        if step.verb == "stop":
            return _with(host, name, replace(state, active=False))
        host = _protected(_routed(host, name, wanted), name, wanted)
        state = host.networks[name]
        return _with(host, name, _started(replace(state, active=True), name, wanted))
    if isinstance(step, network_steps.RunScript):
        host = _protected(host, step.network, wanted)
        if step.verb == "rules":
            return host
        host = _routed(host, step.network, wanted)
        state = host.networks[step.network]
        return _with(host, step.network, _started(state, step.network, wanted))
    if isinstance(step, network_steps.LoadRules):
        return _protected(host, step.network, wanted)
    if isinstance(step, network_steps.WithdrawRules):
        state = host.networks.get(step.network, NetworkState())
        return _with(host, step.network, replace(state, rules_present=False, rules_match=False))
    if isinstance(step, network_steps.ChangeElements):
        state = host.networks[step.network]
        assert state.elements == step.changes
        return _with(host, step.network, replace(state, rules_match=True, elements=None))
    if isinstance(step, network_steps.AddBlocks):
        return replace(host, blocks=host.blocks | {*step.blocks})
    if isinstance(step, network_steps.DeleteBlocks):
        assert host.blocks >= {*step.blocks}
        return replace(host, blocks=host.blocks - {*step.blocks})
    if isinstance(step, network_steps.DeleteRoute):
        rest = tuple(route for route in host.routes if route != step.route)
        return replace(host, routes=rest)
    if isinstance(step, network_steps.DeleteLink):
        return replace(
            host,
            routes=tuple(route for route in host.routes if route.device != step.device),
            networks={
                name: replace(state, device_exists=False, device_up=False, addresses=())
                if _device(name, wanted) in (None, step.device)
                else state
                for name, state in host.networks.items()
            },
        )
    if isinstance(step, network_steps.DeleteAddress):
        return replace(
            host,
            networks={
                name: replace(
                    state, addresses=tuple(a for a in state.addresses if a != step.address)
                )
                if _device(name, wanted) in (None, step.device)
                else state
                for name, state in host.networks.items()
            },
        )
    if isinstance(step, network_steps.ResetMtu):
        networks = {
            name: replace(state, mtu=1500) if _device(name, wanted) == step.device else state
            for name, state in host.networks.items()
        }
        return replace(host, networks=networks)
    assert isinstance(step, (steps.ReloadSettings, network_steps.ReloadUnits)), step
    return host


def _guard_switched(verb: str, host: Observed, name: str, wanted: Artefacts) -> Observed:
    if verb == "start":
        host = _protected(host, name, wanted)
    state = host.networks.get(name, NetworkState())
    if verb in ("enable", "disable"):
        return _with(host, name, replace(state, guard_enabled=verb == "enable"))
    return _with(host, name, replace(state, guard_active=verb == "start"))


def _protected(host: Observed, name: str, wanted: Artefacts) -> Observed:
    """Return the host with the rules and blocks of a network loaded."""
    state = host.networks.get(name, NetworkState())
    host = replace(host, blocks=host.blocks | {*wanted.networks[name].blocks})
    return _with(host, name, replace(state, rules_present=True, rules_match=True, elements=None))


def _routed(host: Observed, name: str, wanted: Artefacts) -> Observed:
    parts = wanted.networks[name]
    made = tuple(
        route if route.device else replace(route, device=parts.network.device)
        for route in parts.routes
    )
    new = {route.destination for route in made}
    rest = tuple(route for route in host.routes if route.destination not in new)
    return replace(host, routes=rest + made)


def _started(state: NetworkState, name: str, wanted: Artefacts) -> NetworkState:
    parts = wanted.networks[name]
    router = (parts.network.router,) if parts.network.router else ()
    return replace(
        state,
        device_exists=True,
        device_up=True,
        mtu=parts.network.mtu or state.mtu or 1500,
        addresses=tuple(dict.fromkeys((*state.addresses, *router))),
        forwarding=state.forwarding | frozenset(parts.forwarding),
    )


def _device(name: str, wanted: Artefacts) -> str | None:
    parts = wanted.networks.get(name)
    return parts.network.device if parts else None


def _with(host: Observed, name: str, state: NetworkState) -> Observed:
    return replace(host, networks={**host.networks, name: state})


def _without(items: t.Mapping[str, t.Any], key: str) -> dict[str, t.Any]:
    return {name: item for name, item in items.items() if name != key}
