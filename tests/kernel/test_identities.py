# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identities, certificates and their revocation, and peers at unknown addresses."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import HERE, Machine
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import End, Pair, until

PKI = "/root/pki"
ENDS = pytest.mark.parametrize("name", ["a", "b"])


def refused(end: End) -> str:
    """Return the output of charon for an initiation that must fail."""
    return end.machine.sh(
        "swanctl --initiate --ike site --child net --timeout 30 2>&1 && exit 1 || true"
    )


@proves("ipsec_phase1.identifier", "omitted", "no local.id", "the address in use, at the peer")
@proves("ipsec_phase1.peer_identifier", "omitted", "remote.id = remote_gateway", "list-sas")
@proves("ipsec_phase1.identifier", "a name", "local.id", "the peer's log and list-sas")
@proves("ipsec_phase1.peer_identifier", "a name", "remote.id", "any other is refused")
def test_identities(pair: Pair) -> None:
    pair.tunnel()
    for end in pair.ends:
        assert (end.sa()["local-id"], end.sa()["remote-id"]) == (end.address, end.other.address)

    def named(end: End) -> dict[str, dict[str, str]]:
        ours, theirs = f"{end.name}.example", f"{end.other.name}.example"
        return {"phase1": {"identifier": ours, "peer_identifier": theirs}}

    pair.tunnel(**{end.name: named(end) for end in pair.ends})
    for end in pair.ends:
        assert end.sa()["local-id"] == f"{end.name}.example"
        assert end.sa()["remote-id"] == f"{end.other.name}.example"
    for end in pair.ends:
        other = {"phase1": {**named(end.other)["phase1"], "peer_identifier": "nobody.example"}}
        pair.configure(**{end.name: named(end), end.other.name: other})
        mark = end.other.mark()
        assert "AUTHENTICATION_FAILED" in refused(end)
        assert "no matching peer config found" in end.other.log(mark)


@ENDS
@proves("ipsec_phase1.remote_gateway", "%any", "remote_addrs = %any", "a peer of any address")
def test_a_peer_of_any_address(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    ours = {
        **{"remote_gateway": "%any", "connection_behavior": "responder_only"},
        "peer_identifier": "mobile.example",
    }
    theirs = {"identifier": "mobile.example"}
    pair.tunnel(end.other.name, **{name: {"phase1": ours}, end.other.name: {"phase1": theirs}})
    assert end.sa()["remote-host"] == end.other.address


@ENDS
@proves("ipsec_phase1.remote_gateway", "a name", "remote_addrs", "resolved when called")
@proves("ipsec_phase1.remote_gateway", "an address", "remote_addrs", "every other test")
def test_a_peer_by_its_name(pair: Pair, name: str) -> None:
    end = getattr(pair, name)
    line = f"{end.other.address} peer.example"
    end.machine.sh(f"grep -q '{line}' /etc/hosts || echo '{line}' >>/etc/hosts")
    ours = {"remote_gateway": "peer.example", "peer_identifier": end.other.address}
    pair.tunnel(name, **{name: {"phase1": ours}})
    assert end.sa()["remote-host"] == end.other.address


@pytest.fixture(name="pki", scope="module")
def _pki(pair: Pair, machines: dict[str, Machine]) -> t.Iterator[Machine]:
    """Give both ends certificates, and yield the third host, which can serve the CRL."""
    server = machines["other"]
    script = f"mkdir -p {PKI} {PKI}/web; cd {PKI}; CRL=http://{server.ipv4}/ca.crl; exec 2>&1; "
    server.sh(f"{script}. /dev/stdin", (HERE / "pki.sh").read_text())
    packed = server.sh(f"tar -c -C {PKI} . | base64")
    for end in pair.ends:
        end.machine.sh(f"mkdir -p {PKI}; base64 -d | tar -x -C {PKI}", packed)
    server.sh(f"cp {PKI}/ca.crl {PKI}/web/; chmod -R a+rX {PKI}/web")
    yield server
    serve(server, on=False)


def serve(server: Machine, *, on: bool) -> None:
    """Start or stop the server of the CRL."""
    server.sh(
        "systemctl stop crl-server 2>&1 || true; systemctl reset-failed crl-server 2>&1 || true"
    )
    if on:
        server.sh(
            f"systemd-run --quiet --unit crl-server python3 -m http.server -d {PKI}/web 80; "
            "for _ in $(seq 100); do ss -Htln sport = 80 | grep -q . && exit; sleep 0.1; done; "
            "exit 1"
        )


def certified(kind: str) -> t.Callable[[End], dict[str, t.Any]]:
    def options(end: End) -> dict[str, t.Any]:
        return {
            "authentication": "pubkey",
            "certificate": f"{PKI}/{end.name}-{kind}.pem",
            "private_key": f"{PKI}/{end.name}-{kind}.key",
            "ca": f"{PKI}/ca.pem",
            "identifier": f"{end.name}.example",
            "peer_identifier": f"{end.other.name}.example",
        }

    return options


@proves("ipsec_phase1.authentication", "pubkey", "auth = pubkey", "the log of both ends")
@proves("ipsec_phase1.certificate", "a path", "local.certs", "the log of both ends")
@proves("ipsec_phase1.private_key", "a path", "private/", "the log of both ends")
@proves("ipsec_phase1.ca", "a path", "remote.cacerts", "a certificate of another CA is refused")
def test_certificates(pair: Pair, pki: Machine) -> None:
    marks = pair.both(End.mark)
    pair.tunnel(**{end.name: {"phase1": certified("plain")(end)} for end in pair.ends})
    for end, mark in zip(pair.ends, marks, strict=True):
        log = end.log(mark)
        assert f"authentication of '{end.name}.example' (myself) with ECDSA" in log
        assert f"authentication of '{end.other.name}.example' with ECDSA" in log
    # A CA of the same name with another key.
    pair.a.machine.sh(
        f"cd {PKI}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
        "-keyout false.key -subj '/CN=CA of the tests' -out false.pem 2>/dev/null"
    )
    false = {**certified("plain")(pair.a), "ca": f"{PKI}/false.pem"}
    pair.configure(a={"phase1": false}, b={"phase1": certified("plain")(pair.b)})
    # charon keeps the old CA in its memory until a restart.
    pair.a.machine.sh("systemctl restart strongswan")
    mark = pair.a.mark()
    refused(pair.b)
    assert "authentication of 'b.example'" not in pair.a.log(mark).replace("failed", "")


@ENDS
@proves("ipsec_settings.strict_crl", "no", "remote.revocation = relaxed", "up without a CRL")
@proves("ipsec_settings.strict_crl", "ifuri", "remote.revocation = ifuri", "needs the CRL it names")
@proves("ipsec_settings.strict_crl", "yes", "remote.revocation = strict", "needs a CRL")
def test_revocation(pair: Pair, pki: Machine, name: str) -> None:
    """``strict_crl`` decides whether an end accepts a certificate without a reachable CRL.

    Even with ``no``, the end refuses a revoked certificate.
    """
    end = getattr(pair, name)
    cases = {
        ("no", "plain", False): True,
        ("no", "listed", False): True,
        ("no", "revoked", True): False,
        ("ifuri", "plain", False): True,
        ("ifuri", "listed", False): False,
        ("ifuri", "listed", True): True,
        ("yes", "plain", False): False,
        ("yes", "listed", False): False,
        ("yes", "listed", True): True,
    }
    for (strictness, kind, fetchable), up in cases.items():
        serve(pki, on=fetchable)
        theirs = certified(kind)(end.other)
        pair.configure(
            **{
                name: {"phase1": certified("plain")(end), "settings": {"strict_crl": strictness}},
                end.other.name: {"phase1": theirs},
            }
        )
        # Without this, charon keeps the CRL that it fetched before.
        end.machine.sh("swanctl --flush-certs")
        if up:
            end.other.initiate()
            until(end.sas, "the tunnel")
        else:
            said = refused(end.other)
            assert "AUTHENTICATION_FAILED" in said, (strictness, kind, fetchable, said)
