# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard against cleartext: outgoing packets, and packets with a remote source address.

The device ipsec0 stands for the tunnel of kernel-libipsec. With ``userspace=False`` the guard is
the guard for ESP of the kernel, and blocks with policies instead of routes.
"""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.blocks import Blocks
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.selector import Service
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import Block
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.cleartext_blocks import (
    cleartext_blocks,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_match import Services

from .conftest import (
    FAR4,
    FAR6,
    LAN4,
    LAN6,
    TUNNELS,
    Installed,
    Namespace,
    Site,
    ask,
    blocked,
    forge,
    network,
    rules,
)

Start = t.Callable[..., Installed]

HOST, FAR, ROUTER, WAN, FAR_WAN = "10.1.0.10", "10.2.0.10", "10.1.0.1", "192.0.2.1", "192.0.2.2"
HOST6, FAR_HOST6, ROUTER6, WAN6 = "fd00:1::10", "fd00:2::10", "fd00:1::1", "2001:db8::1"
BOTH_VERSIONS = pytest.mark.parametrize(("host", "far"), [(HOST, FAR), (HOST6, FAR_HOST6)])
EVERYTHING = ipaddress.ip_network("0.0.0.0/0")
MASQUERADE = """
    table inet nat { chain post { type nat hook postrouting priority srcnat; masquerade; }; }
"""


def rule(action: str, direction: str, **options: t.Any) -> VpnRule:
    values = {"name": action, "network": "lan", "action": action, "direction": direction}
    return VpnRule.from_options({**values, **options})


@pytest.mark.parametrize("tunnel", ["ipsec0", "wan0"])
@pytest.mark.parametrize("rp_filter", ["0", "2"])
@pytest.mark.parametrize("userspace", [True, False])
class TestForged:
    """Packets with a forged source, while the tunnel is up and while it is down.

    ``rp_filter`` is off or loose, because a strict one would drop these packets without a guard.
    ``test_esp.py`` tests a tunnel of the kernel that is up.
    """

    @pytest.fixture(autouse=True)
    def _prepare(self, site: Site, rp_filter: str) -> None:
        for name in ("all", "wan0", "default"):
            site.gateway.sh(f"echo {rp_filter} >/proc/sys/net/ipv4/conf/{name}/rp_filter")

    @BOTH_VERSIONS
    def test_to_a_host(
        self, site: Site, gateway: Start, host: str, far: str, tunnel: str, userspace: bool
    ) -> None:
        installed = gateway(userspace=userspace)
        site.through(tunnel)
        assert forge(site, far, host, site.host) == 0
        # With the blocks, a loose rp_filter may find no route back and drop the packets.
        installed.unblock()
        assert forge(site, far, host, site.host) == 0
        installed("stop")
        assert forge(site, far, host, site.host) == 3

    @pytest.mark.parametrize(("router", "far"), [(ROUTER, FAR), (ROUTER6, FAR_HOST6)])
    def test_to_the_gateway(
        self, site: Site, gateway: Start, router: str, far: str, tunnel: str, userspace: bool
    ) -> None:
        installed = gateway(userspace=userspace)
        site.through(tunnel)
        assert forge(site, far, router, site.gateway) == 0
        installed.unblock()
        assert forge(site, far, router, site.gateway) == 0
        installed("stop")
        assert forge(site, far, router, site.gateway) == 3

    def test_to_a_translated_host(
        self, site: Site, gateway: Start, tunnel: str, userspace: bool
    ) -> None:
        """Forged packets reach neither the translated address of a host nor its own address."""
        outside = ipaddress.ip_network("10.101.0.0/24")
        one_to_one = rule("translate", "outgoing", source=["10.1.0.0/24"], target=str(outside))
        installed = gateway(
            tunnels=(nft.TunnelMatch("site-b/out", outside, FAR4),),
            vpn_rules=(one_to_one,),
            userspace=userspace,
        )
        site.through(tunnel)
        assert forge(site, FAR, HOST, site.host) == 0
        assert forge(site, FAR, "10.101.0.10", site.host, HOST) == 0
        installed.unblock()
        assert forge(site, FAR, HOST, site.host) == 0
        installed("stop")
        assert forge(site, FAR, HOST, site.host) == 3

    def test_of_a_tunnel_that_is_off(
        self, site: Site, gateway: Start, tunnel: str, userspace: bool
    ) -> None:
        gateway(tunnels=(), dormant=TUNNELS, userspace=userspace)
        site.through(tunnel)
        assert forge(site, FAR, HOST, site.host) == 0


@BOTH_VERSIONS
def test_what_comes_out_of_the_tunnel_passes(
    site: Site, gateway: Start, host: str, far: str
) -> None:
    gateway()
    assert ask(site.far, far, site.host, host) == far


def test_an_operator_admits_what_comes_in_cleartext(site: Site, gateway: Start) -> None:
    """A rule with ``cleartext`` admits the traffic that it names and its answers only."""
    admit = rule(
        "accept",
        "incoming",
        cleartext=True,
        source=["10.2.0.10"],
        destination=[HOST],
        protocol="udp",
        destination_ports=["9"],
    )
    gateway(vpn_rules=(admit,))
    site.through("wan0")
    assert ask(site.far, FAR, site.host, HOST) == FAR
    assert blocked(site.far, FAR, site.host, HOST, port=10)
    assert blocked(site.host, HOST, site.far, FAR)


@pytest.mark.parametrize("source", [HOST, WAN])
def test_an_operator_admits_what_leaves_in_cleartext(
    site: Site, gateway: Start, source: str
) -> None:
    client = site.host if source == HOST else site.gateway
    admit = rule("accept", "outgoing", cleartext=True, source=[source], destination=[FAR])
    gateway(vpn_rules=(admit,))
    site.through("wan0")
    assert ask(client, source, site.far, FAR) == source
    assert blocked(site.far, FAR, site.host, HOST)
    # Another table changes the source.
    site.gateway.nft(MASQUERADE)
    site.far.sh("ip address add 10.2.0.11/32 dev lo")
    assert blocked(client, source, site.far, "10.2.0.11")


def test_an_accept_for_the_tunnel_admits_no_cleartext(site: Site, gateway: Start) -> None:
    everything = tuple(rule("accept", way) for way in ("incoming", "outgoing"))
    gateway(vpn_rules=everything)
    site.through("wan0")
    assert blocked(site.host, HOST, site.far, FAR)
    assert forge(site, FAR, HOST, site.host) == 0


def test_other_networks_of_the_gateway(site: Site, gateway: Start, namespace: t.Any) -> None:
    """A network without a selector cannot initiate traffic to the remote network in cleartext."""
    guest = namespace()
    site.gateway.sh(
        f"""
        ip link add guest0 type veth peer name eth0 netns {guest.name}
        ip address add 10.9.0.1/24 dev guest0
        ip link set guest0 up
        """
    )
    guest.sh(
        """
        ip address add 10.9.0.10/24 dev eth0
        ip link set eth0 up
        ip route add default via 10.9.0.1
        """
    )
    site.far.sh(f"ip route add 10.9.0.0/24 via {WAN} dev wan0")
    gateway()
    site.through("wan0")
    assert ask(guest, "10.9.0.10", site.far, FAR_WAN) == "10.9.0.10"
    assert blocked(guest, "10.9.0.10", site.far, FAR)
    # The guest may answer a host of the remote network in cleartext.
    assert ask(site.far, FAR, guest, "10.9.0.10") == FAR


def test_the_way_back_to_who_asks_stays_open(site: Site, gateway: Start) -> None:
    """The gateway may answer a controller in the remote network in cleartext."""
    installed = gateway()
    site.through("wan0")
    assert ask(site.far, FAR, site.gateway, WAN) == FAR
    installed.unblock()
    assert ask(site.far, FAR, site.gateway, WAN) == FAR


def test_a_wan_in_the_remote_network_is_not_cut_off(site: Site, gateway: Start) -> None:
    around = ipaddress.ip_network("192.0.0.0/8")
    gateway(tunnels=(nft.TunnelMatch("a/b", LAN4, around),))
    assert ask(site.gateway, WAN, site.far, FAR_WAN) == WAN
    assert blocked(site.host, HOST, site.far, FAR_WAN)


class TestEverything:
    """Tunnels whose remote network is the internet."""

    ALL = (nft.TunnelMatch("a/all", LAN4, EVERYTHING),)

    def test_the_gateway_is_not_cut_off(self, site: Site, gateway: Start) -> None:
        gateway(tunnels=self.ALL)
        site.through("wan0")
        assert ask(site.gateway, WAN, site.far, FAR) == WAN
        assert ask(site.host, HOST, site.gateway, ROUTER) == HOST
        assert ask(site.far, FAR, site.gateway, WAN) == FAR
        assert blocked(site.host, HOST, site.far, FAR)
        assert blocked(site.host, HOST, site.far, FAR_WAN)

    @pytest.mark.parametrize("off", [False, True])
    def test_a_connection_older_than_the_tunnel(
        self, site: Site, gateway: Start, off: bool
    ) -> None:
        """A tunnel blocks a masqueraded connection that is older than the tunnel.

        Only the first packet of a masqueraded connection shows its source.
        """
        site.gateway.nft(MASQUERADE)
        tunnels = {"tunnels": (), "dormant": self.ALL} if off else {"tunnels": self.ALL}
        installed = gateway(tunnels=())
        assert ask(site.host, HOST, site.far, FAR_WAN, source_port=4711) == WAN
        installed.write(rules(**tunnels))
        installed("rules")
        installed.unblock()
        # The other chains must block the connection without the chain that sees the source.
        site.gateway.sh("nft flush chain inet tunnelwright-lan no_leak_forward")
        assert site.gateway.run(["true"])[0] == 0
        answer = ask(site.host, HOST, site.far, FAR_WAN, source_port=4711, patience=0.5)
        assert answer == "TimeoutError"


class TestHosts:
    """Selectors of transport mode, which contain only the two gateways."""

    @pytest.mark.parametrize("local", [None, "192.0.2.1/32"])
    def test_of_the_gateways(self, site: Site, gateway: Start, local: str | None) -> None:
        here = ipaddress.ip_network(local) if local else None
        pair = nft.HostPair("a/b", here, ipaddress.ip_network("192.0.2.2/32"))
        installed = gateway(tunnels=(), hosts=(pair,), userspace=False)
        assert blocked(site.gateway, WAN, site.far, FAR_WAN)
        assert blocked(site.far, FAR_WAN, site.gateway, WAN)
        # Policies do not apply to the sockets of charon, so IKE is tested without policies.
        installed.unblock()
        assert blocked(site.gateway, WAN, site.far, FAR_WAN)
        assert ask(site.gateway, WAN, site.far, FAR_WAN, 500, source_port=500) == WAN
        # Traffic of the networks behind the gateways is dropped.
        site.far.sh(f"ip route replace {LAN4} via {WAN} dev wan0")
        assert ask(site.far, FAR_WAN, site.host, HOST) == FAR_WAN

    def test_neighbors_are_found(self, site: Site, gateway: Start) -> None:
        """Neighbor solicitations and advertisements with global addresses pass in cleartext."""
        pair = nft.TunnelMatch(
            "a/b", ipaddress.ip_network("2001:db8::1/128"), ipaddress.ip_network("2001:db8::2/128")
        )
        installed = gateway(tunnels=(pair,), userspace=False)
        for place in (site.gateway, site.far):
            place.sh("ip -6 neighbour flush dev wan0; ip link set wan0 addrgenmode none")
            place.sh("ip -6 address flush dev wan0 scope link")
        # The gateway sends only its advertisement.
        assert blocked(site.far, "2001:db8::2", site.gateway, WAN6)
        assert "lladdr" in site.far.sh("ip -6 neighbour show 2001:db8::1")
        installed.unblock()
        ike = {"port": 500, "source_port": 500}
        assert ask(site.gateway, WAN6, site.far, "2001:db8::2", **ike) == WAN6
        assert blocked(site.gateway, WAN6, site.far, "2001:db8::2")


class TestWays:
    """Paths to hosts on the local side while the tunnel is up.

    In both data planes charon has routes to the remote network and to the peer, in table 220.
    """

    def around(self, site: Site, target: str) -> None:
        """Route a remote network, which may contain local networks, over the tunnel like charon."""
        site.gateway.sh(
            f"""
            ip -4 route flush table 220
            ip -4 route replace {target} via 198.51.100.2 dev ipsec0 src {ROUTER} table 220
            ip -4 route replace {FAR_WAN} dev wan0 table 220
            """
        )
        site.far.sh(f"ip route replace {LAN4} via 198.51.100.1 dev ipsec0")

    @pytest.fixture(name="guest")
    def _guest(self, site: Site, namespace: t.Any) -> Namespace:
        guest: Namespace = namespace()
        site.gateway.sh(
            f"""
            ip link add guest0 type veth peer name eth0 netns {guest.name}
            ip address add 10.9.0.1/24 dev guest0
            ip link set guest0 up
            """
        )
        guest.sh("ip address add 10.9.0.10/24 dev eth0; ip link set eth0 up")
        return guest

    @pytest.mark.parametrize("remote", ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/15"])
    @pytest.mark.parametrize("userspace", [True, False])
    def test_what_is_near(
        self, site: Site, gateway: Start, guest: Namespace, remote: str, userspace: bool
    ) -> None:
        network = ipaddress.ip_network(remote)
        tunnels = (nft.TunnelMatch("a/all", LAN4, network),)
        installed = gateway(tunnels=tunnels, userspace=userspace)
        self.around(site, remote)
        # The router and the LAN reach each other.
        assert ask(site.gateway, ROUTER, site.host, HOST) == ROUTER
        assert ask(site.host, HOST, site.gateway, ROUTER) == HOST
        if network.prefixlen < 15:
            # The gateway and a host at another interface reach each other. The kernel
            # chooses the address of that interface as the source.
            assert ask(site.gateway, "0.0.0.0", guest, "10.9.0.10") == "10.9.0.1"
            assert ask(guest, "10.9.0.10", site.gateway, "10.9.0.1") == "10.9.0.10"
        # The gateway and its peer reach each other over the WAN, for example for management.
        assert ask(site.gateway, WAN, site.far, FAR_WAN) == WAN
        assert ask(site.far, FAR_WAN, site.gateway, WAN) == FAR_WAN
        if userspace:
            assert ask(site.host, HOST, site.far, FAR) == HOST
            assert ask(site.far, FAR, site.host, HOST) == FAR
        installed("stop")

    def test_who_manages_it_from_afar(self, site: Site, gateway: Start) -> None:
        """An administrator on the internet has access when the remote network is everything."""
        gateway(tunnels=TestEverything.ALL)
        self.around(site, "0.0.0.0/0")
        site.gateway.sh("ip route replace default via 192.0.2.2 dev wan0")
        site.far.sh(f"ip address add 203.0.113.9/32 dev lo; ip route replace {WAN}/32 dev wan0")
        assert ask(site.far, "203.0.113.9", site.gateway, WAN) == "203.0.113.9"
        assert ask(site.gateway, WAN, site.far, "203.0.113.9") == WAN
        # Traffic of the LAN is in the tunnel.
        assert ask(site.host, HOST, site.far, "203.0.113.9") == HOST

    def test_it_is_needed(self, site: Site, gateway: Start, guest: Namespace) -> None:
        gateway(tunnels=TestEverything.ALL)
        self.around(site, "0.0.0.0/0")
        site.gateway.sh("ip rule flush protocol 116")
        for source, client, target in (
            (ROUTER, site.host, HOST),
            ("10.9.0.1", guest, "10.9.0.10"),
        ):
            assert blocked(site.gateway, source, client, target)


class TestBlocks:
    """The blocks against cleartext on a host without any nftables rule."""

    @BOTH_VERSIONS
    @pytest.mark.parametrize("userspace", [True, False])
    def test_nothing_leaves(
        self, site: Site, gateway: Start, host: str, far: str, userspace: bool
    ) -> None:
        installed = gateway(userspace=userspace)
        site.through("wan0")
        installed.flush()
        assert blocked(site.host, host, site.far, far)
        # Without the blocks, the same packet passes.
        installed.unblock()
        assert ask(site.host, host, site.far, far) == host

    def test_the_tunnel_goes_before(self, site: Site, gateway: Start) -> None:
        gateway().flush()
        assert ask(site.host, HOST, site.far, FAR) == HOST
        assert ask(site.far, FAR, site.host, HOST) == FAR

    @pytest.mark.parametrize("userspace", [True, False])
    def test_remote_network_is_everything(
        self, site: Site, gateway: Start, userspace: bool
    ) -> None:
        gateway(tunnels=TestEverything.ALL, userspace=userspace).flush()
        site.through("wan0")
        assert blocked(site.host, HOST, site.far, FAR)
        assert blocked(site.host, HOST, site.far, FAR_WAN)
        assert ask(site.host, HOST, site.gateway, ROUTER) == HOST
        assert ask(site.gateway, ROUTER, site.host, HOST) == ROUTER
        assert ask(site.gateway, WAN, site.far, FAR) == WAN

    @pytest.mark.parametrize("userspace", [True, False])
    def test_what_an_operator_admits(self, site: Site, gateway: Start, userspace: bool) -> None:
        admit = rule("accept", "outgoing", cleartext=True, source=[HOST], destination=[FAR])
        gateway(vpn_rules=(admit,), userspace=userspace).flush()
        site.through("wan0")
        assert ask(site.host, HOST, site.far, FAR) == HOST
        site.far.sh("ip address add 10.2.0.11/32 dev lo")
        assert blocked(site.host, HOST, site.far, "10.2.0.11")

    @pytest.mark.parametrize("userspace", [True, False])
    def test_the_script_makes_what_is_looked_for(
        self, namespace: t.Callable[[], Namespace], install: t.Any, userspace: bool
    ) -> None:
        place = namespace()
        wanted = rules(userspace=userspace, tunnels=(*TUNNELS, *SELECTORS), dormant=WIDE)
        installed = install(place, network(), wanted)
        adapter = Blocks(place.run)
        assert adapter.present() == frozenset()
        for _again in range(2):
            installed("rules")
            assert adapter.present() == frozenset(cleartext_blocks(wanted, LAN4))

    @pytest.mark.parametrize("userspace", [True, False])
    def test_some_go(
        self, namespace: t.Callable[[], Namespace], install: t.Any, userspace: bool
    ) -> None:
        """The adapter deletes only the given blocks, and no policy of another owner."""
        place = namespace()
        foreign = "src 10.1.0.0/24 dst 10.2.0.0/24 dir out priority 371327 action block"
        place.sh(f"ip xfrm policy add {foreign}")
        both = rules(userspace=userspace, tunnels=(*TUNNELS, *SELECTORS), dormant=WIDE)
        left = rules(userspace=userspace, tunnels=SELECTORS)
        install(place, network(), both)("rules")
        adapter = Blocks(place.run)
        stale, kept = (
            set(cleartext_blocks(both, LAN4)) - set(cleartext_blocks(left, LAN4)),
            cleartext_blocks(left, LAN4),
        )
        adapter.delete(sorted(stale), kept)
        assert adapter.present() == frozenset(kept)
        adapter.add(sorted(stale))
        assert adapter.present() == frozenset(cleartext_blocks(both, LAN4))
        adapter.delete(sorted(adapter.present()), ())
        assert adapter.present() == frozenset()
        assert "priority 371327" in place.sh("ip xfrm policy list")

    def test_one_that_is_gone_already(self, namespace: t.Callable[[], Namespace]) -> None:
        adapter = Blocks(namespace().run)
        gone = [
            Block("rule", "10.1.0.0/24", table="116"),
            Block("rule", "10.1.0.0/24", table="220"),
            Block("unreachable", destination="10.2.0.0/24"),
            Block("block", "10.1.0.0/24", "10.2.0.0/24", "out"),
        ]
        adapter.delete(gone, [Block("allow", "10.9.0.0/24", "10.8.0.0/24", "out")])


SELECTORS = (
    nft.TunnelMatch(
        "b/1", ipaddress.ip_network("10.3.0.0/24"), ipaddress.ip_network("10.4.0.1/32")
    ),
    nft.TunnelMatch("b/2", ipaddress.ip_network("10.3.1.5/32"), ipaddress.ip_network("10.0.0.0/8")),
    nft.TunnelMatch("b/3", ipaddress.ip_network("fd03::1/128"), ipaddress.ip_network("fd04::/64")),
    *(
        nft.TunnelMatch(f"b/{number}", LAN4, FAR4, services=services)
        for number, services in enumerate(
            (
                Services(Service(), Service(6, (443, 443))),
                Services(Service(17, (53, 53)), Service(17)),
                Services(Service(47)),
                Services(Service(200), Service(200)),
                Services(Service(6, (1, 1023))),
            )
        )
    ),
)
WIDE = (
    nft.TunnelMatch(
        "w/1", ipaddress.ip_network("10.3.0.0/16"), ipaddress.ip_network("10.4.0.0/16")
    ),
    nft.TunnelMatch("w/2", LAN6, ipaddress.ip_network("::/0")),
    nft.TunnelMatch("w/3", LAN6, FAR6),
    nft.TunnelMatch("w/4", EVERYTHING, ipaddress.ip_network("10.8.0.0/16")),
)


def test_what_lies_on_this_side_takes_no_tunnel(site: Site, gateway: Start) -> None:
    """Traffic between hosts on the local side does not enter a tunnel to the internet.

    The policies of charon for the internet also match the neighbor discovery of the gateway.
    """
    selectors = ((LAN4, EVERYTHING), (LAN6, ipaddress.ip_network("::/0")))
    made = tuple(nft.TunnelMatch(f"a/{local}", local, remote) for local, remote in selectors)
    gateway(tunnels=made, userspace=False)
    for local, remote in selectors:
        # These policies stand for a tunnel from which no packet comes back.
        policy = "action block priority 300000"
        site.gateway.sh(f"ip xfrm policy add src {local} dst {remote} dir out {policy}")
        for direction in ("in", "fwd"):
            site.gateway.sh(f"ip xfrm policy add src {remote} dst {local} dir {direction} {policy}")
    for router, host, far in ((ROUTER, HOST, FAR), (ROUTER6, HOST6, FAR_HOST6)):
        for place in (site.gateway, site.host):
            place.sh("ip neighbour flush all")
        assert ask(site.gateway, router, site.host, host) == router
        assert blocked(site.host, host, site.far, far)
