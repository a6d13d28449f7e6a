# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Networks and routes of the host that a managed network or route would capture.

A network or route that is already in place captures nothing more.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .._errors import HostError, ModelError
from .._host.host import Host
from .._host.kernel.host_routes import Way, to
from .._model.checks import IPAddress, IPNetwork
from .._model.gateway import Gateway
from .._model.network import VpnNetwork
from .._model.rule import VpnRule
from .._plan.observed import DaemonState
from .._render.network_interface import recorded_interfaces
from .._render.routes import METRIC
from .edit import View

# An address that the host has to reach, and its owner, such as "the peer of phase 1 hub".
_Needed = tuple[IPAddress, str]


def check_network(host: Host, network: VpnNetwork, view: View) -> None:
    """Refuse a network address that other ways of the host have. Raises ModelError."""
    wanted = network.on_link
    state = view.observed.networks.get(network.name)
    if wanted is None or (state is not None and network.router in state.addresses):
        return
    own = _own_devices(network, view)
    # The Gateway refuses networks that overlap after the run.
    managed = {(item.device, item.on_link) for item in view.current.networks.values()}
    for device, other in host.ways.connected():
        if (device, other) in managed:
            continue
        if device not in own and other.version == wanted.version and wanted.overlaps(other):
            raise _refused(wanted, f"overlaps {other}, a network of interface {device}")
    ways = host.ways.main(wanted.version)
    routers = [
        (way.router, "the router of the default route")
        for way in ways
        if way.router is not None and not way.destination.prefixlen
    ]
    for address, what in (*routers, *_needed(host, view.edit.gateway, view.observed.daemon)):
        way = to(ways, address) if address in wanted else None
        if way and way.destination.prefixlen <= wanted.prefixlen and way.device not in own:
            raise _refused(
                wanted, f"contains {address}, {what}, which is reached by interface {way.device}"
            )


def _own_devices(network: VpnNetwork, view: View) -> set[str]:
    """Return the interface of a network, and the interfaces that a run takes away when it moves.

    An interrupted run may have left one, which the record names.
    """
    before = view.current.networks.get(network.name)
    record = view.observed.files.get(view.observed.platform.record_path(network.name))
    recorded = {item.device for item in recorded_interfaces(record) or ()}
    return {network.device, *({before.device} if before else ()), *recorded}


def _refused(wanted: IPNetwork, problem: str) -> ModelError:
    fix = "Use a network that no other interface or route of this host leads to."
    return ModelError("network_address", str(wanted), problem, fix)


def check_route(host: Host, rule: VpnRule, view: View) -> None:
    """Refuse a route that takes a way that the host needs. Raises ModelError."""
    made = {item.destination for item in view.observed.routes}
    gateway, subject = view.edit.gateway, rule.subject
    for destination in rule.destination:
        if destination in made:
            continue
        ways = [way for way in host.ways.main(destination.version) if not way.ours]
        wanted = _way_of(rule, destination, ways, gateway)
        try:
            _check_default(wanted, ways)
            _check_needed(wanted, ways, _needed(host, gateway, view.observed.daemon))
        except ModelError as error:
            raise error.within(subject) from None


def _way_of(rule: VpnRule, destination: IPNetwork, ways: t.Sequence[Way], gateway: Gateway) -> Way:
    """Return the route that the rule makes, with the interface that the kernel would choose."""
    router = t.cast("IPAddress | None", rule.target)
    near = to(ways, router) if router is not None else None
    default = near.device if near else gateway.networks[rule.network].device
    return Way(destination, rule.interface or default, router)


def _check_default(wanted: Way, ways: t.Iterable[Way]) -> None:
    for way in ways if not wanted.destination.prefixlen else ():
        if way.destination == wanted.destination and way.metric > METRIC:
            raise ModelError(
                "destination",
                str(wanted.destination),
                f"would replace the default route {way}",
                "Name only the networks behind the router, or remove that route first.",
            )


def _check_needed(wanted: Way, ways: t.Sequence[Way], needed: t.Iterable[_Needed]) -> None:
    """Refuse a route that captures a needed address. A route to one peer only is accepted."""
    for address, what in needed:
        way = to(ways, address) if address in wanted.destination else None
        alone = wanted.destination == ipaddress.ip_network(address) and what != _CONTROLLER
        if way is None or alone or (way.device, way.router) == (wanted.device, wanted.router):
            continue
        if way.destination.prefixlen < wanted.destination.prefixlen:
            raise ModelError(
                "destination",
                str(wanted.destination),
                f"contains {address}, {what}, which the host reaches {way}",
                f"Use networks without {address}, or first make a route to {address} alone.",
            )


_CONTROLLER = "the controller that runs this task"


def _needed(host: Host, gateway: Gateway, daemon: DaemonState) -> t.Iterator[_Needed]:
    """Return the addresses that this host must reach by their present routes."""
    known = host.controller()
    if known is not None:
        yield known.client, _CONTROLLER
    for connection in gateway.connections.values():
        if connection.peer_address is not None:
            yield connection.peer_address, f"the peer of phase 1 {connection.name}"
    for name, conn in sorted(daemon.connections.items()):
        if name not in gateway.connections:
            for address in _addresses(conn.get("remote_addrs", ())):
                yield address, f"the peer of connection {name}"
    for name, sa in _sas(host, daemon):
        for address in _addresses([sa.get("remote-host", "")]):
            yield address, f"the peer of connection {name}, which is up"


def _sas(host: Host, daemon: DaemonState) -> t.Sequence[tuple[str, t.Mapping[str, t.Any]]]:
    try:
        return host.vici.sa_sections() if daemon.version else ()
    except HostError:
        return ()


def _addresses(texts: t.Iterable[str]) -> t.Iterator[IPAddress]:
    """Yield the addresses among the texts, without names, networks and ``%any``."""
    for text in texts:
        try:
            yield ipaddress.ip_address(text)
        except ValueError:
            continue
