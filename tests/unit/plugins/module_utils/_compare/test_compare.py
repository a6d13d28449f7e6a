# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparison of two whole peers."""

from __future__ import annotations

import datetime
import itertools

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.causes import CAUSES
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.mismatch_kind import (
    SEVERITIES,
)
from ansible_collections.tunnelwright.ipsec.tests.live.pairs import (
    OTHER_PPK,
    OTHER_PSK,
    PPK,
    PSK,
    TWISTS,
    Pairs,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import (
    Compared,
    compared,
    local,
    remote,
)

ADDRESSES = (
    {4: "198.19.12.11", 6: "2001:db8:1912::11"},
    {4: "198.19.12.12", 6: "2001:db8:1912::12"},
    {4: "198.19.12.99", 6: "2001:db8:1912::99"},
)
SEEDS = range(1, 401)

OTHER_SIDE = {"local": "remote", "remote": "local", "both": "both"}


def host(name, *phase1, **variables):
    return {"inventory_hostname": name, "gateway_phase1": list(phase1), **variables}


def turned(result):
    """Return a result from the view of the other side."""
    negotiated = [
        {
            **item,
            **swapped(item, "phase1"),
            "initiator": OTHER_SIDE[item["initiator"]],
            "phase2": [
                {**one, **swapped(one, "phase2", "network", "state")} for one in item["phase2"]
            ],
        }
        for item in result["negotiated"]
    ]
    return {
        "verdict": result["verdict"],
        "matched": [swapped(item, "phase1") for item in result["matched"]],
        "negotiated": sorted(negotiated, key=lambda item: item["initiator"]),
        "codes": sorted((i["code"], OTHER_SIDE[i["initiator"]]) for i in result["findings"]),
    }


def swapped(item, *keys):
    sides = itertools.product(keys, ("local", "remote"))
    return {f"{side}_{key}": item[f"{OTHER_SIDE[side]}_{key}"] for key, side in sides}


def test_it_is_the_same_from_the_other_side():
    """Swapped sides give mirrored results, apart from the order of equal findings."""
    for seed in SEEDS:
        ends = Pairs(ADDRESSES).draw(seed)
        forth = Compared(ends.local, ends.remote).result
        back = Compared(ends.remote, ends.local).result
        codes = sorted((item["code"], item["initiator"]) for item in forth["findings"])
        seen = turned(back)
        for key in ("verdict", "matched", "negotiated"):
            assert forth[key] == seen[key], (seed, key)
        assert codes == seen["codes"], seed


def test_verdict_says_what_is_negotiated():
    for seed in SEEDS:
        ends = Pairs(ADDRESSES).draw(seed)
        result = Compared(ends.local, ends.remote).result
        calls = [item for item in result["negotiated"] if item["initiates"]]
        children = [child for item in calls for child in item["phase2"]]
        assert (result["verdict"] == "down") is not any(child["up"] for child in children), seed
        errors = [item for item in result["findings"] if item["severity"] == "error"]
        assert errors or result["verdict"] != "down", seed
        if result["verdict"] == "up":
            assert not [item for item in result["findings"] if item["severity"] != "info"], seed
            assert all(child["rekey_proposal"] for child in children), seed


def test_pairs_at_random_are_of_every_kind_and_tell_no_key():
    verdicts, codes, twists = set(), set(), set()
    for seed in SEEDS:
        ends = Pairs(ADDRESSES).draw(seed)
        result = Compared(ends.local, ends.remote).result
        assert PSK not in str(result)
        assert OTHER_PSK not in str(result)
        assert PPK not in str(result)
        assert OTHER_PPK not in str(result)
        verdicts.add(result["verdict"])
        codes |= {item["code"] for item in result["findings"]}
        twists |= {item.split()[0] for item in ends.twists}
    assert verdicts == {"up", "degraded", "down"}
    assert {item.__name__.strip("_") for item in TWISTS} == twists
    assert not [code for code in codes if code not in CAUSES]


def test_definitions_that_are_not_legal_are_told_by_name():
    found = compared({"encryption": [{"algorithm": "aes-gcm", "hash": "sha256"}]})
    assert found.verdict == "down"
    finding = found.finding("definition_invalid")
    assert finding["local_object"] == "phase 1 site-b"
    assert finding["local_option"] == "encryption[0].hash"
    assert "local" in finding["explanation"]


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_an_option_that_is_mistyped_is_told_without_its_value(side):
    found = compared(**{side: {"pks": "a secret after all"}})
    assert found.verdict == "down"
    assert "pks" in found.finding("definition_invalid")["explanation"]
    assert "a secret after all" not in str(found.result)


@pytest.mark.parametrize(
    "definition", [None, "text", [], {}, {"gateway_phase1": "x"}, {"gateway_phase1": ["x"]}]
)
def test_what_is_no_definition(definition):
    found = Compared(definition, remote({}))
    assert found.verdict == "down"
    assert found.codes == {"definition_invalid"}


def test_values_are_taken_as_the_modules_take_them():
    given = {"local_network": "10.2.0.0/24", "lifetime": "1", "mode": None}
    assert Compared(local({}), remote(given, rekey="yes", dpd_delay=None)).verdict == "up"


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"psk": 12345678}, "psk"),
        ({"psk": [PSK]}, "psk"),
        ({"psk": None, "psk_fingerprint": 1234567890}, "psk_fingerprint"),
        ({"psk": datetime.datetime(2024, 1, 1, 10)}, "psk"),
        ({"identifier": 1.1}, "identifier"),
        ({"description": True}, "description"),
        ({"phase2": [{"name": "n", "local_network": [10]}]}, "local_network[0]"),
    ],
)
def test_what_is_no_text_is_told_as_the_modules_tell_it(options, option):
    found = Compared(local({}), remote({}, **options)).finding("definition_invalid")
    assert found["remote_option"] == option
    assert "not a text" in found["explanation"]
    assert "Put it in quotes" in found["next_step"]
    assert PSK not in str(found)
    assert "12345678" not in str(found) or option != "psk"


def test_what_is_absent_or_disabled():
    off = remote({}, state="disabled")
    assert Compared(local({}), off).codes == {"phase1_disabled"}
    assert Compared(local({}), off).verdict == "down"
    gone = host("gw-b", {"name": "gw-a", "network": "lan", "state": "absent"})
    assert Compared(host("gw-a"), gone).verdict == "none"
    assert "phase2_missing" in Compared(local({}), remote()).codes
    assert "phase2_missing" in Compared(local({}), remote({"state": "disabled"})).codes
    stopped = {"name": "lan", "ip_address_type": "none", "state": "stopped"}
    theirs = {"gateway_networks": [stopped], "gateway_phase1": [remote({})]}
    assert Compared(local({}), theirs).codes == {"phase1_disabled"}


def test_hosts_are_matched_by_address():
    elsewhere = local({}, name="site-c", remote_gateway="203.0.113.30")
    ours = host("gw-a", elsewhere, local({}))
    theirs = host("gw-b", remote({}))
    found = Compared(ours, theirs)
    assert found.verdict == "up"
    assert found.result["matched"] == [{"local_phase1": "site-b", "remote_phase1": "site-a"}]


def test_hosts_are_matched_by_where_they_are_reached():
    ours = host("gw-a", local({}, local_address=None), ansible_host="198.51.100.7")
    theirs = host("gw-b", remote({}, local_address=None), ansible_host="203.0.113.20")
    assert Compared(ours, theirs).verdict == "up"


def test_hosts_are_matched_in_spite_of_a_mistyped_address():
    ours = host("gw-a", local({}, remote_gateway="203.0.113.2"))
    found = Compared(ours, host("gw-b", remote({})))
    assert found.verdict == "down"
    assert "address_mismatch" in found.codes


OTHER_NETWORKS = {"local_network": ["10.8.0.0/24"], "remote_network": ["10.9.0.0/24"]}


def test_hosts_are_matched_by_address_alone():
    found = Compared(host("a", local({})), host("b", remote(OTHER_NETWORKS)))
    assert found.result["matched"]
    assert found.codes == {"selector_mismatch"}


def test_hosts_are_matched_by_name_alone():
    ours = host("a", local({}, name="b", remote_gateway="b.example"))
    theirs = host("b", remote(OTHER_NETWORKS, name="a", remote_gateway="a.example"))
    assert Compared(ours, theirs).result["matched"]


def test_hosts_are_matched_by_identities_alone():
    named = {"identifier": "a", "peer_identifier": "b", "remote_gateway": "b.example"}
    other = {"identifier": "b", "peer_identifier": "a", "remote_gateway": "a.example"}
    found = Compared(host("x", local({}, **named)), host("y", remote(OTHER_NETWORKS, **other)))
    assert found.result["matched"]


def test_hosts_that_have_nothing_to_do_with_each_other():
    theirs = host("gw-c", remote({"remote_network": ["10.7.0.0/24"]}, remote_gateway="192.0.2.1"))
    found = Compared(host("gw-a", local({}, remote_gateway="192.0.2.9")), theirs)
    assert found.verdict == "none"
    assert not found.result["findings"]


def test_a_host_that_lacks_its_end():
    found = Compared(host("gw-a", local({})), host("gw-b", ansible_host="203.0.113.20"))
    assert found.verdict == "down"
    assert found.codes == {"phase1_missing"}
    assert "gw-b has no phase 1 for gw-a" in found.finding("phase1_missing")["explanation"]


def test_a_host_that_lacks_one_of_two_ends():
    second = local(OTHER_NETWORKS, name="second", identifier="second.example")
    found = Compared(host("gw-a", local({}), second), host("gw-b", remote({})))
    assert found.verdict == "degraded"
    assert found.codes == {"phase1_missing"}


def test_a_hub_that_takes_anybody():
    hub = [
        remote(
            {"remote_network": [f"10.{number}.0.0/24"]},
            name=f"spoke{number}",
            remote_gateway="%any",
            connection_behavior="responder_only",
            peer_identifier=f"spoke{number}.example",
        )
        for number in (1, 3)
    ]
    spoke = local({}, identifier="spoke1.example")
    found = Compared(host("spoke1", spoke), host("hub", *hub))
    assert found.result["matched"] == [{"local_phase1": "site-b", "remote_phase1": "spoke1"}]
    assert found.verdict == "up"


def test_mss():
    settings = {"gateway_settings": [{"network": "lan", "mss_clamp": 1400}]}
    found = Compared({**settings, "gateway_phase1": [local({})]}, remote({}))
    assert found.verdict == "degraded"
    # ESP with AES-CBC and SHA-256 leaves 1438 of 1500 bytes, and 40 of these are headers.
    assert "1398" in found.finding("mss_too_large")["next_step"]
    lower = {"gateway_settings": [{"network": "lan", "mss_clamp": 1398}]}
    theirs = {**lower, "gateway_phase1": [remote({})]}
    assert Compared({**settings, "gateway_phase1": [local({})]}, theirs).verdict == "up"
    assert compared().finding("mss_not_clamped")["severity"] == "info"


def test_causes_are_of_a_known_severity_and_say_what_to_do():
    for cause in CAUSES.values():
        assert cause.severity in SEVERITIES
        for text in (cause.explanation, cause.next_step):
            assert text.endswith((".", "{fault}", "{fix}"))
            assert text[0].isupper() or text[0] == "{"


ROAD = {"remote_gateway": "%any", "connection_behavior": "responder_only", "psk": "for every peer"}


def endangered(*phase1):
    """Return the findings within gw-a, which also has a tunnel to gw-b."""
    pair = (
        host("gw-a", {**local({}), "network": "lan"}, *phase1),
        host("gw-b", {**remote({}), "network": "lan"}),
    )
    return Compared(*pair), Compared(*reversed(pair))


def test_a_key_that_lets_in_the_peer_of_another_tunnel():
    road = {**ROAD, "name": "road", "network": "lan"}
    forth, back = endangered(road)
    assert (forth.verdict, back.verdict) == ("degraded", "degraded")
    assert forth.codes == back.codes == {"psk_accepts_another_peer"}
    found = forth.finding("psk_accepts_another_peer")
    assert found["severity"] == "error"
    assert found["initiator"] == "both"
    assert (found["local_object"], found["local_option"]) == ("phase 1 road", "peer_identifier")
    assert (found["ours"], found["remote_object"]) == (None, "")
    assert found["explanation"] == (
        "A definition of gw-a lets the holder of the psk of phase 1 road connect as the peer of "
        "phase 1 site-b: this key is for every peer."
    )
    assert found["next_step"] == (
        "Change the definition of gw-a. Set peer_identifier of phase 1 road to the identity of "
        "one peer."
    )
    mirrored = back.finding("psk_accepts_another_peer")
    assert (mirrored["remote_object"], mirrored["local_object"]) == ("phase 1 road", "")
    assert "for every peer" not in str(forth.result["negotiated"])


def test_no_finding_within_a_definition():
    road = {**ROAD, "name": "road", "network": "lan"}
    for harmless in (
        {**road, "state": "disabled"},
        {**road, "psk": local()["psk"]},
        # Without a key, the comparison can't know whether the keys differ.
        {**road, "psk": None},
        {**road, "psk": None, "authentication": "pubkey"},
        {**road, "peer_identifier": "road.example", "identifier": "hub.example"},
    ):
        forth, back = endangered(harmless)
        assert forth.codes == back.codes == set()
        assert forth.verdict == "up"


def test_what_stands_for_any_address_is_no_definition():
    for option, value, word in (
        ("remote_gateway", "0.0.0.0", "%any"),
        ("remote_gateway", "::", "%any"),
        ("local_address", "0.0.0.0", "remove local_address to use"),
        ("peer_identifier", "*", "%any"),
    ):
        found = Compared(local({}), remote({}, **{option: value}))
        finding = found.finding("definition_invalid")
        assert found.verdict == "down"
        assert (finding["remote_option"], finding["theirs"]) == (option, value)
        assert word in finding["next_step"]
