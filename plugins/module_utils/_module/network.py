# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module vpn_network."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._host.host import Host
from .._host.without import INTERFACES, RULES
from .._model import checks
from .._model.gateway import Gateway
from .._model.interface_users import check_interfaces_kept
from .._model.network import VpnNetwork
from .._model.platform import Platform
from .._plan.scope import network_scope
from .._render.network_files import alias
from .._render.nft import HOOKS
from .concerned import concerned
from .edit import Edit, Params, View
from .keys import check_start
from .spec import VPN_NETWORK, Spec
from .surroundings import check_network

# A task without any of these options does not define a network. The task changes the options that
# it names of an existing network.
_DEFINING = frozenset({"ip_address_type", "ip_address", "network_address"})


class NetworkResource:
    spec: t.ClassVar[Spec] = VPN_NETWORK
    key: t.ClassVar[str] = "vpn_network"

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        name = checks.network_name("name", params["name"])
        scope = network_scope(name, platform)
        if params["state"] == "absent":
            gateway = current
            if name in current.networks:
                gateway = current.without_network(name, force=params["force"])
                check_interfaces_kept(current, gateway)
            return Edit(gateway, scope, {"name": name, "state": "absent"})
        known = current.networks.get(name)
        network = wanted(known, params)
        gateway = current.with_network(network)
        check_interfaces_kept(current, gateway)
        if network.started and known is not None and not known.started:
            try:
                check_start(name, gateway)
            except ModelError as error:
                raise error.within(network.subject) from None
        return Edit(gateway, scope, _result(network))

    def check_host(self, host: Host, view: View) -> list[str]:
        warnings = check_entry(host, view)
        for item in concerned(view.current, view.edit):
            warnings += item.check_host(host, view)
        return warnings


def check_entry(host: Host, view: View) -> list[str]:
    """Check the network alone, without its objects. Returns warnings, raises ModelError."""
    network = view.edit.gateway.networks.get(view.params["name"])
    if network is None or not network.started:
        return []
    try:
        if INTERFACES not in host.missing:
            _check_interfaces(host, network, view.edit.gateway)
            check_network(host, network, view)
        firewall = [] if RULES in host.missing else _check_firewall(host, network)
        return firewall + _ways_out(host, network, view)
    except ModelError as error:
        raise error.within(network.subject) from None


def wanted(known: VpnNetwork | None, params: Params) -> VpnNetwork:
    """Return the network of the options. Options that do not define it change the known one."""
    state = params["state"]
    if state == "present":
        state = known.state if known else "started"
    if known is not None and not params.given & _DEFINING:
        return known.changed(params.said(state=state))
    return VpnNetwork.from_options({**params, "state": state})


def _result(network: VpnNetwork) -> dict[str, t.Any]:
    return {**network.to_options(), "interface": network.device}


def _check_interfaces(host: Host, network: VpnNetwork, gateway: Gateway) -> None:
    # The task may also describe the network that makes the interface.
    existing = (*host.link.names(), *gateway.devices)
    parent = network.interface_network
    if parent is not None and parent not in existing:
        raise _no_interface("interface_network", parent, existing)
    for index, name in enumerate(network.ike_interfaces):
        if name not in existing:
            raise _no_interface(f"ike_interfaces[{index}]", name, existing)
    if parent is not None and network.mtu is not None:
        # Only a VLAN interface has both.
        _check_mtu(host, parent, network.mtu)
    link = host.link.get(network.device)
    if not network.attached and link is not None and link.alias != alias(network):
        raise ModelError(
            "interface",
            network.device,
            "exists on this host, and this collection did not create it for this network",
            "Use another name. To attach the network to this interface, set interface_network to "
            "it.",
        )


def _no_interface(option: str, name: str, existing: t.Iterable[str]) -> ModelError:
    fix = f"Use one of: {', '.join(dict.fromkeys(existing))}."
    return ModelError(option, name, "does not exist on this host", fix)


def _check_mtu(host: Host, parent: str, mtu: int) -> None:
    link = host.link.get(parent)
    if link is not None and mtu > link.mtu:
        problem = f"is more than the MTU of {parent}, which is {link.mtu}"
        fix = f"Use {link.mtu} at most, or raise the MTU of {parent} first."
        raise ModelError("mtu", mtu, problem, fix)


def _check_firewall(host: Host, network: VpnNetwork) -> list[str]:
    """Refuse unknown chains, and warn about unlisted chains that drop packets."""
    chains = host.nft.foreign_chains()
    names = {str(chain): chain for chain in chains}
    for index, wanted in enumerate(network.firewall_chains):
        if str(wanted) not in names:
            raise ModelError(
                f"firewall_chains[{index}]",
                str(wanted),
                "is not an nftables base chain of this host",
                f"Use one of: {', '.join(sorted(names))}."
                if names
                else "Remove it: this host has no unmanaged base chain.",
            )
        if names[str(wanted)].hook not in HOOKS:
            raise ModelError(
                f"firewall_chains[{index}]",
                str(wanted),
                f"is at hook {names[str(wanted)].hook}, where a network has no rules",
                f"Name a chain at one of the hooks {', '.join(HOOKS)}.",
            )
    listed_names = {str(listed) for listed in network.firewall_chains}
    warnings = []
    for chain in chains:
        listed = str(chain) in listed_names
        if chain.drops and not listed and chain.hook in HOOKS:
            warnings.append(
                f"network {network.name}: chain '{chain}' drops packets by default and is not in "
                "firewall_chains: an accept in another table does not override its drop"
            )
        if chain.iptables and listed:
            warnings.append(
                f"network {network.name}: chain '{chain}' belongs to iptables, which can't show a "
                "table with rules of nft any more, though both are in force"
            )
    return warnings


def _ways_out(host: Host, network: VpnNetwork, view: View) -> list[str]:
    """Return warnings about this host that concern the network."""
    warnings = []
    if view.userspace:
        warnings.append(
            f"network {network.name}: the data plane is kernel-libipsec in user space, because "
            + _why_userspace(host, view)
        )
    at_risk = host.link.ra_default_route_interfaces()
    if network.network_address and network.network_address.version == 6 and at_risk:
        warnings.append(
            f"network {network.name}: with IPv6 forwarding on, {', '.join(at_risk)} will lose the "
            "default route learned from router advertisements, unless its accept_ra is 2"
        )
    return warnings


def _why_userspace(host: Host, view: View) -> str:
    networks = view.edit.gateway.networks.values()
    asking = sorted(item.name for item in networks if item.dataplane == "userspace")
    if asking:
        return f"network {', '.join(asking)} asks for it"
    if host.link.kernel_has_esp():
        return "the IKE daemon was set up so before"
    return "the kernel of this host refuses ESP: slower, and ESP in tunnel mode only"
