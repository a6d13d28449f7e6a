# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs about phase 1 objects with certificates, on a machine in memory."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PUBKEY,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.pki import (
    CA,
    GATEWAY,
    RENEWED,
    Pair,
)

OTHER_CA = Pair("Other CA", ca=True)
STATE_FILE = "/var/lib/tunnelwright/checkpoint/state.json"
NAMED = {"name": "site-b", "network": "lan"}
CERTIFIED = {**PHASE1, **PUBKEY}
COPY, KEY_COPY, CA_COPY = (
    f"/etc/swanctl/{kind}/tunnelwright.site-b.pem" for kind in ("x509", "private", "x509ca")
)
# A line of the private key, which no output may show.
SECRET = GATEWAY.key.decode().split("\n")[1]


@pytest.fixture(name="machine")
def _with_files(machine: Machine) -> Machine:
    place(machine, "certificate", GATEWAY.certificate)
    place(machine, "private_key", GATEWAY.key)
    place(machine, "ca", CA.certificate)
    machine.prepare(("vpn_network", NETWORK))
    return machine


def given(machine: Machine, option: str) -> Path:
    return machine.host.root / str(PUBKEY[option])[1:]


def place(machine: Machine, option: str, data: bytes) -> None:
    path = given(machine, option)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def copied(machine: Machine, path: str) -> bytes:
    return (machine.host.root / path[1:]).read_bytes()


def run(machine: Machine, module: str = "ipsec_phase1", **options: t.Any) -> dict[str, t.Any]:
    """Run a module, check that its result does not show the private key, and return the result."""
    result = machine.run(module, **(options or CERTIFIED))
    assert SECRET not in json.dumps(result)
    told = result.get("warnings", ())
    return {**result, "warnings": [item["event"]["msg"] for item in told]}


def pem_actions(result: dict[str, t.Any]) -> list[str]:
    return [action for action in result["actions"] if "pem" in action]


class TestCopies:
    def test_installed(self, machine: Machine) -> None:
        assert pem_actions(run(machine)) == [
            f"write {COPY}",
            f"write {KEY_COPY}",
            f"write {CA_COPY}",
            f"load private key {KEY_COPY}",
        ]
        assert machine.host.vici.private.keys() == {GATEWAY.id}
        assert copied(machine, COPY) == GATEWAY.certificate
        assert run(machine)["actions"] == []

    def test_renewed(self, machine: Machine) -> None:
        run(machine)
        place(machine, "certificate", RENEWED.certificate)
        place(machine, "private_key", RENEWED.key)
        assert run(machine)["actions"] == [
            f"unload private key {KEY_COPY}",
            "load connection site-b with its children renamed to NAME.replaced",
            f"write {COPY}",
            f"write {KEY_COPY}",
            f"load private key {KEY_COPY}",
            "load connection site-b",
        ]
        assert machine.host.vici.private.keys() == {RENEWED.id}

    def test_a_key_that_belongs_to_another_certificate(self, machine: Machine) -> None:
        place(machine, "private_key", RENEWED.key)
        assert run(machine)["msg"] == (
            f"could not load private key {KEY_COPY}: it does not belong to the first certificate "
            "in the file of the option certificate. Nothing was changed."
        )

    def test_other_modules_keep_the_copies(self, machine: Machine) -> None:
        run(machine)
        place(machine, "certificate", RENEWED.certificate)
        assert pem_actions(run(machine, "ipsec_phase2", **PHASE2)) == []
        off = run(machine, **NAMED, state="disabled")
        assert "x509" not in str(off["actions"])
        assert machine.host.vici.private.keys() == {GATEWAY.id}
        run(machine, **NAMED, state="absent")
        assert machine.host.vici.private == {}

    def test_lost_copies_come_back_with_their_module(self, machine: Machine) -> None:
        run(machine)
        machine.host.files.remove(COPY)
        run(machine, "vpn_network", **NETWORK)
        assert machine.host.files.read(COPY) is None
        assert f"write {COPY}" in run(machine)["actions"]
        assert run(machine)["actions"] == []

    def test_a_pipe_in_the_place_of_a_copy_is_replaced(self, machine: Machine) -> None:
        run(machine)
        machine.host.files.remove(COPY)
        os.mkfifo(machine.host.root / COPY[1:])
        assert f"write {COPY}" in run(machine)["actions"]
        assert copied(machine, COPY) == GATEWAY.certificate
        assert run(machine)["actions"] == []


REMEMBERED = (
    "the IKE daemon still trusts CAs that no file of this host has: CN=Test CA. It builds chains "
    "with them until it restarts. A tunnel that needs one of these CAs does not come up after a "
    "restart. strongSwan can't unload a single CA. swanctl --load-creds --clear unloads it, with "
    "everything that was loaded from no file, and disturbs no tunnel"
)
BOTH = GATEWAY.certificate + GATEWAY.key
REST = "only its certificates are copied, and the rest is left alone"


class TestCombined:
    """A file with more contents than its option needs."""

    @pytest.mark.parametrize("data", [BOTH, GATEWAY.key + GATEWAY.certificate])
    @pytest.mark.parametrize("check", [False, True])
    def test_certificate_and_key_in_one_file(
        self, machine: Machine, data: bytes, check: bool
    ) -> None:
        for option in ("certificate", "private_key"):
            place(machine, option, data)
        result = run(machine, check=check, **CERTIFIED)
        assert result["warnings"] == [
            f"phase 1 site-b: certificate: /etc/ssl/gw.pem also holds PRIVATE KEY: {REST}",
            "phase 1 site-b: private_key: /etc/ssl/gw.key also holds CERTIFICATE: only its private "
            "key is copied, and the rest is left alone",
        ]
        (shown,) = (item for item in result["diff"] if item["after_header"] == COPY)
        assert shown["after"] == GATEWAY.certificate.decode()
        if not check:
            assert copied(machine, COPY) == GATEWAY.certificate
            assert copied(machine, KEY_COPY) == GATEWAY.key
            assert given(machine, "certificate").read_bytes() == data

    def test_ca(self, machine: Machine) -> None:
        place(machine, "ca", CA.certificate + CA.key + CA.crl + OTHER_CA.certificate + b"notes")
        result = run(machine)
        assert result["warnings"] == [
            f"phase 1 site-b: ca: /etc/ssl/ca.pem also holds PRIVATE KEY, X509 CRL and text: {REST}"
        ]
        assert copied(machine, CA_COPY) == CA.certificate
        assert copied(machine, f"{CA_COPY[:-4]}.2.pem") == OTHER_CA.certificate
        assert CA.key.decode().split("\n")[1] not in json.dumps(result)


class TestConnectionsOfOthers:
    """Each task names the connections that accept certificates of the CA of its phase 1."""

    TOLD = (
        "connection {}, also accepts every certificate of the CA of phase 1 site-b: strongSwan "
        "trusts a CA for all connections, and this connection names no CA. Set ca_id, cacerts or "
        "certs in its section remote."
    )
    ADMIN = TOLD.format("admin, which this collection did not make")
    ROAD = (
        TOLD.format("road of swanctl_conf")
        .replace("conf, also", "conf also")
        .replace("ca_id, cacerts or certs", "ca_id")
    )
    ADVANCED: t.ClassVar = {
        "network": "lan",
        "configuration_mode": "advanced",
        "swanctl_conf": "connections {\nroad {\nremote {\nauth = pubkey\n}\n}\n}\n",
    }

    def admin(self, machine: Machine, **remote: t.Any) -> None:
        section = {"remote_addrs": ["192.0.2.9"], "remote": {"auth": "pubkey", **remote}}
        machine.host.vici.conns["admin"] = section

    def test_named(self, machine: Machine) -> None:
        self.admin(machine)
        for check in (True, False):
            assert run(machine, check=check, **CERTIFIED)["warnings"] == [self.ADMIN]
        assert run(machine)["warnings"] == [self.ADMIN]
        assert run(machine, "ipsec_phase2", **PHASE2)["warnings"] == [self.ADMIN]
        assert run(machine, "ipsec_info", network="lan")["warnings"] == [self.ADMIN]
        assert run(machine, "vpn_network", **NETWORK)["warnings"] == []
        off = {**NAMED, "state": "disabled"}
        assert run(machine, **off)["warnings"] == [self.ADMIN]
        assert run(machine, **{**NAMED, "state": "absent"})["warnings"] == [REMEMBERED]
        assert run(machine, "ipsec_info", network="lan")["warnings"] == [REMEMBERED]

    def test_not_when_it_names_its_ca(self, machine: Machine) -> None:
        self.admin(machine, cacerts=[b"admin"])
        assert run(machine)["warnings"] == []
        assert run(machine, "ipsec_info", network="lan")["warnings"] == []

    def test_swanctl_conf(self, machine: Machine) -> None:
        run(machine)
        assert run(machine, "ipsec_settings", **self.ADVANCED)["warnings"] == [self.ROAD]
        assert run(machine)["warnings"] == [self.ROAD]
        assert run(machine, "ipsec_info", network="lan")["warnings"] == [self.ROAD]


class TestUpgrade:
    """A host where an earlier version has copied whole files."""

    @pytest.fixture(name="machine")
    def _old(self, machine: Machine) -> Machine:
        place(machine, "certificate", BOTH)
        run(machine)
        machine.prepare(("ipsec_phase2", PHASE2))
        copy = machine.host.root / COPY[1:]
        copy.write_bytes(BOTH)
        assert copy.stat().st_mode & 0o7777 == 0o644
        machine.host.vici.up = {"site-b": {"net"}}
        return machine

    SHOWN = f"{GATEWAY.certificate.decode()}********\n"
    OPEN = (
        f"{COPY} contains a private key that every user of this host could read. Replace the key "
        "and its certificate."
    )

    @pytest.mark.parametrize(
        ("module", "options"), [("ipsec_phase1", CERTIFIED), ("ipsec_phase2", PHASE2)]
    )
    @pytest.mark.parametrize("check", [False, True])
    def test_the_next_run_cleans_it(
        self, machine: Machine, module: str, options: dict[str, t.Any], check: bool
    ) -> None:
        result = run(machine, module, check=check, **options)
        assert result["actions"] == [f"write {COPY}"]
        assert result["impact"] == "none"
        assert result["diff"] == [
            {
                "before_header": COPY,
                "after_header": COPY,
                "before": self.SHOWN,
                "after": GATEWAY.certificate.decode(),
            }
        ]
        assert self.OPEN in result["warnings"]
        if not check:
            assert copied(machine, COPY) == GATEWAY.certificate
            assert run(machine, module, **options)["actions"] == []

    def test_removed(self, machine: Machine) -> None:
        result = run(machine, **NAMED, state="absent")
        assert f"remove {COPY}" in result["actions"]
        assert self.OPEN in result["warnings"]

    def test_info_names_it(self, machine: Machine) -> None:
        result = run(machine, "ipsec_info", phase1="site-b")
        (phase1,) = result["ipsec_info"]["phase1"]
        assert phase1["drift"] == [
            {
                "object": COPY,
                "actual": self.SHOWN.strip(),
                "expected": GATEWAY.certificate.decode().strip(),
            }
        ]
        assert result["warnings"] == [self.OPEN]

    @pytest.mark.parametrize("asked", [True, False])
    def test_a_rollback_does_not_bring_the_key_back(self, machine: Machine, asked: bool) -> None:
        run(machine, "ipsec_checkpoint", state="started")
        # Only the file of the private key has the key.
        assert copied(machine, STATE_FILE).decode().count(SECRET) == 1
        assert run(machine, "ipsec_checkpoint", state="started")["differences"] == []
        run(machine)
        run(machine, "ipsec_phase1", **{**CERTIFIED, "lifetime": 2})
        assert run(machine, "ipsec_checkpoint", state="started")["changed"] is False
        if asked:
            run(machine, "ipsec_checkpoint", state="rolled_back")
        else:
            assert machine.time_passes() == 0
        assert copied(machine, COPY) == GATEWAY.certificate
        assert run(machine)["actions"] == []

    def test_diagnostics(self, machine: Machine) -> None:
        """The private key is masked in every file."""
        conf = "/etc/swanctl/conf.d/admin.conf"
        (machine.host.root / conf[1:]).write_text(
            f'connections {{ x {{ description = "{GATEWAY.key.decode()}"\n }} }}\n'
        )
        nft = "/etc/tunnelwright/lan.nft"
        (machine.host.root / nft[1:]).write_bytes(BOTH)
        result = run(machine, "ipsec_diagnostics", query="configuration")
        files = result["ipsec_diagnostics"]["files"]
        assert 'description = "********' in files[conf]
        assert files[nft] == self.SHOWN


class TestRefused:
    @pytest.mark.parametrize("option", ["certificate", "private_key", "ca"])
    def test_a_pipe_is_not_waited_for(self, machine: Machine, option: str) -> None:
        given(machine, option).unlink()
        os.mkfifo(given(machine, option))
        result = run(machine)
        assert result["msg"].startswith(
            f"phase 1 site-b: {option} {str(PUBKEY[option])!r}: cannot be read: it is a pipe, not "
            "a regular file. Put a PEM file with the "
        )
        assert machine.host.log == []
