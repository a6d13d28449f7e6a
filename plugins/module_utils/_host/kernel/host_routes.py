# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The ways that packets of the host take: connected networks and routes of the main table."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ..._model.checks import IPAddress, IPNetwork
from ..._render.routes import PROTOCOL
from ..command import Run, json_output

_EVERYTHING = {4: ipaddress.ip_network("0.0.0.0/0"), 6: ipaddress.ip_network("::/0")}


@dataclass(frozen=True)
class Way:
    """A route. ``router`` is None for a connected network. Of two, the lesser ``metric`` counts.

    ``ours`` says whether the collection made it for a vpn_rule.
    """

    destination: IPNetwork
    device: str
    router: IPAddress | None = None
    metric: int = 0
    ours: bool = False

    def __str__(self) -> str:
        return f"via {self.router} dev {self.device}" if self.router else f"dev {self.device}"


class Ways:
    def __init__(self, run: Run) -> None:
        self._run = run

    def connected(self) -> tuple[tuple[str, IPNetwork], ...]:
        """Return the network of each address of the host, with its interface.

        Link-local networks are left out, because each interface has the same one.
        """
        listed = json_output(self._run, "list the addresses", ["ip", "-j", "address", "show"])
        found = (
            (str(item["ifname"]), f"{address['local']}/{address['prefixlen']}")
            for item in listed
            for address in item.get("addr_info", ())
            if "local" in address and address.get("scope") != "link"
        )
        return tuple((device, ipaddress.ip_network(text, strict=False)) for device, text in found)

    def main(self, version: int) -> tuple[Way, ...]:
        """Return the routes of the main table by which packets leave."""
        argv = ["ip", "-j", f"-{version}", "route", "show", "table", "main"]
        listed = json_output(self._run, "list routes", argv)
        return tuple(
            _way(item, hop, version)
            for item in listed
            if item.get("type", "unicast") == "unicast"
            for hop in (item.get("nexthops") or [item])
            if "dev" in hop
        )


def to(ways: t.Iterable[Way], address: IPAddress) -> Way | None:
    """Return the closest of the routes to an address; None where none leads to it."""
    found = [
        way
        for way in ways
        if way.destination.version == address.version and address in way.destination
    ]
    return max(found, key=lambda way: way.destination.prefixlen, default=None)


def _way(item: dict[str, t.Any], hop: dict[str, t.Any], version: int) -> Way:
    destination, router = item["dst"], hop.get("gateway") or hop.get("via", {}).get("host")
    return Way(
        _EVERYTHING[version] if destination == "default" else ipaddress.ip_network(destination),
        hop["dev"],
        ipaddress.ip_address(router) if router else None,
        item.get("metric", 0),
        item.get("protocol") == str(PROTOCOL),
    )
