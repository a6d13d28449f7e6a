# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Look at the host: everything that the planner compares, and nothing else."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._model.network import VpnNetwork
from .._plan.observed import DaemonState, NetworkState, Observed
from .._plan.ownership import checkpoint_files
from .._plan.scope import Scope, files_in
from .._render import nft
from .._render.artefacts import Artefacts
from .._render.file import File
from .._render.network_parts import NetworkParts
from .._render.network_units import guard_unit_name, unit_name
from .._render.nft_listing import ElementChanges, element_changes, read_listing
from .._render.nft_text import body
from .._render.strongswan_conf import LIBIPSEC
from .files.certificates import remembered, strays
from .host import Host
from .kernel.link import LinkState
from .kernel.nft import Nft, Ruleset, rules_in
from .tunnels.outdated_sas import follow
from .vici.message import IkeState


def observe(
    host: Host,
    before: Artefacts,
    after: Artefacts,
    scope: Scope,
    daemon: DaemonState | None = None,
) -> Observed:
    """Return the observed host, without any change. Rules are tried in a temporary namespace.

    ``daemon`` is a state of the daemon that is already known.
    """
    stray = strays(host.files, before, after, scope.swanctl)
    files = _files(host, {*files_in(before, after, scope), *checkpoint_files(host.platform)})
    files.update({file.path: file for found in stray.values() for file in found})
    certified = daemon is not None or _certified(before, after, scope)
    daemon = daemon if daemon is not None else daemon_state(host)
    return Observed(
        files,
        {
            name: _network(host, parts)
            for name in scope.networks
            for parts in [after.networks.get(name) or before.networks.get(name)]
            if parts is not None
        },
        _with_authorities(host, before, after, daemon) if certified else daemon,
        host.link.routes() if scope.networks else (),
        host.blocks.present() if scope.networks else frozenset(),
        host.files.directories(),
        stray,
        host.platform,
    )


def _certified(before: Artefacts, after: Artefacts, scope: Scope) -> bool:
    """Return whether the scope has a phase 1 with certificates."""
    found = (side.swanctl.get(path) for side in (before, after) for path in scope.swanctl)
    return any(parts is not None and parts.credentials is not None for parts in found)


def _with_authorities(
    host: Host, before: Artefacts, after: Artefacts, daemon: DaemonState
) -> DaemonState:
    """Return the state of the daemon with the CAs that it has."""
    if not daemon.version:
        return daemon
    vici = host.vici
    daemon = replace(daemon, cas=vici.ca_certificates(), authorities=vici.authorities())
    return replace(daemon, remembered=remembered(host, before, after, daemon))


def _files(host: Host, paths: t.Iterable[str]) -> dict[str, File]:
    found = {path: host.files.look(path) for path in paths}
    return {path: file for path, file in found.items() if file is not None}


def daemon_state(host: Host, sas: t.Sequence[IkeState] | None = None) -> DaemonState:
    """Return the state of the daemon. ``sas`` are the SAs that are already listed."""
    vici = host.vici
    sas = vici.sas() if sas is None else sas
    policies = vici.policies()
    plugins = vici.plugins()
    return DaemonState(
        version=vici.version().get("version", ""),
        plugins=plugins,
        connections=vici.connections(),
        secrets=vici.secrets(),
        established=_by_name((sa.name, _installed(sa)) for sa in sas if sa.up),
        traps=frozenset((item.ike, item.child) for item in policies if not item.shunt),
        shunts=frozenset((item.ike, item.child) for item in policies if item.shunt),
        ike_ids=_by_name((sa.name, [sa.uniqueid]) for sa in sas),
        child_ids=_by_name((sa.name, [child.uniqueid for child in sa.children]) for sa in sas),
        child_names=_child_names(sas),
        policies=None if LIBIPSEC in plugins or host.missing else host.link.outbound_policies(),
        keys=vici.keys(),
        unfinished=host.unfinished_run.read(vici.pid),
        pending=follow(host.pending, host.run, host.platform.daemon_unit, vici.pid, sas),
    )


def _installed(sa: IkeState) -> list[str]:
    return [child.name for child in sa.children if child.up]


def _child_names(sas: t.Iterable[IkeState]) -> dict[str, dict[str, str]]:
    names: dict[str, dict[str, str]] = {}
    for sa in sas:
        found = names.setdefault(sa.name, {})
        found.update((child.uniqueid, child.name) for child in sa.children if child.up)
    return names


def _by_name(found: t.Iterable[tuple[str, t.Iterable[str]]]) -> dict[str, frozenset[str]]:
    joined: dict[str, frozenset[str]] = {}
    for name, items in found:
        joined[name] = joined.get(name, frozenset()) | frozenset(items)
    return joined


def _network(host: Host, parts: NetworkParts) -> NetworkState:
    network = parts.network
    link = host.link.get(network.device)
    unit, guard = host.systemd.states(unit_name(network.name), guard_unit_name(network.name))
    present, match, elements = _rules(host.nft, parts)
    return NetworkState(
        link is not None and _fits(link, network),
        link is not None and link.up,
        link.mtu if link else None,
        link.addresses if link else (),
        frozenset(version for version in (4, 6) if host.link.forwarding(version)),
        present,
        match,
        unit.enabled,
        unit.active,
        guard.enabled,
        guard.active,
        unit.stale or guard.stale,
        elements,
    )


def _fits(link: LinkState, network: VpnNetwork) -> bool:
    """Return whether an interface has the kind that the network makes."""
    if network.layer2_type == "vlan":
        vlan = (link.kind, link.parent, link.vlan_id)
        return vlan == ("vlan", network.interface_network, network.layer2_id)
    return network.attached or link.kind == "bridge"


def _rules(adapter: Nft, parts: NetworkParts) -> tuple[bool, bool, ElementChanges | None]:
    """Return whether rules of the network are live, and whether they are the wanted rules.

    The third value has the elements to change, if a change of elements is enough.
    """
    name = parts.network.name
    live = adapter.table(nft.table_name(name))
    own_rules = adapter.own_rules_by_chain(nft.comment_prefix(name))
    changes = _table_changes(adapter, parts, live)
    same_hooks = own_rules == _wanted_hooks(adapter, parts)
    same_table = changes == ElementChanges()
    enough = changes if same_hooks and not same_table else None
    return bool(live or own_rules), same_table and same_hooks, enough


def _table_changes(adapter: Nft, parts: NetworkParts, live: str) -> ElementChanges | None:
    """Return the elements to change in the live table; None if other parts differ.

    A table that is not listed as it was written is loaded in an empty network namespace and listed
    there. Each release of nft prints some rules in its own way. The load also shows refused rules.
    """
    text = parts.rules.data.decode()
    listing = read_listing(live)
    if element_changes(listing, read_listing(body(text))) == ElementChanges():
        return ElementChanges()
    wanted = adapter.expected_table(text, nft.table_name(parts.network.name))
    return element_changes(listing, read_listing(wanted))


def _wanted_hooks(adapter: Nft, parts: NetworkParts) -> dict[str, Ruleset]:
    """Return the wanted rules in chains of other tables, by chain. A chain without rules is out."""
    hooks = {str(chain): chain.hook for chain in adapter.foreign_chains()}
    listed = [chain for chain in parts.ruleset.chains if str(chain) in hooks]
    mirrors = "".join(nft.mirror_chain(parts.ruleset, item, hooks[str(item)]) for item in listed)
    wanted = adapter.expected(mirrors) if mirrors else ()
    found = {
        str(chain): rules_in(wanted, chain.family, chain.table, chain.chain) for chain in listed
    }
    return {chain: rules for chain, rules in found.items() if rules}
