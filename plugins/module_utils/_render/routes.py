# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The routes of a network, from each ``vpn_rule`` with the action ``route``.

Their protocol distinguishes them from all other routes. Their metric keeps them from replacing
another route to the same destination. A route of the host, which has no metric in IPv4, wins.
"""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass

from .._model.checks import IPAddress, IPNetwork
from .._model.network import VpnNetwork
from .._model.rule import VpnRule

# Not assigned in rtnetlink.h, nor in /etc/iproute2/rt_protos.
PROTOCOL = 116
METRIC = 84


@dataclass(frozen=True)
class Route:
    """A route. ``device`` is empty if the kernel is to find it by the address of the router."""

    destination: IPNetwork
    router: IPAddress | None
    device: str = ""

    def __str__(self) -> str:
        via = f" via {self.router}" if self.router else ""
        dev = f" dev {self.device}" if self.device else ""
        return f"{self.destination}{via}{dev}"

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of ``ip route`` after the verb."""
        marks = ("proto", str(PROTOCOL), "metric", str(METRIC))
        return (*str(self).split(), *marks)

    def is_met_by(self, other: Route) -> bool:
        """Return whether ``other``, which the kernel shows with its device, is this route."""
        same = (self.destination, self.router) == (other.destination, other.router)
        return same and self.device in ("", other.device)


def routes(network: VpnNetwork, rules: t.Iterable[VpnRule]) -> tuple[Route, ...]:
    """Return the routes of a network, in the order of its rules."""
    return tuple(
        route for rule in rules if rule.action == "route" for route in _of_rule(network, rule)
    )


def _of_rule(network: VpnNetwork, rule: VpnRule) -> t.Iterator[Route]:
    router = t.cast("IPAddress | None", rule.target)
    for destination in rule.destination:
        yield Route(destination, router, rule.interface or _device(network, router))


def _device(network: VpnNetwork, router: IPAddress | None) -> str:
    """Return the interface of the network, for a router in the network.

    While the network moves, two interfaces lead to the router.
    """
    own = network.network_address
    return network.device if router is not None and own is not None and router in own else ""


def lines(wanted: t.Iterable[Route]) -> list[str]:
    """Return the commands of sh that make the routes, however often they run."""
    made = list(wanted)
    # An interface may come late at boot.
    devices = dict.fromkeys(route.device for route in made if route.device)
    waits = [f"wait_for {shlex.quote(device)}" for device in devices]
    return waits + [
        shlex.join(["ip", f"-{route.destination.version}", "route", "replace", *route.words])
        for route in made
    ]
