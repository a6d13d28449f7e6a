# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The routes of a network: what a ``vpn_rule`` with the action ``route`` becomes.

They are told from all others by their protocol. By their metric they replace no other route to the
same destination: the host's own, which has none in IPv4, goes before.
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
    """``device`` is empty where the kernel is to find it by the router's address."""

    destination: IPNetwork
    router: IPAddress | None
    device: str = ""

    def __str__(self) -> str:
        via = f" via {self.router}" if self.router else ""
        dev = f" dev {self.device}" if self.device else ""
        return f"{self.destination}{via}{dev}"

    @property
    def words(self) -> tuple[str, ...]:
        """Of ``ip``, after the verb."""
        marks = ("proto", str(PROTOCOL), "metric", str(METRIC))
        return (*str(self).split(), *marks)

    def is_met_by(self, other: Route) -> bool:
        """Whether a route that the kernel shows, with its device, is this one."""
        same = (self.destination, self.router) == (other.destination, other.router)
        return same and self.device in ("", other.device)


def routes(network: VpnNetwork, rules: t.Iterable[VpnRule]) -> tuple[Route, ...]:
    return tuple(
        Route(destination, router, rule.interface or _device(network, router))
        for rule in rules
        if rule.action == "route"
        for router in [t.cast("IPAddress | None", rule.target)]
        for destination in rule.destination
    )


def _device(network: VpnNetwork, router: IPAddress | None) -> str:
    """That of the network for a router in it: while it moves, two interfaces lead there."""
    own = network.network_address
    return network.device if router is not None and own is not None and router in own else ""


def lines(wanted: t.Iterable[Route]) -> list[str]:
    """The commands of sh that make them, as often as they are run."""
    found = list(wanted)
    # One that comes late at boot is waited for.
    devices = dict.fromkeys(route.device for route in found if route.device)
    waits = [f"wait_for {shlex.quote(device)}" for device in devices]
    return waits + [
        shlex.join(["ip", f"-{route.destination.version}", "route", "replace", *route.words])
        for route in found
    ]
