# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors are one line of printable characters, and show only a part of any long value."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.command import (
    with_packages,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import SPECS
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    NETWORK,
    PHASE1,
    PHASE2,
    RULE,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.machine import Machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BASES: dict[str, dict[str, t.Any]] = {
    "vpn_network": NETWORK,
    "ipsec_settings": {"network": "lan", "configuration_mode": "advanced"},
    "ipsec_phase1": PHASE1,
    "ipsec_phase2": PHASE2,
    "vpn_rule": {**RULE, "protocol": "tcp"},
    "ipsec_connection": {"network": "lan"},
    "ipsec_info": {},
    "ipsec_diagnostics": {"query": "tcpdump"},
    "ipsec_checkpoint": {},
}
PLACES = [
    (module, option) for module, base in BASES.items() for option in SPECS[module].argument_spec
]
LONG = 201

# Most of these values resemble valid values.
_BEGINNINGS = st.sampled_from(
    [
        "",
        "10.1.0.0/24",
        "fe80::1%",
        "::ffff:",
        "CN=",
        "a@",
        "%any",
        "/etc/",
        "connections { ",
        "secrets { ike-",
        "include ",
        "inet filter ",
        "8000-",
        "eth0",
    ]
)
_TEXTS = st.builds(
    lambda start, text, times: start + text * times,
    _BEGINNINGS,
    st.text(min_size=1, max_size=60),
    st.sampled_from([1, 1, 2, 40]),
)
_WORDS = st.builds(
    lambda start, text, times: start + text * times,
    _BEGINNINGS,
    st.text("abc019.:/-_ ,=*#@", min_size=1, max_size=60),
    st.sampled_from([1, 1, 2, 40]),
)
_LEAVES = _TEXTS | _WORDS | st.integers() | st.booleans() | st.floats(allow_nan=False)
VALUES = _LEAVES | st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS | _WORDS, inner, max_size=2),
    max_leaves=4,
)


def texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (*texts(key), *texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def tcpdump(argv: list[str], _stdin: str) -> tuple[int, str, str]:
    """Fail with an error that contains the filter."""
    assert "tcpdump" in argv
    return 1, "", f"tcpdump: can't parse filter expression: {argv[-1]}\n{argv[-1]}\n  ^^^\n"


def check(message: str, value: t.Any) -> None:
    assert message.isprintable(), message
    # A shortened text ends with dots.
    for text in filter(lambda text: ".." not in text, texts(value)):
        shown = [text[at : at + LONG] for at in range(len(text) - LONG + 1)]
        assert not any(part in message for part in shown), message


def test_a_long_identity_of_another_phase_1(machine: Machine) -> None:
    name = f"CN={'b' * 250}"
    other = {"name": "site-c", "psk": "another secret of 20 characters"}
    machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", {**PHASE1, "peer_identifier": name}))
    result = machine.run("ipsec_phase1", **{**PHASE1, **other, "peer_identifier": name.lower()})
    assert f"this key is for {name.lower()[:200]}..." in result["msg"]
    check(result["msg"], name)


@pytest.mark.parametrize(
    ("module", "option"),
    [
        ("ipsec_phase1", "identifier"),
        ("ipsec_phase1", "peer_identifier"),
        ("ipsec_phase2", "network"),
    ],
)
def test_a_long_value_with_a_blank_at_its_end(machine: Machine, module: str, option: str) -> None:
    """The advice names the value without the blank, and a full stop follows without the blank."""
    machine.prepare(("vpn_network", NETWORK), ("ipsec_phase1", PHASE1))
    value = "10.1.0.0/24" + "0000 " * 40
    result = machine.run(module, check=True, **{**BASES[module], option: value})
    assert result["failed"]
    check(result["msg"], value)


@pytest.mark.parametrize(("module", "option"), PLACES)
@given(data=st.data())
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_failure_is_one_short_line(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    option: str,
    data: st.DataObject,
) -> None:
    value = data.draw(VALUES)
    if not machine.host.everything():
        machine.prepare(
            ("vpn_network", NETWORK),
            ("ipsec_phase1", {**PHASE1, "identifier": "us@example.org"}),
            ("ipsec_phase2", PHASE2),
        )
    if module == "ipsec_diagnostics":
        monkeypatch.setattr(machine.host, "run", with_packages(tcpdump))
    result = machine.run(module, check=True, **{**BASES[module], option: value})
    told = [item["event"]["msg"] for item in result.get("warnings", ())]
    for message in (str(result.get("msg", "")), *told):
        check(message, value)
