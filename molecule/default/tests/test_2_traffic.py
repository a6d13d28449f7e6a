# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic from LAN to LAN arrives, the wire shows no plaintext, and no packet leaks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from gateway import PINGS, Gateway, up, wait_for

pytestmark = pytest.mark.usefixtures("tunnel")

# ping fills its packets with this pattern, of 16 bytes at most.
PATTERN = "tunnelwright-cry"
FILLED = ("-s", "64", "-p", PATTERN.encode().hex())


def test_ping_goes_through_the_tunnel(gateways: dict[str, Gateway]) -> None:
    before = {name: gateway.traffic() for name, gateway in gateways.items()}
    near, far = gateways.values()
    assert near.ping(far.lan4.ip) == PINGS
    assert near.ping(far.lan6.ip) == PINGS
    for name, gateway in gateways.items():
        after = gateway.traffic()
        for child in ("ipv4", "ipv6"):
            moved = [
                now - then for now, then in zip(after[child], before[name][child], strict=True)
            ]
            assert min(moved) >= PINGS * 64, f"{child} at {name}: {moved} bytes in and out"


def test_payload_is_not_readable_between_the_gateways(gateways: dict[str, Gateway]) -> None:
    near, far = gateways.values()
    # When the kernel does ESP, a capture shows each incoming packet again, decrypted. So only
    # outgoing packets are captured.
    with (
        near.capture("eth0", "-Q out") as there,
        far.capture("eth0", "-Q out") as back,
        near.capture("vpn-lan") as lan,
    ):
        near.ping(far.lan4.ip, *FILLED)
        near.ping(far.lan6.ip, *FILLED)
    # This proves that the search works, because it finds the pattern before the encryption.
    assert lan.text.count(PATTERN) >= 4 * PINGS
    for wan in (there.text, back.text):
        assert wan.count("ESP(spi=") >= 2 * PINGS
        assert PATTERN not in wan
        assert "echo re" not in wan


def test_source_addresses_are_not_translated(near: Gateway, far: Gateway) -> None:
    for address, source in ((far.lan4.ip, near.lan4.ip), (far.lan6.ip, near.lan6.ip)):
        assert sources_seen(near, far, address) == {str(source)}


def test_without_the_exemption_they_would_be(near: Gateway, far: Gateway) -> None:
    near.sh("nft flush chain inet tunnelwright-lan nat_exemption")
    try:
        assert sources_seen(near, far, far.lan4.ip) != {str(near.lan4.ip)}
    finally:
        near.sh("sh /etc/tunnelwright/lan.sh rules")


def sources_seen(near: Gateway, far: Gateway, address: object) -> set[str]:
    """Return the source addresses of the pings that the host on the far LAN receives."""
    with far.capture("eth0", "icmp or icmp6", lan=True) as tap:
        near.ping(address)
    return set(re.findall(rf"IP6? (\S+) > {address}: ICMP6?,? echo request", tap.text))


def test_tcp_segments_fit_into_the_tunnel(near: Gateway, far: Gateway) -> None:
    for address in (far.lan4.ip, far.lan6.ip):
        with far.capture("eth0", "tcp", lan=True) as tap:
            # No program listens on this port, because the test only needs the SYN.
            near.host.run(near.on_lan(f"timeout 2 bash -c '</dev/tcp/{address}/9'"))
        assert set(re.findall(r"Flags \[S\].*\bmss (\d+)", tap.text)) == {"1300"}


# --- The tunnel is down


@pytest.fixture
def down(near: Gateway, far: Gateway, gateways: dict[str, Gateway], tunnel: None) -> Iterator[None]:
    """Stop charon on one side, and add routes over which every packet would still arrive."""
    routes = ((far.lan4, far.wan), (far.lan6, far.wan6))
    near.sh("systemctl stop strongswan")
    for lan, gateway in routes:
        near.sh(f"ip route add {lan.network} via {gateway}")
    yield
    for lan, _gateway in routes:
        near.sh(f"ip route delete {lan.network}")
    near.sh("systemctl start strongswan")
    wait_for("the tunnel heals", lambda: up(gateways))


@pytest.mark.usefixtures("down")
def test_nothing_leaves_in_clear(near: Gateway, far: Gateway) -> None:
    clear = f"dst net {far.lan4.network} or dst net {far.lan6.network}"
    with near.capture("eth0", clear) as tap:
        assert near.ping(far.lan4.ip, *FILLED) == 0
        assert near.ping(far.lan6.ip, *FILLED) == 0
        # The gateway itself sends no packet in cleartext either.
        near.host.run(f"ping -c 1 -W 1 -I {near.lan4.network[1]} {far.lan4.ip}")
        near.host.run(f"ping -c 1 -W 1 -I {near.lan6.network[1]} {far.lan6.ip}")
    assert tap.text.strip() == ""

    try:
        # Without the rules no packet leaves either, because policies or routes block the traffic.
        for chain in LEAK_CHAINS:
            near.sh(f"nft flush chain inet tunnelwright-lan {chain}")
        assert seen(near, far, clear) == 0
        # This proves that the test works, because packets leave without both protections.
        near.sh(UNBLOCK)
        assert seen(near, far, clear) >= 2 * PINGS
    finally:
        near.sh("sh /etc/tunnelwright/lan.sh rules")


LEAK_CHAINS = ("no_leak_forward", "no_leak_postrouting")
# Removes the policies of the kernel's data plane, or the rules and routes of the userspace plane.
UNBLOCK = """
for version in -4 -6; do
    ip $version rule flush protocol 116
    ip $version route flush table 116
done
ip xfrm policy deleteall priority 4294967295 || true
"""


def seen(near: Gateway, far: Gateway, clear: str) -> int:
    """Return the number of packets of the LAN that leave in cleartext."""
    with near.capture("eth0", clear) as tap:
        near.ping(far.lan4.ip, *FILLED)
        near.ping(far.lan6.ip, *FILLED)
    return tap.text.count(PATTERN)


def test_ping_goes_through_again(gateways: dict[str, Gateway]) -> None:
    near, far = gateways.values()
    assert near.ping(far.lan4.ip) == PINGS
    assert far.ping(near.lan6.ip) == PINGS
