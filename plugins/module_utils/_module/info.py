# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.


"""The module ipsec_info: configuration, loaded connections, SAs, and drift."""

from __future__ import annotations

import contextlib
import ipaddress
import typing as t

from .._errors import HostError
from .._host.files.read_back import read_gateway
from .._host.host import Host
from .._host.packages import installed
from .._host.tunnels.initiate import wait_for
from .._host.vici.facts import Facts, moment
from .._model import checks
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._plan.authorities import told
from .._plan.connect import Tunnel
from .._plan.drift import drift_of_files, drift_of_host
from .._plan.overlaps import overlaps
from .._plan.ownership import exposed
from .._plan.trust import bad_certificates, disclosed, open_connections
from .._render.advanced_tunnels import (
    advanced_tunnels,
)
from .capability_facts import capability_facts
from .edit import Params
from .info_facts import (
    advanced_facts,
    advisory_facts,
    daemon_facts,
    drift_facts,
    network_facts,
    package_facts,
    phase1_facts,
    unmanaged_connections,
)
from .reasons import add_reasons
from .selection import not_on_this_host
from .snapshot import host_scope, take_snapshot
from .spec import IPSEC_INFO
from .task import drive_look

# The range of the option wait, in seconds.
WAIT = (0, 600)


def run() -> None:
    """Run ipsec_info, which changes nothing."""
    drive_look(IPSEC_INFO, "ipsec_info", look)


def look(host: Host, params: Params, *, check: bool = False) -> tuple[Facts, list[str]]:
    """Return the facts and warnings. Raises ModelError for an unknown name, and HostError.

    Check mode does the same. A daemon or a journal without an answer is no error.
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
        seen = take_snapshot(host, gateway, connections, networks)
    files = [seen.wanted.swanctl[host.platform.connection_path(item.name)] for item in connections]
    drifts = drift_of_files(files, seen.observed)
    found = [
        *(
            (item, phase1_facts(seen, item, drift_facts(drift)))
            for item, drift in zip(connections, drifts)
        ),
        *((item, advanced_facts(seen, item)) for item in others),
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
        add_reasons(host, seen.pid, found, seen.capabilities)
    except HostError as error:
        warnings.append(str(error))
    warnings += [text for item, facts in found for text in _without_ppk(item, facts)]
    packages = installed(host.run, host.platform)
    facts = {
        "time": moment(seen.now),
        "addresses": [item for item in sorted(host.link.addresses()) if not _local(item)],
        "daemon": daemon_facts(seen, replaced=host.runs_replaced_files(seen.pid)),
        "capabilities": capability_facts(host, seen),
        "packages": package_facts(packages),
        "advisories": advisory_facts(packages),
        "networks": [network_facts(seen, name) for name in sorted(networks & {*gateway.networks})],
        "phase1": [facts for _connection, facts in found],
        "unmanaged": unmanaged_connections(seen),
        "drift": drift_facts(
            drift_of_host(seen.wanted, seen.observed, host_scope(networks, host.platform))
        ),
    }
    return facts, warnings


def _without_ppk(connection: IkeConnection, facts: Facts) -> t.Iterator[str]:
    """Yield a warning about a phase 1 that is up without its PPK, as ppk_required false allows."""
    optional = connection.ppk_id is not None and not connection.ppk_required
    if optional and any(sa["since"] and not sa["ppk"] for sa in facts["sas"]):
        yield (
            f"{connection.subject}: an IKE SA is up without the PPK, because ppk_required is false "
            "and the peer used no PPK. Set the PPK on the peer, and then ppk_required to true"
        )


def _wait(host: Host, params: Params, seconds: int) -> None:
    """Wait for the tunnels that this side initiates at once."""
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
        # The snapshot reports a daemon that does not answer.
        wait_for(host, tunnels, seconds)


def _chosen(
    gateway: Gateway, advanced: t.Mapping[str, IkeConnection], params: Params
) -> tuple[list[IkeConnection], list[IkeConnection]]:
    """Return the selected phase 1 objects, sorted by name, and connections of conf texts."""
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


def _local(address: str) -> bool:
    """Return whether an address is a loopback or link-local address."""
    known = ipaddress.ip_address(address)
    return known.is_loopback or known.is_link_local
