# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of a network in the real sh, also run twice: interface, address, forwarding."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import (
    Link,
    LinkState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft

from .conftest import LAN6, TUNNELS, Installed, Namespace, network, rules

Install = t.Callable[..., Installed]

V6 = {"ip_address": "fd00:1::1", "network_address": str(LAN6)}


@pytest.fixture
def host(namespace: t.Callable[[], Namespace]) -> Namespace:
    """Return a host with the interface eth0, which has an address."""
    made = namespace()
    made.sh(
        """
        ip link add eth0 type veth peer name far0
        ip address add 192.0.2.1/24 dev eth0
        ip link set far0 up
        """
    )
    return made


def state(host: Namespace) -> t.Any:
    """Return links, addresses, routes and rules, without values that change with time."""
    links = [
        {key: value for key, value in link.items() if key != "linkinfo"} for link in host.links()
    ]
    routes = host.sh("ip route; ip -6 route; ip neighbour")
    return links, routes, host.ruleset(), forwarding(host)


def settled(host: Namespace) -> t.Any:
    """Return the state of ``host`` when it has not changed for 1.2 seconds."""
    seen, before = state(host), None
    while seen != before:
        time.sleep(1.2)
        seen, before = state(host), seen
    return seen


def forwarding(host: Namespace) -> tuple[bool, bool]:
    link = Link(host.run)
    return link.forwarding(4), link.forwarding(6)


def link_state(host: Namespace, device: str) -> LinkState:
    found = Link(host.run).get(device)
    assert found is not None
    return found


def bare(of: VpnNetwork, *tunnels: nft.TunnelMatch) -> nft.RulesetInput:
    return nft.RulesetInput(of.name, own=of.network_address, tunnels=tunnels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        V6,
        {"mtu": 1400},
        {"interface": "br-lan.7"},
        {"interface_network": "eth0"},
        {**V6, "interface_network": "eth0"},
        {"ip_address_type": "none", "ip_address": None},
    ],
)
def test_start_twice_is_start_once(
    host: Namespace, install: Install, options: dict[str, t.Any]
) -> None:
    of = network(**options)
    installed = install(host, of, rules(chains=()))
    installed("start")
    once = settled(host)
    made = link_state(host, of.device)
    assert made.up
    assert not of.router or of.router in made.addresses
    installed("start")
    assert state(host) == once
    installed("rules")
    assert state(host) == once


def test_own_bridge(host: Namespace, install: Install) -> None:
    install(host, network(mtu=1400), rules())("start")
    assert link_state(host, "vpn-lan") == LinkState(
        kind="bridge",
        mtu=1400,
        up=True,
        addresses=("10.1.0.1/24",),
        alias="VPN network lan (tunnelwright)",
    )


def test_ipv6_address_is_usable_without_a_carrier(host: Namespace, install: Install) -> None:
    host.sh("for set in all default; do echo 1 >/proc/sys/net/ipv6/conf/$set/accept_dad; done")
    install(host, network(**V6), rules())("start")
    assert "tentative" not in host.sh("ip address show dev vpn-lan scope global")
    assert link_state(host, "vpn-lan").addresses == ("fd00:1::1/64",)


def test_attached_interface_keeps_what_it_has(host: Namespace, install: Install) -> None:
    before = link_state(host, "eth0")
    install(host, network(interface_network="eth0"), rules())("start")
    after = link_state(host, "eth0")
    assert after.addresses == (*before.addresses, "10.1.0.1/24")
    assert (after.kind, after.mtu, after.alias) == ("veth", before.mtu, "")
    assert Link(host.run).get("vpn-lan") is None


def test_attached_interface_that_comes_late_is_waited_for(
    host: Namespace, install: Install
) -> None:
    installed = install(host, network(interface_network="late0"), rules())
    later = host.python(
        "import subprocess, time; time.sleep(0.5);"
        "subprocess.run(['ip', 'link', 'add', 'late0', 'type', 'bridge'], check=True)"
    )
    assert Link(host.run).get("late0") is None
    installed("start")
    assert "10.1.0.1/24" in link_state(host, "late0").addresses
    assert later.communicate() == ("", "")


def test_attached_interface_that_never_comes_is_an_error(host: Namespace, install: Install) -> None:
    installed = install(host, network(interface_network="late0"), rules())
    script = installed.directory / "lan.sh"
    script.write_text(script.read_text().replace("-lt 30", "-lt 1"))
    status, _output, errors = installed.run("start")
    assert status == 1
    assert "late0" in errors
    assert forwarding(host) == (False, False)


def test_interface_of_somebody_else_is_refused(host: Namespace, install: Install) -> None:
    host.sh("ip link add vpn-lan type bridge")
    before = state(host)
    installed = install(host, network(), rules())
    status, _output, errors = installed.run("start")
    assert status == 1
    assert "vpn-lan" in errors
    links, routes, _ruleset, forwards = state(host)
    assert (links, forwards) == (before[0], before[3])
    # The guard works although the start has failed.
    assert "no_leak_forward" in installed.live()
    assert "unreachable 10.1.0.0/24" in routes


@pytest.mark.parametrize("alias", ["lan-2", "xlan", "la"])
def test_interface_of_another_network_is_refused(
    host: Namespace, install: Install, alias: str
) -> None:
    host.sh(
        f"""
        ip link add vpn-lan type bridge
        ip link set vpn-lan alias 'VPN network {alias} (tunnelwright)'
        """
    )
    assert install(host, network(), rules()).run("start")[0] == 1


def test_own_interface_of_another_kind_is_made_anew(host: Namespace, install: Install) -> None:
    """The change of layer2_type from vlan to none replaces the interface."""
    host.sh(
        """
        ip link add vpn-lan type veth
        ip link set vpn-lan alias 'VPN network lan (tunnelwright)'
        """
    )
    install(host, network(), rules())("start")
    assert link_state(host, "vpn-lan").kind == "bridge"


def test_vlan(host: Namespace, install: Install) -> None:
    options = {"layer2_type": "vlan", "layer2_id": 7, "interface_network": "eth0"}
    if host.run(["ip", "link", "add", "x", "link", "eth0", "type", "vlan", "id", "9"])[0]:
        pytest.skip("this kernel has no VLANs")
    installed = install(host, network(**options), rules())
    installed("start")
    first = link_state(host, "vpn-lan")
    assert (first.kind, first.parent, first.vlan_id) == ("vlan", "eth0", 7)
    assert (first.up, first.addresses) == (True, ("10.1.0.1/24",))
    once = settled(host)
    installed("start")
    assert settled(host) == once
    install(host, network(**{**options, "layer2_id": 8}), rules())("start")
    assert link_state(host, "vpn-lan").vlan_id == 8
    install(host, network(**{**options, "interface_network": "far0"}), rules())("start")
    assert link_state(host, "vpn-lan").parent == "far0"


@pytest.mark.parametrize(
    ("options", "tunnels", "wanted"),
    [
        ({}, (), (True, False)),
        (V6, (), (False, True)),
        ({}, TUNNELS[1:], (True, True)),
        (V6, TUNNELS[:1], (True, True)),
        (
            {"ip_address_type": "none", "ip_address": None, "network_address": None},
            (),
            (False, False),
        ),
    ],
)
def test_forwarding_is_switched_on_for_the_versions_in_use(
    host: Namespace, install: Install, options: t.Any, tunnels: t.Any, wanted: t.Any
) -> None:
    of = network(**options)
    install(host, of, bare(of, *tunnels))("start")
    assert forwarding(host) == wanted


def test_forwarding_that_is_on_is_not_written_again(host: Namespace, install: Install) -> None:
    """A start with a read-only /proc/sys, as in a container, works when forwarding is on."""
    installed = install(host, network(), bare(network()))
    read_only = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys"
    start = f"{read_only}; exec sh {installed.directory}/lan.sh start"
    status, _output, errors = host.run(["unshare", "--mount", "sh", "-ec", start])
    assert status != 0
    assert "ip_forward" in errors
    host.sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
    assert host.run(["unshare", "--mount", "sh", "-ec", start]) == (0, "", "")


@pytest.mark.parametrize("verb", ["stop", "rules"])
def test_link_and_forwarding_are_left_alone(host: Namespace, install: Install, verb: str) -> None:
    installed = install(host, network(), rules())
    installed("start")
    before = state(host)
    installed(verb)
    links, routes, _ruleset, forwards = state(host)
    assert (links, routes, forwards) == (*before[:2], before[3])


@pytest.mark.parametrize("verb", ["rules", "stop"])
def test_rules_and_stop_make_no_interface(host: Namespace, install: Install, verb: str) -> None:
    installed = install(host, network(), rules())
    installed(verb)
    assert Link(host.run).get("vpn-lan") is None
    assert forwarding(host) == (False, False)


@pytest.mark.parametrize("verb", ["", "restart", "start; true"])
def test_another_verb_is_refused(host: Namespace, install: Install, verb: str) -> None:
    installed = install(host, network(), rules())
    before = state(host)
    status, output, errors = installed.run(verb)
    assert (status, output) == (2, "")
    assert errors.startswith("usage:")
    assert state(host) == before


def test_nothing_leaves_in_clear_before_the_rules_are_loaded(
    host: Namespace, install: Install
) -> None:
    installed = install(host, network(), rules())
    (installed.directory / "lan.nft").write_text("nonsense")
    assert installed.run("start")[0] != 0
    assert forwarding(host) == (False, False)


def test_addresses_and_interfaces_are_deleted(host: Namespace) -> None:
    link = Link(host.run)
    link.delete_address("eth0", "192.0.2.1/24")
    assert link_state(host, "eth0").addresses == ()
    with pytest.raises(HostError, match=r"192\.0\.2\.1/24 from eth0"):
        link.delete_address("eth0", "192.0.2.1/24")
    link.delete("eth0")
    assert link.get("eth0") is None
    with pytest.raises(HostError, match="delete interface eth0"):
        link.delete("eth0")


def test_addresses_that_are_not_permanent_are_left_out(host: Namespace) -> None:
    host.sh(
        """
        ip link set eth0 up
        ip address add 192.0.2.9/24 dev eth0 valid_lft 1000 preferred_lft 1000
        """
    )
    assert "fe80::" in host.sh("ip address show dev eth0")
    assert link_state(host, "eth0").addresses == ("192.0.2.1/24",)


def test_default_routes_that_ipv6_forwarding_would_take_away(host: Namespace) -> None:
    link = Link(host.run)
    host.sh(
        """
        echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra
        ip link set eth0 up
        ip -6 address add 2001:db8::1/64 dev eth0 nodad
        ip -6 route add default via 2001:db8::99 dev eth0
        """
    )
    assert link.ra_default_route_interfaces() == ()
    host.sh("ip -6 route add default via fe80::99 dev eth0 proto ra metric 99")
    assert link.ra_default_route_interfaces() == ("eth0",)
    host.sh("echo 2 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    assert link.ra_default_route_interfaces() == ()


def test_esp_is_tried_without_a_trace(host: Namespace) -> None:
    found = Link(host.run).kernel_has_esp()
    assert host.sh("ip xfrm state") == ""
    state = ["src", "192.0.2.1", "dst", "192.0.2.9", "proto", "esp", "spi", "0x1"]
    crypto = ["aead", "rfc4106(gcm(aes))", f"0x{'00' * 20}", "128"]
    status, _output, errors = host.run(["ip", "xfrm", "state", "add", *state, *crypto])
    assert found == (status == 0), errors
