# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device under test and its peer, which is configured by hand and accepts every proposal."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, Host

# The key in peer.conf.
PSK = "the key of every tunnel of this test"

PKI = "/root/pki"

# The release of strongSwan on each device of the topology.
DEVICES = {"a": "5.9.8", "b": "6.0.1"}

PEER_SETTINGS = """
charon {
    i_dont_care_about_security_and_use_aggressive_mode_psk = yes
    # The networks behind the peer have no hosts.
    install_routes = no
    plugins {
        kernel-libipsec {
            load = yes
        }
    }
}
"""

# systemd refuses to start a service more than five times in ten seconds. The generators of systemd
# find nothing in a container, and take half the time of a daemon-reload.
DEVICE_SETTINGS = """
cd /etc/systemd
mkdir -p system/strongswan.service.d system-generators
printf '[Unit]\\nStartLimitIntervalSec=0\\n' >system/strongswan.service.d/often.conf
for generator in /usr/lib/systemd/system-generators/*; do
    ln -sf /dev/null "system-generators/${generator##*/}"
done
systemctl daemon-reload
systemctl reset-failed strongswan
"""


class Rig:
    """A device and its peer. ``release`` is the version of strongSwan on the device."""

    def __init__(self, release: str, device: Host, peer: Host) -> None:
        self.release, self.device, self.peer = release, device, peer

    def address(self, number: int = 0) -> str:
        """Return one of the addresses 0 to 9 of the peer. Each plays another remote gateway."""
        return str(ipaddress.ip_address(self.peer.ipv4) + 10 * number)

    def prepare(self) -> None:
        """Set up the peer, and copy the certificates to the device, into ``PKI``."""
        peer = self.peer
        for number in range(1, 10):
            peer.sh(f"ip address replace {self.address(number)}/24 dev eth0")
        peer.sh(f"mkdir -p {PKI}; cd {PKI}; exec 2>&1; . /dev/stdin", _text("pki.sh"))
        peer.sh(
            f"""
            cd {PKI}
            install -m 600 peer.key /etc/swanctl/private/peer.pem
            install -m 600 peer.pem /etc/swanctl/x509/peer.pem
            install -m 600 ca.pem /etc/swanctl/x509ca/ca.pem
            """
        )
        peer.sh("cat >/etc/swanctl/conf.d/peer.conf", _text("peer.conf"))
        peer.sh("cat >/etc/strongswan.d/peer.conf", PEER_SETTINGS)
        peer.sh("systemctl restart strongswan")
        self.device.sh(DEVICE_SETTINGS)
        packed = peer.sh(f"tar -c -C {PKI} . | base64")
        self.device.sh(f"mkdir -p {PKI}; base64 -d | tar -x -C {PKI}", packed)

    def network(self, **options: t.Any) -> dict[str, t.Any]:
        """Return the options of the VPN network that tunnels start from."""
        return {
            "name": "lan",
            "ip_address": "10.1.0.1",
            "network_address": "10.1.0.0/24",
            **options,
        }

    def phase1(self, **options: t.Any) -> dict[str, t.Any]:
        """Return the options of a phase 1 to the peer, which initiates at once."""
        return {
            "name": "site-b",
            "network": "lan",
            "remote_gateway": self.address(),
            "psk": PSK,
            "connection_behavior": "start",
            **options,
        }

    def phase2(self, name: str = "net", **options: t.Any) -> dict[str, t.Any]:
        return {
            "name": name,
            "network": "lan",
            "phase1": "site-b",
            "local_network": ["10.1.0.0/24"],
            "remote_network": ["10.2.0.0/24"],
            **options,
        }


def _text(name: str) -> str:
    return (HERE / name).read_text()
