# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tunnel on hosts with an unmanaged firewall: the tunnel works, and nothing else changes.

Both ends have a route to the other LAN by which all traffic could go in cleartext.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import End, Pair, until

# A router that masquerades and lets the LAN out, a default drop, and the tables of Docker.
FIREWALL = """
table ip router {
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept
        oifname "eth1" counter masquerade
    }
}
table inet host {
    set management { type ifname; elements = { "lo", "eth0" } }
    chain input {
        type filter hook input priority filter; policy drop
        iifname @management accept
        ct state established,related accept
        meta l4proto { icmp, icmpv6 } accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop
        ct state established,related accept
        iifname "vpn-lan" oifname "eth1" accept
    }
    chain output { type filter hook output priority filter; policy accept; }
}
table ip nat {
    chain DOCKER { iifname "docker0" counter return; }
    chain PREROUTING {
        type nat hook prerouting priority dstnat; policy accept
        fib daddr type local counter jump DOCKER
    }
    chain POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept
        ip saddr 172.17.0.0/16 oifname != "docker0" counter masquerade
    }
}
table ip filter {
    chain DOCKER-USER { counter return; }
    chain FORWARD {
        type filter hook forward priority filter; policy drop
        counter jump DOCKER-USER
        oifname "docker0" ct state related,established counter accept
        iifname "docker0" oifname != "docker0" counter accept
        iifname "vpn-lan" counter accept
    }
}
"""
TABLES = ("ip router", "inet host", "ip nat", "ip filter")
CHAINS = ["inet host input", "inet host forward", "ip filter FORWARD"]
CLEAR = "net 10.0.0.0/8"


def foreign(end: End) -> str:
    """Return the unmanaged tables as nft lists them."""
    return end.machine.sh("; ".join(f"nft -s list table {table}" for table in TABLES))


def drop_them(end: End) -> None:
    end.machine.sh("".join(f"nft delete table {table} 2>/dev/null || true\n" for table in TABLES))
    end.machine.sh(f"ip route delete {end.other.lan4} 2>/dev/null || true")


@pytest.fixture(name="before", scope="module")
def _before(pair: Pair) -> t.Iterator[list[str]]:
    """Yield the firewall of each end before the collection changes it."""
    pair.both(End.clear)
    pair.both(drop_them)

    def build(end: End) -> str:
        end.machine.sh("nft -f -", FIREWALL)
        end.machine.sh(f"ip route add {end.other.lan4} via {end.other.address}")
        return foreign(end)

    yield pair.both(build)
    pair.both(drop_them)


def configure(pair: Pair, **options: t.Any) -> None:
    pair.configure(network={"firewall_chains": CHAINS}, **options)


def stream(end: End) -> None:
    """Send ten packets a second for the tunnel, until ``hush``."""
    end.machine.sh(
        f"ip netns exec lan ping -n -i 0.1 {end.other.host()} >/run/stream 2>&1 & "
        "echo $! >/run/stream.pid"
    )


def hush(end: End) -> None:
    end.machine.sh("kill -INT $(cat /run/stream.pid); sleep 0.5")


def test_lans_reach_each_other_as_themselves(pair: Pair, before: list[str]) -> None:
    configure(pair)
    pair.a.initiate()
    for end in pair.ends:
        with end.other.machine.capturing("eth0", "icmp[0] = 8", "lan") as arriving:
            pair.ping()
        sources = {line.split(" > ")[0].split()[-1] for line in arriving}
        assert sources >= {end.host()}, arriving
        assert end.address not in sources


def test_nothing_leaves_in_clear(pair: Pair, before: list[str]) -> None:
    """No cleartext leaves while the tunnel is up, down or replaced, or strongSwan is stopped."""
    configure(pair)
    pair.a.initiate()
    with pair.wire(CLEAR) as wire:
        pair.both(stream)
        for end in pair.ends:
            end.phase1(encryption=[{"algorithm": "aes-gcm", "prf": "sha256", "dh_group": 19}])
        pair.a.terminate()
        until(pair.a.children, "the tunnel that traffic brings up")
        for end in pair.ends:
            end.machine.sh("systemctl stop strongswan; sleep 1; systemctl start strongswan")
        pair.both(hush)
    assert wire == []
    send = f"ip netns exec lan ping -q -c 2 -W 1 {pair.b.host()} || true"
    pair.a.terminate()
    pair.a.machine.sh("systemctl stop strongswan")
    try:
        # The policies of the kernel block without any rule, and the rules block without any policy.
        for flush, load in (
            ("nft flush table inet tunnelwright-lan", "systemctl restart tunnelwright-lan.guard"),
            ("ip xfrm policy flush", "true"),
        ):
            with pair.wire(CLEAR) as wire:
                pair.a.machine.sh(f"{flush}; {send}")
            assert wire == [], flush
            pair.a.machine.sh(load)
        # Without both, packets leave in cleartext. This proves that the captures work.
        pair.a.machine.sh("ip xfrm policy flush; nft flush table inet tunnelwright-lan")
        with pair.wire(CLEAR) as wire:
            pair.a.machine.sh(send)
        assert wire
    finally:
        pair.a.machine.sh("systemctl start strongswan; systemctl restart tunnelwright-lan.guard")


def test_the_firewall_is_as_it_was(pair: Pair, before: list[str]) -> None:
    """Only listed chains get our rules. The rules go when ``firewall_chains`` is removed."""
    configure(pair)
    for end, was in zip(pair.ends, before, strict=True):
        now = foreign(end)
        assert "tunnelwright-lan: " in now
        others = [line for line in now.splitlines() if "tunnelwright-lan: " not in line]
        assert others == was.splitlines()
    pair.both(lambda end: end.network())
    assert pair.both(foreign) == before
