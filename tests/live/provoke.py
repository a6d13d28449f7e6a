# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two gateways whose tunnel fails.

The modules configure the initiator, and the test configures the responder by hand.
"""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.tests.live.failures import AES, PSK, Failure
from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, Host, Options

# Writes revoked.crl in the directory of pki.sh, a CRL with the certificate of the initiator.
CRLS = """
touch index.txt
echo 01 >number
cat >ca.conf <<END
[ca]
default_ca = all
[all]
database = index.txt
crlnumber = number
default_md = sha256
default_crl_days = 1
crl_extensions = known
[known]
authorityKeyIdentifier = keyid
END
with_ca() { openssl ca -config ca.conf -keyfile ca.key -cert ca.pem "$@"; }
with_ca -revoke first.pem
with_ca -gencrl -out revoked.crl
"""
CA = {"type": "X509", "flag": "CA"}
# Not the directory of the rig, which other tests of the same run use.
PKI = "/root/pki-explained"
CERTIFIED = {
    "authentication": "pubkey",
    "psk": None,
    "certificate": f"{PKI}/bundle.pem",
    "private_key": f"{PKI}/bundle.key",
    "ca": f"{PKI}/ca.pem",
    "identifier": "gw.example",
    "peer_identifier": "peer.example",
}


def connection(failure: Failure) -> Options:
    """Return the peer's connection in the form of vici."""
    child = {
        "local_ts": ["10.2.0.0/24"],
        "remote_ts": ["10.1.0.0/24"],
        "esp_proposals": [AES],
        **failure.child,
    }
    return {
        "version": "2",
        "local_addrs": ["{peer}"],
        "remote_addrs": ["{caller}"],
        "proposals": [AES],
        "local": {"auth": "psk", "id": "{peer}"},
        "remote": {"auth": "psk", "id": "{caller}"},
        **failure.conn,
        "children": {"any": {key: value for key, value in child.items() if value}},
    }


def filled(value: t.Any, names: t.Mapping[str, str]) -> t.Any:
    """Return a value with the addresses in place of ``{caller}``, ``{peer}`` and ``{nobody}``."""
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    return [filled(item, names) for item in value] if isinstance(value, list) else value


class Pair:
    """Two gateways: the initiator ``caller`` and its ``peer``."""

    def __init__(self, release: str, caller: Host, peer: Host) -> None:
        self.release, self.caller, self.peer = release, caller, peer
        self.names = {
            "caller": caller.ipv4,
            "peer": peer.ipv4,
            # An address of no host, in the network of both gateways.
            "nobody": f"{caller.ipv4.rpartition('.')[0]}.250",
        }

    def prepare(self) -> None:
        for host in (self.caller, self.peer):
            host.wipe()
            self.network(host)
        script = f"mkdir -p {PKI}; cd {PKI}; rm -f *; exec 2>&1; . /dev/stdin"
        made = [(HERE / name).read_text() for name in ("pki.sh", "chains.sh")]
        self.caller.sh(script, "\n".join([*made, CRLS]))

    def network(self, host: Host, **options: t.Any) -> None:
        number = 1 if host is self.caller else 2
        own = {"ip_address": f"10.{number}.0.1", "network_address": f"10.{number}.0.0/24"}
        host.apply("vpn_network", {"name": "lan", **own, **options})

    def arrange(self, failure: Failure) -> None:
        """Configure both sides with the failure."""
        if failure.kernel:
            host = getattr(self, failure.kernel)
            host.ask("kernel", esp=True)
            self.network(host, dataplane="kernel")
        kind = CERTIFIED if failure.certified else {}
        if failure.certified:
            pems = " ".join(f"{name}.pem" for name in failure.ours)
            self.caller.sh(
                f"cd {PKI}; cat {pems} >bundle.pem; cat {failure.ours[0]}.key >bundle.key"
            )
        phase1 = filled({**PHASE1_OPTIONS, **kind, **failure.phase1}, self.names)
        self.caller.apply("ipsec_phase1", phase1)
        self.caller.apply("ipsec_phase2", filled({**PHASE2_OPTIONS, **failure.phase2}, self.names))
        if failure.certified:
            self._certify(failure)
        elif failure.loaded:
            self.peer.vici("load-conn", {"us": filled(connection(failure), self.names)})
        if failure.psk:
            shared = {"id": "us", "type": "IKE", "data": failure.psk, "owners": []}
            self.peer.vici("load-shared", shared)
        for name, key in failure.ppks.items():
            shared = {"id": f"ppk-{name}", "type": "PPK", "data": key, "owners": [name]}
            self.peer.vici("load-shared", shared)
        for host, script in ((self.caller, failure.at_caller), (self.peer, failure.at_peer)):
            if script:
                host.sh(filled(script, self.names))

    def _certify(self, failure: Failure) -> None:
        """Give the peer its certificate, and the other certificates of the failure."""
        own = [self.caller.sh(f"cat {PKI}/{name}.pem") for name in failure.theirs]
        key = self.caller.sh(f"cat {PKI}/{failure.theirs[0]}.key")
        self.peer.vici("load-key", {"type": "any", "data": key})
        for name in failure.certified:
            if name != "nothing":
                kind = {"type": "X509_CRL"} if name.endswith("crl") else CA
                data = self.caller.sh(f"cat {PKI}/{name}")
                self.peer.vici("load-cert", {**kind, "data": data})
        local = {"auth": "pubkey", "id": "peer.example", "certs": own}
        ends = {
            "remote": {"auth": "pubkey", "id": "gw.example"},
            **failure.conn,
            "local": {**local, **failure.conn.get("local", {})},
        }
        self.peer.vici("load-conn", {"us": {**filled(connection(failure), self.names), **ends}})

    def clear(self, failure: Failure) -> None:
        for host, script in ((self.caller, failure.mend_caller), (self.peer, failure.mend_peer)):
            if script:
                host.sh(filled(script, self.names))
        self.caller.apply("ipsec_phase1", {"name": "site-b", "network": "lan", "state": "absent"})
        self.peer.ask("request", command="unload-conn", message={"name": "us"})
        for host in (self.caller, self.peer):
            # charon keeps a CA after the removal of its connection.
            host.vici("clear-creds")
            host.vici("flush-certs")
            for sa in host.ask("sas")["sas"]:
                message = {"ike-id": sa["uniqueid"], "force": "yes", "timeout": "1000"}
                host.ask("request", command="terminate", message=message)
        if failure.kernel:
            host = getattr(self, failure.kernel)
            host.ask("kernel", esp=False)
            self.network(host)

    def connect(self, failure: Failure, **options: t.Any) -> t.Any:
        given = {"network": "lan", "phase1": "site-b", "phase2": "net", **failure.options}
        return self.caller.run("ipsec_connection", {**given, **options})


PHASE1_OPTIONS = {
    "name": "site-b",
    "network": "lan",
    "remote_gateway": "{peer}",
    "psk": PSK,
    "encryption": [{"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}],
}
PHASE2_OPTIONS = {
    "name": "net",
    "network": "lan",
    "phase1": "site-b",
    "local_network": ["10.1.0.0/24"],
    "remote_network": ["10.2.0.0/24"],
    "encryption": [{"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}],
}


class Journal:
    """The log lines of the IKE daemon of a host since the creation of the journal."""

    def __init__(self, host: Host) -> None:
        self._host = host
        said = host.sh("journalctl --quiet --lines 0 --show-cursor --no-pager")
        self._cursor = said.partition("cursor: ")[2].strip()

    def lines(self) -> list[str]:
        self._host.sh("journalctl --sync")
        told = self._host.sh(
            f"journalctl --unit strongswan --after-cursor '{self._cursor}' --output cat --no-pager"
        )
        return told.splitlines()
