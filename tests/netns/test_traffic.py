# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The path of real packets. The device ipsec0 stands for the tunnel of kernel-libipsec."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft

from .conftest import LAN4, TUNNELS, Installed, Site, ask, blocked, segment_sizes

Start = t.Callable[..., Installed]

HOST, FAR, ROUTER = "10.1.0.10", "10.2.0.10", "10.1.0.1"
HOST6, FAR6 = "fd00:1::10", "fd00:2::10"
BOTH_VERSIONS = pytest.mark.parametrize(("host", "far"), [(HOST, FAR), (HOST6, FAR6)])

MASQUERADE = """
    table inet nat { chain post { type nat hook postrouting priority srcnat; masquerade; }; }
"""


def drops(installed: Installed) -> int:
    """Return the number of packets that the anti-leak rules dropped."""
    listed = installed.where.sh("nft list table inet tunnelwright-lan")
    counts = [line.split() for line in listed.splitlines() if " drop " in line]
    return sum(int(words[words.index("packets") + 1]) for words in counts)


@BOTH_VERSIONS
def test_traffic_passes_both_ways(site: Site, gateway: Start, host: str, far: str) -> None:
    gateway()
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.far, far, site.host, host) == far


@BOTH_VERSIONS
def test_masquerade_of_another_table_does_not_reach_the_tunnel(
    site: Site, gateway: Start, host: str, far: str
) -> None:
    site.gateway.nft(MASQUERADE)
    installed = gateway()
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.far, far, site.host, host) == far
    installed("stop")
    assert ask(site.host, host, site.far, far) != host
    assert ask(site.far, far, site.host, host) != far


def test_masquerade_still_holds_for_everything_else(site: Site, gateway: Start) -> None:
    site.gateway.nft(MASQUERADE)
    gateway()
    assert ask(site.host, HOST, site.far, "192.0.2.2") == "192.0.2.1"


def test_masquerade_of_the_remote_network_everything(site: Site, gateway: Start) -> None:
    site.gateway.nft(MASQUERADE)
    gateway(tunnels=(nft.TunnelMatch("a/all", LAN4, ipaddress.ip_network("0.0.0.0/0")),))
    assert ask(site.host, HOST, site.far, FAR) == HOST


@BOTH_VERSIONS
def test_nothing_leaves_in_clear(site: Site, gateway: Start, host: str, far: str) -> None:
    installed = gateway()
    site.through("wan0")
    assert blocked(site.host, host, site.far, far)
    installed.unblock()
    assert blocked(site.host, host, site.far, far)
    assert drops(installed) == 1
    installed("stop")
    assert ask(site.host, host, site.far, far) == host


def test_what_is_for_no_tunnel_may_leave_in_clear(site: Site, gateway: Start) -> None:
    installed = gateway()
    site.through("wan0")
    assert ask(site.host, HOST, site.far, "192.0.2.2") == HOST
    assert ask(site.gateway, "192.0.2.1", site.far, "192.0.2.2") == "192.0.2.1"
    assert drops(installed) == 0


@pytest.mark.parametrize("source", [ROUTER, "192.0.2.1"])
def test_the_gateway_itself_leaks_nothing(site: Site, gateway: Start, source: str) -> None:
    """The gateway sends no cleartext to the remote network, from its LAN or its WAN address.

    Syslog messages of the gateway have the WAN address, which is in no selector.
    """
    installed = gateway()
    site.through("wan0")
    assert blocked(site.gateway, source, site.far, FAR)
    installed.unblock()
    assert ask(site.gateway, source, site.far, FAR) == "PermissionError"
    assert drops(installed) >= 1
    installed("stop")
    assert ask(site.gateway, source, site.far, FAR) == source


@pytest.mark.parametrize("port", [500, 4500])
def test_ike_is_no_leak(site: Site, gateway: Start, port: int) -> None:
    """IKE passes in cleartext even if the selectors contain the gateways."""
    everything = ipaddress.ip_network("0.0.0.0/0")
    installed = gateway(tunnels=(nft.TunnelMatch("a/all", everything, everything),))
    source = ("192.0.2.1", site.far, "192.0.2.2", port)
    assert ask(site.gateway, *source, source_port=port) == "192.0.2.1"
    assert drops(installed) == 0
    assert ask(site.gateway, *source) == "PermissionError"


def test_local_traffic_is_no_leak_when_the_remote_network_is_everything(
    site: Site, gateway: Start
) -> None:
    installed = gateway(
        tunnels=(
            nft.TunnelMatch("a/4", LAN4, ipaddress.ip_network("0.0.0.0/0")),
            nft.TunnelMatch("a/6", TUNNELS[1].local, ipaddress.ip_network("::/0")),
        )
    )
    assert ask(site.host, HOST, site.gateway, ROUTER) == HOST
    assert ask(site.gateway, ROUTER, site.host, HOST) == ROUTER
    assert ask(site.gateway, ROUTER, site.gateway, ROUTER) == ROUTER
    assert ask(site.gateway, ROUTER, site.gateway, "192.0.2.1") == ROUTER
    # Neighbour discovery between global addresses, with empty neighbour caches.
    site.host.sh("ip -6 neighbour flush dev eth0")
    site.gateway.sh("ip -6 neighbour flush dev vpn-lan")
    site.host.sh("ip link set eth0 addrgenmode none; ip -6 address flush dev eth0 scope link")
    assert ask(site.host, HOST6, site.gateway, "fd00:1::1") == HOST6
    assert drops(installed) == 0


def test_mss_is_lowered_in_both_directions_in_tunnels_only(site: Site, gateway: Start) -> None:
    installed = gateway(mss_clamp=1000)
    timestamps = 12
    for host, far in ((HOST, FAR), (HOST6, FAR6)):
        assert segment_sizes(site.host, host, site.far, far) == (1000 - timestamps,) * 2
        assert segment_sizes(site.far, far, site.host, host) == (1000 - timestamps,) * 2
    assert min(segment_sizes(site.host, HOST, site.far, "192.0.2.2")) > 1400
    installed.write(nft.RulesetInput("lan", tunnels=TUNNELS, own=LAN4, userspace=True))
    installed("rules")
    assert min(segment_sizes(site.host, HOST, site.far, FAR)) > 1400


def test_mss_is_never_raised(site: Site, gateway: Start) -> None:
    gateway(mss_clamp=9000)
    sizes = segment_sizes(site.host, HOST, site.far, FAR)
    assert 1400 < max(sizes) <= 1460


def test_mss_of_other_traffic_through_the_tunnel_device_stays(site: Site, gateway: Start) -> None:
    gateway(
        mss_clamp=1000, tunnels=(nft.TunnelMatch("a/b", LAN4, ipaddress.ip_network("10.9.0.0/24")),)
    )
    assert min(segment_sizes(site.host, HOST, site.far, FAR)) > 1400
