# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import Use
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    refused,
)

SUBJECT = "phase 2 net of phase 1 site-b"
TWO = ["10.8.0.0/24", "10.9.0.0/24"]
HOSTS = {"mode": "transport", "local_network": ["192.0.2.1/32"], "remote_network": ["192.0.2.2/32"]}


@pytest.mark.parametrize(
    ("options", "option", "word"),
    [
        ({"network": "LAN"}, "network", "a-z"),
        ({"description": "two\nlines"}, "description", "one line"),
        ({"mode": "beet"}, "mode", "tunnel, transport"),
        ({"protocol": "ipcomp"}, "protocol", "esp, ah"),
        ({"local_network": []}, "local_network", "mode tunnel"),
        ({"remote_network": None}, "remote_network", "mode tunnel"),
        ({"remote_network": ["10.2.0.1/24"]}, "remote_network[0]", "10.2.0.0/24"),
        ({"local_network": ["10.1.0.0/24", "x"]}, "local_network[1]", "CIDR"),
        ({"local_network": ["10.1.0.0"]}, "local_network[0]", "CIDR"),
        (
            {"remote_network": ["10.2.0.0/16", "10.3.0.0/16", "10.2.9.0/24"]},
            "remote_network",
            "10.2.0.0/16 and 10.2.9.0/24",
        ),
        ({"local_network": ["fd00::/8", "fd00:1::/64"]}, "local_network", "fd00::/8 and fd00:1"),
        ({"remote_network": ["fd00::/64"]}, "remote_network", "no IP version"),
        (
            {"local_network": ["10.1.0.0/24[gre]"], "remote_network": ["10.2.0.0/24[esp]"]},
            "remote_network",
            "no protocol",
        ),
        ({"remote_network": ["10.2.0.0/24[tcp/0]"]}, "remote_network[0]", "1 to 65535"),
        ({"remote_network": ["10.2.0.1/24[tcp]"]}, "remote_network[0]", "10.2.0.0/24"),
        (
            {"remote_network": ["10.2.0.0/24[tcp/1-99]", "10.2.0.0/16[tcp/80]"]},
            "remote_network",
            "which overlap",
        ),
        ({**HOSTS, "remote_network": ["192.0.2.0/31[gre]"]}, "remote_network", "/32 or /128"),
        ({"mode": "transport"}, "local_network", "set mode to tunnel"),
        ({**HOSTS, "remote_network": ["192.0.2.0/31"]}, "remote_network", "/32 or /128"),
        ({**HOSTS, "remote_network": ["2001:db8::/127"]}, "remote_network", "/32 or /128"),
        ({"lifetime": 59, "lifetime_unit": "seconds"}, "lifetime", "60 seconds"),
        ({"lifetime": "1"}, "lifetime", "whole number"),
        ({"lifetime_unit": "weeks"}, "lifetime_unit", "forever"),
        ({"encryption": []}, "encryption", "remove encryption to use the default"),
        (
            {"encryption": [{}, {"key_length": 256, "hash": "sha256"}]},
            "encryption[1]",
            "Remove one",
        ),
        ({"encryption": [{"prf": "sha256"}]}, "encryption[0].prf", "phase 1 only"),
        ({"encryption": [{}, {"dh_group": 3}]}, "encryption[1].dh_group", "14"),
        (
            {"protocol": "ah", "encryption": [{"key_length": 128}]},
            "encryption[0].key_length",
            "ah,",
        ),
        ({"state": "absent"}, "state", "present, disabled"),
    ],
)
def test_refusals(options: dict[str, t.Any], option: str, word: str) -> None:
    with refused(option, SUBJECT, word):
        child(**options)


@pytest.mark.parametrize("option", ["name", "phase1"])
@pytest.mark.parametrize("value", ["", "a.b", "a" * 65, None])
def test_names(option: str, value: str | None) -> None:
    with refused(option, ""):
        child(**{option: value})


@pytest.mark.parametrize("versions", [(1,), (1, 2)])
@pytest.mark.parametrize("option", ["local_network", "remote_network"])
def test_ikev1_carries_one_network_on_each_side(versions: tuple[int, ...], option: str) -> None:
    with refused(option, SUBJECT, "only the first", "key_exchange of the phase 1 to ikev2"):
        child(*versions, **{option: TWO})
    assert child(2, **{option: TWO})
    assert child(*versions, **{option: TWO[:1]})


@pytest.mark.parametrize("versions", [(1,), (1, 2)])
def test_ikev1_has_fewer_algorithms(versions: tuple[int, ...]) -> None:
    encryption = [{"algorithm": "chacha20-poly1305"}]
    with refused("encryption[0].algorithm", SUBJECT, "IKEv1"):
        child(*versions, encryption=encryption)
    assert child(2, encryption=encryption)


@pytest.mark.parametrize(
    ("options", "use", "keyword"),
    [
        ({}, Use.ESP, "aes256-sha256-modp2048"),
        ({"protocol": "ah"}, Use.AH, "sha256-modp2048"),
    ],
)
def test_default_algorithms(options: dict[str, str], use: Use, keyword: str) -> None:
    made = child(**options)
    assert made.use is use
    assert [item.keyword() for item in made.encryption] == [keyword]


def test_defaults() -> None:
    made = child()
    assert made.enabled
    assert made.mode == "tunnel"
    assert made.lifetime_seconds == 3600


@pytest.mark.parametrize("lifetime", [1, 0, -5])
def test_forever_has_no_number(lifetime: int) -> None:
    assert child(lifetime_unit="forever", lifetime=lifetime).lifetime_seconds == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"description": "Zweigstelle \u00d6st", "state": "disabled", "lifetime_unit": "forever"},
        {"protocol": "ah", "lifetime": 8, "lifetime_unit": "days"},
        {"local_network": ["10.1.0.0/24", "fd00:1::/64"], "remote_network": ["::/0", "0.0.0.0/0"]},
        {"encryption": [{"algorithm": "aes-gcm", "dh_group": 31}, {"key_length": 128}]},
        {**HOSTS},
        {"mode": "transport", "local_network": None, "remote_network": None},
    ],
)
def test_round_trip(options: dict[str, t.Any]) -> None:
    made = child(**options)
    assert ChildSa.from_options(made.to_options(), frozenset({2})) == made


def test_values_are_plain() -> None:
    options = child(remote_network=["10.2.0.0/24", "FD00::/64"]).to_options()
    assert options["remote_network"] == ["10.2.0.0/24", "fd00::/64"]
    assert options["encryption"] == [
        {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 14}
    ]


def test_transport_protects_the_gateways_themselves() -> None:
    assert child(mode="transport", local_network=None, remote_network=None).selector_pairs == ()
    assert child(**HOSTS).mode == "transport"
    assert child(**{**HOSTS, "remote_network": None}).remote_network == ()


def test_selectors_pair_within_one_ip_version() -> None:
    made = child(
        local_network=["10.1.0.0/24", "fd00:1::/64"],
        remote_network=["10.2.0.0/24", "10.3.0.0/24", "fd00:2::/64"],
    )
    assert [f"{local} {remote}" for local, remote in made.selector_pairs] == [
        "10.1.0.0/24 10.2.0.0/24",
        "10.1.0.0/24 10.3.0.0/24",
        "fd00:1::/64 fd00:2::/64",
    ]


def test_selectors_pair_within_one_protocol() -> None:
    made = child(
        local_network=["10.1.0.0/24[tcp/443]", "10.1.0.0/24[gre]"],
        remote_network=["10.2.0.0/24[tcp]", "10.3.0.0/24"],
    )
    assert [f"{local} {remote}" for local, remote in made.selector_pairs] == [
        "10.1.0.0/24[tcp/443] 10.2.0.0/24[tcp]",
        "10.1.0.0/24[tcp/443] 10.3.0.0/24",
        "10.1.0.0/24[gre] 10.3.0.0/24",
    ]
