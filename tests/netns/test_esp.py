# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real packets in ESP of the kernel, between static SAs. Skipped on a kernel without ESP."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft

from .conftest import (
    Installed,
    Site,
    ask,
    blocked,
    chain,
    forge,
    segment_sizes,
)
from .esp import OUTER, connect, protected

Start = t.Callable[..., Installed]

HOST, FAR, ROUTER = "10.1.0.10", "10.2.0.10", "10.1.0.1"
BOTH_VERSIONS = pytest.mark.parametrize(
    ("host", "far"), [(HOST, FAR), ("fd00:1::10", "fd00:2::10")]
)
PEERS = (ipaddress.ip_address(OUTER[1]),)


@pytest.fixture(autouse=True)
def _needs_esp(has_esp: bool) -> None:
    if not has_esp:
        pytest.skip("this kernel has no ESP")


@pytest.fixture
def start(site: Site, gateway: Start) -> Start:
    def begin(*, ipcomp: bool = False, **options: t.Any) -> Installed:
        connect(site, ipcomp=ipcomp)
        return gateway(userspace=False, peers=PEERS, ipcomp=ipcomp, **options)

    return begin


@BOTH_VERSIONS
def test_traffic_passes_both_ways_in_esp(site: Site, start: Start, host: str, far: str) -> None:
    start()
    before = protected(site)
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.far, far, site.host, host) == far
    assert protected(site) == before + 4


@BOTH_VERSIONS
def test_masquerade_of_another_table_does_not_reach_the_tunnel(
    site: Site, start: Start, host: str, far: str
) -> None:
    site.gateway.nft(
        "table inet nat { chain p { type nat hook postrouting priority srcnat; masquerade; }; }"
    )
    installed = start()
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.far, far, site.host, host) == far
    installed("stop")
    assert ask(site.host, host, site.far, far) != host


@BOTH_VERSIONS
def test_nothing_leaves_in_clear(site: Site, start: Start, host: str, far: str) -> None:
    installed = start()
    router = ROUTER if host == HOST else "fd00:1::1"
    assert ask(site.gateway, router, site.far, far) == router
    for place in (site.gateway, site.far):
        place.sh("ip xfrm state flush; ip xfrm policy flush")
    assert blocked(site.host, host, site.far, far)
    assert ask(site.gateway, router, site.far, far) == "PermissionError"
    installed("stop")
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.gateway, router, site.far, far) == router


def test_esp_of_selectors_that_cover_the_gateways_is_no_leak(site: Site, start: Start) -> None:
    everything = ipaddress.ip_network("0.0.0.0/0")
    start(tunnels=(nft.TunnelMatch("a/all", everything, everything),))
    assert ask(site.host, HOST, site.far, FAR) == HOST


@BOTH_VERSIONS
@pytest.mark.parametrize("ipcomp", [False, True])
def test_chains_that_drop_by_default_let_the_tunnel_through(
    site: Site, start: Start, host: str, far: str, ipcomp: bool
) -> None:
    site.gateway.nft(
        """
        table inet firewall {
            chain input { type filter hook input priority 0; policy drop;
                icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }
            chain forward { type filter hook forward priority 0; policy drop; }
            chain output { type filter hook output priority 0; policy drop;
                icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }
        }
        """
    )
    hooks = ("input", "forward", "output")
    chains = [chain(f"inet firewall {hook}") for hook in hooks]
    installed = start(ipcomp=ipcomp, chains=tuple(chains))
    assert ask(site.host, host, site.far, far) == host
    assert ask(site.far, far, site.host, host) == far
    assert blocked(site.far, "192.0.2.2", site.host, HOST)
    installed("stop")
    assert blocked(site.host, host, site.far, far)


def test_ipcomp_packets_need_their_rule(site: Site, start: Start) -> None:
    site.gateway.nft(
        "table ip fw { chain input { type filter hook input priority 0; policy drop; }; }"
    )
    installed = start(ipcomp=True, chains=(chain("ip fw input"),))
    assert ask(site.host, HOST, site.far, FAR) == HOST
    site.gateway.sh(
        "nft -a list chain ip fw input | sed -n 's/.*IPComp.* handle /delete rule ip fw input"
        " handle /p' | nft -f -"
    )
    assert blocked(site.host, HOST, site.far, FAR)
    installed("rules")
    assert ask(site.host, HOST, site.far, FAR) == HOST


def test_mss_is_lowered_in_both_directions_in_tunnels_only(site: Site, start: Start) -> None:
    start(mss_clamp=1000)
    for host, far in ((HOST, FAR), ("fd00:1::10", "fd00:2::10")):
        assert segment_sizes(site.host, host, site.far, far) == (988, 988)
        assert segment_sizes(site.far, far, site.host, host) == (988, 988)
    assert min(segment_sizes(site.host, HOST, site.far, "192.0.2.2")) > 1400


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(
    ("target", "far"),
    [(HOST, FAR), ("fd00:1::10", "fd00:2::10"), (ROUTER, FAR), ("fd00:1::1", "fd00:2::10")],
)
def test_forged_packets_are_dropped(
    site: Site, start: Start, up: bool, target: str, far: str
) -> None:
    """Packets in cleartext with a source address of the remote network are dropped."""
    start()
    if not up:
        for place in (site.gateway, site.far):
            place.sh("ip xfrm state flush; ip xfrm policy flush")
    else:
        # With its policies, the far site would send the forged packets in the tunnel.
        site.far.sh("ip xfrm policy flush")
    seen_by = site.gateway if target in (ROUTER, "fd00:1::1") else site.host
    assert forge(site, far, target, seen_by) == 0


@pytest.mark.parametrize("source", [ROUTER, "192.0.2.1"])
def test_the_gateway_itself_sends_nothing_in_cleartext(
    site: Site, start: Start, source: str
) -> None:
    """The gateway sends nothing to the remote network in cleartext, with and without a tunnel.

    The WAN address of the gateway is in no selector.
    """
    start()
    assert ask(site.gateway, ROUTER, site.far, FAR) == ROUTER
    assert blocked(site.gateway, "192.0.2.1", site.far, FAR)
    for place in (site.gateway, site.far):
        place.sh("ip xfrm state flush; ip xfrm policy flush")
    assert blocked(site.gateway, source, site.far, FAR)


@BOTH_VERSIONS
def test_nothing_leaves_while_every_rule_is_gone(
    site: Site, start: Start, host: str, far: str
) -> None:
    """A tunnel works without nftables rules. Policies block cleartext without a tunnel.

    These policies have the lowest precedence.
    """
    installed = start()
    installed.flush()
    assert ask(site.host, host, site.far, far) == host
    site.gateway.sh("ip xfrm policy deleteall priority 0; ip xfrm state flush")
    site.far.sh("ip xfrm policy flush; ip xfrm state flush")
    assert blocked(site.host, host, site.far, far)
    installed.unblock()
    assert ask(site.host, host, site.far, far) == host
