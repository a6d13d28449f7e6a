# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The connection by which a task runs, which a new tunnel may take.

The guard drops packets between the networks of a tunnel that come in cleartext. In the userspace
data plane, the route of a tunnel takes all packets to its remote network, whatever their source.
"""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._host import checkpoint
from .._host.controller import Controller
from .._host.host import Host
from .._host.ways import Way, to
from .._model.traffic import is_internet
from .._render.artefacts import Artefacts, NetworkParts
from .._render.blocks import LARGE
from .._render.nft_guard import guarded
from .._render.nft_match import NetworkRules, Tunnel, on_this_side

_TCP = 6


def check_own_connection(
    host: Host, before: Artefacts, after: Artefacts, *, check: bool
) -> list[str]:
    """Return warnings about new tunnels that would take the connection by which this task runs.

    Raises ModelError where that is about to happen, and no checkpoint would take it back.
    """
    known = host.controller()
    if known is None:
        return []
    old = {_key(parts, tunnel) for parts, tunnel in _tunnels(before)}
    new = [pair for pair in _tunnels(after) if _key(*pair) not in old]
    taken = [pair for pair in new if known.client in pair[1].remote]
    ways = host.ways.main(known.client.version) if taken else ()
    faults = [
        _fault(tunnel, known) for parts, tunnel in taken if _takes(parts, tunnel, known, ways)
    ]
    if faults and not check and not checkpoint.exists(host.files):
        raise faults[0]
    return [str(fault) for fault in faults]


def _tunnels(side: Artefacts) -> t.Iterator[tuple[NetworkParts, Tunnel]]:
    for parts in side.networks.values():
        for tunnel in guarded(parts.ruleset):
            yield parts, tunnel


def _key(parts: NetworkParts, tunnel: Tunnel) -> tuple[object, ...]:
    own = parts.ruleset.own
    return tunnel.local, tunnel.remote, tunnel.services, own, parts.network.started


def _takes(parts: NetworkParts, tunnel: Tunnel, known: Controller, ways: t.Sequence[Way]) -> bool:
    rules = parts.ruleset
    if not _is_meant(tunnel, known) or any(
        known.client in network for network in on_this_side(rules, tunnel)
    ):
        return False
    if known.server in tunnel.local:
        return True
    return parts.network.started and _is_routed(rules, tunnel, known, ways)


def _is_meant(tunnel: Tunnel, known: Controller) -> bool:
    services = tunnel.services
    ends = ((services.local, known.server_port), (services.remote, known.client_port))
    return services.protocol in (0, _TCP) and all(
        service.ports[0] <= port <= service.ports[1] for service, port in ends
    )


def _is_routed(
    rules: NetworkRules, tunnel: Tunnel, known: Controller, ways: t.Sequence[Way]
) -> bool:
    """Whether the route of the tunnel takes packets of any source to the controller."""
    remote = tunnel.remote
    if not rules.userspace or is_internet(remote):
        return False
    way = to(ways, known.client)
    closer = way is not None and way.destination.prefixlen > remote.prefixlen
    # The routing rules let a closer route win where the remote network is large.
    return not (closer and remote.prefixlen <= LARGE[remote.version])


def _fault(tunnel: Tunnel, known: Controller) -> ModelError:
    phase1, _slash, phase2 = tunnel.label.partition("/")
    return ModelError(
        "remote_network",
        str(tunnel.remote),
        f"with local_network {tunnel.local} takes the connection from {known.client} to "
        f"{known.server} by which this task runs",
        "a connection to the host by other addresses, networks without them, or "
        "ipsec_checkpoint with state: started before this task, which takes the change back if "
        "the controller no longer reaches the host",
        f"phase 2 {phase2} of phase 1 {phase1}",
    )
