# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rules between the options of one ``vpn_rule``."""

from __future__ import annotations

import typing as t
from dataclasses import MISSING, fields

from .._errors import ModelError, alternatives
from . import addresses
from .checks import IPNetwork
from .options import Options, plain
from .selector import check_disjoint, overlap

if t.TYPE_CHECKING:
    from .rule import Ports, VpnRule

FILTERS = ("accept", "drop", "reject")
DIRECTIONS = ("incoming", "outgoing")

_MATCHES = frozenset(
    {"direction", "protocol", "source", "destination", "source_ports", "destination_ports", "log"}
)
# The options that each action uses, besides the options of every rule.
_USES = {
    **dict.fromkeys(FILTERS, _MATCHES),
    "accept": _MATCHES | {"cleartext"},
    "translate": _MATCHES | {"target", "target_port"},
    "route": frozenset({"destination", "target", "interface"}),
}
_ALWAYS = frozenset({"name", "network", "description", "action", "order", "state"})


def check_rule(rule: VpnRule) -> None:
    """Raise ModelError naming the option if two options of the rule contradict each other."""
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


def check_given(rule: VpnRule, options: Options) -> None:
    """Raise ModelError if no packet can have an address that the ``options`` of a task name."""
    if rule.action not in FILTERS:
        # A filter may match packets that should not exist.
        for option in ("source", "destination"):
            for index, item in enumerate(getattr(rule, option) if options.get(option) else ()):
                addresses.check_network(f"{option}[{index}]", item)
    if options.get("target") is not None and addresses.link_local(rule.target):
        _check_link_local(rule)


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
        # An outgoing translation works in both directions.
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
