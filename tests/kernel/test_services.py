# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selectors with a protocol and ports, on the wire of the kernel's data plane."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import End, Pair

CONNECT = """
python3 - <<'END'
import contextlib, socket
with contextlib.suppress(ConnectionRefusedError):
    socket.create_connection(({target!r}, {port}), 5, ({source!r}, 0))
END
"""


@proves("ipsec_phase2.remote_network", "a port", "remote_ts = …[6/8080]", "ESP for it alone")
@proves("ipsec_phase2.local_network", "a port", "local_ts = …[6/8080]", "ESP for it alone")
@pytest.mark.parametrize("ports", ["8080", "8080-8087"])
def test_a_port_of_one_side(pair: Pair, ports: str) -> None:
    """Selected traffic is in ESP, both ways. Other traffic leaves as without the tunnel."""
    service = f"{pair.b.lan4}[tcp/{ports}]"
    pair.configure(
        a={"phase2": {"remote_network": [service]}}, b={"phase2": {"local_network": [service]}}
    )
    pair.a.initiate()
    for end in pair.ends:
        child = end.child()
        # charon lists a protocol and a port by name if the host knows the names.
        listed = {
            item.replace("[tcp/", "[6/").replace("/http-alt", "/8080")
            for item in (*child["local-ts"], *child["remote-ts"])
        }
        assert listed == {pair.a.lan4, f"{pair.b.lan4}[6/{ports}]"}
        end.machine.sh(f"ip route replace {end.other.lan4} via {end.other.address}")
    try:
        for port, inside in ((8080, True), (8090, False)):
            with pair.wire(f"esp or tcp port {port}") as wire:
                connect(pair.a, pair.b, port)
            assert len(wire) >= 2
            assert all(("ESP(spi=" in line) is inside for line in wire), wire
    finally:
        for end in pair.ends:
            end.machine.sh(f"ip route delete {end.other.lan4}")


def connect(client: End, server: End, port: int) -> None:
    """Connect to a port without a listener. The refusal comes back the same way."""
    client.machine.sh(CONNECT.format(target=server.router, port=port, source=client.router))


@proves("ipsec_phase2.remote_network", "a protocol", "remote_ts = …[47]", "GRE in ESP, no other")
@proves("ipsec_phase2.local_network", "a protocol", "local_ts = …[47]", "GRE in ESP, no other")
def test_gre_between_the_gateways(pair: Pair) -> None:
    """Each packet of a GRE tunnel is in ESP, and no other packet is in ESP."""
    networks = {
        end.name: {
            "phase2": {
                "mode": "transport",
                "local_network": [f"{end.address}/32[gre]"],
                "remote_network": [f"{end.other.address}/32[gre]"],
            }
        }
        for end in pair.ends
    }
    pair.configure(**networks)
    for end in pair.ends:
        end.machine.sh(
            f"""
            ip tunnel add inner mode gre local {end.address} remote {end.other.address}
            ip address add 172.31.9.{end.number}/30 dev inner
            ip link set inner up
            """
        )
    try:
        pair.a.initiate()
        with pair.wire("esp or proto 47") as wire:
            pair.a.machine.sh("ping -q -c 3 -i 0.2 172.31.9.2")
        assert len(wire) == 6
        assert all("ESP(spi=" in line for line in wire), wire
        with pair.wire("esp or icmp") as wire:
            pair.a.machine.sh(f"ping -q -c 2 -i 0.2 {pair.b.address}")
        assert len(wire) == 4
        assert all("ICMP" in line for line in wire), wire
        pair.a.terminate()
        with pair.wire("proto 47") as wire:
            pair.a.machine.sh("systemctl stop strongswan; ping -q -c 2 -W 1 172.31.9.2 || true")
        assert wire == []
    finally:
        for end in pair.ends:
            end.machine.sh("ip link delete inner; systemctl start strongswan")
        pair.both(End.forget)
