# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import (
    Link,
    LinkState,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.routes import Route
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_run import (
    ScriptedRun,
)

SHOW = "ip -j -d address show"
ROUTES = "ip -j -6 route show default"
TRY_ESP = (
    "unshare --net ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 mode tunnel"
    f" auth hmac(sha256) 0x{'00' * 32} enc cbc(aes) 0x{'00' * 16}"
)


def inet(local: str, length: int, **more: t.Any) -> dict[str, t.Any]:
    family = "inet6" if ":" in local else "inet"
    return {"family": family, "local": local, "prefixlen": length, "scope": "global", **more}


ETH0 = {
    "ifname": "eth0",
    "flags": ["BROADCAST", "UP", "LOWER_UP"],
    "mtu": 1500,
    "addr_info": [
        inet("192.0.2.1", 24),
        inet("192.0.2.9", 24, dynamic=True),
        inet("2001:db8::1", 64),
        inet("fe80::1", 64, scope="link"),
        {},
    ],
}
VLAN = {
    "ifname": "vpn-lan",
    "link": "eth0",
    "flags": ["BROADCAST"],
    "mtu": 1400,
    "ifalias": "VPN network lan (tunnelwright)",
    "linkinfo": {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 7}},
}
VETH = {"ifname": "v0", "link": "v1", "flags": [], "mtu": 1500, "linkinfo": {"info_kind": "veth"}}


@pytest.mark.parametrize(
    ("device", "state"),
    [
        ("eth0", LinkState("", 1500, True, ("192.0.2.1/24", "2001:db8::1/64"))),
        (
            "vpn-lan",
            LinkState("vlan", 1400, False, (), "VPN network lan (tunnelwright)", "eth0", 7),
        ),
        ("v0", LinkState("veth", 1500, False, ())),
        ("eth", None),
    ],
)
def test_get(run: ScriptedRun, device: str, state: LinkState | None) -> None:
    # Old releases of iproute2 print an empty object for each interface that the filter excludes.
    run.expect(SHOW, [{}, ETH0, VLAN, VETH])
    assert Link(run).get(device) == state


def test_names(run: ScriptedRun) -> None:
    run.expect("ip -j link show", [{"ifname": "lo"}, {"ifname": "eth0"}])
    assert Link(run).names() == ("lo", "eth0")


@pytest.mark.parametrize(
    ("version", "path"),
    [(4, "/proc/sys/net/ipv4/ip_forward"), (6, "/proc/sys/net/ipv6/conf/all/forwarding")],
)
def test_forwarding(run: ScriptedRun, version: int, path: str) -> None:
    for printed, status, wanted in (("1\n", 0, True), ("0\n", 0, False), ("", 1, False)):
        run.expect(f"cat {path}", printed, status)
        assert Link(run).forwarding(version) is wanted


@pytest.mark.parametrize(
    ("status", "errors", "wanted"), [(0, "", True), (2, "Error: Requested type not found.", False)]
)
def test_esp_is_there_if_it_can_be_added(
    run: ScriptedRun, status: int, errors: str, wanted: bool
) -> None:
    run.expect(TRY_ESP, "", status, errors)
    assert Link(run).kernel_has_esp() is wanted


def test_ah_is_tried_once(run: ScriptedRun) -> None:
    trial = TRY_ESP.replace("proto esp", "proto ah").partition(" enc ")[0]
    run.expect(trial, "", 2, "Error: Requested type not found.")
    link = Link(run)
    assert [link.kernel_has("ah"), link.kernel_has("ah")] == [False, False]


def test_a_host_where_nothing_can_be_tried_is_an_error(run: ScriptedRun) -> None:
    run.expect(TRY_ESP, "", 1, "unshare: unshare failed: Operation not permitted\n")
    with pytest.raises(HostError, match="unshare failed"):
        Link(run).kernel_has_esp()


def test_default_routes_from_router_advertisements(run: ScriptedRun) -> None:
    run.expect(
        ROUTES,
        [
            {"dst": "default", "dev": "eth0", "protocol": "ra"},
            {"dst": "default", "dev": "eth1"},
            {"dst": "default", "dev": "eth2", "protocol": "static"},
            {"dst": "default", "protocol": "ra", "nexthops": [{"dev": "eth3"}, {"dev": "eth4"}]},
        ],
    )
    for device, accept in (("eth0", "1"), ("eth3", "2"), ("eth4", "1")):
        run.expect(f"cat /proc/sys/net/ipv6/conf/{device}/accept_ra", f"{accept}\n")
    assert Link(run).ra_default_route_interfaces() == ("eth0", "eth4")


def test_routes_of_ours(run: ScriptedRun) -> None:
    run.expect(
        "ip -j -4 route show proto 116",
        [
            {"dst": "default", "gateway": "192.0.2.9", "dev": "eth0", "metric": 84, "flags": []},
            {"dst": "10.5.0.1", "dev": "eth0", "scope": "link", "flags": ["linkdown"]},
        ],
    )
    run.expect("ip -j -6 route show proto 116", [{"dst": "fd00:5::/32", "dev": "eth0"}])
    assert [str(route) for route in Link(run).routes()] == [
        "0.0.0.0/0 via 192.0.2.9 dev eth0",
        "10.5.0.1/32 dev eth0",
        "fd00:5::/32 dev eth0",
    ]


@pytest.mark.parametrize(("destination", "version"), [("10.5.0.0/16", 4), ("fd00:5::/32", 6)])
def test_routes_are_told_by_their_marks(run: ScriptedRun, destination: str, version: int) -> None:
    route = Route(ipaddress.ip_network(destination), None, "eth0")
    run.expect(f"ip -{version} route replace {destination} dev eth0 proto 116 metric 84")
    Link(run).add_route(route)
    run.expect(f"ip -{version} route delete {destination} proto 116 metric 84", status=2)
    with pytest.raises(HostError, match=f"delete route {destination}"):
        Link(run).delete_route(route)


def test_no_default_routes(run: ScriptedRun) -> None:
    run.expect(ROUTES, "")
    assert Link(run).ra_default_route_interfaces() == ()


def test_deletion(run: ScriptedRun) -> None:
    run.expect("ip link delete dev vpn-lan")
    Link(run).delete("vpn-lan")


def test_mtu(run: ScriptedRun) -> None:
    run.expect("ip link set dev vpn-lan mtu 1400")
    Link(run).set_mtu("vpn-lan", 1400)


@pytest.mark.parametrize("promoted", [True, False])
def test_an_address_takes_no_other_along(run: ScriptedRun, promoted: bool) -> None:
    """Later addresses stay, although the kernel deletes them without promote_secondaries."""
    first, second, other = inet("10.1.0.1", 24), inet("10.1.0.2", 24), inet("fd00::1", 64)
    left = [second, other] if promoted else [other]
    run.expect(SHOW, [{**VLAN, "addr_info": [first, second, other]}])
    run.expect("ip address delete 10.1.0.1/24 dev vpn-lan")
    run.expect(SHOW, [{**VLAN, "addr_info": left}])
    if not promoted:
        run.expect("ip address replace 10.1.0.2/24 dev vpn-lan")
    Link(run).delete_address("vpn-lan", "10.1.0.1/24")


# The output of iproute2 6.1.
STATES = """src 192.0.2.1 dst 192.0.2.2
\tproto esp spi 0xc0ffee01 reqid 1 mode tunnel
\treplay-window 0 flag af-unspec
\tauth-trunc hmac(sha256) <<Keys hidden>> 128
src 192.0.2.2 dst 192.0.2.1
\tproto esp spi 0x00c0ffee reqid 1 mode tunnel
\treplay-window 32 flag af-unspec
"""


def test_sas_of_the_kernel_by_their_indexes(run: ScriptedRun) -> None:
    run.expect("ip xfrm state list nokeys", STATES)
    assert Link(run).sa_indexes() == {"c0ffee01", "00c0ffee"}


def test_every_address_counts(run: ScriptedRun) -> None:
    run.expect("ip -j address show", [ETH0, {"ifname": "lo", "addr_info": [inet("::1", 128)]}])
    assert Link(run).addresses() == {"192.0.2.1", "192.0.2.9", "2001:db8::1", "fe80::1", "::1"}


def test_every_address_with_its_network(run: ScriptedRun) -> None:
    run.expect("ip -j address show", [ETH0, {"ifname": "lo", "addr_info": [inet("::1", 128)]}])
    assert [str(item) for item in Link(run).interfaces()] == [
        "192.0.2.1/24",
        "192.0.2.9/24",
        "2001:db8::1/64",
        "fe80::1/64",
        "::1/128",
    ]


@pytest.mark.parametrize(
    ("status", "found", "expected"),
    [
        (0, [{"dst": "192.0.2.77", "dev": "eth0"}], True),
        (0, [{"dst": "192.0.2.77", "dev": "eth0", "gateway": "192.0.2.254"}], False),
        (0, [{"type": "local", "dst": "192.0.2.1", "dev": "lo"}], False),
        (0, [{"type": "broadcast", "dst": "192.0.2.255", "dev": "eth0"}], False),
        (2, "", False),
        (0, "", False),
    ],
)
def test_what_is_reached_without_a_router(
    run: ScriptedRun, status: int, found: t.Any, expected: bool
) -> None:
    run.expect("ip -j -4 route get 192.0.2.77", found, status)
    assert Link(run).is_next_hop(ipaddress.ip_address("192.0.2.77")) is expected


@pytest.mark.parametrize(
    ("status", "found", "expected"),
    [
        (0, [{"dst": "192.0.2.0/24", "scope": "link"}], True),
        (0, [{"dst": "default", "gateway": "198.51.100.1"}], False),
        (0, [{"dst": "default", "gateway": "198.51.100.1"}, {"dst": "192.0.2.0/24"}], True),
        # ``route get ... oif`` would report this address as near.
        (0, [], False),
        (1, "", False),
    ],
)
def test_what_is_reached_by_an_interface_without_a_router(
    run: ScriptedRun, status: int, found: t.Any, expected: bool
) -> None:
    run.expect("ip -j -4 route show match 192.0.2.77 dev eth0", found, status)
    assert Link(run).is_next_hop(ipaddress.ip_address("192.0.2.77"), "eth0") is expected
    assert Link(run).is_next_hop(ipaddress.ip_address("fe80::7"), "eth0")


@pytest.mark.parametrize("status", [0, 2])
def test_routes(run: ScriptedRun, status: int) -> None:
    run.expect("ip route get 192.0.2.9", status=status)
    assert Link(run).has_route("192.0.2.9") is (status == 0)
