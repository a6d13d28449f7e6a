# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task. A text stays unchanged, and differs from an option that is left out."""

from __future__ import annotations

import datetime
import typing as t

import hypothesis.strategies as st
import pytest
import yaml
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module.given import (
    check_texts,
    occurring,
)
from ansible_collections.tunnelwright.ipsec.plugins.plugin_utils._definition import read
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import SPECS
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    PSK,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from hypothesis import given

# Values without quotes, with the type that YAML reads.
NO_TEXTS = {
    "012345670123456701234567": "a number",
    "0x1f": "a number",
    "1_000": "a number",
    "1:30": "a number",
    "1.10": "a number",
    ".inf": "a number",
    "yes": "a boolean",
    "[10.1.0.1, b]": "a list",
    "{a: b}": "a dictionary",
}
# One option for each kind of text, in the tasks that may set it.
TEXTS = [
    ("vpn_network", NETWORK, "name"),
    ("vpn_network", NETWORK, "description"),
    ("vpn_network", NETWORK, "ip_address"),
    ("vpn_network", NETWORK, "network_address"),
    ("vpn_network", NETWORK, "interface"),
    ("vpn_network", NETWORK, "interface_network"),
    ("ipsec_phase1", PHASE1, "name"),
    ("ipsec_phase1", PHASE1, "network"),
    ("ipsec_phase1", PHASE1, "remote_gateway"),
    ("ipsec_phase1", PHASE1, "local_address"),
    ("ipsec_phase1", PHASE1, "psk"),
    ("ipsec_phase1", PHASE1, "identifier"),
    ("ipsec_phase1", PHASE1, "peer_identifier"),
    ("ipsec_phase1", PHASE1, "certificate"),
    ("ipsec_phase2", PHASE2, "phase1"),
    ("vpn_rule", RULE, "target"),
    ("ipsec_settings", {"network": "lan"}, "swanctl_conf"),
    ("ipsec_connection", {"network": "lan"}, "phase1"),
    ("ipsec_info", {}, "network"),
    ("ipsec_diagnostics", {"query": "logs"}, "grep"),
]
LISTS = [
    ("vpn_network", NETWORK, "ike_interfaces"),
    ("vpn_network", NETWORK, "firewall_chains"),
    ("ipsec_phase2", PHASE2, "local_network"),
    ("ipsec_phase2", PHASE2, "remote_network"),
    ("vpn_rule", RULE, "source"),
    ("ipsec_connection", {"network": "lan"}, "probe"),
]
SECRETS = ("psk", "swanctl_conf")


@pytest.mark.parametrize("written", NO_TEXTS)
@pytest.mark.parametrize(("module", "options", "option"), TEXTS)
def test_what_is_no_text_is_refused(
    machine: Machine, module: str, options: t.Any, option: str, written: str
) -> None:
    value = yaml.safe_load(written)
    result = machine.run(module, **{**options, option: value})
    assert result["failed"] is True
    assert f": {option} " in result["msg"]
    assert f"is {NO_TEXTS[written]}, not a text" in result["msg"]
    assert "Put it in quotes" in result["msg"]
    assert machine.host.log == []
    if option in SECRETS:
        assert "'********'" in result["msg"]
        assert str(value) not in result["msg"]
        # Ansible does not mask a boolean as a secret.
        assert value is True or str(value) not in str(result)


def test_the_object_is_named(machine: Machine) -> None:
    told = machine.run("ipsec_phase1", **{**PHASE1, "psk": 96374504495306324343})["msg"]
    assert told == (
        "phase 1 site-b: psk '********': is a number, not a text. Put it in quotes, or apply the "
        "filter `string` to it in a template."
    )
    told = machine.run("ipsec_phase2", **{**PHASE2, "name": 7})["msg"]
    assert told.startswith("phase 2 7 of phase 1 site-b: name 7: is a number, not a text. Put")


@pytest.mark.parametrize("value", [5, 5.5, True, None, ["x"], {"a": "b"}])
@pytest.mark.parametrize(("module", "options", "option"), LISTS)
def test_so_are_the_entries_of_a_list(
    machine: Machine, module: str, options: t.Any, option: str, value: t.Any
) -> None:
    told = machine.run(module, **{**options, option: ["10.1.0.0/24", value]})["msg"]
    assert f": {option}[1]" in told
    assert "not a text" in told


@pytest.mark.parametrize("value", [5, 1.5])
@pytest.mark.parametrize(("module", "options", "option"), LISTS)
def test_so_is_what_stands_for_a_list(
    machine: Machine, module: str, options: t.Any, option: str, value: t.Any
) -> None:
    told = machine.run(module, **{**options, option: value})["msg"]
    assert f"{option} {value}: is a number, not a text" in told


@pytest.mark.parametrize("value", [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 10)])
def test_a_date_is_refused_where_it_is_seen(value: t.Any) -> None:
    with pytest.raises(ModelError, match=r"identifier .*: is a date, not a text"):
        check_texts(SPECS["ipsec_phase1"], {**PHASE1, "identifier": value})


@pytest.mark.parametrize("option", ["psk", "identifier", "peer_identifier"])
@pytest.mark.parametrize(
    "written", ["2024-1-1 1:02:03", "2024-01-01 10:00:00.5", "2024-01-01T10:00:00Z"]
)
def test_a_time_is_known_by_its_form(machine: Machine, option: str, written: str) -> None:
    """A time without quotes is refused, because Ansible changes the text of the user."""
    text = yaml.safe_load(written).isoformat()
    result = machine.run("ipsec_phase1", **{**PHASE1, option: text})
    assert result["msg"].startswith(f"phase 1 site-b: {option} ")
    assert "is the form in which Ansible passes a time" in result["msg"]
    assert option != "psk" or text not in str(result)
    # A value in quotes stays unchanged.
    machine.prepare(("vpn_network", NETWORK))
    quoted = {**PHASE1, option: "2024-01-01 10:00:00"}
    assert "failed" not in machine.run("ipsec_phase1", check=True, **quoted)


@pytest.mark.parametrize("option", ["source_ports", "destination_ports"])
@pytest.mark.parametrize(
    ("value", "expected"), [(22, ["22"]), ([22, "80-81"], ["22", "80-81"]), ("22", ["22"])]
)
def test_a_port_may_be_a_number(
    machine: Machine, option: str, value: t.Any, expected: list[str]
) -> None:
    machine.prepare(("vpn_network", NETWORK))
    made = machine.run("vpn_rule", **RULE, protocol="tcp", **{option: value})
    assert made["vpn_rule"][option] == expected


@pytest.mark.parametrize("value", [True, 22.0, [True], [22.5], [[22]]])
def test_but_no_other_thing(machine: Machine, value: t.Any) -> None:
    told = machine.run("vpn_rule", **RULE, protocol="tcp", source_ports=value)["msg"]
    assert "not a text" in told


def test_yaml_booleans_stand_for_choices(machine: Machine) -> None:
    machine.prepare(("vpn_network", NETWORK))
    made = machine.run("ipsec_settings", network="lan", unique_ids=False, strict_crl=True)
    assert made["ipsec_settings"]["unique_ids"] == "no"
    assert made["ipsec_settings"]["strict_crl"] == "yes"


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("vpn_network", {**NETWORK, "dataplane": None, "mtu": None, "firewall_chains": None}),
        ("ipsec_settings", {"network": "lan", "unique_ids": None, "mss_clamp": None}),
        ("ipsec_phase1", {**PHASE1, "lifetime": None, "rekey": None, "identifier": None}),
        ("ipsec_phase2", {**PHASE2, "mode": None, "lifetime": None, "encryption": None}),
        ("vpn_rule", {**RULE, "protocol": None, "order": None, "log": None}),
        ("ipsec_connection", {"network": "lan", "timeout": None, "check_rekey": None}),
        ("ipsec_checkpoint", {"timeout": None, "state": None}),
    ],
)
def test_null_is_an_option_that_is_left_out(machine: Machine, module: str, options: t.Any) -> None:
    """An option with the value null is left out, even if the option has a default."""
    tasks = {
        "vpn_network": NETWORK,
        "ipsec_settings": {"network": "lan"},
        "ipsec_phase1": PHASE1,
        "ipsec_phase2": PHASE2,
        "vpn_rule": RULE,
    }
    machine.prepare(*tasks.items())
    result = machine.run(module, check=True, **options)
    assert "failed" not in result
    if module in tasks:
        assert result["changed"] is False


@pytest.mark.parametrize("value", [float("inf"), "-inf", " Infinity "])
@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"lifetime": "{}"}, "lifetime"),
        ({"encryption": [{}, {"dh_group": "{}"}]}, "encryption[1].dh_group"),
    ],
)
def test_an_infinite_number_is_no_crash(
    machine: Machine, options: t.Any, option: str, value: t.Any
) -> None:
    """The module refuses an infinite number, which crashes ansible-core."""
    given = {**PHASE1, **_filled(options, value)}
    result = machine.run("ipsec_phase1", **given)
    assert result["msg"] == (
        f"phase 1 site-b: {option} {value!r}: is an infinite number. Use a whole number."
    )
    assert result["invocation"]["module_args"]["psk"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    with pytest.raises(ModelError, match="is an infinite number"):
        read("gw-b", {**given, "phase2": []})


def test_a_missing_name_is_told_as_missing(machine: Machine) -> None:
    assert machine.run("vpn_network", name=None)["msg"] == "missing required arguments: name"


@pytest.mark.parametrize("text", ["x" * 300, "a\nb\x1b[31m", "a\n" * 200])
@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("vpn_network", {"state": "{}"}),
        ("vpn_network", {"{}": 1}),
        ("vpn_network", {"mtu": "{}"}),
        ("vpn_network", {"force": "{}"}),
        ("ipsec_phase1", {"encryption": [{"hash": "{}"}]}),
        ("ipsec_phase1", {"encryption": ["{}"]}),
    ],
)
def test_what_ansible_itself_says_is_short_too(
    machine: Machine, module: str, options: t.Any, text: str
) -> None:
    base = {"vpn_network": NETWORK, "ipsec_phase1": PHASE1}[module]
    told = machine.run(module, **_filled({**base, **options}, text))["msg"]
    assert told.isprintable()
    if len(text) > 200:
        assert f"({len(text)} characters)" in told
        assert len(told) < 800


ENTRY = (
    ", not a dictionary of algorithms. Write a dictionary such as {algorithm: aes, key_length: "
    "256, hash: sha256, dh_group: 14}."
)


@pytest.mark.parametrize(
    ("encryption", "told"),
    [
        ("aes256-sha256-modp2048", "encryption 'aes256-sha256-modp2048': is a text"),
        (["aes256", {}], "encryption[0] 'aes256': is a text"),
        ([{"hash": "sha256"}, "{x"], "encryption[1] '{x': is a text"),
        ([["aes"]], "encryption[0] ['aes']: is a list"),
        (5, "encryption 5: is a number"),
        ([True], "encryption[0] True: is a boolean"),
        ([None], "encryption[0]: is null"),
    ],
)
@pytest.mark.parametrize("psk", [PSK, "x"])
def test_what_is_no_dictionary_of_algorithms(
    machine: Machine, encryption: t.Any, told: str, psk: str
) -> None:
    """The PSK is masked, although Ansible fails on such a value before it knows the secrets."""
    result = machine.run("ipsec_phase1", **{**PHASE1, "psk": psk, "encryption": encryption})
    assert result["invocation"]["module_args"]["psk"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    if psk == PSK:
        assert result["msg"] == f"phase 1 site-b: {told}{ENTRY}"


def test_what_is_written_as_words_is_a_dictionary(machine: Machine) -> None:
    machine.prepare(("vpn_network", NETWORK))
    made = machine.run("ipsec_phase1", **PHASE1, encryption="algorithm=aes key_length=128")
    assert made["ipsec_phase1"]["encryption"][0]["key_length"] == 128


def _filled(value: t.Any, text: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {_filled(key, text): _filled(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, text) for item in value]
    return text if value == "{}" else value


class TestWholeRuns:
    """Whole runs, in which an option takes effect whether it has its default value or not."""

    def test_the_dataplane_at_its_default(self, machine: Machine) -> None:
        machine.prepare(("vpn_network", {**NETWORK, "dataplane": "kernel", "mtu": 1400}))
        for check in (True, False):
            made = machine.run("vpn_network", check=check, name="lan", dataplane="auto")
            assert made["changed"] is True
            assert made["vpn_network"]["dataplane"] == "auto"
            assert made["vpn_network"]["mtu"] == 1400
        assert machine.run("vpn_network", name="lan", dataplane="auto")["changed"] is False

    @pytest.mark.parametrize("before", ["present", "disabled"])
    def test_what_goes_with_disabled(self, machine: Machine, before: str) -> None:
        named = {"name": "site-b", "network": "lan", "state": "disabled"}
        machine.prepare(
            ("vpn_network", NETWORK),
            ("ipsec_phase1", {**PHASE1, "description": "x", "mobike": True, "state": before}),
            ("ipsec_phase2", {**PHASE2, "lifetime": 2, "state": before}),
            ("vpn_rule", {**RULE, "log": True, "order": 7, "state": before}),
        )
        asked = {
            "ipsec_phase1": {**named, "description": "", "apply": "defer"},
            "ipsec_phase2": {**named, "name": "net", "phase1": "site-b", "lifetime": 1},
            "vpn_rule": {**named, "name": "web", "order": 100},
        }
        for module, options in asked.items():
            made = machine.run(module, **options)
            assert made["changed"] is True
            changed = {key: item for key, item in options.items() if key != "apply"}
            assert made[module].items() >= changed.items()
            assert machine.run(module, **options)["changed"] is False
        kept = [machine.run(module, **options)[module] for module, options in asked.items()]
        assert [kept[0]["mobike"], kept[1]["remote_network"], kept[2]["log"]] == [
            True,
            ["10.2.0.0/24"],
            True,
        ]


def test_a_key_that_ansible_reads_in_a_text_is_printable(machine: Machine) -> None:
    told = machine.run("ipsec_phase2", **{**PHASE2, "encryption": ["\x1b=x"]})["msg"]
    assert "\\x1b" in told
    assert told.isprintable()


LETTERS = st.text("ab ", max_size=12)


@given(st.sets(LETTERS.filter(bool)), st.lists(st.one_of(LETTERS, st.lists(LETTERS))))
def test_the_secrets_that_occur_are_found(secrets: set[str], value: list[t.Any]) -> None:
    texts = [text for item in value for text in (item if isinstance(item, list) else [item])]
    found = occurring(secrets, value)
    assert {secret for secret in secrets if any(secret in text for text in texts)} <= found
    # Ansible searches for short secrets in any case.
    assert all(len(secret) < 6 or any(secret in text for text in texts) for secret in found)
