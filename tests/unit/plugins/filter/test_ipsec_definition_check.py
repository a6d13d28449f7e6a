# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of the role's variables reports each error once, with its place, and no secret."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.filter.ipsec_definition_check import (
    ipsec_definition_check as check,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
)

Definition = dict[str, t.Any]


def whole() -> Definition:
    """Return the network, tunnel and rule of the modules' examples."""
    child = {key: PHASE2[key] for key in PHASE2 if key not in ("phase1", "network")}
    rule = {"name": "no-telnet", "network": NETWORK["name"], "action": "reject"}
    return copy.deepcopy(
        {
            "gateway_networks": [NETWORK],
            "gateway_settings": [{"network": NETWORK["name"], "mss_clamp": 1300}],
            "gateway_phase1": [{**PHASE1, "phase2": [child]}],
            "gateway_rules": [{**rule, "direction": "incoming", "protocol": "any"}],
        }
    )


LAN = NETWORK["name"]
PEER = PHASE1["name"]


def errors(definition: Definition, **more: t.Any) -> list[str]:
    return t.cast("list[str]", check(definition, **more)["errors"])


def test_what_is_legal_is_counted() -> None:
    assert check(whole()) == {
        "errors": [],
        "warnings": [],
        "summary": "1 network, 1 phase 1, 1 phase 2, 1 rule",
    }


@pytest.mark.parametrize("variable", list(whole()))
@pytest.mark.parametrize("empty", [None, [], ()])
def test_null_is_an_empty_list(variable: str, empty: object) -> None:
    definition = {key: empty for key in whole()}
    assert errors(definition) == []
    del definition[variable]
    assert errors(definition) == []


def test_a_phase_2_list_may_be_null() -> None:
    definition = whole()
    definition["gateway_phase1"][0]["phase2"] = None
    assert check(definition)["summary"] == "1 network, 1 phase 1, 0 phase 2, 1 rule"


def test_every_error_is_told_with_its_entry() -> None:
    """One check reports all errors, but no error of an entry that only refers to a wrong entry."""
    definition = whole()
    definition["gateway_networks"][0]["ip_address"] = "10.99.0.1"
    definition["gateway_settings"][0]["mss_clamp"] = 7
    definition["gateway_phase1"] += [{**PHASE1, "name": "c", "remote_gateway": "999.1.1.1"}]
    definition["gateway_phase1"][0]["phase2"] += [
        {"name": "more", "local_network": ["10.1.0.1/24"]}
    ]
    definition["gateway_rules"][0]["action"] = "rejct"
    told = errors(definition)
    assert [item.split(": ")[:2] for item in told] == [
        [f"gateway_networks[0] {LAN}", "ip_address '10.99.0.1'"],
        [f"gateway_settings[0] {LAN}", "mss_clamp 7"],
        [f"gateway_phase1[0] {PEER}, phase2[1] more", "local_network[0] '10.1.0.1/24'"],
        ["gateway_phase1[1] c", "remote_gateway '999.1.1.1'"],
        [
            "gateway_rules[0] no-telnet",
            "invalid options",
        ],
    ]
    assert "gateway_phase1[1] c: remote_gateway '999.1.1.1': is neither" in told[3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": None}, "gateway_phase1[0]: name: is missing"),
        ({"network": None}, f"gateway_phase1[0] {PEER}: network: is missing"),
        ({"remote_gateway": None}, f"gateway_phase1[0] {PEER}: remote_gateway: is missing"),
        ({"psk": None}, f"gateway_phase1[0] {PEER}: psk: is missing for authentication psk"),
        (
            {"encryption": "aes256-sha256-modp2048"},
            f"gateway_phase1[0] {PEER}: encryption 'aes256-sha256-modp2048': is not a "
            "list of combinations of algorithms. Write a list such as [{algorithm: aes, "
            "key_length: 256, hash: sha256, dh_group: 14}].",
        ),
        ({"encryption": {"algorithm": "aes"}}, f"gateway_phase1[0] {PEER}: encryption "),
        ({"encryption": ["aes256"]}, f"gateway_phase1[0] {PEER}: encryption ['aes256']: is not"),
        ({"remote_gatway": 1}, f"{PEER}: remote_gatway: is not an option. Write remote_gateway"),
        (
            {"state": "presnt"},
            f"gateway_phase1[0] {PEER}: invalid options: value of state must be one of: present",
        ),
        (
            {"network": "lann"},
            f"{PEER}: network 'lann': does not exist on this host. Use one of: {LAN}",
        ),
        ({"phase2": {}}, f"gateway_phase1[0] {PEER}, phase2: is not a list"),
        ({"phase2": "lan"}, f"gateway_phase1[0] {PEER}, phase2: is not a list"),
        ({"phase2": ["lan"]}, f"gateway_phase1[0] {PEER}, phase2[0]: is not a dictionary"),
        ({"phase2": [{}]}, f"gateway_phase1[0] {PEER}, phase2[0]: name: is missing"),
    ],
)
def test_errors_of_a_phase_1(change: Definition, told: str) -> None:
    definition = whole()
    definition["gateway_phase1"][0].update(change)
    (error,) = errors(definition)
    assert told in error


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("gateway_networks", "lan", "gateway_networks: is not a list"),
        ("gateway_networks", {"name": "lan"}, "gateway_networks: is not a list"),
        ("gateway_rules", 7, "gateway_rules: is not a list"),
        ("gateway_rules", ["x"], "gateway_rules[0]: is not a dictionary"),
        ("gateway_rules", [None], "gateway_rules[0]: is not a dictionary"),
        (
            "gateway_rules",
            [{"network": LAN, "action": "accept"}],
            "gateway_rules[0]: name: is missing",
        ),
        ("gateway_settings", [{}], "gateway_settings[0]: network: is missing"),
        ("gateway_settings", [{"network": "x"}], "gateway_settings[0] x: network 'x': does not"),
    ],
)
def test_errors_of_the_lists(variable: str, value: object, told: str) -> None:
    definition = {**whole(), variable: value}
    if variable == "gateway_networks":
        definition = {variable: value}
    (error,) = errors(definition)
    assert error.startswith(told)


def test_what_is_in_a_wrong_network_is_not_wrong() -> None:
    definition = whole()
    definition["gateway_networks"] = [{**NETWORK, "network_address": "10.1.0.0"}]
    (error,) = errors(definition)
    assert error.startswith(f"gateway_networks[0] {LAN}: network_address")
    # The same holds for a network without a name, because it may be the intended network.
    definition["gateway_networks"] = [{**NETWORK, "name": None}]
    assert errors(definition) == [
        "gateway_networks[0]: name: is missing. Give the name of the network."
    ]


@pytest.mark.parametrize("variable", list(whole()))
def test_two_entries_for_one_object_are_an_error(variable: str) -> None:
    definition = whole()
    definition[variable] *= 2
    told = errors(definition)
    first, second = f"{variable}[0]", f"{variable}[1]"
    assert told[0].startswith(second)
    assert f" of {first} too. Define each object in one entry only." in told[0]


def test_objects_that_bear_on_each_other_are_judged_together() -> None:
    """One check finds all the errors that the modules would find one after the other."""
    definition = whole()
    same = {**definition["gateway_phase1"][0], "name": "twin"}
    definition["gateway_phase1"].append(same)
    told = errors(definition)
    assert any(item.startswith("gateway_phase1[1] twin: remote_gateway") for item in told)
    other = {**same, "remote_gateway": "198.51.100.99"}
    definition["gateway_phase1"][1] = other
    told = errors(definition)
    assert any("phase2[0]" in item and "overlaps" in item for item in told)


def test_no_secret_is_shown() -> None:
    secret = "a secret that must stay hidden"
    for change in (
        {"pks": secret},
        {"psk": {"key": secret}},
        {"psk": [secret]},
        {"ppk": [secret], "ppk_id": "x"},
        {"ppk": secret},
        {"psk": f"{secret}\ud800"},
        {"authentication": "pubkey", "psk": secret},
        {"presharedkey": secret},
    ):
        definition = whole()
        definition["gateway_phase1"][0].update(change)
        assert secret not in str(check(definition)), change
    definition = whole()
    text = {"configuration_mode": "advanced", "swanctl_conf": f"secrets {{ {secret}"}
    definition["gateway_settings"][0].update(text)
    (error,) = errors(definition)
    assert error.startswith(f"gateway_settings[0] {LAN}: swanctl_conf")
    assert secret not in error


@pytest.mark.parametrize("name", ["x\ny", "\x1b[31m", "y" * 65, 7, ["x"], {"a": 1}])
def test_a_name_that_is_not_fit_to_be_shown_is_no_part_of_the_place(name: object) -> None:
    definition = whole()
    definition["gateway_phase1"][0]["name"] = name
    for item in errors(definition):
        assert item.startswith("gateway_phase1[0]: ")
        assert "\n" not in item
        assert "\x1b" not in item


def test_twenty_errors_are_told_at_most() -> None:
    entries = [{**PHASE1, "name": f"p{index}", "remote_gateway": ""} for index in range(25)]
    told = errors({**whole(), "gateway_phase1": entries})
    assert len(told) == 21
    assert told[-1] == "and 5 more"


# --- Objects on the host


HOST = {"networks": [LAN, "old"], "phase1": [PEER, "old"]}


def test_entries_may_refer_to_what_the_host_has() -> None:
    definition = whole()
    del definition["gateway_networks"]
    assert len(errors(definition)) == 3
    assert errors(definition, host=HOST) == []


def test_a_key_that_the_host_has_need_not_be_given() -> None:
    definition = whole()
    definition["gateway_phase1"][0]["psk"] = None
    assert len(errors(definition)) == 1
    assert errors(definition, host=HOST) == []
    definition["gateway_phase1"][0]["remote_gateway"] = "999.1.1.1"
    (error,) = errors(definition, host=HOST)
    assert error.startswith(f"gateway_phase1[0] {PEER}: remote_gateway")


def test_a_ppk_that_the_host_has_need_not_be_given() -> None:
    definition = whole()
    entry = definition["gateway_phase1"][0]
    entry["ppk_id"] = "ppk-of-both"
    (error,) = errors(definition)
    assert error.startswith(f"gateway_phase1[0] {PEER}: ppk: is missing for ppk_id")
    assert errors(definition, host=HOST) == []
    entry["psk"] = None
    assert errors(definition, host=HOST) == []
    # The other phase 1 may have the same PPK, which only the host knows.
    other = {**entry, "name": "other", "remote_gateway": "192.0.2.77", "phase2": []}
    other |= {"psk": "the key of another peer, long enough", "ppk": "the PPK, which is long enough"}
    definition["gateway_phase1"].append(other)
    assert errors(definition, host=HOST) == []
    entry["ppk"] = "another PPK, which is long enough too"
    (error,) = errors(definition, host=HOST)
    assert "is the ppk_id of phase 1" in error


def test_objects_of_the_host_are_switched_by_their_names() -> None:
    definition = {
        "gateway_networks": [{"name": "old", "state": "stopped"}, NETWORK],
        "gateway_phase1": [
            {"name": "old", "network": "old", "state": "disabled", "phase2": [
                {"name": "x", "state": "disabled"}, {"name": "y", "state": "absent"}]},
            {"name": PEER, "network": LAN, "state": "absent", "phase2": [{"name": "z"}]},
        ],
        "gateway_rules": [{"name": "x", "network": "old", "state": "disabled"}],
    }  # fmt: skip
    assert check(definition, HOST)["errors"] == []
    assert check(definition, HOST)["summary"] == "2 networks, 1 phase 1, 1 phase 2, 1 rule"
    told = errors(definition)
    places = [item.split(":")[0] for item in told]
    assert places == [
        "gateway_networks[0] old",
        "gateway_phase1[0] old",
        "gateway_phase1[0] old, phase2[0] x",
        "gateway_rules[0] x",
    ]


def test_a_network_that_goes_is_no_place_for_a_tunnel() -> None:
    definition = whole()
    definition["gateway_networks"] = [{"name": LAN, "state": "absent", "force": True}]
    told = errors(definition, host=HOST)
    assert told[0].startswith(f"gateway_settings[0] {LAN}: network '{LAN}': does not exist")


# --- Names of variables


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gateway_phase_1", "gateway_phase1"),
        ("gateway_phase2", "gateway_phase1"),
        ("gateway_network", "gateway_networks"),
        ("gateway_setting", "gateway_settings"),
        ("gateway_rule", "gateway_rules"),
        ("gateway_ruels", "gateway_rules"),
        ("gateway_verfy", "gateway_verify"),
        ("gateway_verify_timout", "gateway_verify_timeout"),
        ("gateway_confirm_time", "gateway_confirm_timeout"),
        ("gateway_remove_package", "gateway_remove_packages"),
    ],
)
def test_a_misspelt_variable_is_an_error(name: str, meant: str) -> None:
    told = f"{name}: is not a variable of the role. Write {meant}, if that is meant."
    assert check({}, {}, [name])["errors"] == [told]


def test_a_name_like_that_of_a_list_in_use_is_a_warning() -> None:
    """Such a name is no error, because the user may build the list from this variable."""
    judged = check(whole(), {}, ["gateway_network", "gateway_networks"])
    told = (
        "gateway_network: is not a variable of the role. Write gateway_networks, if that is meant."
    )
    assert (judged["errors"], judged["warnings"]) == ([], [told])


def test_other_names_are_warned_of() -> None:
    judged = check(whole(), {}, ["gateway_hostname", "gateway_address", "gateway_hosts"])
    assert judged["errors"] == []
    assert judged["warnings"] == [
        "gateway_address: is not a variable of the role. Remove it.",
        "gateway_hostname: is not a variable of the role. Remove it.",
    ]
