# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the accepted addresses and networks, by option, and of the errors for others."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model import addresses, checks
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PHASE1,
    PHASE2,
    child,
    connection,
    network,
    refused,
    rule,
)

ROUTE = {"action": "route", "direction": None, "destination": ["10.9.0.0/24"]}
HIDE = {"action": "translate", "direction": "outgoing", "source": ["10.7.0.0/24"]}

# Every option that is the address of a host.
HOSTS: dict[str, tuple[str, str, t.Callable[[str], object]]] = {
    "peer": ("remote_gateway", "phase 1 site-b", lambda it: connection(remote_gateway=it)),
    "our end": ("local_address", "phase 1 site-b", lambda it: connection(local_address=it)),
    "router": (
        "ip_address",
        "network lan",
        lambda it: network(ip_address=it, network_address=_around(it)),
    ),
    "next hop": ("target", "rule web of network lan", lambda it: rule(**ROUTE, target=it)),
    "translated": ("target", "rule web of network lan", lambda it: rule(**_hide(it), target=it)),
}
# Addresses that no host has, with a word of the problem and a word of the fix.
NO_HOSTS = {
    "127.0.0.1": ("is a loopback address", ""),
    "::1": ("is a loopback address", ""),
    "224.0.0.5": ("is a multicast address", ""),
    "ff02::1": ("is a multicast address", ""),
    "255.255.255.255": ("is a broadcast address", ""),
    "240.0.0.1": ("is a reserved address", ""),
    "0.1.2.3": ("is a reserved address", ""),
    "::ffff:192.0.2.2": ("is an IPv4-mapped address", "192.0.2.2"),
    "0.0.0.0": ("stands for any address", ""),
    "::": ("stands for any address", ""),
    "fe80::1%eth0": ("has a zone, which neither strongSwan nor nftables accepts", ""),
    "2001:db8::1%eth0": ("has a zone", ""),
}
LINK_LOCAL = "fe80::1"


def _hide(target: str) -> dict[str, t.Any]:
    return {**HIDE, "source": ["fd00:7::/64" if ":" in target else "10.7.0.0/24"]}


def _around(address: str) -> str:
    bare = address.split("%", maxsplit=1)[0]
    return f"{checks.ip_address('x', bare)}/{32 if ':' not in bare else 128}"


@pytest.mark.parametrize("place", HOSTS)
@pytest.mark.parametrize("value", NO_HOSTS)
def test_what_no_host_has(place: str, value: str) -> None:
    option, subject, make = HOSTS[place]
    why, legal = NO_HOSTS[value]
    with refused(option, subject, repr(value), why, legal):
        make(value)


@pytest.mark.parametrize("place", HOSTS)
@pytest.mark.parametrize("value", ["192.0.2.7", "169.254.6.2", "100.64.0.1", "2001:db8::7"])
def test_what_a_host_has(place: str, value: str) -> None:
    same = [item for item in ("10.7.0.0/24", "fd00:7::/64") if (":" in item) == (":" in value)]
    option, _subject, make = HOSTS[place]
    if place == "next hop":
        made: object = rule(**{**ROUTE, "destination": same}, target=value)
    else:
        made = make(value)
    assert str(getattr(made, option)) == value


@pytest.mark.parametrize("place", [place for place in HOSTS if place != "next hop"])
def test_link_local_addresses_are_known_on_one_link_alone(place: str) -> None:
    option, subject, make = HOSTS[place]
    with refused(option, subject, repr(LINK_LOCAL), "is a link-local address"):
        make(LINK_LOCAL)


def test_a_link_local_router_needs_the_interface_that_leads_there() -> None:
    route = {**ROUTE, "destination": ["fd00:9::/64"], "target": LINK_LOCAL}
    assert rule(**route, interface="eth0").interface == "eth0"
    with refused("interface", "rule web of network lan", "is missing", LINK_LOCAL):
        rule(**route)
    assert VpnRule.from_record({**rule(**route, interface="eth0").to_options(), "interface": None})


# Every option that is a network or a list of networks.
NETWORKS: dict[str, tuple[str, str, t.Callable[[str], object]]] = {
    "range": (
        "network_address",
        "network lan",
        lambda it: network(ip_address_type="none", ip_address=None, network_address=it),
    ),
    "local": (
        "local_network[0]",
        "phase 2 net of phase 1 site-b",
        lambda it: child(local_network=[it], remote_network=[_like(it)]),
    ),
    "remote": (
        "remote_network[0]",
        "phase 2 net of phase 1 site-b",
        lambda it: child(local_network=[_like(it)], remote_network=[it]),
    ),
    "route": (
        "destination[0]",
        "rule web of network lan",
        lambda it: rule(**{**ROUTE, "destination": [it]}, interface="eth0"),
    ),
    "translated": (
        "source[0]",
        "rule web of network lan",
        lambda it: rule(**{**HIDE, "source": [it]}, target=_like(it).partition("/")[0]),
    ),
}
NO_NETWORKS = {
    "127.0.0.0/8": "is a loopback network",
    "127.5.0.0/16": "is a loopback network",
    "::1/128": "is a loopback network",
    "224.0.0.0/4": "is a multicast network",
    "ff02::/16": "is a multicast network",
    "240.0.0.0/4": "is a reserved network",
    "255.255.255.255/32": "is a broadcast network",
    "0.0.0.0/8": "is a reserved network",
    "fe80::/64": "is a link-local network",
    "::ffff:10.2.0.0/112": "is an IPv4-mapped network. Write 10.2.0.0/16",
    "fe80::%eth0/64": "has a zone",
}


def _like(item: str) -> str:
    return "fd00:8::1/128" if ":" in item else "192.0.2.8/32"


@pytest.mark.parametrize("place", NETWORKS)
@pytest.mark.parametrize("value", NO_NETWORKS)
def test_what_is_no_network_of_hosts(place: str, value: str) -> None:
    option, subject, make = NETWORKS[place]
    with refused(option, subject, NO_NETWORKS[value]):
        make(value)


@pytest.mark.parametrize("place", ["local", "remote", "route", "translated"])
@pytest.mark.parametrize(
    "value", ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "169.254.10.0/30"]
)
def test_what_holds_more_than_that_is_one(place: str, value: str) -> None:
    _option, _subject, make = NETWORKS[place]
    assert make(value)


@pytest.mark.parametrize("value", [*NO_NETWORKS][:-1])
@pytest.mark.parametrize("option", ["source", "destination"])
def test_a_filter_may_be_about_packets_that_should_not_exist(value: str, option: str) -> None:
    dropped = rule(action="drop", **{option: [value]})
    assert [str(item) for item in getattr(dropped, option)] == [value.replace("10.2.0.0", "a02:0")]


@pytest.mark.parametrize(
    ("value", "why"), [("0.0.0.0", "stands for any address"), ("fe80::1%eth0", "has a zone")]
)
def test_but_not_about_a_host_that_is_none(value: str, why: str) -> None:
    with refused("source[0]", "rule web of network lan", repr(value), why):
        rule(source=[value])


@pytest.mark.parametrize("name", ["all", "default", "lo", ".", "..", "a/b", "a b", "%any", ""])
@pytest.mark.parametrize(
    ("option", "place", "make"),
    [
        ("interface", "network lan", lambda it: network(interface=it)),
        ("interface_network", "network lan", lambda it: network(interface_network=it)),
        ("interface", "rule web of network lan", lambda it: rule(**ROUTE, interface=it)),
    ],
)
def test_what_is_no_interface_to_others(
    option: str, place: str, make: t.Callable[[str], object], name: str
) -> None:
    with refused(option, place, repr(name)):
        make(name)


def test_what_an_earlier_version_has_taken_stays_readable() -> None:
    strange = {"ip_address": "127.0.0.1", "network_address": "127.0.0.0/8"}
    taken = VpnNetwork.from_record({"name": "lan", **strange, "interface_network": "lo"})
    assert taken.changed({"state": "stopped"}).to_options() == {
        **taken.to_options(),
        "state": "stopped",
    }
    with refused("interface_network", "network lan", "'lo'"):
        taken.changed({"interface_network": "lo"})
    peer = {**PHASE1, "psk": connection().psk, "remote_gateway": "fe80::1%eth0"}
    taken_peer = IkeConnection.from_record({**peer, "local_address": "::1"})
    assert taken_peer.changed({"state": "disabled"}).remote_gateway == "fe80::1%eth0"
    networks = {"local_network": ["127.0.0.0/8"], "remote_network": ["224.0.0.0/4"]}
    taken_child = ChildSa.from_record({**PHASE2, **networks}, frozenset({2}))
    off = taken_child.changed({"state": "disabled"}, frozenset({2}))
    assert off.to_options()["remote_network"] == ["224.0.0.0/4"]
    route = {**rule(**ROUTE, interface="eth0").to_options(), "destination": ["127.0.0.0/8"]}
    taken_rule = VpnRule.from_record({**route, "interface": "lo"})
    assert not taken_rule.changed({"state": "disabled"}).enabled


def test_link_local_is_of_ipv6_alone() -> None:
    assert addresses.link_local(checks.ip_address("x", "fe80::1"))
    assert not addresses.link_local(checks.ip_address("x", "169.254.0.1"))
    assert not addresses.link_local(checks.ip_network("x", "fe80::/64"))
