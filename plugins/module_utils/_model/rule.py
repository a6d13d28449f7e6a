# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A rule of a network, of the operator's own: a filter, a translation or a route."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import MISSING, dataclass, fields

from .._errors import ModelError
from . import addresses, checks
from .checks import IPAddress, IPNetwork
from .child import check_disjoint, overlap
from .options import Convert, Options, field_values, for_change, list_of, option_values, plain

FILTERS = ("accept", "drop", "reject")
ACTIONS = (*FILTERS, "translate", "route")
DIRECTIONS = ("incoming", "outgoing")
PROTOCOLS = ("any", "tcp", "udp", "icmp")
STATES = ("present", "disabled")

GREATEST_ORDER = 65535

_MATCHES = frozenset(
    {"direction", "protocol", "source", "destination", "source_ports", "destination_ports", "log"}
)
# The options that an action knows what to do with, besides those that every rule has.
_USES = {
    **dict.fromkeys(FILTERS, _MATCHES),
    "accept": _MATCHES | {"cleartext"},
    "translate": _MATCHES | {"target", "target_port"},
    "route": frozenset({"destination", "target", "interface"}),
}
_ALWAYS = frozenset({"name", "network", "description", "action", "order", "state"})


@dataclass(frozen=True)
class Ports:
    """One port, or a range of them."""

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
        raise ModelError(
            option, value, "is neither a port nor a range", "1 to 65535, or a range as 8000-8100"
        )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def to_options(self) -> str:
        return str(self)


@dataclass(frozen=True)
class VpnRule:
    """What the options of ``vpn_rule`` say, checked. ``order`` and name tell which comes first."""

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
        """Raises ModelError naming the rule, its network and the option."""
        return _checked(cls._made(options, _CONVERT), options)

    @classmethod
    def from_record(cls, options: Options) -> VpnRule:
        """The same of what a run has written; an earlier version took more than is legal now."""
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
                raise ModelError("action", None, "is missing", ", ".join(ACTIONS))
            rule = cls(**field_values(cls, options, convert))
            _check_uses(rule)
            _check_matches(rule)
            _check_cleartext(rule)
            if rule.action == "route":
                _check_route(rule)
            elif rule.direction is None:
                raise ModelError("direction", None, "is missing", ", ".join(DIRECTIONS))
            if rule.action == "translate":
                _check_translation(rule)
            return rule
        except ModelError as error:
            raise error.within(subject_of(name, network)) from None

    def to_options(self) -> dict[str, t.Any]:
        return option_values(self)

    @property
    def enabled(self) -> bool:
        return self.state == "present"

    @property
    def one_to_one(self) -> bool:
        """Whether it maps a whole network to another one, in both directions."""
        return isinstance(self.target, (ipaddress.IPv4Network, ipaddress.IPv6Network))


def _checked(rule: VpnRule, given: Options) -> VpnRule:
    """The rule, if packets can have the addresses that are ``given``. Raises ModelError."""
    try:
        if rule.action not in FILTERS:
            # A filter may be about packets that should not exist.
            for option in ("source", "destination"):
                for index, item in enumerate(getattr(rule, option) if given.get(option) else ()):
                    addresses.check_network(f"{option}[{index}]", item)
        if given.get("target") is not None and addresses.link_local(rule.target):
            _check_link_local(rule)
        return rule
    except ModelError as error:
        raise error.within(subject_of(rule.name, rule.network)) from None


def _check_link_local(rule: VpnRule) -> None:
    if rule.action != "route":
        addresses.host("target", str(rule.target))
    if rule.interface is None:
        raise ModelError(
            "interface",
            None,
            f"is missing: the target {rule.target} is link-local, and known on one link alone",
            "the interface that leads to the target",
        )


def subject_of(name: str, network: str) -> str:
    return f"rule {name} of network {network}"


def _check_uses(rule: VpnRule) -> None:
    for item in fields(rule):
        value = getattr(rule, item.name)
        given = item.default is not MISSING and value != item.default
        if given and item.name not in _ALWAYS | _USES[rule.action]:
            why = f"has no use with action {rule.action}"
            raise ModelError(item.name, plain(value), why, _legal_use(item.name))


def _legal_use(option: str) -> str:
    """The actions that know what to do with an option."""
    actions = [action for action, known in _USES.items() if option in known]
    return f"action {' or '.join(actions)}; or leave {option} out"


def _check_matches(rule: VpnRule) -> None:
    for option in ("source", "destination") if rule.action != "route" else ():
        check_disjoint(option, getattr(rule, option))
    if rule.source and rule.destination and not versions(rule.source) & versions(rule.destination):
        raise ModelError(
            "destination",
            plain(rule.destination),
            "shares no IP version with source",
            "IPv4 networks on both sides, IPv6 networks on both sides, or both",
        )
    for option in ("source_ports", "destination_ports"):
        ports = getattr(rule, option)
        if ports:
            _require_ports(rule, option, plain(ports))
        _check_ports_disjoint(option, ports)


def _check_cleartext(rule: VpnRule) -> None:
    if rule.cleartext and not (rule.source or rule.destination):
        raise ModelError(
            "cleartext",
            rule.cleartext,
            "would admit every packet of every tunnel in cleartext",
            "a source, a destination, or both",
        )


def _require_ports(rule: VpnRule, option: str, value: object) -> None:
    if rule.protocol not in ("tcp", "udp"):
        raise ModelError(
            option, value, f"has no use with protocol {rule.protocol}", "protocol tcp or udp"
        )


def _check_ports_disjoint(option: str, ports: tuple[Ports, ...]) -> None:
    ordered = sorted(ports, key=lambda item: item.first)
    for lower, upper in zip(ordered, ordered[1:]):
        if upper.first <= lower.last:
            raise ModelError(
                option, plain(ports), f"names {lower} and {upper}, which overlap", "each port once"
            )


def _check_route(rule: VpnRule) -> None:
    if not rule.destination:
        raise ModelError("destination", [], "is missing for action route", "networks in CIDR form")
    known = set()
    for item in rule.destination:
        if item in known:
            raise ModelError("destination", str(item), "is there already", "each one once")
        known.add(item)
    if rule.target is None and rule.interface is None:
        raise ModelError(
            "target", None, "is missing for action route", "the address of a router, or interface"
        )
    if rule.target is not None:
        _require_address(rule)
        _require_version(rule, "destination")


def _check_translation(rule: VpnRule) -> None:
    if rule.target is None:
        raise ModelError(
            "target", None, "is missing for action translate", "an address, or a network (1:1)"
        )
    inside = "source" if rule.direction == "outgoing" else "destination"
    if not getattr(rule, inside):
        raise ModelError(
            inside, [], f"is missing for action translate, {rule.direction}", "what to translate"
        )
    for option in ("source", "destination"):
        _require_version(rule, option)
    if rule.one_to_one:
        _check_one_to_one(rule)
    if rule.target_port is not None:
        if rule.direction == "outgoing":
            raise ModelError(
                "target_port",
                rule.target_port,
                "has no use with direction outgoing",
                "direction incoming; or leave target_port out",
            )
        _require_ports(rule, "target_port", rule.target_port)


def _check_one_to_one(rule: VpnRule) -> None:
    if rule.direction == "incoming":
        # An outgoing one works in both directions.
        _require_address(rule)
    target = t.cast(IPNetwork, rule.target)
    if len(rule.source) != 1 or rule.source[0].prefixlen != target.prefixlen:
        raise ModelError(
            "target",
            str(target),
            f"is not of the size of source {', '.join(map(str, rule.source))}",
            "one source, and a network with a prefix as long; or an address, for all of it",
        )
    if overlap(rule.source[0], target):
        raise ModelError("target", str(target), "overlaps source", "another network")
    for option in ("protocol", "source_ports", "destination_ports"):
        if getattr(rule, option) not in ("any", ()):
            raise ModelError(
                option,
                plain(getattr(rule, option)),
                "has no use with a target that is a network, which is for all traffic",
                f"an address as target; or leave {option} out",
            )


def _require_address(rule: VpnRule) -> None:
    if rule.one_to_one:
        raise ModelError(
            "target",
            str(rule.target),
            "is a network, which only an outgoing translation can take",
            "an address",
        )


def _require_version(rule: VpnRule, option: str) -> None:
    networks = getattr(rule, option)
    if rule.target is not None and versions(networks) - {rule.target.version}:
        raise ModelError(
            option,
            plain(networks),
            f"is not of the IP version of target {rule.target}",
            f"IPv{rule.target.version} networks; another rule for the others",
        )


def versions(networks: t.Iterable[IPNetwork]) -> frozenset[int]:
    return frozenset(item.version for item in networks)


def _network(option: str, value: object) -> IPNetwork:
    """A network in CIDR form, or the address of one host."""
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
    "action": lambda option, value: checks.one_of(option, value, ACTIONS),
    "direction": lambda option, value: checks.one_of(option, value, DIRECTIONS),
    "protocol": lambda option, value: checks.one_of(option, value, PROTOCOLS),
    "source": list_of(_network),
    "destination": list_of(_network),
    "source_ports": list_of(Ports.parse),
    "destination_ports": list_of(Ports.parse),
    "target": _target,
    "target_port": lambda option, value: checks.number(option, value, 1, 65535),
    "interface": checks.network_interface,
    "order": lambda option, value: checks.number(option, value, 1, GREATEST_ORDER),
    "state": lambda option, value: checks.one_of(option, value, STATES),
}
# What an earlier version has taken stays readable.
_RECORDED: dict[str, Convert] = {
    **_CONVERT,
    "source": list_of(checks.ip_network),
    "destination": list_of(checks.ip_network),
    "target": _recorded_target,
    "interface": checks.interface_name,
}
