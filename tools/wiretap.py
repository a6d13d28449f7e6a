# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A capture on an interface of a container: packets by kind, and packets with a known text."""

from __future__ import annotations

import struct
import subprocess
from collections import Counter
from collections.abc import Iterator

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ICMP, UDP, ESP, ICMPV6 = 1, 17, 50, 58
# By protocol and type: echo, router and neighbor messages.
ICMP_KINDS = {
    **{(ICMP, number): "ping" for number in (0, 8)},
    **{(ICMPV6, number): "ping" for number in (128, 129)},
    **{(ICMPV6, number): "neighbor discovery" for number in range(133, 138)},
}


class Wiretap:
    """tcpdump on ``interface`` of ``container``, from the construction until ``stop``."""

    def __init__(self, container: str, interface: str, *options: str) -> None:
        self._interface = interface
        self._inside = ("podman", "exec", container)
        self._tcpdump = subprocess.Popen(
            (*self._inside, "tcpdump", "-i", interface, *options, "--immediate-mode", "-Uw", "-"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # The first line is an error, or the report that tcpdump listens.
        said = self._tcpdump.stderr.readline().decode() if self._tcpdump.stderr else ""
        if "listening on" not in said:
            raise OSError(f"tcpdump on {interface} of {container}: {said.strip()}")

    def stop(self, text: bytes) -> tuple[Counter[str], int]:
        """Return the captured packets by kind, and the number of packets that show ``text``."""
        stop = ("pkill", "--signal=INT", "--full", f"^tcpdump -i {self._interface} ")
        subprocess.run((*self._inside, *stop), check=True)
        recorded, _ = self._tcpdump.communicate(timeout=10)
        packets = list(frames(recorded))
        return Counter(map(kind, packets)), sum(text in packet for packet in packets)


def frames(pcap: bytes) -> Iterator[bytes]:
    """Yield the Ethernet frames of a classic capture file, in the byte order of this machine."""
    offset = 24
    while offset + 16 <= len(pcap):
        _seconds, _microseconds, length, _original = struct.unpack_from("=IIII", pcap, offset)
        yield pcap[offset + 16 : offset + 16 + length]
        offset += 16 + length


def kind(frame: bytes) -> str:
    """Return ``ESP``, ``ESP in UDP`` (RFC 3948), ``IKE``, ``ping``, ``ARP``, ... or ``other``."""
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == IPV4:
        protocol, payload = frame[23], frame[14 + (frame[14] & 0x0F) * 4 :]
    elif ethertype == IPV6:
        protocol, payload = frame[20], frame[54:]
    else:
        return "ARP" if ethertype == ARP else "other"
    if protocol == ESP:
        return "ESP"
    if protocol == UDP:
        return udp_kind(payload)
    return ICMP_KINDS.get((protocol, payload[0]), "other")


def udp_kind(datagram: bytes) -> str:
    source, destination, length = struct.unpack_from("!HHH", datagram)
    if 4500 not in (source, destination):
        return "IKE" if 500 in (source, destination) else "other"
    if length == 9:
        return "NAT keepalive"
    # Four zero bytes in the place of the SPI mark IKE (RFC 3948 section 2.2).
    return "IKE" if datagram[8:12] == bytes(4) else "ESP in UDP"
