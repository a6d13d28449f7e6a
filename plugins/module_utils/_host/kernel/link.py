# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Interfaces, addresses and what the kernel can do, through iproute2."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from ..._model.checks import IPAddress
from ..._render.blocks import PRIORITIES
from ..._render.network_files import FORWARDING_SWITCHES
from ..._render.routes import PROTOCOL, Route
from ..command import Run, json_output, last_words, output

# A state between documentation addresses (RFC 5737), in a namespace that ends with it.
_TRY = ("unshare", "--net", "ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2")
_INTEGRITY = ("spi", "0x1001", "mode", "tunnel", "auth", "hmac(sha256)", f"0x{'00' * 32}")
_TRIALS = {
    "esp": [*_TRY, "proto", "esp", *_INTEGRITY, "enc", "cbc(aes)", f"0x{'00' * 16}"],
    "ah": [*_TRY, "proto", "ah", *_INTEGRITY],
}

# A policy begins at the margin. A port or a protocol may follow the networks. Blocks against
# cleartext are not policies of charon.
_POLICY = re.compile(
    rf"^src (\S+) dst (\S+) *\n(?!.*\bpriority (?:{'|'.join(map(str, PRIORITIES.values()))}) )",
    re.MULTILINE,
)

IPInterface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]

_SPI = re.compile(r"\bspi 0x([0-9a-f]{8})\b")


@dataclass(frozen=True)
class LinkState:
    """A live interface. ``kind`` is ``bridge``, ``vlan``, ``veth``, ..., empty for hardware.

    ``addresses`` (``10.1.0.1/24``) are permanent addresses without link-local addresses. Only a
    VLAN has ``parent`` and ``vlan_id``.
    """

    kind: str
    mtu: int
    up: bool
    addresses: tuple[str, ...]
    alias: str = ""
    parent: str = ""
    vlan_id: int | None = None


class Link:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._tried: dict[str, bool] = {}

    def get(self, device: str) -> LinkState | None:
        """Return the interface, or None if it does not exist."""
        argv = ["ip", "-j", "-d", "address", "show"]
        for item in json_output(self._run, "list the interfaces", argv):
            if item.get("ifname") == device:
                return _link_state(item)
        return None

    def names(self) -> tuple[str, ...]:
        """Return every interface of the host."""
        listed = json_output(self._run, "list the interfaces", ["ip", "-j", "link", "show"])
        return tuple(item["ifname"] for item in listed)

    def delete(self, device: str) -> None:
        output(self._run, f"delete interface {device}", ["ip", "link", "delete", "dev", device])

    def set_mtu(self, device: str, mtu: int) -> None:
        argv = ["ip", "link", "set", "dev", device, "mtu", str(mtu)]
        output(self._run, f"set the MTU of {device} to {mtu}", argv)

    def delete_address(self, device: str, address: str) -> None:
        """Delete ``address``, given with its prefix length, and keep the other addresses.

        The kernel also deletes later IPv4 addresses of the same network, unless it is configured to
        promote them. This method adds them again.
        """
        before = self.get(device)
        argv = ["ip", "address", "delete", address, "dev", device]
        output(self._run, f"delete address {address} from {device}", argv)
        after = self.get(device)
        if before is None or after is None:
            return
        for other in before.addresses:
            if other not in (address, *after.addresses):
                argv = ["ip", "address", "replace", other, "dev", device]
                output(self._run, f"put address {other} back on {device}", argv)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of the collection, each with its interface."""
        found = []
        for version in ("-4", "-6"):
            argv = ["ip", "-j", version, "route", "show", "proto", str(PROTOCOL)]
            listed = json_output(self._run, "list routes", argv)
            # Those that lead nowhere are no routes of a rule.
            found += [_route(item, version) for item in listed if "type" not in item]
        return tuple(found)

    def add_route(self, route: Route) -> None:
        argv = ["ip", f"-{route.destination.version}", "route", "replace", *route.words]
        output(self._run, f"add route {route}", argv)

    def delete_route(self, route: Route) -> None:
        """Delete a route with its current router and interface."""
        marks = Route(route.destination, None).words
        argv = ["ip", f"-{route.destination.version}", "route", "delete", *marks]
        output(self._run, f"delete route {route}", argv)

    def forwarding(self, version: int) -> bool:
        """Return whether the kernel forwards IPv4 or IPv6. False without the protocol."""
        return self._proc(FORWARDING_SWITCHES[version]) == "1"

    def outbound_policies(self) -> frozenset[tuple[str, str]]:
        """Return source and destination network of each outbound IPsec policy of the kernel."""
        argv = ["ip", "xfrm", "policy", "list", "dir", "out"]
        listed = output(self._run, "list the IPsec policies of the kernel", argv)
        return frozenset(_POLICY.findall(listed))

    def sa_indexes(self) -> frozenset[str]:
        """Return the SPIs of the SAs in the kernel, eight hexadecimal digits each."""
        # Else it would print the keys.
        argv = ["ip", "xfrm", "state", "list", "nokeys"]
        listed = output(self._run, "list the SAs of the kernel", argv)
        return frozenset(_SPI.findall(listed))

    def addresses(self) -> frozenset[str]:
        """Return every address of the host, without prefix lengths."""
        listed = json_output(self._run, "list the addresses", ["ip", "-j", "address", "show"])
        return frozenset(
            address["local"]
            for item in listed
            for address in item.get("addr_info", ())
            if "local" in address
        )

    def interfaces(self) -> tuple[IPInterface, ...]:
        """Return every address of the host with its network."""
        listed = json_output(self._run, "list the addresses", ["ip", "-j", "address", "show"])
        return tuple(
            ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}")
            for item in listed
            for address in item.get("addr_info", ())
            if "local" in address
        )

    def is_next_hop(self, address: IPAddress, device: str = "") -> bool:
        """Return whether an address is reachable without a router, through ``device`` if given."""
        if device and address.is_link_local:
            return True
        if device:
            # With an interface in `ip route get`, the kernel would treat every address as on-link.
            argv = ["ip", "-j", f"-{address.version}", "route", "show", "match", str(address)]
            status, printed, _errors = self._run([*argv, "dev", device], "")
            routes = json.loads(printed) if status == 0 and printed else []
            # The last one that matches is the closest.
            return bool(routes) and "gateway" not in routes[-1]
        argv = ["ip", "-j", f"-{address.version}", "route", "get", str(address)]
        status, printed, _errors = self._run(argv, "")
        (found,) = json.loads(printed) if status == 0 and printed else [{"type": "unreachable"}]
        return "gateway" not in found and found.get("type", "unicast") == "unicast"

    def has_route(self, address: str) -> bool:
        """Return whether the kernel has a route to an address."""
        status, _printed, _errors = self._run(["ip", "route", "get", address], "")
        return status == 0

    def kernel_has_esp(self) -> bool:
        """Return whether the kernel can do ESP, by a trial.

        The kernel may load its module for it.
        """
        return self.kernel_has("esp")

    def kernel_has(self, protocol: str) -> bool:
        """Return whether the kernel can do ``esp`` or ``ah``, by a trial that loads its module."""
        if protocol not in self._tried:
            status, _printed, errors = self._run(list(_TRIALS[protocol]), "")
            if errors.startswith("unshare:"):
                operation = f"try {protocol.upper()} in a network namespace"
                raise HostError(operation, last_words(errors, status))
            self._tried[protocol] = status == 0
        return self._tried[protocol]

    def ra_default_route_interfaces(self) -> tuple[str, ...]:
        """Return interfaces with an IPv6 default route from a router advertisement.

        An interface loses this route when IPv6 forwarding is on, unless its accept_ra is 2.
        """
        argv = ["ip", "-j", "-6", "route", "show", "default"]
        routes = json_output(self._run, "list the IPv6 default routes", argv)
        learned = {
            hop["dev"]
            for route in routes
            if route.get("protocol") == "ra"
            for hop in (route, *route.get("nexthops", ()))
            if "dev" in hop
        }
        return tuple(
            device
            for device in sorted(learned)
            if self._proc(f"/proc/sys/net/ipv6/conf/{device}/accept_ra") == "1"
        )

    def _proc(self, path: str) -> str:
        # By a program as all the rest is: it may run in another network namespace.
        status, printed, _errors = self._run(["cat", path], "")
        return printed.strip() if status == 0 else ""


def _link_state(item: dict[str, t.Any]) -> LinkState:
    info = item.get("linkinfo", {})
    vlan = info.get("info_kind") == "vlan"
    return LinkState(
        kind=info.get("info_kind", ""),
        mtu=item["mtu"],
        up="UP" in item["flags"],
        addresses=tuple(
            f"{address['local']}/{address['prefixlen']}"
            for address in item.get("addr_info", ())
            if "local" in address and not address.get("dynamic") and not _link_local(address)
        ),
        alias=item.get("ifalias", ""),
        parent=item.get("link", "") if vlan else "",
        vlan_id=info.get("info_data", {}).get("id") if vlan else None,
    )


def _route(item: dict[str, t.Any], version: str) -> Route:
    everything = {"-4": "0.0.0.0/0", "-6": "::/0"}
    destination = item["dst"]
    router = item.get("gateway")
    return Route(
        ipaddress.ip_network(everything[version] if destination == "default" else destination),
        ipaddress.ip_address(router) if router else None,
        item.get("dev", ""),
    )


def _link_local(address: dict[str, t.Any]) -> bool:
    return address["family"] == "inet6" and address.get("scope") == "link"
