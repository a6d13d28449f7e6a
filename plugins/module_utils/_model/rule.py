# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A rule of the user for a network: a filter, a translation or a route."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._errors import ModelError
from . import addresses, checks
from .checks import IPAddress, IPNetwork
from .options import Convert, Options, field_values, for_change, list_of, option_values
from .rule_checks import DIRECTIONS, FILTERS, check_given, check_rule
from .subject import rule_subject

ACTIONS = (*FILTERS, "translate", "route")
PROTOCOLS = ("any", "tcp", "udp", "icmp")
STATES = ("present", "disabled")

GREATEST_ORDER = 65535


@dataclass(frozen=True)
class Ports:
    """A port, or a range of ports."""

    first: int
    last: int

    @classmethod
    def parse(cls, option: str, value: object) -> Ports:
        low, _dash, high = str(value).partition("-")
        numbers = [low, high] if _dash else [low, low]
        if all(item.isascii() and item.isdigit() and len(item) <= 5 for item in numbers):
            first, last = map(int, numbers)
            if 1 <= first <= last <= 65535:
                return cls(first, last)
        fix = "Write a port from 1 to 65535, or a range such as 8000-8100."
        raise ModelError(option, value, "is neither a port nor a range of ports", fix)

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def to_options(self) -> str:
        return str(self)


@dataclass(frozen=True)
class VpnRule:
    """The checked options of one ``vpn_rule``. ``order``, then name, define the sequence."""

    name: str
    network: str
    action: str
    description: str = ""
    direction: str | None = None
    protocol: str = "any"
    source: tuple[IPNetwork, ...] = ()
    destination: tuple[IPNetwork, ...] = ()
    source_ports: tuple[Ports, ...] = ()
    destination_ports: tuple[Ports, ...] = ()
    target: IPAddress | IPNetwork | None = None
    target_port: int | None = None
    interface: str | None = None
    order: int = 100
    log: bool = False
    cleartext: bool = False
    state: str = "present"

    @classmethod
    def from_options(cls, options: Options) -> VpnRule:
        """Return the object of checked options. Raise ModelError naming object and option."""
        return _checked(cls._made(options, _CONVERT), options)

    @classmethod
    def from_record(cls, options: Options) -> VpnRule:
        """Return the object of a record. A record may hold values that are refused now."""
        return cls._made(options, _RECORDED)

    def changed(self, options: Options) -> VpnRule:
        """Return the rule with these options, and every other as it is. Raises ModelError."""
        made = {**self.to_options(), **options}
        return _checked(self._made(made, for_change(_CONVERT, _RECORDED, options)), options)

    @classmethod
    def _made(cls, options: Options, convert: t.Mapping[str, Convert]) -> VpnRule:
        name = checks.phase_name("name", options.get("name"))
        network = checks.network_name("network", options.get("network"))
        try:
            if options.get("action") is None:
                raise ModelError(
                    "action", None, "is missing", f"Give one of: {', '.join(ACTIONS)}."
                )
            rule = cls(**field_values(cls, options, convert))
            check_rule(rule)
            return rule
        except ModelError as error:
            raise error.within(rule_subject(name, network)) from None

    def to_options(self) -> dict[str, t.Any]:
        return option_values(self)

    @property
    def subject(self) -> str:
        """Return how errors and warnings name the rule."""
        return rule_subject(self.name, self.network)

    @property
    def enabled(self) -> bool:
        return self.state == "present"

    @property
    def one_to_one(self) -> bool:
        """Return whether the rule maps a whole network to another, in both directions."""
        return isinstance(self.target, (ipaddress.IPv4Network, ipaddress.IPv6Network))


def _checked(rule: VpnRule, options: Options) -> VpnRule:
    try:
        check_given(rule, options)
    except ModelError as error:
        raise error.within(rule.subject) from None
    return rule


def _network(option: str, value: object) -> IPNetwork:
    """Return a network in CIDR form; the address of one host becomes a network."""
    if "/" in str(value):
        return addresses.any_network(option, value)
    return ipaddress.ip_network(addresses.any_host(option, value))


def _target(option: str, value: object) -> IPAddress | IPNetwork:
    if "/" in str(value):
        return addresses.network(option, value)
    return addresses.router(option, value)


def _recorded_target(option: str, value: object) -> IPAddress | IPNetwork:
    if "/" in str(value):
        return checks.ip_network(option, value)
    return checks.ip_address(option, value)


_CONVERT: dict[str, Convert] = {
    "description": checks.description,
    "action": checks.choice(ACTIONS),
    "direction": checks.choice(DIRECTIONS),
    "protocol": checks.choice(PROTOCOLS),
    "source": list_of(_network),
    "destination": list_of(_network),
    "source_ports": list_of(Ports.parse),
    "destination_ports": list_of(Ports.parse),
    "target": _target,
    "target_port": checks.whole(1, 65535),
    "interface": checks.network_interface,
    "order": checks.whole(1, GREATEST_ORDER),
    "state": checks.choice(STATES),
}
# Values that an earlier version accepted stay readable.
_RECORDED: dict[str, Convert] = {
    **_CONVERT,
    "source": list_of(checks.ip_network),
    "destination": list_of(checks.ip_network),
    "target": _recorded_target,
    "interface": checks.interface_name,
}
