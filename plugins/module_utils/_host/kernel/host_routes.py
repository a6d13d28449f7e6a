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
from ..._model.selector import contains
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

    def out(self, networks: t.Iterable[IPNetwork]) -> dict[IPNetwork, str]:
        """Return the interface for packets to each network, or an empty text without a route.

        Only the main table counts: the routes of charon are for the tunnel itself.
        """
        wanted = tuple(networks)
        tables = {version: self._devices(version) for version in {item.version for item in wanted}}
        return {item: _device(tables[item.version], item) for item in wanted}

    def _devices(self, version: int) -> dict[IPNetwork, str]:
        """Return the interface of each route of the main table; empty for an unreachable route."""
        found: dict[IPNetwork, str] = {}
        for item in self._listed(version):
            hops = (item, *item.get("nexthops", ()))
            device = next((str(hop["dev"]) for hop in hops if "dev" in hop), "")
            leads = item.get("type", "unicast") == "unicast"
            # Of two routes to one network, the kernel lists the lesser metric first.
            found.setdefault(_destination(item, version), device if leads else "")
        return found

    def _listed(self, version: int) -> list[dict[str, t.Any]]:
        argv = ["ip", "-j", f"-{version}", "route", "show", "table", "main"]
        listed: list[dict[str, t.Any]] = json_output(self._run, "list routes", argv)
        return listed

    def main(self, version: int) -> tuple[Way, ...]:
        """Return the routes of the main table by which packets leave."""
        return tuple(
            _way(item, hop, version)
            for item in self._listed(version)
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


def _device(devices: t.Mapping[IPNetwork, str], network: IPNetwork) -> str:
    """Return the interface of the closest route to a network, or of a route to a part of it."""
    lengths = {item.prefixlen for item in devices if item.prefixlen <= network.prefixlen}
    for length in sorted(lengths, reverse=True):
        outer = network.supernet(new_prefix=length)
        if outer in devices:
            return devices[outer]
    parts = (device for part, device in devices.items() if contains(network, part))
    return next(filter(None, parts), "")


def _destination(item: t.Mapping[str, t.Any], version: int) -> IPNetwork:
    text = item["dst"]
    return _EVERYTHING[version] if text == "default" else ipaddress.ip_network(text)


def _way(item: dict[str, t.Any], hop: dict[str, t.Any], version: int) -> Way:
    router = hop.get("gateway") or hop.get("via", {}).get("host")
    return Way(
        _destination(item, version),
        hop["dev"],
        ipaddress.ip_address(router) if router else None,
        item.get("metric", 0),
        item.get("protocol") == str(PROTOCOL),
    )
