# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo classifies packets on the wire correctly."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("wiretap", ROOT / "tools/wiretap.py")
wiretap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wiretap)


def ipv4(protocol: int, payload: bytes, options: bytes = b"") -> bytes:
    header = bytes([0x45 + len(options) // 4]) + bytes(8) + bytes([protocol]) + bytes(10) + options
    return bytes(12) + b"\x08\x00" + header + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    return bytes(12) + b"\x86\xdd" + b"\x60" + bytes(5) + bytes([protocol]) + bytes(33) + payload


def udp(port: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", 33000, port, 8 + len(data), 0) + data


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (ipv4(50, b"\x00\x00\x01\x02"), "ESP"),
        (ipv6(50, b"\x00\x00\x01\x02"), "ESP"),
        (ipv4(17, udp(4500, b"\x01\x02\x03\x04" + bytes(8))), "ESP in UDP"),
        (ipv6(17, udp(4500, b"\x01\x02\x03\x04" + bytes(8))), "ESP in UDP"),
        (ipv4(17, udp(4500, bytes(4) + b"\x01\x02\x03\x04")), "IKE"),
        (ipv4(17, udp(500, b"\x01\x02\x03\x04")), "IKE"),
        (ipv4(17, udp(4500, b"\xff")), "NAT keepalive"),
        (ipv4(17, udp(53, bytes(12))), "other"),
        (ipv4(1, b"\x08\x00"), "ping"),
        (ipv4(1, b"\x00\x00", options=bytes(4)), "ping"),
        (ipv4(1, b"\x03\x00"), "other"),
        (ipv6(58, b"\x80\x00"), "ping"),
        (ipv6(58, b"\x87\x00"), "neighbor discovery"),
        (ipv4(6, bytes(20)), "other"),
        (bytes(12) + b"\x08\x06" + bytes(28), "ARP"),
    ],
)
def test_kinds(frame, kind):
    assert wiretap.kind(frame) == kind


def test_frames_of_a_capture_file():
    packets = [b"first", b"the second"]
    records = b"".join(struct.pack("=IIII", 0, 0, len(p), len(p)) + p for p in packets)
    assert list(wiretap.frames(bytes(24) + records)) == packets
    assert list(wiretap.frames(bytes(24) + records[:-3] + b"")) == [b"first", b"the sec"]
