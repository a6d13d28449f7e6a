# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The IKE daemons at the other end, and their commands on a host of the test bed."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import PKI
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine


class Peer(ABC):
    """An IKE daemon at the other end. ``unit`` is its systemd unit."""

    unit = ""
    # Seconds until the daemon has noticed that its peer does not answer.
    noticing = 180.0
    # The sh commands of a load. {write} stands for the commands that write the files.
    loading = "systemctl stop {unit}; {write} systemctl start {unit}"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._since = "0"
        self._answer = ""

    @abstractmethod
    def prepare(self) -> None:
        """Put certificates into the daemon's folders and remove its default configuration, once."""

    def load(self, files: dict[str, str], key: str) -> None:
        """Load these files into the daemon, and close all SAs. ``key`` is rsa or ecdsa."""
        self._since = self.machine.now()
        write = "".join(
            f"install -m 600 /dev/null {path}; cat >{path} <<'END'\n{text}END\n"
            for path, text in files.items()
        )
        loading = self.loading.format(write=write, unit=self.unit, pki=PKI, key=key)
        self._answer = self.machine.sh(loading)

    def restart(self) -> None:
        self.machine.sh(f"systemctl restart {self.unit}")

    def crash(self) -> None:
        """Kill the daemon, so that its peer gets no message, and start it again."""
        self.machine.sh(f"systemctl kill --signal KILL {self.unit}; systemctl restart {self.unit}")

    def clear(self) -> None:
        self.machine.sh(f"systemctl stop {self.unit}")

    @abstractmethod
    def close(self) -> None:
        """Close the tunnel with the command of an administrator."""

    @abstractmethod
    def version(self) -> str:
        """Return the version that the program or its package reports."""

    def log(self) -> str:
        """Return the output of the load command, and the log since then."""
        since = f"--since @{self._since} --output cat --no-pager"
        return self._answer + self.machine.sh(f"journalctl --unit {self.unit} {since}")


class Libreswan(Peer):
    unit = "ipsec"
    # A start of libreswan takes long, so a load does not restart it.
    loading = """
        systemctl is-active --quiet {unit} || systemctl start {unit}
        for name in $(sed -n 's/^conn //p' /etc/ipsec.d/site-a.conf); do
            ipsec whack --delete --name $name >/dev/null || true
        done
        {write}
        ipsec whack --rereadsecrets --listen >/dev/null
        /usr/libexec/ipsec/addconn --autoall 2>&1
    """

    def prepare(self) -> None:
        self.machine.sh(
            f"""
            systemctl stop openiked ipsec
            # A start of libreswan begins with slow tests of its algorithms.
            cd /run/systemd/system; mkdir -p ipsec.service.d
            printf '[Service]\\nTimeoutStartSec=600\\n' >ipsec.service.d/slow.conf
            systemctl daemon-reload
            grep -q ikev1-policy /etc/ipsec.conf ||
                sed -i '/^config setup/a\\    ikev1-policy=accept' /etc/ipsec.conf
            rm -rf /var/lib/ipsec/nss
            mkdir -m 700 /var/lib/ipsec/nss
            ipsec initnss >/dev/null
            for kind in rsa ecdsa; do
                cd {PKI}/$kind
                openssl pkcs12 -export -in peer.example.pem -inkey peer.example.key \\
                    -certfile ca.pem -name peer.example-$kind -passout pass: -out /run/$kind.p12
                pk12util -i /run/$kind.p12 -d sql:/var/lib/ipsec/nss -W ''
                certutil -M -d sql:/var/lib/ipsec/nss -n "VPN CA $kind" -t CT,,
            done
            """
        )

    def close(self) -> None:
        self.machine.sh(
            "for name in $(sed -n 's/^conn //p' /etc/ipsec.d/site-a.conf); do"
            "    ipsec auto --down $name; done"
        )

    def version(self) -> str:
        return self.machine.sh("ipsec --version").split()[1]


class OpenIked(Peer):
    unit = "openiked"
    # OpenIKED checks its peer after five minutes of silence.
    noticing = 480.0

    loading = """
        systemctl stop {unit}
        cd {pki}/{key}
        install -m 600 peer.example.key /etc/iked/private/local.key
        install -m 644 peer.example.pem /etc/iked/certs/peer.example.crt
        install -m 644 ca.pem /etc/iked/ca/ca.crt
        {write}
        systemctl start {unit}
    """

    def prepare(self) -> None:
        self.machine.sh("systemctl stop ipsec openiked")

    def close(self) -> None:
        self.machine.sh("ikectl reset sa")

    def version(self) -> str:
        return self.machine.sh("dpkg-query --show --showformat '${Version}' openiked").split("-")[0]


class StrongSwan(Peer):
    unit = "strongswan"

    # strongSwan does not start a connection again that is already loaded.
    loading = """
        rm -f /etc/swanctl/conf.d/site-a.conf
        swanctl --load-conns >/dev/null
        swanctl --terminate --ike site-a --force >/dev/null 2>&1 || true
        {write}
        swanctl --load-all --clear >/dev/null
    """

    def prepare(self) -> None:
        self.machine.wipe()
        self.machine.sh(
            f"""
            for kind in rsa ecdsa; do
                cd {PKI}/$kind
                install -m 600 peer.example.key /etc/swanctl/private/peer.example-$kind.pem
                install -m 600 peer.example.pem /etc/swanctl/x509/peer.example-$kind.pem
                install -m 600 ca.pem /etc/swanctl/x509ca/ca-$kind.pem
            done
            """
        )

    def clear(self) -> None:
        self.machine.sh("rm -f /etc/swanctl/conf.d/site-a.conf /etc/swanctl/*/*.pem")
        self.machine.wipe()

    def close(self) -> None:
        self.machine.sh("swanctl --terminate --ike site-a")

    def version(self) -> str:
        return self.machine.sh("swanctl --version").split()[2]


DAEMONS = {"libreswan": Libreswan, "openiked": OpenIked, "strongswan": StrongSwan}
