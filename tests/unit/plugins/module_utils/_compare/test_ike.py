# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The negotiation of the IKE SA."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import compared
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PUBKEY

AES = {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}
GCM = {"algorithm": "aes-gcm", "key_length": 128, "prf": "sha256", "dh_group": 19}
SMALL = {"algorithm": "aes", "key_length": 128, "hash": "sha1", "dh_group": 19}

IKEV1 = {"key_exchange": "ikev1"}
AGGRESSIVE = {**IKEV1, "negotiation_mode": "aggressive"}


def test_ends_that_fit_come_up_whoever_calls():
    found = compared()
    assert found.verdict == "up"
    assert not found.codes
    for initiator in ("local", "remote"):
        call = found.call(initiator)
        assert (call["up"], call["initiates"], call["version"]) == (True, True, 2)
        assert call["proposal"] == "aes256-sha256-modp2048"
        assert (call["local_phase1"], call["remote_phase1"]) == ("site-b", "site-a")


def test_the_preference_of_the_responder_counts():
    found = compared({"encryption": [AES, GCM]}, {"encryption": [GCM, AES]})
    assert found.verdict == "up"
    assert found.call("local")["proposal"] == "aes128gcm16-prfsha256-ecp256"
    assert found.call("remote")["proposal"] == "aes256-sha256-modp2048"


def test_no_common_proposal():
    found = compared({"encryption": [AES]}, {"encryption": [GCM, SMALL]})
    assert found.verdict == "down"
    finding = found.finding("ike_proposal_mismatch")
    assert finding["initiator"] == "both"
    assert finding["ours"] == ["aes256-sha256-modp2048"]
    assert finding["theirs"] == ["aes128gcm16-prfsha256-ecp256", "aes128-sha1-ecp256"]
    assert "aes128-sha1-ecp256" in finding["next_step"]


@pytest.mark.parametrize(
    ("ours", "theirs", "local", "remote"),
    [
        ("ikev1", "ikev1", 1, 1),
        ("auto", "ikev2", 2, 2),
        ("auto", "auto", 2, 2),
        # A side with auto accepts IKEv1, and initiates with IKEv2.
        ("auto", "ikev1", None, 1),
        ("ikev2", "ikev1", None, None),
    ],
)
def test_versions(ours, theirs, local, remote):
    found = compared({"key_exchange": ours}, {"key_exchange": theirs})
    for initiator, version in (("local", local), ("remote", remote)):
        call = found.call(initiator)
        assert call["up"] is (version is not None)
        assert version is None or call["version"] == version
    assert ("ike_version_mismatch" in found.codes) is (None in (local, remote))


NEW, OLD = {"capabilities": {"version": "6.1.0"}}, {"capabilities": {"version": "6.0.1"}}


@pytest.mark.parametrize(
    ("ours", "theirs", "local", "remote", "side"),
    [
        # The local side has no IKEv1.
        ("ikev1", "ikev1", None, None, "local"),
        ("ikev1", "auto", None, None, "local"),
        ("ikev1", "ikev2", None, None, "local"),
        # It initiates with IKEv2, and does not accept IKEv1.
        ("auto", "ikev1", None, None, "local"),
        ("auto", "auto", 2, 2, ""),
        ("auto", "ikev2", 2, 2, ""),
        ("ikev2", "auto", 2, 2, ""),
        ("ikev2", "ikev1", None, None, ""),
    ],
)
def test_a_side_without_ikev1(ours, theirs, local, remote, side):
    for turned in (False, True):
        ends = [{"key_exchange": ours, **NEW}, {"key_exchange": theirs, **OLD}]
        found = compared(*(reversed(ends) if turned else ends))
        sides = {"local": "remote", "remote": "local"} if turned else {}
        for initiator, version in (("local", local), ("remote", remote)):
            call = found.call(sides.get(initiator, initiator))
            assert call["up"] is (version is not None)
            assert version is None or call["version"] == version
        assert ("ikev1_not_supported" in found.codes) is bool(side)
        if side:
            explanation = found.finding("ikev1_not_supported")["explanation"]
            assert explanation.startswith(f"{sides.get(side, side)} needs IKEv1 for this tunnel")
            assert "strongSwan 6.1.0" in explanation


def test_both_sides_without_ikev1():
    found = compared({**IKEV1, **NEW}, {**IKEV1, **NEW})
    assert found.verdict == "down"
    named = [item for item in found.result["findings"] if item["code"] == "ikev1_not_supported"]
    assert {item["explanation"].partition(" ")[0] for item in named} == {"local", "remote"}


@pytest.mark.parametrize(
    ("capabilities", "up"),
    [
        ({"version": "6.1.0", "ike_versions": [1, 2]}, True),
        ({"version": "6.0.1", "ike_versions": [2]}, False),
        ({"ike_versions": [2]}, False),
        ({"version": None, "ike_versions": [], "key_exchange": []}, True),
        ({}, True),
        (None, True),
    ],
)
def test_capabilities_of_ipsec_info(capabilities, up):
    """The versions that a daemon was asked for count more than its release."""
    found = compared({**IKEV1, "capabilities": capabilities}, IKEV1)
    assert found.call("local")["up"] is up
    assert found.call("remote")["up"] is up


@pytest.mark.parametrize(
    "capabilities",
    ["6.1.0", {"version": 6.1}, {"version": "new"}, {"ike_versions": 2}, {"ike_versions": [3]}],
)
def test_capabilities_of_another_form(capabilities):
    found = compared({"capabilities": capabilities})
    assert found.finding("definition_invalid")["local_option"].startswith("capabilities")


def test_ikev1_passes_over_what_it_cannot_negotiate():
    found = compared({"encryption": [GCM, AES]}, {"encryption": [AES]}, both=IKEV1)
    assert found.verdict == "degraded"
    assert found.call("local")["proposal"] == "aes256-sha256-modp2048"
    assert "aes128gcm16" in found.finding("ikev1_unsupported_algorithm")["explanation"]
    assert compared({"encryption": [GCM]}, {"encryption": [GCM]}, both=IKEV1).verdict == "down"


def test_main_and_aggressive_mode():
    found = compared(IKEV1, AGGRESSIVE)
    assert found.codes == {"negotiation_mode_mismatch"}
    assert compared(both=AGGRESSIVE).verdict == "up"


def test_aggressive_mode_has_sent_its_key_exchange_before_the_peer_chooses():
    lists = ({"encryption": [AES, SMALL]}, {"encryption": [SMALL, AES]})
    assert compared(*lists, both=IKEV1).verdict == "up"
    found = compared(*lists, both=AGGRESSIVE)
    assert found.verdict == "down"
    assert found.codes == {"aggressive_mode_group_mismatch"}


def test_keys_that_differ_are_shown_as_fingerprints():
    found = compared({"psk": "one key"}, {"psk": "another key"})
    assert found.verdict == "down"
    finding = found.finding("psk_mismatch")
    assert finding["ours"] != finding["theirs"]
    assert "one key" not in str(found.result)
    assert "another key" not in str(found.result)


def test_a_key_that_is_not_told():
    found = compared(None, {"psk": None})
    assert found.verdict == "up"
    assert found.finding("psk_not_compared")["severity"] == "info"


def test_authentication():
    found = compared(None, PUBKEY)
    assert found.codes == {"authentication_mismatch"}
    certificates = compared(both={"authentication": "pubkey", "psk": None})
    assert certificates.verdict == "up"
    assert certificates.finding("certificate_not_compared")["severity"] == "info"


def test_identities_that_fit():
    ours = {"identifier": "a.example", "peer_identifier": "b.example"}
    theirs = {"identifier": "b.example", "peer_identifier": "a.example"}
    assert compared(ours, theirs).verdict == "up"
    assert compared(ours, {**theirs, "peer_identifier": "%any"}).verdict == "up"
    several = {**ours, "peer_identifier": "*.example"}
    assert compared(several, theirs, both=IKEV1).verdict == "up"


def test_who_calls_one_of_several_finds_no_key():
    ours = {"identifier": "a.example.org", "peer_identifier": "*.example"}
    theirs = {"identifier": "b.example", "peer_identifier": "a.example.org"}
    found = compared(ours, theirs)
    assert found.verdict == "degraded"
    assert found.codes == {"psk_not_found_for_wildcard"}
    assert not found.call("local")["up"]
    assert found.call("remote")["up"]
    # The key is found by the own identity when the wildcard also matches this identity.
    ours["identifier"] = theirs["peer_identifier"] = "a.example"
    assert compared(ours, theirs).verdict == "up"


@pytest.mark.parametrize("both", [{}, IKEV1], ids=["ikev2", "ikev1"])
def test_who_calls_must_be_who_is_expected(both):
    found = compared({"identifier": "a.example"}, both=both)
    assert found.verdict == "down"
    finding = found.finding("identity_mismatch")
    assert (finding["local_option"], finding["ours"]) == ("identifier", "a.example")
    assert (finding["remote_option"], finding["theirs"]) == ("remote_gateway", "198.51.100.7")


def test_with_ikev2_who_has_no_identifier_goes_by_what_it_is_called():
    found = compared({"peer_identifier": "b.example"})
    assert found.verdict == "degraded"
    assert found.call("local")["up"]
    assert not found.call("remote")["up"]
    assert found.finding("identity_mismatch")["initiator"] == "remote"
    assert compared({"peer_identifier": "b.example"}, both=IKEV1).verdict == "down"


def test_who_has_an_identifier_answers_to_no_other():
    found = compared({"peer_identifier": "x.example"}, {"identifier": "b.example"})
    assert found.codes == {"requested_identity_mismatch", "identity_mismatch"}
    assert found.finding("requested_identity_mismatch")["initiator"] == "local"


def test_an_address_that_is_not_told():
    ours = {"local_address": None, "peer_identifier": "203.0.113.20"}
    theirs = {
        "remote_gateway": "%any",
        "connection_behavior": "responder_only",
        "peer_identifier": "198.51.100.7",
    }
    assert compared(ours, theirs).finding("identity_unknown")["severity"] == "info"
    named = {**theirs, "peer_identifier": "a.example"}
    assert compared(ours, named).codes == {"identity_mismatch"}
    assert not compared(ours, {**theirs, "peer_identifier": "%any"}).codes


def test_addresses():
    found = compared({"remote_gateway": "203.0.113.99"})
    assert found.verdict == "down"
    finding = found.finding("address_mismatch")
    assert (finding["ours"], finding["theirs"]) == ("203.0.113.99", "203.0.113.20")
    mixed = compared({"local_address": None}, {"local_address": None, "remote_gateway": "fd00::1"})
    assert "address_family_mismatch" in mixed.codes


def test_a_responder_with_another_address_of_its_peer():
    """The responder finds no connection for the initiator, whose own options are correct."""
    theirs = {"remote_gateway": "198.51.100.99", "peer_identifier": "198.51.100.7"}
    found = compared(None, theirs)
    assert found.codes == {"address_mismatch"}
    assert not found.call("local")["up"]
    assert not found.call("remote")["up"]


def test_nat_is_assumed_before_a_private_address():
    found = compared({"local_address": "192.168.1.2", "identifier": "198.51.100.7"})
    assert found.verdict == "up"
    assert found.finding("nat_assumed")["severity"] == "info"
    assert found.call("local")["udp_encapsulation"]
    # Without an identifier the identity is the address, which no definition contains.
    assert "identity_mismatch" in compared({"local_address": "192.168.1.2"}).codes


def test_no_nat_is_assumed_between_private_addresses():
    found = compared({"local_address": "192.168.1.2"}, {"remote_gateway": "10.0.0.7"})
    assert "address_mismatch" in found.codes


def test_encapsulation_by_either_side():
    assert compared(None, {"force_udp_encapsulation": True}).call("local")["udp_encapsulation"]
    assert not compared().call("local")["udp_encapsulation"]


def test_somebody_has_to_call():
    silent = {"connection_behavior": "responder_only"}
    assert compared(silent).verdict == "up"
    found = compared(both=silent)
    assert found.verdict == "down"
    assert found.codes == {"no_initiator"}
    assert found.call("local")["up"]
    anybody = {**silent, "remote_gateway": "%any", "peer_identifier": "198.51.100.7"}
    assert compared(None, anybody).verdict == "up"
    assert compared(silent, anybody).codes == {"no_initiator"}


def test_a_call_that_is_never_made_does_no_harm():
    found = compared({"peer_identifier": "b.example"}, {"connection_behavior": "responder_only"})
    assert found.verdict == "up"
    assert found.finding("identity_mismatch")["severity"] == "info"


def test_a_responder_of_ikev1_needs_its_key_before_it_knows_who_calls():
    theirs = {
        "remote_gateway": "a.example",
        "connection_behavior": "responder_only",
    }
    found = compared({"identifier": "a.example"}, theirs, both=IKEV1)
    assert "psk_not_found" in found.codes
    named = {**theirs, "identifier": "203.0.113.20"}
    assert compared({"identifier": "a.example"}, named, both=IKEV1).verdict == "up"


def ake(*rounds):
    return {"encryption": [{**GCM, "additional_key_exchange": list(rounds)}]}


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (["mlkem768"], ["mlkem768"], "-ke1_mlkem768"),
        ([["mlkem768", "none"]], [["mlkem768", "none"]], "-ke1_mlkem768"),
        ([["mlkem768", "none"]], ["mlkem768"], "-ke1_mlkem768"),
        (
            [["mlkem768", "none"], "mlkem1024"],
            [["mlkem512", "none"], "mlkem1024"],
            "-ke2_mlkem1024",
        ),
    ],
)
def test_additional_key_exchanges(ours, theirs, chosen):
    found = compared(ake(*ours), ake(*theirs))
    assert found.verdict == "up"
    for side in ("local", "remote"):
        assert found.call(side)["proposal"] == f"aes128gcm16-prfsha256-ecp256{chosen}"


def test_the_responder_chooses_the_method():
    found = compared(ake(["mlkem768", "mlkem1024"]), ake(["mlkem1024", "mlkem768"]))
    assert found.call("local")["proposal"].endswith("-ke1_mlkem1024")
    assert found.call("remote")["proposal"].endswith("-ke1_mlkem768")


@pytest.mark.parametrize(
    ("ours", "theirs"), [(["mlkem768"], []), ([], ["mlkem768"]), (["mlkem768"], ["mlkem1024"])]
)
def test_a_required_round_that_the_peer_lacks(ours, theirs):
    found = compared(ake(*ours), ake(*theirs))
    assert found.verdict == "down"
    finding = found.finding("additional_key_exchange_mismatch")
    assert finding["explanation"] == (
        "The encryption lists of phase 1 differ only in additional_key_exchange. The IKE SA does "
        "not come up."
    )
    assert finding["ours"] == [f"aes128gcm16-prfsha256-ecp256{''.join(f'-ke1_{x}' for x in ours)}"]


def test_an_optional_round_falls_back():
    found = compared(ake(["mlkem768", "none"]), ake())
    assert found.verdict == "degraded"
    assert found.codes == {"additional_key_exchange_unknown"}
    known = compared(ake(["mlkem768", "none"]), {**ake(), **OLD})
    assert (known.verdict, known.codes) == ("up", set())
    # A peer that initiates does not offer what it does not know.
    finding = found.finding("additional_key_exchange_unknown")
    assert (finding["initiator"], finding["severity"]) == ("local", "warning")
    for side in ("local", "remote"):
        assert found.call(side)["proposal"] == "aes128gcm16-prfsha256-ecp256"


def test_an_optional_round_is_refused_by_a_responder_that_does_not_know_it():
    """Measured with strongSwan 5.9.8, which lists such a transform as UNKNOWN_6_36."""
    first = {"capabilities": {"version": "5.9.8"}}
    found = compared(ake(["mlkem768", "none"]), {**ake(), **first})
    assert found.call("local")["proposal"] is None
    assert found.call("remote")["proposal"] == "aes128gcm16-prfsha256-ecp256"
    finding = found.finding("additional_key_exchange_mismatch")
    assert (finding["initiator"], finding["severity"]) == ("local", "error")
    both = {"encryption": [*ake(["mlkem768", "none"])["encryption"], GCM]}
    assert compared(both, {**ake(), **first}).verdict == "up"


def test_an_entry_without_a_round_suits_every_peer():
    found = compared({"encryption": [*ake("mlkem768")["encryption"], GCM]}, {"encryption": [GCM]})
    assert found.verdict == "up"
    assert found.call("local")["proposal"] == "aes128gcm16-prfsha256-ecp256"
