# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate of packets through a router with many tunnels, for packets outside of all tunnels.

``make thousand`` runs this measurement. The packets are UDP with 22 bytes, 64 bytes in Ethernet. A
round measures every case for a moment, and the table has the best of the rounds, which another
program on the machine disturbed the least.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import sys
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft
from ansible_collections.tunnelwright.ipsec.tests.live.measurements import note
from ansible_collections.tunnelwright.ipsec.tests.netns.conftest import (
    Installed,
    Namespace,
    network,
    rules,
)

# Without tunnels, with one, and with more.
NUMBERS = (1, *map(int, os.environ.get("NUMBERS", "10,100,1000,5000").split(",")))
ROUNDS, SECONDS = 30, 0.2
# The lowest rate with 1,000 tunnels, in units of the rate with one tunnel.
LEAST = 0.85
ENDS = {4: ("192.0.2.2", "198.51.100.2"), 6: ("2001:db8:1::2", "2001:db8:2::2")}

_SEND = """
import socket, sys, time
source, target, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
family = socket.AF_INET6 if ":" in target else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as out:
    out.bind((source, 0))
    out.connect((target, 9))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _number in range(200):
            try:
                out.send(bytes(22))
            except OSError:
                pass
"""


def tunnels(number: int) -> tuple[nft.TunnelMatch, ...]:
    """Return tunnels of both IP versions, each to its own remote network."""
    found = []
    for index in range((number + 1) // 2):
        for version, own in ((4, "10.1.0.0/24"), (6, "fd00:1::/64")):
            high, low = divmod(index, 250)
            far = f"10.{100 + high}.{low}.0/24" if version == 4 else f"fd00:2:{index:x}::/64"
            ends = map(ipaddress.ip_network, (own, far))
            found.append(nft.TunnelMatch(f"site-{index}/net{version}", *ends))
    return tuple(found[:number]) if number > 1 else tuple(found)


class Router:
    """A router with a link to each of two hosts."""

    def __init__(self, make: t.Callable[[], Namespace]) -> None:
        self.near, self.router, self.far = make(), make(), make()
        for end, name, number in ((self.near, "near", 1), (self.far, "far", 2)):
            self.router.sh(f"ip link add {name} type veth peer name eth0 netns {end.name}")
            v4, v6 = (ENDS[version][number - 1] for version in (4, 6))
            r4, r6 = v4[:-1] + "1", v6[:-1] + "1"
            self.router.sh(
                f"ip link set {name} up; ip address add {r4}/24 dev {name}; "
                f"ip address add {r6}/64 dev {name} nodad"
            )
            end.sh(
                f"ip link set eth0 up; ip address add {v4}/24 dev eth0; "
                f"ip address add {v6}/64 dev eth0 nodad; ip route add default via {r4}; "
                f"ip -6 route add default via {r6}"
            )
        self.router.sh(
            "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
        )

    def rate(self, version: int) -> float:
        """Return the packets a second that arrive."""
        counter = "cat /sys/class/net/eth0/statistics/rx_packets"
        before = int(self.far.sh(counter))
        sending = self.near.python(_SEND, *ENDS[version], SECONDS)
        _output, errors = sending.communicate(timeout=60)
        assert not errors, errors
        return (int(self.far.sh(counter)) - before) / SECONDS


@pytest.mark.parametrize("userspace", [False, True], ids=["kernel", "userspace"])
def test_rate(
    namespace: t.Callable[[], Namespace],
    install: t.Callable[..., Installed],
    capsys: t.Any,
    *,
    userspace: bool,
) -> None:
    routers = {}
    for number, mss in itertools.product((0, *NUMBERS), (0, 1300)):
        if number == 0 and mss:
            continue
        routers[number, mss] = Router(namespace)
        if number:
            wanted = rules(tunnels=tunnels(number), userspace=userspace, mss_clamp=mss)
            made = install(routers[number, mss].router, network(), wanted)
            made("rules")
    rates: dict[tuple[int, int, int], list[float]] = {}
    for _round in range(ROUNDS):
        for (number, mss), router in routers.items():
            for version in ENDS:
                rates.setdefault((number, mss, version), []).append(router.rate(version))
    best = {case: max(found) for case, found in rates.items()}
    plane = "userspace" if userspace else "kernel"
    cases: dict[str, dict[str, float]] = {}
    for (number, mss, version), rate in best.items():
        for clamp in (mss,) if number else (0, 1300):
            case = f"{plane}, IPv{version}, {clamp or 'off'}"
            cases.setdefault(case, {})[str(number)] = rate
    note("packets", cases)
    with capsys.disabled():
        for case, rates in cases.items():
            told = ", ".join(f"{number}: {rate:,.0f}" for number, rate in rates.items())
            sys.stdout.write(f"\n{case}: {told}")
    for mss, version in itertools.product((0, 1300), ENDS):
        assert best[1000, mss, version] >= LEAST * best[1, mss, version], (mss, version)
