# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device under test and its peer, which is configured by hand and accepts every proposal."""

from __future__ import annotations

import functools
import ipaddress
import os
import time
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, Host

# The keys in peer.conf.
PSK = "the key of every tunnel of this test"
PPK = {"ppk": "the post-quantum key of every tunnel of this test", "ppk_id": "ppk-any"}

PKI = "/root/pki"

# The release of strongSwan on each device of the topology. Debian still changes forky, so its
# release has no number here.
DEVICES = {"a": "5.9.8", "b": "6.0.1", "c": "forky"}
RELEASES = tuple(DEVICES.values())

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
    """A device and its peer. ``release`` is the name of the device's strongSwan in ``DEVICES``."""

    def __init__(self, release: str, device: Host, peer: Host) -> None:
        self.release, self.device, self.peer = release, device, peer

    @property
    def version(self) -> str:
        """Return the version of strongSwan on the device."""
        return self.device.sh("swanctl --version").split()[-1]

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


NO_IKEV1 = "this strongSwan has no IKEv1"
# The tests of IKEv1 on all devices that left a device out.
LEFT_OUT: list[str] = []
_QUESTION = {
    "version": "1",
    "local": {"auth": "psk"},
    "remote": {"auth": "psk"},
}


@functools.cache
def speaks_ikev1(host: Host) -> bool:
    """Return whether the daemon initiates with IKEv1. Every release loads such a connection.

    A daemon without IKEv1 creates no SA.
    """
    name = {"ike": "question"}
    # An address of no host. An answer could end the SA at once.
    nobody = f"{host.ipv4.rpartition('.')[0]}.250"
    question = {**_QUESTION, "remote_addrs": [nobody], "children": {"question": {}}}
    host.vici("load-conn", {"question": question})
    try:
        host.ask("request", command="initiate", message={**name, "timeout": "-1"})
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if any(sa["name"] == "question" for sa in host.ask("sas")["sas"]):
                return True
        return False
    finally:
        host.ask("request", command="terminate", message={**name, "force": "yes"})
        host.vici("unload-conn", {"name": "question"})


def need_ikev1(*hosts: Host) -> None:
    """Skip the test by name if the IKE daemon of a host has no IKEv1."""
    if not all(speaks_ikev1(host) for host in hosts):
        # The other releases run the test. The refusal on this release has tests of its own.
        pytest.skip(NO_IKEV1)


def with_ikev1(rigs: t.Mapping[str, Rig]) -> dict[str, Rig]:
    """Return the rigs whose devices have IKEv1. Record the test of the others in ``LEFT_OUT``."""
    found = {release: rig for release, rig in rigs.items() if speaks_ikev1(rig.device)}
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")[0]
    LEFT_OUT.extend(f"{test} on {release}" for release in rigs if release not in found)
    return found


def _text(name: str) -> str:
    return (HERE / name).read_text()
