# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The VPN network: an interface with the router's address, forwarding, and an nftables table."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from .._errors import ModelError
from . import addresses, checks
from .checks import IPAddress, IPNetwork
from .options import Convert, Options, field_values, for_change, list_of, option_values
from .subject import network_subject

LAYER2_TYPES = ("none", "vlan")
ADDRESS_TYPES = ("static", "none")
DATAPLANES = ("auto", "kernel", "userspace")
POWER_STATES = ("started", "stopped")

# The least MTU in bytes that Linux accepts: 68 for IPv4 (RFC 791), 1280 for IPv6 (RFC 8200, 5).
LEAST_MTU = {4: 68, 6: 1280}


@dataclass(frozen=True)
class ForeignChain:
    """An unmanaged nftables base chain, into which the rules of a network are hooked too."""

    family: str
    table: str
    chain: str

    @classmethod
    def parse(cls, option: str, value: object) -> ForeignChain:
        return cls(*checks.foreign_chain(option, value))

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.chain}"

    def to_options(self) -> str:
        return str(self)


@dataclass(frozen=True)
class VpnNetwork:
    """The checked options of one ``vpn_network``. ``state`` is the wanted power state."""

    name: str
    description: str = ""
    layer2_type: str = "none"
    layer2_id: int | None = None
    ip_address_type: str = "static"
    ip_address: IPAddress | None = None
    network_address: IPNetwork | None = None
    interface_network: str | None = None
    interface: str | None = None
    mtu: int | None = None
    firewall_chains: tuple[ForeignChain, ...] = ()
    ike_interfaces: tuple[str, ...] = ()
    dataplane: str = "auto"
    state: str = "started"

    @classmethod
    def from_options(cls, options: Options) -> VpnNetwork:
        """Return the object of checked options. Raise ModelError naming object and option."""
        return cls._made(options, _CONVERT)

    @classmethod
    def from_record(cls, options: Options) -> VpnNetwork:
        """Return the object of a record. A record may hold values that are refused now."""
        return cls._made(options, _RECORDED)

    def changed(self, options: Options) -> VpnNetwork:
        """Return the network with these options, and every other as it is. Raises ModelError."""
        made = {**self.to_options(), **options}
        return self._made(made, for_change(_CONVERT, _RECORDED, options))

    @classmethod
    def _made(cls, options: Options, convert: t.Mapping[str, Convert]) -> VpnNetwork:
        name = checks.network_name("name", options.get("name"))
        try:
            network = cls(**field_values(cls, options, convert))
            _check_layer2(network)
            _check_address(network)
            _check_mtu(network)
            return network
        except ModelError as error:
            raise error.within(network_subject(name)) from None

    def to_options(self) -> dict[str, t.Any]:
        return option_values(self)

    @property
    def subject(self) -> str:
        """Return how errors and warnings name the network."""
        return network_subject(self.name)

    @property
    def attached(self) -> bool:
        """Return whether the network uses an existing interface, and creates none."""
        return self.layer2_type == "none" and self.interface_network is not None

    @property
    def device(self) -> str:
        """Return the interface with the router address, of 15 characters at most."""
        if self.attached and self.interface_network:
            return self.interface_network
        return self.interface or derived_interface(self.name)

    @property
    def started(self) -> bool:
        return self.state == "started"

    @property
    def on_link(self) -> IPNetwork | None:
        """Return the network that the address on the interface makes directly reachable."""
        return self.network_address if self.router else None

    @property
    def router(self) -> str:
        """Return the router address with prefix length (``10.1.0.1/24``); empty without address."""
        if self.ip_address is None or self.network_address is None:
            return ""
        return f"{self.ip_address}/{self.network_address.prefixlen}"


def derived_interface(name: str) -> str:
    """Return ``vpn-<name>``, shortened with a digest if it is too long for an interface."""
    plain_name = f"vpn-{name}"
    if len(plain_name) <= 15:
        return plain_name
    digest = hashlib.sha256(name.encode()).hexdigest()[:4]
    return f"{plain_name[:10]}-{digest}"


def _check_layer2(network: VpnNetwork) -> None:
    if network.layer2_type == "vlan":
        if network.layer2_id is None:
            fix = "Give the VLAN tag, 1 to 4094."
            raise ModelError("layer2_id", None, "is missing for layer2_type vlan", fix)
        if network.interface_network is None:
            raise ModelError(
                "interface_network",
                None,
                "is missing for layer2_type vlan",
                "Give the interface that carries the tagged packets.",
            )
    elif network.layer2_id is not None:
        raise ModelError(
            "layer2_id",
            network.layer2_id,
            "has no effect with layer2_type none",
            "Remove layer2_id, or set layer2_type to vlan.",
        )
    for option in ("interface", "mtu"):
        value = getattr(network, option)
        if network.attached and value is not None:
            raise ModelError(
                option,
                value,
                f"cannot be set on {network.interface_network}, which this collection does not "
                "manage",
                f"Remove {option}, or remove interface_network.",
            )


def _check_address(network: VpnNetwork) -> None:
    if network.ip_address_type == "none":
        if network.ip_address is not None:
            raise ModelError(
                "ip_address",
                str(network.ip_address),
                "has no effect with ip_address_type none",
                "Remove ip_address, or set ip_address_type to static.",
            )
        return
    for option in ("ip_address", "network_address"):
        if getattr(network, option) is None:
            fix = f"Give {option}, or set ip_address_type to none."
            raise ModelError(option, None, "is missing for ip_address_type static", fix)
    if network.ip_address is not None and network.network_address is not None:
        _check_host_address(network.ip_address, network.network_address)


def _check_host_address(address: IPAddress, network: IPNetwork) -> None:
    # A /31 (RFC 3021) and a /32 have no broadcast address; IPv6 has none at all, but its all-zeros
    # address is the subnet-router anycast address (RFC 4291 section 2.6.1).
    reserved: tuple[IPAddress, ...] = ()
    if network.prefixlen < network.max_prefixlen - 1:
        reserved = (network.network_address,)
        if network.version == 4:
            reserved += (network.broadcast_address,)
    if address not in network or address in reserved:
        others = f", other than {' and '.join(map(str, reserved))}" if reserved else ""
        raise ModelError(
            "ip_address",
            str(address),
            f"is not a host address of network_address {network}",
            f"Use an address in {network}{others}.",
        )


def _check_mtu(network: VpnNetwork) -> None:
    if network.mtu is None:
        return
    version = network.network_address.version if network.network_address else 4
    checks.number("mtu", network.mtu, LEAST_MTU[version], 65535)


_CONVERT: dict[str, Convert] = {
    "description": checks.description,
    "layer2_type": checks.choice(LAYER2_TYPES),
    "layer2_id": checks.whole(1, 4094),
    "ip_address_type": checks.choice(ADDRESS_TYPES),
    "ip_address": addresses.host,
    "network_address": addresses.network,
    "interface_network": checks.network_interface,
    "interface": checks.network_interface,
    "firewall_chains": list_of(ForeignChain.parse),
    "ike_interfaces": list_of(checks.interface_name),
    "dataplane": checks.choice(DATAPLANES),
    "state": checks.choice(POWER_STATES),
}
# Values that an earlier version accepted stay readable.
_RECORDED: dict[str, Convert] = {
    **_CONVERT,
    "ip_address": checks.ip_address,
    "network_address": checks.ip_network,
    "interface_network": checks.interface_name,
    "interface": checks.interface_name,
}


def in_order(networks: t.Iterable[VpnNetwork]) -> list[str]:
    """Return the names of networks, each after the network that makes the interface it uses."""
    items = sorted(networks, key=lambda item: item.name)
    makers = {item.device: item for item in items if not item.attached}
    found: dict[str, None] = {}

    def add(item: VpnNetwork, waiting: frozenset[str]) -> None:
        maker = makers.get(item.interface_network or "")
        if maker is not None and maker.name not in waiting:
            add(maker, waiting | {maker.name})
        found[item.name] = None

    for item in items:
        add(item, frozenset({item.name}))
    return list(found)
