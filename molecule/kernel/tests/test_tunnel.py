# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tunnel of the role carries IPv4 and IPv6 from LAN to LAN, as ESP of the kernel."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

SETTINGS = Path(__file__).resolve().parents[3] / ".cache/kernel/kernel/ssh_config"
FAR = {"a": ("10.2.0.10", "fd00:2::10"), "b": ("10.1.0.10", "fd00:1::10")}


def sh(host: str, script: str) -> str:
    command = ["ssh", "-F", str(SETTINGS), host, f"sh -euc {shlex.quote(script)}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", FAR)
def test_lans_reach_each_other_by_esp_alone(name: str) -> None:
    """Every ping passes the wire as ESP. A third host captures all packets on the wire."""
    pings = "icmp or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))"
    listen = f"timeout 60 tcpdump -Z root -n -c 12 -i eth1 'esp or {pings}'"
    wire = subprocess.Popen(
        ["ssh", "-F", str(SETTINGS), "other", f"{listen} 2>&1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert wire.stdout is not None
    while "listening" not in wire.stdout.readline():
        assert wire.poll() is None
    for address in FAR[name]:
        sh(name, f"ip netns exec lan ping -q -c 3 -i 0.3 -W 5 {address}")
    heard = [line for line in wire.communicate()[0].splitlines() if " > " in line]
    assert len(heard) == 12, heard
    assert all("ESP(spi=" in line for line in heard), heard


@pytest.mark.parametrize("name", FAR)
def test_the_kernel_encrypts(name: str) -> None:
    states = sh(name, "ip xfrm state")
    assert states.count("aead rfc4106(gcm(aes))") >= 4
    assert "kernel-libipsec" not in sh(name, "swanctl --stats")
    assert "encap type espinudp" not in states


@pytest.mark.parametrize("name", FAR)
def test_nothing_was_confined(name: str) -> None:
    """AppArmor is in force, and denies no action of the collection."""
    assert int(sh(name, "aa-status --enforced")) > 0
    assert "DENIED" not in sh(name, "journalctl --boot --output cat _TRANSPORT=audit || true")
