# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates with a real IKE daemon: the copied parts of files, and the peers of a CA."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import LIBRARY, ROOT, Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PKI, Rig

CERTIFIED = {
    "authentication": "pubkey",
    "psk": None,
    "certificate": f"{PKI}/first.pem",
    "private_key": f"{PKI}/first.key",
    "ca": f"{PKI}/ca.pem",
    "identifier": "gw.example",
}
COPY, KEY_COPY, CA_COPY = (
    f"/etc/swanctl/{kind}/tunnelwright.site-b.pem" for kind in ("x509", "private", "x509ca")
)

# Makes the CA of an administrator. This CA and, by accident, the CA of the phase 1 certify
# `friend.example`.
MORE_PKI = f"""
cd {PKI}
exec 2>&1
openssl ecparam -name prime256v1 -genkey -noout -out admin-ca.key
openssl req -x509 -key admin-ca.key -days 800 -subj '/CN=Admin CA' -out admin-ca.pem
for issuer in ca admin-ca; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=friend.example \\
        -keyout by-$issuer.key -out request
    echo subjectAltName = DNS:friend.example >extensions
    openssl x509 -req -days 400 -in request -CA $issuer.pem -CAkey $issuer.key \\
        -extfile extensions -out by-$issuer.pem
done
rm request extensions
"""
ADMIN = """
connections {
    admin {
        version = 2
        remote_addrs = %s
        local {
            auth = pubkey
            certs = admin.pem
            id = gw.example
        }
        remote {
            auth = %s
            id = friend.example
            %s
        }
        children {
            net {
                local_ts = 10.1.0.0/24
                remote_ts = 10.8.0.0/24
            }
        }
    }
}
"""


def on_all(rigs: dict[str, Rig], test: t.Callable[[Rig], None]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(test, rigs.values()))


@pytest.fixture(name="certified", scope="module")
def _certified(rigs: dict[str, Rig]) -> dict[str, Rig]:
    """Create the certificates of an administrator, and copy them to both sides."""

    def prepare(rig: Rig) -> None:
        rig.peer.sh(MORE_PKI)
        rig.device.sh(
            f"mkdir -p {PKI}; base64 -d | tar -x -C {PKI}",
            rig.peer.sh(f"tar -c -C {PKI} . | base64"),
        )

    on_all(rigs, prepare)
    return rigs


@pytest.fixture(name="admin")
def _admin(certified: dict[str, Rig]) -> t.Iterator[dict[str, Rig]]:
    """Return each device with a network and the objects that its administrator loads."""

    def begin(rig: Rig) -> None:
        rig.device.wipe()
        rig.device.sh(
            f"""
            install -m 600 {PKI}/first.key /etc/swanctl/private/admin.pem
            install -m 644 {PKI}/first.pem /etc/swanctl/x509/admin.pem
            install -m 644 {PKI}/admin-ca.pem /etc/swanctl/x509ca/admin.pem
            """
        )
        rig.device.apply("vpn_network", rig.network())
        # The peer trusts the CA that certified the gateway.
        rig.peer.sh(f"install -m 644 {PKI}/admin-ca.pem /etc/swanctl/x509ca/admin.pem")

    def end(rig: Rig) -> None:
        rig.device.sh("rm -f /etc/swanctl/*/admin.pem /etc/swanctl/conf.d/admin.conf")
        rig.peer.sh("rm -f /etc/swanctl/*/admin.pem")
        rig.device.wipe()
        rig.peer.sh("systemctl restart strongswan")

    on_all(certified, begin)
    yield certified
    on_all(certified, end)


def by_hand(rig: Rig, auth: str = "pubkey", more: str = "") -> None:
    """Load the administrator's connection to the peer, which initiates."""
    text = ADMIN % (rig.address(), auth, more)
    rig.device.sh("cat >/etc/swanctl/conf.d/admin.conf; swanctl --load-all >/dev/null", text)


def lets_in(rig: Rig, issuer: str, connection: str, auth: str = "pubkey") -> bool:
    """Return whether the device accepts an initiator with a certificate of the CA ``issuer``."""
    told = f"journalctl --unit strongswan --output cat | grep -c 'IKE_SA {connection}.*established'"
    before = rig.device.sh(f"{told} || true")
    pem = rig.peer.sh(f"cat {PKI}/by-{issuer}.pem")
    key = rig.peer.sh(f"cat {PKI}/by-{issuer}.key")
    loaded = rig.peer.vici("load-key", {"type": "any", "data": key})
    section = {
        "version": "2",
        "remote_addrs": [rig.device.ipv4],
        "local": {"auth": auth, "id": "friend.example", "certs": [pem]},
        "remote": {"auth": "pubkey", "id": "gw.example"},
        "children": {"net": {"local_ts": ["10.8.0.0/24"], "remote_ts": ["10.1.0.0/24"]}},
    }
    rig.peer.vici("load-conn", {"caller": section})
    rig.peer.ask("initiate", child="net", ike="caller", seconds=5.0)
    after = rig.device.sh(f"{told} || true")
    rig.peer.ask("request", command="terminate", message={"ike": "caller", "force": "yes"})
    rig.peer.vici("unload-conn", {"name": "caller"})
    rig.peer.vici("unload-key", {"id": loaded["id"]})
    return int(after) > int(before)


def warnings(run: Run) -> list[str]:
    return [item["event"]["msg"] for item in run.result.get("warnings", ())]


WARNING = (
    "connection admin, which this collection did not make, also accepts every certificate of the "
    "CA of phase 1 site-b"
)


def of_us(rig: Rig, **options: t.Any) -> dict[str, t.Any]:
    """Return the options of a phase 1 with another peer, which no test initiates."""
    others = {"remote_gateway": rig.address(1), "connection_behavior": "responder_only"}
    return rig.phase1(**{**CERTIFIED, "peer_identifier": "peer.example", **others, **options})


ELSEWHERE = """
connections {
    elsewhere {
        remote_addrs = 192.0.2.9
        local {
            auth = pubkey
            certs = admin.pem
        }
        remote {
            auth = pubkey
            cacerts = /etc/swanctl/elsewhere/ca.pem
        }
    }
}
"""


def test_a_ca_can_not_be_kept_for_one_connection(admin: dict[str, Rig]) -> None:
    """strongSwan accepts a CA of one connection for all connections, from any path of the file.

    Therefore the collection warns. Another directory for the file would not help.
    """

    def check(rig: Rig) -> None:
        by_hand(rig)
        assert not lets_in(rig, "ca", "admin")
        rig.device.sh(
            f"""
            mkdir /etc/swanctl/elsewhere
            cp {PKI}/ca.pem /etc/swanctl/elsewhere
            cat >/etc/swanctl/conf.d/elsewhere.conf
            swanctl --load-conns >/dev/null
            rm -r /etc/swanctl/elsewhere /etc/swanctl/conf.d/elsewhere.conf
            """,
            ELSEWHERE,
        )
        assert lets_in(rig, "ca", "admin")
        # The daemon still accepts the CA after the removal of its connection.
        rig.device.sh("swanctl --load-conns >/dev/null")
        assert "elsewhere" not in rig.device.sh("swanctl --list-conns")
        assert lets_in(rig, "ca", "admin")

    on_all(admin, check)


@pytest.mark.parametrize("auth", ["pubkey", "eap-tls"])
def test_a_stranger_whose_certificate_is_of_our_ca(admin: dict[str, Rig], auth: str) -> None:
    """A connection without a CA accepts the certificates of our CA, and the module warns of this.

    The warning disappears when the connection names its own CA.
    """

    def check(rig: Rig) -> None:
        device = rig.device
        by_hand(rig, auth)
        assert lets_in(rig, "admin-ca", "admin", auth)
        assert not lets_in(rig, "ca", "admin", auth)
        made = device.apply("ipsec_phase1", of_us(rig))
        assert [text.startswith(WARNING) for text in warnings(made)] == [True]
        assert lets_in(rig, "ca", "admin", auth)
        found = device.apply("ipsec_info", {"phase1": "site-b"})
        assert [text.startswith(WARNING) for text in warnings(found)] == [True]
        for named in ("cacerts = admin.pem", "ca_id = CN=Admin CA"):
            by_hand(rig, auth, named)
            assert lets_in(rig, "admin-ca", "admin", auth), named
            assert not lets_in(rig, "ca", "admin", auth), named
            for module, options in (
                ("ipsec_phase1", of_us(rig)),
                ("ipsec_info", {"phase1": "site-b"}),
            ):
                assert warnings(device.apply(module, options)) == [], named

    on_all(admin, check)


def test_a_stranger_whose_certificate_is_of_another_ca(admin: dict[str, Rig]) -> None:
    """A phase 1 only accepts certificates of its own CA, even if the host trusts more CAs."""

    def check(rig: Rig) -> None:
        by_hand(rig, more="cacerts = admin.pem")
        rig.device.sh("rm /etc/swanctl/conf.d/admin.conf; swanctl --load-all >/dev/null")
        ours = of_us(rig, remote_gateway=rig.address(), peer_identifier="friend.example")
        rig.device.apply("ipsec_phase1", ours)
        tunnel = rig.phase2(remote_network=["10.8.0.0/24"])
        rig.device.apply("ipsec_phase2", tunnel)
        assert "Admin CA" in rig.device.sh("swanctl --list-certs --type x509")
        assert not lets_in(rig, "admin-ca", "site-b")
        assert lets_in(rig, "ca", "site-b")

    on_all(admin, check)


def no_key_in(run: Run, key: str) -> None:
    lines = [line for line in key.splitlines() if not line.startswith("-----")]
    assert lines
    for line in lines:
        assert line not in json.dumps(run.result)


@pytest.mark.parametrize("order", ["first.pem first.key", "first.key first.pem"])
def test_certificate_and_key_in_one_file(certified: dict[str, Rig], order: str) -> None:
    """A file may hold certificate and key, in any order. The tunnel comes up."""

    def check(rig: Rig) -> None:
        device = rig.device
        device.wipe()
        device.apply("vpn_network", rig.network())
        device.sh(f"cd {PKI}; umask 077; cat {order} >both.pem; cat ca.pem ca.key >ca-both.pem")
        both = {name: f"{PKI}/both.pem" for name in ("certificate", "private_key")}
        options = rig.phase1(
            **{**CERTIFIED, **both, "ca": f"{PKI}/ca-both.pem", "peer_identifier": "peer.example"}
        )
        key, ca_key = (device.sh(f"cat {PKI}/{name}.key") for name in ("first", "ca"))
        for check_mode in (True, False):
            run = device.run("ipsec_phase1", options, check=check_mode)
            assert not run.failed, run.result["msg"]
            no_key_in(run, key)
            no_key_in(run, ca_key)
            assert len(warnings(run)) == 3
        device.apply("ipsec_phase2", rig.phase2())
        device.wait_for("site-b/net")
        assert device.sh(f"cat {COPY}") == device.sh(f"cat {PKI}/first.pem")
        assert device.sh(f"cat {KEY_COPY}") == key
        assert device.sh(f"cat {CA_COPY}") == device.sh(f"cat {PKI}/ca.pem")
        # The daemon reads everything from its files.
        device.sh("systemctl restart strongswan")
        device.wait_for("site-b/net")
        assert not device.run("ipsec_phase1", options).changed

    on_all(certified, check)


PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - tunnelwright.ipsec.ipsec_phase1: "{{ phase1 }}"
    - tunnelwright.ipsec.ipsec_phase2: "{{ phase2 }}"
    - tunnelwright.ipsec.ipsec_info:
    - tunnelwright.ipsec.ipsec_diagnostics:
        query: configuration
    - tunnelwright.ipsec.ipsec_checkpoint:
    - tunnelwright.ipsec.ipsec_phase1: "{{ phase1 | combine(renewed) }}"
    - tunnelwright.ipsec.ipsec_checkpoint:
    # This task has to fail, and its message is searched for keys.
    - tunnelwright.ipsec.ipsec_phase1: "{{ phase1 | combine({'private_key': ca}) }}"
      ignore_errors: true
    - tunnelwright.ipsec.ipsec_checkpoint:
        state: rolled_back
    - tunnelwright.ipsec.ipsec_phase1:
        name: site-b
        network: lan
        state: absent
"""


def playbook(rig: Rig, folder: Path, variables: dict[str, t.Any], *options: str) -> str:
    """Return the output of Ansible at -vvv, with its log."""
    (folder / "play.yml").write_text(PLAY)
    (folder / "vars.json").write_text(json.dumps(variables))
    log = folder / "log"
    log.unlink(missing_ok=True)
    container = rig.device.reach[3]
    done = subprocess.run(
        [
            *("ansible-playbook", "-vvv", "--diff", *options, "-i", f"{container},"),
            *("-e", "ansible_connection=testbed", "-e", f"@{folder / 'vars.json'}"),
            *("-e", "ansible_python_interpreter=/usr/bin/python3", str(folder / "play.yml")),
        ],
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "molecule/connection_plugins"),
            "ANSIBLE_LOG_PATH": str(log),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr + log.read_text()


@pytest.mark.parametrize("options", [["--check"], []])
def test_nothing_that_ansible_says_shows_a_key(
    certified: dict[str, Rig], tmp_path: Path, options: list[str]
) -> None:
    """No output or log of Ansible at -vvv shows a private key, not even in a failure.

    The certificate files contain keys too, and the host has copies of the whole files.
    """
    rig = certified["6.0.1"]
    device = rig.device
    device.wipe()
    device.apply("vpn_network", rig.network())
    device.sh(f"cd {PKI}; cat first.pem first.key >both.pem; cat ca.pem ca.key >ca-both.pem")
    both = {"certificate": f"{PKI}/both.pem", "private_key": f"{PKI}/both.pem"}
    ours = rig.phase1(**{**CERTIFIED, **both, "peer_identifier": "peer.example"})
    device.apply("ipsec_phase1", ours)
    device.sh(f"cp {PKI}/both.pem {COPY}; cp {PKI}/ca-both.pem {CA_COPY}")
    # Provides the vici library, which the role would have installed.
    device.sh(f"ln -sfn {LIBRARY}/vici /usr/lib/python3/dist-packages/vici")
    variables = {
        "phase1": ours,
        "phase2": rig.phase2(),
        "renewed": {"certificate": f"{PKI}/second.pem", "private_key": f"{PKI}/second.key"},
        "ca": f"{PKI}/ca-both.pem",
    }
    try:
        said = playbook(rig, tmp_path, variables, *options)
    finally:
        device.sh("rm /usr/lib/python3/dist-packages/vici")
        device.run("ipsec_checkpoint", {"state": "rolled_back"})
        device.sh("rm -rf /var/lib/tunnelwright")
    assert "Using module file" in said, "the output is not from -vvv"
    assert COPY in said
    for name in ("first", "second", "ca"):
        lines = device.sh(f"grep -v -- ----- {PKI}/{name}.key").split()
        assert lines
        assert [line for line in lines if line in said] == []


def test_a_host_where_whole_files_were_copied(certified: dict[str, Rig]) -> None:
    """The next run removes keys from the copies of version 0.1.0. The tunnel keeps its SA."""

    def check(rig: Rig) -> None:
        device = rig.device
        device.wipe()
        device.apply("vpn_network", rig.network())
        options = rig.phase1(**CERTIFIED, peer_identifier="peer.example")
        device.apply("ipsec_phase1", options)
        device.apply("ipsec_phase2", rig.phase2())
        device.sh(f"cd {PKI}; cat first.pem first.key >{COPY}; cat ca.pem ca.key >{CA_COPY}")
        device.sh("swanctl --load-all >/dev/null; systemctl restart strongswan")
        up = device.wait_for("site-b/net")
        key, ca_key = (device.sh(f"cat {PKI}/{name}.key") for name in ("first", "ca"))
        seen = [
            device.apply("ipsec_info", {"phase1": "site-b"}),
            device.apply("ipsec_diagnostics", {"query": "configuration"}),
            device.run("ipsec_phase1", options, check=True),
            device.apply("ipsec_checkpoint", {"state": "started", "timeout": 600}),
            device.apply("ipsec_phase2", rig.phase2()),
            device.apply("ipsec_checkpoint", {"state": "rolled_back"}),
            device.apply("ipsec_phase1", options),
        ]
        for run in seen:
            no_key_in(run, key)
            no_key_in(run, ca_key)
        drift = [item["object"] for item in seen[0].result["ipsec_info"]["phase1"][0]["drift"]]
        assert drift == [COPY, CA_COPY]
        assert seen[4].result["actions"] == [f"write {COPY}", f"write {CA_COPY}"]
        assert not seen[6].changed
        assert device.sh(f"cat {COPY} {CA_COPY}") == device.sh(f"cat {PKI}/first.pem {PKI}/ca.pem")
        assert device.sas() == up
        left = device.sh(
            f"grep -rlF '{key.splitlines()[1]}' /etc /run /var/lib/tunnelwright || true"
        )
        assert left.split() == [KEY_COPY]

    on_all(certified, check)
