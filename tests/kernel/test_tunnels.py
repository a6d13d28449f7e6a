# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Negotiation and packets on the wire: versions, modes, protocols, selectors, proposals."""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.tests.kernel.fields import proves
from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import End, Pair, until

WIRE = "esp or ah or udp port 500 or udp port 4500 or proto 4 or icmp"


@proves("ipsec_phase1.key_exchange", "ikev2", "version = 2", "list-sas of both ends")
@proves("ipsec_phase1.force_udp_encapsulation", False, "encap = no", "ESP (50) on the wire")
@proves("ipsec_phase1.mobike", False, "mobike = no", "no float to UDP 4500, not in the exchange")
@proves("ipsec_phase1.authentication", "psk", "auth = psk", "the peer's log")
@proves("ipsec_phase1.psk", "a text", "secrets.ike-<name>", "a second key is refused")
@proves("ipsec_phase2.mode", "tunnel", "mode = tunnel", "ip xfrm state, list-sas")
@proves("ipsec_phase2.protocol", "esp", "esp_proposals", "ESP (50) on the wire")
@proves("ipsec_settings.ipcomp", False, "ipcomp = no", "no CPI, only ESP on the wire")
def test_a_tunnel_as_by_default(pair: Pair) -> None:
    marks = pair.both(End.mark)
    with pair.wire(WIRE) as wire:
        pair.tunnel()
    assert any("ESP(spi=" in line for line in wire)
    assert not any("4500" in line or "ICMP" in line for line in wire)
    for end, mark in zip(pair.ends, marks, strict=True):
        sa, child, log = end.sa(), end.child(), end.log(mark)
        assert sa["version"] == "2"
        assert (child["mode"], child["protocol"]) == ("TUNNEL", "ESP")
        assert "cpi-in" not in child
        assert "MOBIKE" not in log
        assert "with pre-shared key" in log
        assert "proto esp spi" in end.machine.sh("ip xfrm state | grep -A1 'mode tunnel' -B1")
    pair.configure(b={"phase1": {"psk": "another key of these tests"}})
    said = pair.a.machine.sh("swanctl --initiate --ike site --child net --timeout 20 2>&1 || true")
    assert "AUTHENTICATION_FAILED" in said


@proves("ipsec_phase1.key_exchange", "ikev1", "version = 1", "list-sas of both ends")
@proves("ipsec_phase1.negotiation_mode", "main", "aggressive = no", "the peer's log")
def test_ikev1(pair: Pair) -> None:
    mark = pair.b.mark()
    pair.tunnel(phase1={"key_exchange": "ikev1"})
    assert [end.sa()["version"] for end in pair.ends] == ["1", "1"]
    assert "is initiating a Main Mode" in pair.b.log(mark)


@proves("ipsec_phase1.negotiation_mode", "aggressive", "aggressive = yes", "the peer's log")
@proves("ipsec_settings.cisco_extensions", True, "charon.cisco_unity", "vendor id at the peer")
@proves("ipsec_settings.cisco_extensions", False, "charon.cisco_unity", "no vendor id")
def test_aggressive_mode_and_unity(pair: Pair) -> None:
    for unity in (True, False):
        for initiator in pair.ends:
            mark = initiator.other.mark()
            ours = {initiator.name: {"settings": {"cisco_extensions": unity}}}
            identity = {
                end.name: {
                    "phase1": {
                        "identifier": f"{end.name}.example",
                        "peer_identifier": f"{end.other.name}.example",
                    }
                }
                for end in pair.ends
            }
            merged = {name: {**identity[name], **ours.get(name, {})} for name in identity}
            aggressive = {"key_exchange": "ikev1", "negotiation_mode": "aggressive"}
            pair.tunnel(initiator.name, phase1=aggressive, **merged)
            log = initiator.other.log(mark)
            assert "is initiating a Aggressive Mode" in log
            assert ("received Cisco Unity vendor ID" in log) is unity


@proves("ipsec_phase1.key_exchange", "auto", "version = 0", "calls with IKEv2, answers IKEv1")
def test_auto_calls_with_ikev2_and_answers_both(pair: Pair) -> None:
    for end in pair.ends:
        pair.tunnel(end.name, phase1={"key_exchange": "auto"})
        assert end.sa()["version"] == "2"
        pair.tunnel(
            end.other.name,
            **{
                end.name: {"phase1": {"key_exchange": "auto"}},
                end.other.name: {"phase1": {"key_exchange": "ikev1"}},
            },
        )
        assert end.sa()["version"] == "1"


@proves("ipsec_phase2.mode", "transport", "mode = transport", "ip xfrm state, one IP header")
@proves("ipsec_phase2.protocol", "ah", "ah_proposals", "AH (51) on the wire, both modes")
def test_transport_mode_and_ah(pair: Pair) -> None:
    for mode in ("transport", "tunnel"):
        for protocol, seen in (("esp", "ESP(spi="), ("ah", "AH(")):
            networks: dict[str, object] = {}
            if mode == "transport":
                networks = {"local_network": None, "remote_network": None}
            pair.configure(phase2={"mode": mode, "protocol": protocol, **networks})
            pair.a.initiate()
            with pair.wire("esp or ah or icmp") as wire:
                target = pair.b.address if mode == "transport" else pair.b.router
                source = pair.a.address if mode == "transport" else pair.a.router
                pair.a.machine.sh(f"ping -q -c 3 -i 0.2 -I {source} {target}")
            assert sum(seen in line for line in wire) == 6, wire
            for end in pair.ends:
                child = end.child()
                assert (child["mode"], child["protocol"]) == (mode.upper(), protocol.upper())
                assert int(child["packets-in"]) == int(child["packets-out"]) == 3
                assert f"mode {mode}" in end.machine.sh("ip xfrm state")


@proves("ipsec_settings.ipcomp", True, "ipcomp = yes", "CPI at both ends, short packets")
def test_ipcomp(pair: Pair) -> None:
    pair.tunnel(settings={"ipcomp": True})
    for end in pair.ends:
        assert "cpi-in" in end.child()
        assert "proto comp" in end.machine.sh("ip xfrm state")
    # Compression does not shorten a packet of 84 bytes, which comes out of ESP as IP in IP.
    with pair.wire("esp") as wire:
        pair.ping(size=1200)
    lengths = [int(line.rpartition("length ")[2].rstrip(")")) for line in wire]
    assert lengths
    assert max(lengths) < 500


@proves("ipsec_phase1.force_udp_encapsulation", True, "encap = yes", "UDP 4500 on the wire")
def test_forced_udp_encapsulation(pair: Pair) -> None:
    for end in pair.ends:
        with pair.wire(WIRE) as wire:
            pair.tunnel(end.name, **{end.name: {"phase1": {"force_udp_encapsulation": True}}})
        assert sum("4500" in line and "UDP-encap: ESP" in line for line in wire) == 12
        assert end.child()["encap"] == "yes"


@proves("ipsec_phase1.mobike", True, "mobike = yes", "float to 4500, SA follows a new address")
def test_mobike(pair: Pair) -> None:
    for end in pair.ends:
        pair.tunnel(end.name, phase1={"mobike": True})
        assert end.sa()["local-port"] == "4500"
        moved = end.address.rsplit(".", 1)[0] + f".10{end.number}"
        # Without this setting, the kernel deletes secondary addresses with the primary address.
        end.machine.sh("sysctl -q net.ipv4.conf.eth1.promote_secondaries=1")
        change = "ip address add {}/24 dev eth1; ip address del {}/24 dev eth1"
        end.machine.sh(change.format(moved, end.address))
        try:
            until(lambda end=end: end.other.sa()["remote-host"] != end.address, "the new address")
            pair.ping()
        finally:
            end.machine.sh(change.format(end.address, moved))


@proves("ipsec_phase1.remote_gateway", "an IPv6 address", "remote_addrs", "ESP over IPv6")
@proves("ipsec_phase1.local_address", "an address", "local_addrs", "the peer sees it")
@proves("ipsec_phase2.local_network", "IPv4 and IPv6, several", "local_ts", "list-sas, traffic")
@proves("ipsec_phase2.remote_network", "IPv4 and IPv6, several", "remote_ts", "list-sas, traffic")
def test_ipv6_outside_and_both_inside(pair: Pair) -> None:
    def options(end: End) -> dict[str, dict[str, object]]:
        return {
            "phase1": {
                "remote_gateway": end.other.machine.ipv6,
                "local_address": end.machine.ipv6,
            },
            "phase2": {
                "local_network": [end.lan4, end.lan6],
                "remote_network": [end.other.lan4, end.other.lan6],
            },
        }

    pair.both(
        lambda end: end.network(
            **{"name": "lan6", "interface_network": "vpn-lan"},
            **{"ip_address": f"fd00:{end.number}::1", "network_address": end.lan6},
        )
    )
    with pair.wire("ip6 proto 50") as wire:
        pair.tunnel(**{end.name: options(end) for end in pair.ends})
        pair.ping(version=6)
    assert len(wire) >= 24
    for end in pair.ends:
        child = end.child()
        assert set(child["local-ts"]) == {end.lan4, end.lan6}
        assert set(child["remote-ts"]) == {end.other.lan4, end.other.lan6}
        assert end.other.sa()["remote-host"] == end.machine.ipv6


def replaced(end: End, old: dict[str, t.Any]) -> bool:
    """Return whether another Child SA has replaced ``old``."""
    found = {item["spi-in"] for item in end.children()}
    return bool(found) and not found & {old["spi-in"], old["spi-out"]}


@proves("ipsec_phase1.encryption", "several entries", "proposals", "the first common one wins")
@proves("ipsec_phase2.encryption", "several entries", "esp_proposals", "the first common one wins")
@proves("ipsec_phase2.encryption", "with dh_group: PFS", "esp_proposals", "the group after a rekey")
def test_proposals_are_taken_in_their_order(pair: Pair) -> None:
    gcm = {"algorithm": "aes-gcm", "key_length": 256, "prf": "sha384", "dh_group": 20}
    cbc = {"algorithm": "aes", "key_length": 128, "hash": "sha512", "dh_group": 31}
    esp = {"algorithm": "aes", "key_length": 192, "hash": "sha384", "dh_group": 19}
    chacha = {"algorithm": "chacha20-poly1305", "dh_group": 31}
    pair.tunnel(
        a={"phase1": {"encryption": [gcm, cbc]}, "phase2": {"encryption": [chacha, esp]}},
        b={"phase1": {"encryption": [cbc]}, "phase2": {"encryption": [esp]}},
    )
    for end in pair.ends:
        sa, child = end.sa(), end.child()
        assert (sa["encr-alg"], sa["encr-keysize"]) == ("AES_CBC", "128")
        assert sa["integ-alg"] == "HMAC_SHA2_512_256"
        assert sa["dh-group"] == "CURVE_25519"
        assert (child["encr-alg"], child["encr-keysize"]) == ("AES_CBC", "192")
        assert child["integ-alg"] == "HMAC_SHA2_384_192"
        # The first Child SA comes with the keys of the IKE SA (RFC 7296 section 1.2).
        assert "dh-group" not in child
    for end in pair.ends:
        old = end.child()
        end.machine.sh("swanctl --rekey --child net")
        until(lambda old=old: all(replaced(each, old) for each in pair.ends), "a new Child SA")
        assert [each.child()["dh-group"] for each in pair.ends] == ["ECP_256", "ECP_256"]
        pair.ping()
