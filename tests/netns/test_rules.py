# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's rules and real packets in both data planes.

A device stands for the tunnel of kernel-libipsec. The tests with ESP of the kernel are skipped on a
kernel without ESP.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import Link
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import (
    Nft,
    rules_in,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.routes import routes

from .conftest import (
    FAR4,
    FAR6,
    TUNNELS,
    Installed,
    Namespace,
    Site,
    ask,
    blocked,
    chain,
    network,
    rules,
    segment_sizes,
)
from .esp import connect, protected

HOST, FAR, ROUTER = "10.1.0.10", "10.2.0.10", "10.1.0.1"
HOST6, FAR_HOST6, ROUTER6 = "fd00:1::10", "fd00:2::10", "fd00:1::1"
BOTH_VERSIONS = pytest.mark.parametrize(("host", "far"), [(HOST, FAR), (HOST6, FAR_HOST6)])

# The translated networks of the LAN in the tunnel. No interface has an address of them.
OUT4, OUT6 = ipaddress.ip_network("10.101.0.0/24"), ipaddress.ip_network("fd00:101::/64")
TRANSLATED = (
    nft.TunnelMatch("site-b/out4", OUT4, FAR4),
    nft.TunnelMatch("site-b/out6", OUT6, FAR6),
)
OUTSIDE = {HOST: "10.101.0.10", HOST6: "fd00:101::10"}


def rule(action: str, direction: str = "", **options: t.Any) -> VpnRule:
    values = {"name": action, "network": "lan", "action": action, "direction": direction or None}
    return VpnRule.from_options({**values, **options})


def hide_behind(version: int, **options: t.Any) -> VpnRule:
    """Return a source NAT of the LAN with further ``options``."""
    source, target = {
        4: ("10.1.0.0/24", "10.101.0.99"),
        6: ("fd00:1::/64", "fd00:101::99"),
    }[version]
    values = {"name": f"hide{version}", "source": [source], "target": target}
    return rule("translate", "outgoing", **{**values, **options})


ONE_TO_ONE = tuple(
    rule("translate", "outgoing", name=name, source=[source], target=str(target))
    for name, source, target in (("four", "10.1.0.0/24", OUT4), ("six", "fd00:1::/64", OUT6))
)


@dataclass(frozen=True)
class Tunnelled:
    """A gateway whose tunnel is up, with ESP of the kernel if ``kernel`` is set."""

    site: Site
    installed: Installed
    kernel: bool

    def cut(self) -> None:
        """Take the tunnel down, and leave only the path over the internet."""
        self.site.through("wan0")
        lead(self.site, "wan0")
        for place in (self.site.gateway, self.site.far) if self.kernel else ():
            place.sh("ip xfrm state flush; ip xfrm policy flush")

    def change(self, *wanted: VpnRule, **options: t.Any) -> None:
        self.installed.write(rules(userspace=not self.kernel, vpn_rules=wanted, **options))
        self.installed("rules")


def lead(site: Site, device: str) -> None:
    """Route the translated networks over ``device`` at the far site."""
    hops = {"wan0": ("192.0.2.1", "2001:db8::1"), "ipsec0": ("198.51.100.1", "2001:db8:1::1")}
    for target, hop in zip((OUT4, OUT6), hops[device]):
        site.far.sh(f"ip -{target.version} route replace {target} via {hop} dev {device}")


Start = t.Callable[..., Tunnelled]


@pytest.fixture(params=["userspace", "kernel"])
def start(
    request: pytest.FixtureRequest, site: Site, gateway: t.Callable[..., Installed], has_esp: bool
) -> Start:
    """Return a function that starts the network with rules and the options of ``rules``."""
    kernel = request.param == "kernel"
    if kernel and not has_esp:
        pytest.skip("this kernel has no ESP")

    def begin(*wanted: VpnRule, **options: t.Any) -> Tunnelled:
        options.setdefault("tunnels", TUNNELS)
        lead(site, "wan0" if kernel else "ipsec0")
        if kernel:
            connect(site, [(item.local, item.remote) for item in options["tunnels"]])
        installed = gateway(userspace=not kernel, vpn_rules=wanted, **options)
        return Tunnelled(site, installed, kernel)

    return begin


# --- Rules as nft lists them

SERVICES: tuple[dict[str, t.Any], ...] = (
    {},
    {"protocol": "icmp", "log": True},
    {"protocol": "tcp", "source_ports": ["1024-65535"], "destination_ports": ["80", "8000-8100"]},
    {"protocol": "udp", "destination_ports": ["53"], "source": ["0.0.0.0/0"]},
    {"source": ["10.0.0.0/8", "fd00::/16", "192.168.0.0/16"], "destination": [FAR, "fd00:1::/64"]},
)
EVERY_RULE = (
    *(
        rule(action, direction, name=f"{action}-{direction}-{number}", **service)
        for action in ("accept", "drop", "reject")
        for direction in ("incoming", "outgoing")
        for number, service in enumerate(SERVICES)
    ),
    *ONE_TO_ONE,
    *(hide_behind(version, protocol="tcp", log=True) for version in (4, 6)),
    *(
        rule(
            "translate",
            "incoming",
            name=name,
            protocol="udp",
            destination=[outside],
            target=inside,
            target_port=99,
            destination_ports=["7-9"],
        )
        for name, outside, inside in (("in4", "10.101.0.7", HOST), ("in6", "fd00:101::7", HOST6))
    ),
)


@pytest.mark.parametrize("userspace", [False, True])
@pytest.mark.parametrize("tunnels", [(), TUNNELS + TRANSLATED])
def test_nft_takes_every_rule(
    namespace: t.Callable[[], Namespace],
    install: t.Callable[..., Installed],
    userspace: bool,
    tunnels: tuple[nft.TunnelMatch, ...],
) -> None:
    """The kernel shows exactly the expected rules, also in unmanaged chains."""
    place = namespace()
    names = [f"{family} {hook} own" for family in ("inet", "ip", "ip6") for hook in nft.HOOKS]
    place.nft(
        "".join(
            f"table {family} {hook} {{ chain own {{ type filter hook {hook} priority 0; }}; }}\n"
            for family in ("inet", "ip", "ip6")
            for hook in nft.HOOKS
        )
    )
    wanted = rules(
        userspace=userspace,
        tunnels=tunnels,
        vpn_rules=EVERY_RULE,
        mss_clamp=1300,
        chains=tuple(map(chain, names)),
    )
    installed = install(place, network(), wanted)
    for _again in range(2):
        installed("rules")
        text = nft.render(nft.table(wanted))
        assert installed.live() == Nft(place.run).expected_table(text, "tunnelwright-lan")
        hooked = Nft(place.run).own_rules_by_chain(nft.comment_prefix("lan"))
        for name in names:
            mirror = nft.mirror_chain(wanted, chain(name), name.split()[1])
            expected = rules_in(Nft(place.run).expected(mirror), *name.split())
            assert hooked.get(name, ()) == expected


# Filters


@BOTH_VERSIONS
def test_drop_is_for_the_one_who_opens(site: Site, start: Start, host: str, far: str) -> None:
    begun = start()
    assert ask(site.far, far, site.host, host) == far
    begun.change(rule("drop", "incoming"))
    assert blocked(site.far, far, site.host, host)
    assert ask(site.host, host, site.far, far) == host
    begun.change(rule("drop", "outgoing"))
    assert ask(site.far, far, site.host, host) == far
    assert blocked(site.host, host, site.far, far)
    begun.change()
    assert ask(site.host, host, site.far, far) == host


@pytest.mark.parametrize(("router", "far"), [(ROUTER, FAR), (ROUTER6, FAR_HOST6)])
def test_the_gateway_itself_is_filtered(site: Site, start: Start, router: str, far: str) -> None:
    begun = start()
    assert ask(site.far, far, site.gateway, router) == far
    begun.change(rule("drop", "incoming", destination=[router]))
    assert blocked(site.far, far, site.gateway, router)
    assert ask(site.gateway, router, site.far, far) == router
    begun.change(rule("drop", "outgoing", source=[router]))
    assert ask(site.far, far, site.gateway, router) == far
    assert ask(site.gateway, router, site.far, far) == "PermissionError"


def test_what_is_in_no_tunnel_is_not_filtered(site: Site, start: Start) -> None:
    start(rule("drop", "incoming"), rule("drop", "outgoing", name="too"))
    assert ask(site.host, HOST, site.far, "192.0.2.2") == HOST
    assert ask(site.far, "192.0.2.2", site.gateway, "192.0.2.1") == "192.0.2.2"
    assert ask(site.host, HOST, site.gateway, ROUTER) == HOST


def test_what_is_in_no_tunnel_of_this_network_is_not_filtered(site: Site, start: Start) -> None:
    begun = start(rule("drop", "incoming"), rule("drop", "outgoing", name="too"))
    begun.change(rule("drop", "incoming"), tunnels=TRANSLATED)
    assert ask(site.far, FAR, site.host, HOST) == FAR


@BOTH_VERSIONS
def test_reject_tells_the_sender(site: Site, start: Start, host: str, far: str) -> None:
    begun = start(rule("reject", "incoming"), rule("reject", "outgoing", name="too"))
    unreachable = "OSError" if host == HOST else "PermissionError"
    assert ask(site.host, host, site.far, far) == unreachable
    assert connection(site.host, host, far) == "ConnectionRefusedError"
    assert connection(site.far, far, host) == "ConnectionRefusedError"
    # The kernel sends its ICMP message outside of the tunnel, and the guard drops it.
    told = "TimeoutError" if begun.kernel else unreachable
    assert ask(site.far, far, site.host, host) == told


_TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[2], 7), 5, (sys.argv[1], 0)).close()
    print("open")
except OSError as error:
    print(type(error).__name__)
"""


def connection(client: Namespace, source: str, target: str) -> str:
    """Return "open" if a TCP connection succeeds, or the name of the error."""
    output, errors = client.python(_TRY, source, target).communicate(timeout=20)
    assert not errors, errors
    return output.strip()


@BOTH_VERSIONS
def test_services_and_addresses(site: Site, start: Start, host: str, far: str) -> None:
    start(
        rule("accept", "incoming", protocol="udp", destination_ports=["9", "100-110"]),
        rule("drop", "incoming", order=101, source=[FAR, FAR_HOST6]),
    )
    way = (site.far, far, site.host, host)
    assert ask(*way, 9) == far
    assert ask(*way, 105) == far
    assert blocked(*way, 111)
    site.far.sh("ip address add 10.2.0.11/32 dev lo; ip address add fd00:2::11/128 dev lo nodad")
    other = f"{far[:-1]}1"
    assert ask(site.far, other, site.host, host, 111) == other


@pytest.mark.parametrize(
    ("first", "second", "passes"),
    [
        ({"order": 1}, {"order": 2}, True),
        ({"order": 2}, {"order": 1}, False),
        ({"name": "a"}, {"name": "b"}, True),
        ({"name": "b"}, {"name": "a"}, False),
    ],
)
def test_the_first_that_matches_decides(
    site: Site, start: Start, first: t.Any, second: t.Any, passes: bool
) -> None:
    made = [rule("accept", "incoming", **first), rule("drop", "incoming", **second)]
    start(*sorted(made, key=lambda item: (item.order, item.name)))
    assert blocked(site.far, FAR, site.host, HOST) != passes


@BOTH_VERSIONS
def test_accept_opens_the_input_of_a_host_that_drops(
    site: Site, start: Start, host: str, far: str
) -> None:
    site.gateway.nft(DROPPING)
    hooks = [chain(f"inet firewall {hook}") for hook in nft.HOOKS]
    router = ROUTER if host == HOST else ROUTER6
    only = rule("accept", "incoming", protocol="udp", destination_ports=["9"])
    back = rule("accept", "outgoing", protocol="udp", source_ports=["9"], name="back")
    begun = start(only, back, chains=tuple(hooks))
    assert ask(site.far, far, site.gateway, router, 9) == far
    assert blocked(site.far, far, site.gateway, router, 10)
    assert blocked(site.far, "192.0.2.2", site.gateway, "192.0.2.1", 9)
    begun.change(chains=tuple(hooks))
    assert blocked(site.far, far, site.gateway, router, 9)


DROPPING = """
    table inet firewall {
        chain input { type filter hook input priority 0; policy drop;
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            meta l4proto { 50, 51 } accept; }
        chain forward { type filter hook forward priority 0; policy drop; }
        chain output { type filter hook output priority 0; policy drop;
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            meta l4proto { 50, 51 } accept; }
    }
"""


# Translations

MASQUERADE = """
    table inet nat { chain post { type nat hook postrouting priority srcnat; masquerade; }; }
"""


def count(begun: Tunnelled) -> int:
    return protected(begun.site) if begun.kernel else 0


@BOTH_VERSIONS
def test_source_is_translated_before_the_tunnel(
    site: Site, start: Start, host: str, far: str
) -> None:
    site.gateway.nft(MASQUERADE)
    hidden = hide_behind(4 if host == HOST else 6)
    begun = start(hidden, tunnels=TRANSLATED)
    before = count(begun)
    assert ask(site.host, host, site.far, far) == str(hidden.target)
    assert count(begun) == before + (2 if begun.kernel else 0)
    # The gateway's own address is translated too, because it is in the LAN.
    router = ROUTER if host == HOST else ROUTER6
    assert ask(site.gateway, router, site.far, far) == str(hidden.target)


@BOTH_VERSIONS
def test_one_to_one_works_in_both_directions(site: Site, start: Start, host: str, far: str) -> None:
    site.gateway.nft(MASQUERADE)
    begun = start(*ONE_TO_ONE, tunnels=TRANSLATED)
    before = count(begun)
    assert ask(site.host, host, site.far, far) == OUTSIDE[host]
    assert ask(site.far, far, site.host, OUTSIDE[host], at=(host, 9)) == far
    assert count(begun) == before + (4 if begun.kernel else 0)


@BOTH_VERSIONS
def test_destination_is_translated_after_the_tunnel(
    site: Site, start: Start, host: str, far: str
) -> None:
    site.gateway.nft(MASQUERADE)
    outside = f"{OUTSIDE[host][:-2]}7"
    options = {"protocol": "udp", "destination_ports": ["80"], "destination": [outside]}
    begun = start(
        rule("translate", "incoming", target=host, target_port=8080, **options),
        tunnels=TRANSLATED,
    )
    before = count(begun)
    assert ask(site.far, far, site.host, outside, 80, at=(host, 8080)) == far
    assert count(begun) == before + (2 if begun.kernel else 0)
    assert blocked(site.far, far, site.host, outside, 81, at=(host, 8080))


def test_a_destination_on_the_gateway_itself(site: Site, start: Start) -> None:
    start(
        rule("translate", "incoming", destination=["10.101.0.1"], target=ROUTER),
        rule("accept", "incoming", name="ok", destination=[ROUTER]),
        rule("drop", "incoming", name="z"),
        tunnels=TRANSLATED,
    )
    assert ask(site.far, FAR, site.gateway, "10.101.0.1", at=(ROUTER, 9)) == FAR


@BOTH_VERSIONS
def test_filters_see_the_addresses_of_the_local_side(
    site: Site, start: Start, host: str, far: str
) -> None:
    begun = start(*ONE_TO_ONE, tunnels=TRANSLATED)
    assert ask(site.far, far, site.host, OUTSIDE[host], at=(host, 9)) == far
    incoming = rule("drop", "incoming", destination=[HOST, HOST6])
    begun.change(*ONE_TO_ONE, incoming, tunnels=TRANSLATED)
    assert blocked(site.far, far, site.host, OUTSIDE[host], at=(host, 9))
    assert ask(site.host, host, site.far, far) == OUTSIDE[host]
    outgoing = rule("drop", "outgoing", source=[HOST, HOST6])
    begun.change(*ONE_TO_ONE, outgoing, tunnels=TRANSLATED)
    assert blocked(site.host, host, site.far, far)
    assert ask(site.far, far, site.host, OUTSIDE[host], at=(host, 9)) == far


@BOTH_VERSIONS
@pytest.mark.parametrize("kind", ["hidden", "one to one"])
def test_nothing_translated_leaves_in_clear(
    site: Site, start: Start, host: str, far: str, kind: str
) -> None:
    hidden = tuple(hide_behind(version) for version in (4, 6))
    begun = start(*(hidden if kind == "hidden" else ONE_TO_ONE), tunnels=TRANSLATED)
    router = ROUTER if host == HOST else ROUTER6
    begun.cut()
    assert blocked(site.host, host, site.far, far)
    assert blocked(site.gateway, router, site.far, far)
    # The nftables rules alone block the traffic too.
    begun.installed.unblock()
    assert blocked(site.host, host, site.far, far)
    assert ask(site.gateway, router, site.far, far) in ("TimeoutError", "PermissionError")
    assert dropped(begun) >= 2
    begun.installed("stop")
    assert ask(site.host, host, site.far, far) == host


def dropped(begun: Tunnelled) -> int:
    listed = begun.site.gateway.sh("nft list chain inet tunnelwright-lan no_leak_postrouting")
    counts = [line.split() for line in listed.splitlines() if " drop " in line]
    return sum(int(words[words.index("packets") + 1]) for words in counts)


@BOTH_VERSIONS
def test_nothing_translated_leaves_before_there_is_an_sa(
    site: Site, start: Start, host: str, far: str
) -> None:
    """Translated traffic does not leave without an SA.

    The kernel has the policy of the tunnel, as with a trap of charon.
    """
    begun = start(*ONE_TO_ONE, tunnels=TRANSLATED)
    assert ask(site.host, host, site.far, far) == OUTSIDE[host]
    site.far.nft(
        """
        table inet seen { chain pre { type filter hook prerouting priority 0
            ip daddr 10.2.0.0/24 counter
            ip6 daddr fd00:2::/64 counter; }
        }
        """
    )
    if begun.kernel:
        site.gateway.sh("ip xfrm state flush")
    else:
        begun.cut()
    assert blocked(site.host, host, site.far, far)
    assert site.far.sh("nft list table inet seen").count("packets 0 ") == 2


def test_what_was_not_translated_does_not_leave_in_clear(site: Site, start: Start) -> None:
    """No cleartext leaves when an unmanaged rule translates the connection first."""
    begun = start(hide_behind(4), tunnels=TRANSLATED)
    begun.cut()
    begun.installed.unblock()
    site.gateway.nft(
        "table ip x { chain p { type nat hook postrouting priority 0; snat to ip saddr; }; }"
    )
    assert blocked(site.host, HOST, site.far, FAR)
    assert dropped(begun) == 1


def test_other_traffic_is_not_translated(site: Site, start: Start) -> None:
    """A rule does not translate traffic to the internet, of other tunnels or other services."""
    begun = start(hide_behind(4), tunnels=TUNNELS + TRANSLATED)
    assert ask(site.host, HOST, site.far, "192.0.2.2") == HOST
    begun.change(hide_behind(4, protocol="udp", source_ports=["7"]), tunnels=TUNNELS + TRANSLATED)
    assert ask(site.host, HOST, site.far, FAR) == HOST
    begun.change(hide_behind(4))
    assert ask(site.host, HOST, site.far, FAR) == HOST
    assert ask(site.far, FAR, site.host, HOST) == FAR


@BOTH_VERSIONS
def test_two_tunnels_of_which_one_is_translated(
    site: Site, start: Start, host: str, far: str
) -> None:
    """The translation for one tunnel works beside another tunnel of the LAN that is down.

    The other tunnel leads to everywhere else, so no traffic to the internet leaves in cleartext.
    """
    anywhere = tuple(
        nft.TunnelMatch(f"site-c/all{item.local.version}", item.local, whole)
        for item, whole in zip(TUNNELS, map(ipaddress.ip_network, ("0.0.0.0/0", "::/0")))
    )
    hidden = hide_behind(4 if host == HOST else 6)
    begun = start(hidden, tunnels=TRANSLATED)
    begun.change(hidden, tunnels=TRANSLATED + anywhere)
    assert ask(site.host, host, site.far, far) == str(hidden.target)
    assert blocked(site.host, HOST, site.far, "192.0.2.2")


@BOTH_VERSIONS
def test_translated_traffic_passes_a_host_that_drops(
    site: Site, start: Start, host: str, far: str
) -> None:
    site.gateway.nft(DROPPING)
    forward = (chain("inet firewall forward"),)
    begun = start(*ONE_TO_ONE, tunnels=TRANSLATED, chains=forward)
    assert ask(site.host, host, site.far, far) == OUTSIDE[host]
    assert ask(site.far, far, site.host, OUTSIDE[host], at=(host, 9)) == far
    assert blocked(site.host, HOST, site.far, "192.0.2.2")
    hidden = hide_behind(4 if host == HOST else 6)
    begun.change(hidden, tunnels=TRANSLATED, chains=forward)
    assert ask(site.host, host, site.far, far) == str(hidden.target)
    begun.change(hidden, tunnels=TRANSLATED)
    begun.installed("stop")
    assert blocked(site.host, host, site.far, far)


def test_mss_of_translated_connections_is_lowered(site: Site, start: Start) -> None:
    hidden = tuple(hide_behind(version) for version in (4, 6))
    begun = start(*hidden, tunnels=TRANSLATED, mss_clamp=1000)
    for host, far in ((HOST, FAR), (HOST6, FAR_HOST6)):
        assert segment_sizes(site.host, host, site.far, far) == (988, 988)
    assert min(segment_sizes(site.host, HOST, site.far, "192.0.2.2")) > 1400
    begun.change(*hidden, tunnels=TRANSLATED)
    assert min(segment_sizes(site.host, HOST, site.far, FAR)) > 1300


# Routes


def made_routes(place: Namespace) -> set[str]:
    return {str(route) for route in Link(place.run).routes()}


ROUTES = (
    rule("route", name="a", destination=["10.55.0.0/16", "10.56.0.1"], target="10.1.0.254"),
    rule("route", name="b", destination=["fd00:55::/32", "::/0"], target="2001:db8::9"),
    rule("route", name="c", destination=["10.57.0.0/16"], interface="wan0"),
    rule("route", name="d", destination=["0.0.0.0/0"], interface="wan0", target="192.0.2.9"),
)


def test_routes_come_with_the_network(site: Site, gateway: t.Callable[..., Installed]) -> None:
    site.gateway.sh("ip route add 10.55.0.0/16 dev ipsec0; ip -6 route add fd00:55::/32 dev ipsec0")
    others = site.gateway.sh("ip route; ip -6 route")
    installed = gateway(vpn_rules=ROUTES)
    wanted = routes(network(), ROUTES)
    assert len(wanted) == 6
    for _again in range(2):
        live = Link(site.gateway.run).routes()
        assert len(live) == len(wanted)
        for route in wanted:
            assert [item for item in live if route.is_met_by(item)], route
        installed("start")
    left = [
        line
        for line in site.gateway.sh("ip route; ip -6 route").splitlines()
        if "proto 116" not in line and "vpn-lan" not in line
    ]
    assert left == others.splitlines()


def test_routes_are_replaced_and_deleted_one_by_one(
    site: Site, gateway: t.Callable[..., Installed]
) -> None:
    installed = gateway(vpn_rules=ROUTES)
    link = Link(site.gateway.run)
    moved = [
        rule("route", name="a", destination=["10.55.0.0/16"], target="10.1.0.253"),
        rule("route", name="b", destination=["fd00:55::/32"], target="2001:db8:1::9"),
    ]
    installed.write(rules(vpn_rules=tuple(moved)))
    installed("start")
    found = made_routes(site.gateway)
    assert {"10.55.0.0/16 via 10.1.0.253 dev vpn-lan", "10.57.0.0/16 dev wan0"} <= found
    assert "fd00:55::/32 via 2001:db8:1::9 dev ipsec0" in found
    assert len(found) == 6
    for route in link.routes():
        link.delete_route(route)
        found.remove(str(route))
        assert made_routes(site.gateway) == found
    for version in (4, 6):
        assert site.gateway.sh(f"ip -{version} route show proto kernel")


def test_a_route_that_cannot_be_is_an_error(
    site: Site, install: t.Callable[..., Installed]
) -> None:
    lost = rule("route", destination=["10.55.0.0/16"], target="203.0.113.77")
    status, _output, errors = install(site.gateway, network(), rules(vpn_rules=(lost,))).run(
        "start"
    )
    assert status != 0
    assert "invalid gateway" in errors.lower() or "unreachable" in errors.lower()


@pytest.mark.parametrize("verb", ["rules", "stop"])
def test_routes_stay_when_rules_are_withdrawn(
    site: Site, gateway: t.Callable[..., Installed], verb: str
) -> None:
    installed = gateway(vpn_rules=ROUTES)
    before = made_routes(site.gateway)
    installed(verb)
    assert made_routes(site.gateway) == before


def test_traffic_takes_the_route(site: Site, gateway: t.Callable[..., Installed]) -> None:
    site.far.sh("ip address add 10.57.0.1/32 dev lo")
    gateway(vpn_rules=())
    assert ask(site.host, HOST, site.far, "10.57.0.1") != HOST
    way = rule("route", destination=["10.57.0.1"], target="192.0.2.2")
    gateway(vpn_rules=(way,))
    assert ask(site.host, HOST, site.far, "10.57.0.1") == HOST
