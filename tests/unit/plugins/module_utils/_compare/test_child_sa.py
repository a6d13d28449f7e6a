# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The negotiation of the Child SAs."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import (
    LOCAL,
    REMOTE,
    Compared,
    compared,
    local,
    remote,
)

# The options of both ends without phase 2.
ENDS_OF_LOCAL = {key: LOCAL[key] for key in ("name", "remote_gateway", "local_address")}
ENDS_OF_REMOTE = {key: REMOTE[key] for key in ("name", "remote_gateway", "local_address")}
AES = {"algorithm": "aes", "key_length": 256, "hash": "sha256"}
GCM = {"algorithm": "aes-gcm", "key_length": 128}
IKEV1 = {"key_exchange": "ikev1"}


def pfs(kind, group):
    return {**kind, "dh_group": group}


def lists(ours, theirs, **both):
    return compared(both=both, children=({"encryption": ours}, {"encryption": theirs}))


def test_a_child_sa_that_fits():
    assert compared().child("remote") == {
        "local_phase2": "net",
        "remote_phase2": "lan",
        "up": True,
        "local_state": "up",
        "remote_state": "up",
        "protocol": "esp",
        "mode": "tunnel",
        "proposal": "aes256-sha256",
        "rekey_proposal": "aes256-sha256-modp2048",
        "local_network": ["10.1.0.0/24"],
        "remote_network": ["10.2.0.0/24"],
    }


def test_the_preference_of_the_responder_counts():
    found = lists([AES, GCM], [GCM, AES])
    assert found.child("local")["proposal"] == "aes128gcm16"
    assert found.child("remote")["proposal"] == "aes256-sha256"


def test_no_common_proposal():
    found = lists([AES], [GCM])
    assert found.verdict == "down"
    assert found.codes == {"esp_proposal_mismatch"}
    assert found.call("local")["up"]


@pytest.mark.parametrize(
    ("ours", "theirs"), [(AES, pfs(AES, 14)), (pfs(AES, 14), AES), (pfs(AES, 14), pfs(AES, 19))]
)
def test_pfs_that_differs_shows_at_the_first_rekeying(ours, theirs):
    found = lists([ours], [theirs])
    assert found.verdict == "degraded"
    assert found.codes == {"pfs_mismatch"}
    assert found.child("local")["up"]
    assert found.child("local")["rekey_proposal"] is None


def test_with_ikev1_pfs_that_differs_shows_at_once():
    found = lists([AES], [pfs(AES, 14)], **IKEV1)
    assert found.verdict == "down"
    assert found.codes == {"pfs_mismatch"}


def test_the_proposal_of_a_rekeying_may_be_another_one():
    found = lists([AES, pfs(GCM, 14)], [pfs(AES, 14), pfs(GCM, 14)])
    assert found.child("local")["proposal"] == "aes256-sha256"
    assert found.child("local")["rekey_proposal"] == "aes128gcm16-modp2048"


def test_ikev1_offers_one_group_that_of_the_ike_sa_at_best():
    both = {**IKEV1, "encryption": [pfs(AES, 14)]}
    found = lists([pfs(AES, 19), pfs(GCM, 14)], [pfs(AES, 19)], **both)
    # The local side initiates with group 14, which the peer refuses. The peer initiates with 19.
    assert not found.child("local")["up"]
    assert found.child("remote")["up"]
    assert found.finding("pfs_mismatch")["initiator"] == "local"


def test_selectors_are_narrowed():
    found = compared(children=({"remote_network": ["10.0.0.0/8"]}, {}))
    assert found.verdict == "degraded"
    assert found.codes == {"selectors_narrowed"}
    assert found.child("local")["remote_network"] == ["10.2.0.0/24"]


def test_a_responder_that_never_initiates_has_more_than_is_carried():
    """Only the direction of the initiator shows that the SA lacks a part of its network."""
    hub = {"remote_gateway": "%any", "peer_identifier": "a.example", "identifier": "b.example"}
    hub["connection_behavior"] = "responder_only"
    spoke = {"identifier": "a.example", "peer_identifier": "b.example"}
    half = {"remote_network": ["10.2.0.0/25"]}
    assert compared(spoke, hub, children=(half, {})).codes == {"selectors_narrowed"}


def states(child):
    return child["local_state"], child["remote_state"]


THREE = ["10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"]


def test_one_phase_2_against_one_for_each_pair():
    """Only one subnet works when one side has one phase 2 and the peer has three of them.

    Users complain about this mismatch most often.
    """
    ours = local({"remote_network": THREE})
    theirs = remote(*({"name": f"n{at}", "local_network": [net]} for at, net in enumerate(THREE)))
    found = Compared(ours, theirs)
    assert found.verdict == "degraded"
    finding = found.finding("selectors_split")
    assert (finding["severity"], finding["initiator"]) == ("error", "local")
    assert "carries only 10.1.0.0/24 to 10.2.0.0/24." in finding["explanation"]
    assert finding["next_step"].startswith("Use one phase 2 for each pair of networks")
    assert states(found.child("local")) == ("partial", "up")
    assert found.child("local")["remote_network"] == ["10.2.0.0/24"]
    # With the two sides swapped, the finding is about the remote side.
    turned = Compared({**theirs, **ENDS_OF_LOCAL}, {**ours, **ENDS_OF_REMOTE})
    assert turned.finding("selectors_split")["initiator"] == "remote"
    one_each = local(*({"name": f"n{at}", "remote_network": [net]} for at, net in enumerate(THREE)))
    found = Compared(one_each, theirs)
    assert found.verdict == "up"
    assert {states(found.child("local", at)) for at in range(3)} == {("up", "up")}


def test_who_has_more_than_is_carried_is_partial():
    found = compared(children=({"remote_network": ["10.0.0.0/8"]}, {}))
    assert states(found.child("local")) == ("partial", "up")
    assert states(found.child("remote")) == ("partial", "up")
    down = compared(children=({"remote_network": ["10.9.0.0/24"]}, {}))
    assert states(down.child("local")) == ("down", "down")
    # The two halves of a network count as the whole network.
    halves = {"local_network": ["10.2.0.0/25", "10.2.0.128/25"]}
    assert states(compared(children=({}, halves)).child("local")) == ("up", "up")


def test_where_any_peer_may_come_a_part_is_enough():
    hub = {"remote_gateway": "%any", "peer_identifier": "b.example", "identifier": "a.example"}
    hub["connection_behavior"] = "responder_only"
    spoke = {"identifier": "b.example", "peer_identifier": "a.example"}
    found = compared(hub, spoke, children=({"remote_network": ["10.0.0.0/8"]}, {}))
    assert states(found.child("remote")) == ("up", "up")


def test_ikev1_carries_one_pair():
    several = {"local_network": ["10.1.0.0/24", "10.5.0.0/24"]}
    found = compared(both=IKEV1, children=(several, {"remote_network": several["local_network"]}))
    assert states(found.child("local")) == ("partial", "partial")


def test_nothing_in_common():
    found = compared(children=({"remote_network": ["10.9.0.0/24"]}, {}))
    assert found.verdict == "down"
    # Neither phase 2 has a counterpart.
    findings = [item for item in found.result["findings"] if item["severity"] == "error"]
    assert [item["code"] for item in findings] == ["selector_mismatch", "selector_mismatch"]
    assert findings[0]["ours"] == ["10.1.0.0/24 to 10.9.0.0/24"]
    assert findings[0]["theirs"] == ["10.2.0.0/24 to 10.1.0.0/24"]


def test_networks_that_are_not_exchanged():
    same = {"local_network": ["10.1.0.0/24"], "remote_network": ["10.2.0.0/24"]}
    found = compared(children=({}, same))
    assert found.verdict == "down"
    assert found.codes == {"selectors_not_mirrored"}


def test_ipv4_and_ipv6_in_one():
    ours = {"local_network": ["10.1.0.0/24", "fd00:1::/64"]}
    theirs = {"remote_network": ["fd00:1::/64", "10.1.0.0/24"]}
    ours["remote_network"] = ["10.2.0.0/24", "fd00:2::/64"]
    theirs["local_network"] = ["10.2.0.0/24", "fd00:2::/64"]
    assert compared(children=(ours, theirs)).verdict == "up"


def test_ikev1_negotiates_the_first_networks_alone():
    several = {"local_network": ["10.1.0.0/24", "10.5.0.0/24"]}
    found = compared(both=IKEV1, children=(several, {}))
    assert found.verdict == "degraded"
    assert found.codes == {"ikev1_first_selector"}
    assert found.child("local")["local_network"] == ["10.1.0.0/24"]
    assert compared(children=(several, {})).codes == {"selectors_narrowed"}
    # Here the network that the peer does not have comes first.
    turned = {"local_network": ["10.5.0.0/24", "10.1.0.0/24"]}
    found = compared(both=IKEV1, children=(turned, {}))
    assert not found.child("local")["up"]
    assert found.child("remote")["up"]


def test_ikev1_answers_with_the_first_of_what_is_in_common():
    several = {"local_network": ["10.1.0.0/24", "10.5.0.0/24"]}
    found = compared(both=IKEV1, children=(several, {"remote_network": ["10.0.0.0/8"]}))
    assert found.child("remote")["local_network"] == ["10.1.0.0/24"]


def test_the_child_whose_networks_fit_best_answers():
    ours = local({}, {"name": "dmz", "local_network": ["10.3.0.0/24"]})
    theirs = remote(
        {"name": "all", "remote_network": ["10.0.0.0/8"]},
        {"name": "dmz", "remote_network": ["10.3.0.0/24"]},
    )
    found = Compared(ours, theirs)
    assert found.child("local", 0)["remote_phase2"] == "all"
    assert found.child("local", 1)["remote_phase2"] == "dmz"


def test_a_phase_2_that_the_other_side_lacks():
    ours = local({}, {"name": "dmz", "local_network": ["10.3.0.0/24"]})
    found = Compared(ours, remote({}))
    assert found.verdict == "degraded"
    assert found.finding("selector_mismatch")["local_object"] == "phase 2 dmz of phase 1 site-b"
    # The severity is the same when the side with phase 2 dmz never initiates.
    silent = Compared({**ours, "connection_behavior": "responder_only"}, remote({}))
    assert silent.finding("selector_mismatch")["severity"] == "error"


def test_protocols():
    ah = {"protocol": "ah", "encryption": [{"hash": "sha256"}]}
    assert compared(children=(ah, {})).codes == {"protocol_mismatch"}
    assert compared(children=(ah, ah)).verdict == "up"
    forced = compared(None, {"force_udp_encapsulation": True}, children=(ah, {}))
    assert "ah_through_nat" in forced.codes


def test_modes():
    hosts = [["198.51.100.7/32"], ["203.0.113.20/32"]]
    ours = {"local_network": hosts[0], "remote_network": hosts[1], "mode": "transport"}
    theirs = {"local_network": hosts[1], "remote_network": hosts[0], "mode": "transport"}
    tunnel = {**theirs, "mode": "tunnel"}
    found = compared(children=(ours, theirs))
    assert found.verdict == "up"
    assert found.child("local")["mode"] == "transport"
    mixed = compared(children=(ours, tunnel))
    assert mixed.verdict == "degraded"
    assert mixed.codes == {"mode_becomes_tunnel"}
    assert mixed.child("local")["mode"] == "tunnel"
    assert compared(both=IKEV1, children=(ours, tunnel)).codes == {"mode_mismatch"}


def test_transport_mode_without_networks():
    dynamic = {"mode": "transport", "local_network": None, "remote_network": None}
    found = compared(children=(dynamic, dynamic))
    assert found.verdict == "up"
    assert found.child("remote")["local_network"] == ["198.51.100.7/32"]
    untold = {"remote_gateway": "b.example", "peer_identifier": "%any", "local_address": None}
    nameless = {**untold, "remote_gateway": "a.example"}
    found = compared(untold, nameless, children=(dynamic, dynamic))
    assert found.child("local")["local_network"] == ["dynamic"]


def test_the_userspace_data_plane_carries_esp_in_tunnel_mode_alone():
    ah = {"protocol": "ah", "encryption": [{"hash": "sha256"}]}
    network = {"name": "lan", "ip_address_type": "none", "dataplane": "userspace"}
    ours = {"gateway_networks": [network], "gateway_phase1": [local(ah)]}
    found = Compared(ours, remote(ah))
    assert found.verdict == "down"
    assert "dataplane_incapable" in found.codes


def test_the_userspace_data_plane_carries_nothing_to_the_peer_itself():
    hosts = [["198.51.100.7/32"], ["203.0.113.20/32"]]
    ours = {"local_network": hosts[0], "remote_network": hosts[1]}
    theirs = {"local_network": hosts[1], "remote_network": hosts[0]}
    network = {"name": "lan", "ip_address_type": "none", "dataplane": "userspace"}
    found = Compared(
        {"gateway_networks": [network], "gateway_phase1": [local(ours)]}, remote(theirs)
    )
    assert found.verdict == "down"
    assert found.codes == {"dataplane_incapable"}
    assert compared(children=(ours, theirs)).verdict == "up"


def test_what_is_good_to_know():
    found = compared(children=({"lifetime": 2}, {}))
    assert found.verdict == "up"
    finding = found.finding("lifetime_differs")
    assert (finding["ours"], finding["theirs"]) == (7200, 3600)
    ours = {"gateway_settings": [{"network": "lan", "ipcomp": True}], "gateway_phase1": [local({})]}
    assert Compared(ours, remote({})).finding("ipcomp_one_sided")["severity"] == "info"


def ake(*rounds):
    return {**pfs(GCM, 31), "additional_key_exchange": list(rounds)}


def test_an_additional_key_exchange_applies_at_the_first_rekeying():
    found = lists([ake("mlkem768")], [ake(["mlkem768", "none"])])
    assert found.verdict == "up"
    assert found.child("local")["proposal"] == "aes128gcm16"
    assert found.child("local")["rekey_proposal"] == "aes128gcm16-curve25519-ke1_mlkem768"


def test_a_required_round_that_the_peer_lacks():
    found = lists([ake("mlkem768")], [pfs(GCM, 31)])
    assert found.verdict == "degraded"
    finding = found.finding("additional_key_exchange_mismatch")
    assert "It can't be rekeyed" in finding["explanation"]
    assert found.child("local")["up"]
    assert found.child("local")["rekey_proposal"] is None


def test_an_optional_round_that_the_peer_lacks():
    found = lists([ake(["mlkem768", "none"])], [pfs(GCM, 31)])
    assert found.codes == {"additional_key_exchange_unknown"}
    assert "encryption of phase 2" in found.finding("additional_key_exchange_unknown")["next_step"]
    children = {"encryption": [ake(["mlkem768", "none"])]}, {"encryption": [pfs(GCM, 31)]}
    known = compared({}, {"capabilities": {"version": "6.0.1"}}, children=children)
    assert known.codes == set()
    assert found.child("local")["rekey_proposal"] == "aes128gcm16-curve25519"
