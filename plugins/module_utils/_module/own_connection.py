# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The connection by which a task runs, which a change may take.

A connection through a tunnel needs that tunnel. Any other connection needs its route in cleartext.

The guard drops cleartext packets between the networks of a tunnel. In the userspace data plane, the
route of a tunnel captures all packets to its remote network, from any source.
"""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._host.host import Host
from .._host.kernel.host_routes import Way, to
from .._host.rollback import checkpoint
from .._host.run.controller import Controller
from .._model.gateway import Gateway
from .._model.network import VpnNetwork
from .._model.subject import phase2_subject
from .._model.traffic import is_internet
from .._plan.connect import Tunnel
from .._render.artefacts import Artefacts
from .._render.cleartext_blocks import LARGE
from .._render.network_parts import NetworkParts
from .._render.nft_guard import guarded
from .._render.nft_match import RulesetInput, TunnelMatch, on_this_side

_TCP = 6


def check_own_connection(
    host: Host, before: Artefacts, after: Artefacts, *, check: bool
) -> list[str]:
    """Return warnings about changes that would take the connection by which this task runs.

    Raises ModelError where that is about to happen, and no checkpoint would take it back.
    """
    known = host.controller()
    faults = [] if known is None else [*_faults(host, before, after, known)]
    if faults and not check and not checkpoint.exists(host.files):
        raise faults[0]
    return [str(fault) for fault in faults]


def check_disconnection(host: Host, gateway: Gateway, tunnels: t.Iterable[Tunnel]) -> None:
    """Refuse to close the tunnel through which the connection of this task comes.

    Raises ModelError, because nothing would bring the tunnel up again.
    """
    known = host.controller()
    if known is None or _is_near(gateway, known):
        return
    for tunnel in tunnels:
        child = tunnel.child
        if any(
            known.server in local.network and known.client in remote.network
            for local, remote in child.selector_pairs
        ):
            raise ModelError(
                "state",
                "disconnected",
                f"would close the tunnel that carries {_described(known)}",
                "Set state to reconnected, or connect to the host by other addresses.",
                child.subject,
            )


def _is_near(gateway: Gateway, known: Controller) -> bool:
    """Return whether the controller is in a network of this side."""
    return any(
        network.on_link is not None and known.client in network.on_link
        for network in gateway.networks.values()
    )


def _faults(
    host: Host, before: Artefacts, after: Artefacts, known: Controller
) -> t.Iterator[ModelError]:
    tunnel = _inside(before, known)
    if tunnel is not None:
        if _inside(after, known) is None:
            yield _fault(tunnel, known, "would no longer carry")
        yield from _lost_networks(before, after, known)
        return
    old = {_key(parts, tunnel) for parts, tunnel in _tunnels(before)}
    new = [pair for pair in _tunnels(after) if _key(*pair) not in old]
    taken = [pair for pair in new if known.client in pair[1].remote]
    ways = host.ways.main(known.client.version)
    for parts, tunnel in taken:
        if _takes(parts, tunnel, known, ways):
            yield _fault(tunnel, known, "would capture")
    yield from _lost_networks(before, after, known)
    yield from _lost_routes(before, after, known, ways)


def _inside(side: Artefacts, known: Controller) -> TunnelMatch | None:
    """Return the tunnel through which the connection comes; None if it comes in cleartext."""
    for parts in side.networks.values():
        for tunnel in parts.ruleset.tunnels if parts.network.started else ():
            ends = known.client in tunnel.remote and known.server in tunnel.local
            if ends and _takes(parts, tunnel, known, ()):
                return tunnel
    return None


def _lost_networks(
    before: Artefacts, after: Artefacts, known: Controller
) -> t.Iterator[ModelError]:
    """Yield networks that lose an address which the connection uses or which routes it."""
    for name, parts in before.networks.items():
        network, new = parts.network, after.networks.get(name)
        there = _addressed(network)
        stays = new is not None and there == _addressed(new.network)
        needed = known.server == network.ip_address or known.client in (network.on_link or ())
        if there and needed and not stays:
            yield ModelError(
                "ip_address",
                str(network.ip_address),
                f"would be removed from {network.device}, which ends {_described(known)}",
                _OTHERWISE,
                network.subject,
            )


def _addressed(network: VpnNetwork) -> tuple[str, str] | None:
    return (network.device, network.router) if network.started and network.router else None


def _lost_routes(
    before: Artefacts, after: Artefacts, known: Controller, ways: t.Sequence[Way]
) -> t.Iterator[ModelError]:
    way = to(ways, known.client)
    for name, parts in before.networks.items():
        new = after.networks.get(name)
        left = new.routes if new is not None and new.network.started else ()
        for route in parts.routes if parts.network.started else ():
            if way and way.ours and way.destination == route.destination and route not in left:
                yield ModelError(
                    "destination",
                    str(route.destination),
                    f"would lose its route {way}, which ends {_described(known)}",
                    _OTHERWISE,
                    parts.network.subject,
                )


def _tunnels(side: Artefacts) -> t.Iterator[tuple[NetworkParts, TunnelMatch]]:
    for parts in side.networks.values():
        for tunnel in guarded(parts.ruleset):
            yield parts, tunnel


def _key(parts: NetworkParts, tunnel: TunnelMatch) -> tuple[object, ...]:
    own = parts.ruleset.own
    return tunnel.local, tunnel.remote, tunnel.services, own, parts.network.started


def _takes(
    parts: NetworkParts, tunnel: TunnelMatch, known: Controller, ways: t.Sequence[Way]
) -> bool:
    rules = parts.ruleset
    if not _is_meant(tunnel, known) or any(
        known.client in network for network in on_this_side(rules, tunnel)
    ):
        return False
    if known.server in tunnel.local:
        return True
    return parts.network.started and _is_routed(rules, tunnel, known, ways)


def _is_meant(tunnel: TunnelMatch, known: Controller) -> bool:
    services = tunnel.services
    ends = ((services.local, known.server_port), (services.remote, known.client_port))
    return services.protocol in (0, _TCP) and all(
        service.ports[0] <= port <= service.ports[1] for service, port in ends
    )


def _is_routed(
    rules: RulesetInput, tunnel: TunnelMatch, known: Controller, ways: t.Sequence[Way]
) -> bool:
    """Return whether the route of the tunnel captures packets of any source to the controller."""
    remote = tunnel.remote
    if not rules.userspace or is_internet(remote):
        return False
    way = to(ways, known.client)
    closer = way is not None and way.destination.prefixlen > remote.prefixlen
    # The routing rules let a closer route win where the remote network is large.
    return not (closer and remote.prefixlen <= LARGE[remote.version])


_OTHERWISE = (
    "Connect to the host by other addresses, or run ipsec_checkpoint with state started before "
    "this task. The checkpoint undoes the change if the controller no longer reaches the host."
)


def _described(known: Controller) -> str:
    return f"the connection from {known.client} to {known.server} by which this task runs"


def _fault(tunnel: TunnelMatch, known: Controller, verb: str) -> ModelError:
    phase1, _slash, phase2 = tunnel.label.partition("/")
    return ModelError(
        "remote_network",
        str(tunnel.remote),
        f"with local_network {tunnel.local} {verb} {_described(known)}",
        _OTHERWISE,
        phase2_subject(phase2, phase1),
    )
