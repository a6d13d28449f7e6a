# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the connections in a conf text, which may have values that no option has."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.advanced_tunnels import (
    advanced_tunnels,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    gateway,
    settings,
)

SECRET = "secrets { ike-x { secret = 0saHVzaA==\n} }\n"


def tunnels(text: str) -> dict[str, IkeConnection]:
    options = settings(configuration_mode="advanced", swanctl_conf=text)
    return advanced_tunnels(gateway(options))


def tunnel(body: str) -> IkeConnection:
    """Return the model of one connection."""
    return tunnels(f"connections {{\nx {{\n{body}\n}}\n}}\n{SECRET}")["x"]


def child(body: str) -> t.Any:
    (made,) = tunnel(f"children {{\nnet {{\n{body}\n}}\n}}").children
    return made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", {"remote_gateway": "%any", "key_exchange": "auto", "authentication": "pubkey"}),
        ("version = 2", {"key_exchange": "ikev2"}),
        ("version = 7", {"key_exchange": "auto"}),
        ("remote_addrs = a.example, 192.0.2.8", {"remote_gateway": "a.example"}),
        ("local_addrs = %any, 192.0.2.1", {"local_address": "192.0.2.1"}),
        ("aggressive = yes", {"negotiation_mode": "aggressive"}),
        ("aggressive = enabled", {"negotiation_mode": "aggressive"}),
        ("remote {\nauth = psk\nid = a@b\n}", {"authentication": "psk", "peer_identifier": "a@b"}),
        ("local {\nauth = psk\nid = a@b\n}", {"authentication": "psk", "identifier": "a@b"}),
        ("remote {\nauth = eap-tls\n}", {"authentication": "eap-tls"}),
        (
            "local-1 {\nid = first\n}\nlocal-2 {\nid = second\n}",
            {"identifier": "first"},
        ),
        ("ppk_id = p\nppk_required = yes", {"ppk_id": "p", "ppk_required": True}),
        ("ppk_required = perhaps", {"ppk_id": None, "ppk_required": False}),
        ("mobike = perhaps\nkeyingtries = %forever\nrekey_time = soon", {"mobike": False}),
    ],
)
def test_a_connection(body: str, expected: dict[str, t.Any]) -> None:
    made = tunnel(body)
    assert {option: getattr(made, option) for option in expected} == expected


def test_a_proposal_that_no_option_holds_is_left_out() -> None:
    made = tunnel("proposals = aes128-aes256-sha256-modp2048, default, aes256-sha256-modp2048")
    assert [item.keyword() for item in made.encryption] == ["aes256-sha256-modp2048"]


@pytest.mark.parametrize(
    ("actions", "behavior"),
    [
        ((), "responder_only"),
        (("none",), "responder_only"),
        (("foo",), "responder_only"),
        (("none", "route"), "on_demand"),
        (("trap|start", "trap"), "start"),
        (("restart",), "start"),
    ],
)
def test_the_child_that_initiates_most_decides(actions: tuple[str, ...], behavior: str) -> None:
    children = "".join(
        f"n{number} {{\nstart_action = {action}\n}}\n" for number, action in enumerate(actions)
    )
    assert tunnel(f"children {{\n{children}}}").connection_behavior == behavior


@pytest.mark.parametrize(
    ("body", "protocol", "keywords"),
    [
        ("", "esp", []),
        ("esp_proposals = aes256-sha256, default", "esp", ["aes256-sha256"]),
        ("ah_proposals = sha256", "ah", ["sha256"]),
        ("ah_proposals = default", "ah", []),
        ("ah_proposals = sha256\nesp_proposals = aes256-sha256", "ah", ["sha256"]),
    ],
)
def test_the_proposals_of_a_child(body: str, protocol: str, keywords: list[str]) -> None:
    made = child(body)
    assert made.protocol == protocol
    assert [item.keyword() for item in made.encryption] == keywords


def test_the_selectors_of_a_child() -> None:
    made = child("local_ts = dynamic, 10.1.0.7/24[tcp/443], 10.0.0.1-10.0.0.9, 192.0.2.1")
    assert [str(item) for item in made.local_network] == ["10.1.0.0/24[tcp/443]", "192.0.2.1/32"]
    assert made.remote_network == ()


@pytest.mark.parametrize("mode", ["pass", "DROP"])
def test_a_shunt_is_no_tunnel(mode: str) -> None:
    text = f"connections {{\nx {{\nchildren {{\nnet {{\nmode = {mode}\n}}\n}}\n}}\n}}\n"
    assert tunnels(text) == {}


def test_a_psk_is_masked() -> None:
    made = tunnel("")
    assert made.psk is not None
    assert "hush" not in repr(made)
