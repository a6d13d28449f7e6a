# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selectors with a protocol and ports: only the selected traffic is for the tunnel."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import (
    ANY_SERVICE,
    Service,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_match import Services

from .conftest import FAR4, FAR6, LAN4, LAN6, Installed, Site, ask, blocked, chain, forge, rules
from .test_traffic import FAR, HOST, MASQUERADE

FAR_HOST6, HOST6 = "fd00:2::10", "fd00:1::10"
BOTH_VERSIONS = pytest.mark.parametrize(("host", "far"), [(HOST, FAR), (HOST6, FAR_HOST6)])

Start = t.Callable[..., Installed]


def tunnels(services: Services) -> tuple[nft.TunnelMatch, ...]:
    return tuple(
        nft.TunnelMatch(f"a/{local.version}", local, remote, services=services)
        for local, remote in ((LAN4, FAR4), (LAN6, FAR6))
    )


# UDP port 9 at the far site, UDP port 9 in the LAN, and a range of ports at the far site.
THEIRS = Services(ANY_SERVICE, Service(17, (9, 9)))
OURS = Services(Service(17, (9, 9)), ANY_SERVICE)
RANGE = Services(ANY_SERVICE, Service(17, (7, 9)))


@BOTH_VERSIONS
@pytest.mark.parametrize("services", [THEIRS, RANGE])
@pytest.mark.parametrize("userspace", [True, False])
def test_no_more_than_the_service_is_kept_from_leaving(
    site: Site, gateway: Start, host: str, far: str, services: Services, userspace: bool
) -> None:
    installed = gateway(tunnels=tunnels(services), userspace=userspace)
    site.through("wan0")
    assert blocked(site.host, host, site.far, far, 9)
    # A route has no ports, so its block is for the whole remote network.
    assert (ask(site.host, host, site.far, far, 10, patience=0.5) == host) is not userspace
    installed.unblock()
    assert blocked(site.host, host, site.far, far, 9)
    assert ask(site.host, host, site.far, far, 10) == host


@pytest.mark.parametrize("services", [THEIRS, Services(ANY_SERVICE, Service(17))])
@BOTH_VERSIONS
def test_policies_hold_while_every_rule_is_gone(
    site: Site, gateway: Start, host: str, far: str, services: Services
) -> None:
    gateway(tunnels=tunnels(services), userspace=False).flush()
    site.through("wan0")
    assert blocked(site.host, host, site.far, far, 9)
    other = ask(site.host, host, site.far, far, 10, patience=0.5) == host
    assert other is (services is THEIRS)


@pytest.mark.parametrize(("target", "far"), [(HOST, FAR), (HOST6, FAR_HOST6)])
@pytest.mark.parametrize("userspace", [True, False])
def test_forged(site: Site, gateway: Start, target: str, far: str, userspace: bool) -> None:
    installed = gateway(tunnels=tunnels(OURS), userspace=userspace)
    site.through("wan0")
    assert forge(site, far, target, site.host) == 0
    installed.unblock()
    assert forge(site, far, target, site.host) == 0
    installed.write(rules(tunnels=tunnels(THEIRS), userspace=userspace))
    installed("rules")
    installed.unblock()
    assert forge(site, far, target, site.host) == 3


@BOTH_VERSIONS
def test_masquerade_does_not_reach_the_service(
    site: Site, gateway: Start, host: str, far: str
) -> None:
    site.gateway.nft(MASQUERADE)
    gateway(tunnels=tunnels(THEIRS))
    assert ask(site.host, host, site.far, far, 9) == host
    assert ask(site.host, host, site.far, far, 10) not in (host, "TimeoutError")


@BOTH_VERSIONS
def test_a_chain_that_drops_lets_the_service_through(
    site: Site, gateway: Start, host: str, far: str
) -> None:
    site.gateway.nft(
        "table inet filter { chain forward { type filter hook forward priority 0; policy drop; }; }"
    )
    gateway(tunnels=tunnels(THEIRS), chains=(chain("inet filter forward"),))
    assert ask(site.host, host, site.far, far, 9) == host
    assert blocked(site.host, host, site.far, far, 10)
    # In the other direction, only answers of the service pass.
    assert blocked(site.far, far, site.host, host, 9)


def test_a_translation(site: Site, gateway: Start) -> None:
    """A translation applies to the service of the tunnel, and leads to the port of the host."""
    options = {"name": "show", "network": "lan", "action": "translate", "direction": "incoming"}
    show = VpnRule.from_options(
        {
            **options,
            **{"protocol": "udp", "destination": ["10.101.0.9"], "destination_ports": ["9"]},
            **{"target": HOST, "target_port": 99},
        }
    )
    outside = nft.TunnelMatch("a/out", show.destination[0].supernet(8), FAR4, services=OURS)
    site.far.sh("ip route replace 10.101.0.0/24 via 198.51.100.1 dev ipsec0")
    site.gateway.nft(MASQUERADE)
    gateway(tunnels=(outside,), vpn_rules=(show,))
    assert ask(site.far, FAR, site.host, "10.101.0.9", 9, at=(HOST, 99)) == FAR
    assert blocked(site.far, FAR, site.host, "10.101.0.9", 99, at=(HOST, 99))


@pytest.mark.parametrize("userspace", [True, False])
def test_a_port_of_everything_is_set_up_more_than_once(
    site: Site, gateway: Start, userspace: bool
) -> None:
    """A second run of the script for any destination changes no routing rule.

    The kernel lists a routing rule for any destination without a destination.
    """
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    made = tuple(
        nft.TunnelMatch(f"a/{item.version}", item, item, services=THEIRS) for item in everything
    )
    installed = gateway(tunnels=made, userspace=userspace)
    listed = "ip rule list; ip -6 rule list"
    before = site.gateway.sh(listed)
    assert "lookup main suppress_prefixlength 0" in before
    assert installed("rules") == ""
    assert site.gateway.sh(listed) == before
