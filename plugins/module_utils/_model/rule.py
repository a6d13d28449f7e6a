# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A rule of a network, of the operator's own: a filter, a translation or a route."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import MISSING, dataclass, fields

from .._errors import ModelError, alternatives
from . import addresses, checks
from .checks import IPAddress, IPNetwork
from .options import Convert, Options, field_values, for_change, list_of, option_values, plain
from .selector import check_disjoint, overlap
from .subject import rule_subject

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
        fix = "Write a port from 1 to 65535, or a range such as 8000-8100."
        raise ModelError(option, value, "is neither a port nor a range of ports", fix)

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
                raise ModelError(
                    "action", None, "is missing", f"Give one of: {', '.join(ACTIONS)}."
                )
            rule = cls(**field_values(cls, options, convert))
            _check_uses(rule)
            _check_matches(rule)
            _check_cleartext(rule)
            if rule.action == "route":
                _check_route(rule)
            elif rule.direction is None:
                fix = f"Give one of: {', '.join(DIRECTIONS)}."
                raise ModelError("direction", None, f"is missing for action {rule.action}", fix)
            if rule.action == "translate":
                _check_translation(rule)
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
        raise error.within(rule.subject) from None


def _check_link_local(rule: VpnRule) -> None:
    if rule.action != "route":
        addresses.host("target", str(rule.target))
    if rule.interface is None:
        raise ModelError(
            "interface",
            None,
            f"is missing: target {rule.target} is a link-local address, valid on one link only",
            "Give the interface that leads to target.",
        )


def _check_uses(rule: VpnRule) -> None:
    for item in fields(rule):
        value = getattr(rule, item.name)
        given = item.default is not MISSING and value != item.default
        if given and item.name not in _ALWAYS | _USES[rule.action]:
            problem = f"has no effect with action {rule.action}"
            raise ModelError(item.name, plain(value), problem, _fix_of_use(item.name))


def _fix_of_use(option: str) -> str:
    """Return the fix for an option that the action does not use, with the actions that use it."""
    actions = [action for action, used in _USES.items() if option in used]
    return f"Remove {option}, or set action to {alternatives(actions)}."


def _check_matches(rule: VpnRule) -> None:
    for option in ("source", "destination") if rule.action != "route" else ():
        check_disjoint(option, getattr(rule, option))
    if rule.source and rule.destination and not versions(rule.source) & versions(rule.destination):
        raise ModelError(
            "destination",
            plain(rule.destination),
            "shares no IP version with source",
            "Give source and destination networks of one IP version.",
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
            "would accept every packet of every tunnel in cleartext",
            "Give source, destination, or both.",
        )


def _require_ports(rule: VpnRule, option: str, value: object) -> None:
    if rule.protocol not in ("tcp", "udp"):
        problem = f"has no effect with protocol {rule.protocol}"
        raise ModelError(option, value, problem, f"Remove {option}, or set protocol to tcp or udp.")


def _check_ports_disjoint(option: str, ports: tuple[Ports, ...]) -> None:
    ordered = sorted(ports, key=lambda item: item.first)
    for lower, upper in zip(ordered, ordered[1:]):
        if upper.first <= lower.last:
            problem = f"names {lower} and {upper}, which overlap"
            raise ModelError(option, plain(ports), problem, "Name each port once.")


def _check_route(rule: VpnRule) -> None:
    if not rule.destination:
        fix = "Give the networks that the route leads to, such as ['10.2.0.0/24']."
        raise ModelError("destination", [], "is missing for action route", fix)
    known = set()
    for item in rule.destination:
        if item in known:
            raise ModelError("destination", str(item), "is named twice", "Name each network once.")
        known.add(item)
    if rule.target is None and rule.interface is None:
        fix = "Give the address of a router as target, or an interface."
        raise ModelError("target", None, "is missing for action route", fix)
    if rule.target is not None:
        _require_address(rule)
        _require_version(rule, "destination")


def _check_translation(rule: VpnRule) -> None:
    if rule.target is None:
        fix = "Give an address, or a network to translate one to one."
        raise ModelError("target", None, "is missing for action translate", fix)
    inside = "source" if rule.direction == "outgoing" else "destination"
    if not getattr(rule, inside):
        problem = f"is missing for action translate with direction {rule.direction}"
        raise ModelError(inside, [], problem, "Give the networks whose addresses are translated.")
    for option in ("source", "destination"):
        _require_version(rule, option)
    if rule.one_to_one:
        _check_one_to_one(rule)
    if rule.target_port is not None:
        if rule.direction == "outgoing":
            raise ModelError(
                "target_port",
                rule.target_port,
                "has no effect with direction outgoing",
                "Remove target_port, or set direction to incoming.",
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
            f"does not have the size of source {', '.join(map(str, rule.source))}",
            "Give one source and a target with the same prefix length, or an address as target.",
        )
    if overlap(rule.source[0], target):
        raise ModelError("target", str(target), "overlaps source", "Use another network.")
    for option in ("protocol", "source_ports", "destination_ports"):
        if getattr(rule, option) not in ("any", ()):
            raise ModelError(
                option,
                plain(getattr(rule, option)),
                "has no effect with a network as target, which translates all traffic",
                f"Remove {option}, or give an address as target.",
            )


def _require_address(rule: VpnRule) -> None:
    if rule.one_to_one:
        raise ModelError(
            "target",
            str(rule.target),
            "is a network, which only a translation with direction outgoing accepts",
            "Use an address.",
        )


def _require_version(rule: VpnRule, option: str) -> None:
    networks = getattr(rule, option)
    if rule.target is not None and versions(networks) - {rule.target.version}:
        raise ModelError(
            option,
            plain(networks),
            f"does not have the IP version of target {rule.target}",
            f"Use IPv{rule.target.version} networks here, and another rule for the others.",
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
# What an earlier version has taken stays readable.
_RECORDED: dict[str, Convert] = {
    **_CONVERT,
    "source": list_of(checks.ip_network),
    "destination": list_of(checks.ip_network),
    "target": _recorded_target,
    "interface": checks.interface_name,
}
