# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module vpn_rule."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._host.host import Host
from .._host.without import INTERFACES
from .._model import checks
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._model.rule import VpnRule
from .._plan.scope import Scope
from .._render.network_view import network_views
from .._render.ruleset_input import ruleset_input
from .._render.translations import translations
from .edit import Edit, Params, View
from .spec import VPN_RULE, Spec
from .surroundings import check_route


class RuleResource:
    spec: t.ClassVar[Spec] = VPN_RULE
    key: t.ClassVar[str] = "vpn_rule"

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        name = checks.phase_name("name", params["name"])
        network = checks.network_name("network", params["network"])
        if params["state"] == "absent":
            result = {"name": name, "network": network, "state": "absent"}
            scope = Scope(frozenset({network} & current.networks.keys()))
            return Edit(current.without_rule(network, name), scope, result)
        rule = _wanted(current.rule(network, name), params)
        return Edit(current.with_rule(rule), Scope(frozenset({network})), rule.to_options())

    def check_host(self, host: Host, view: View) -> list[str]:
        gateway, network = view.edit.gateway, view.params["network"]
        rule = gateway.rule(network, view.params["name"])
        if rule is None or not rule.enabled:
            return []
        routes = rule.action == "route" and gateway.networks[network].started
        if routes and INTERFACES not in host.missing:
            _check_interface(host, rule, gateway)
            _check_router(host, rule, gateway)
            check_route(host, rule, view)
        if rule.action == "translate" and not _translates(gateway, rule, view):
            return [
                f"{rule.subject}: no tunnel of the network carries the addresses of the "
                "translation, so that the rule has no effect yet"
            ]
        return []


def _wanted(known: VpnRule | None, params: Params) -> VpnRule:
    if known is not None and params["state"] == "disabled" and params["action"] is None:
        return known.changed(params.said())
    return VpnRule.from_options(params)


def _check_interface(host: Host, rule: VpnRule, gateway: Gateway) -> None:
    own = gateway.networks[rule.network].device
    existing = {*host.link.names(), own, *gateway.devices}
    if rule.interface is not None and rule.interface not in existing:
        raise ModelError(
            "interface",
            rule.interface,
            "does not exist on this host",
            f"Use one of: {', '.join(sorted(existing))}.",
            rule.subject,
        )


def _check_router(host: Host, rule: VpnRule, gateway: Gateway) -> None:
    """Refuse a router that is not on a network of this host, as the kernel does."""
    router = t.cast("checks.IPAddress | None", rule.target)
    if router is None:
        return
    own = any(router == item.ip for item in host.link.interfaces())
    # A network that is about to start has its address by then.
    near = any(
        item.on_link is not None and router in item.on_link
        for item in gateway.networks.values()
        if item.started and rule.interface in (None, item.device)
    )
    if own or not (near or host.link.is_next_hop(router, rule.interface or "")):
        raise ModelError(
            "target",
            str(router),
            "is an address of this host" if own else "cannot be reached without another router",
            "Give the address of a router in a network of this host.",
            rule.subject,
        )


def _translates(gateway: Gateway, rule: VpnRule, view: View) -> bool:
    rules = ruleset_input(network_views(gateway)[rule.network], userspace=view.userspace)
    return any(item.rule == rule for item in translations(rules))
