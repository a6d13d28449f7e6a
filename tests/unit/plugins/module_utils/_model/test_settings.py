# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    refused,
    settings,
)

TEXT = "connections {\n}\n# hush\n"
FULL = {
    "configuration_mode": "advanced",
    "unique_ids": "never",
    "ipcomp": True,
    "exclude_my_network": False,
    "cisco_extensions": True,
    "unencrypted_main_mode": True,
    "mss_clamp": 1300,
    "strict_crl": "ifuri",
    "make_before_break": True,
}


@pytest.mark.parametrize(
    ("options", "option", "word"),
    [
        ({"configuration_mode": "expert"}, "configuration_mode", "advanced"),
        ({"unique_ids": "replace"}, "unique_ids", "yes, no, never"),
        ({"unique_ids": True}, "unique_ids", "yes, no, never"),
        ({"strict_crl": "strict"}, "strict_crl", "yes, ifuri, no"),
        ({"mss_clamp": 1}, "mss_clamp", "Use 0 to switch it off, or 536 to 65495"),
        ({"mss_clamp": 535}, "mss_clamp", "Use 0 to switch it off, or 536 to 65495"),
        ({"mss_clamp": 65496}, "mss_clamp", "Use 0 to switch it off"),
        ({"mss_clamp": False}, "mss_clamp", "Use 0 to switch it off"),
        ({"swanctl_conf": TEXT}, "swanctl_conf", "set configuration_mode to advanced"),
        ({"strongswan_conf": TEXT}, "strongswan_conf", "set configuration_mode to advanced"),
    ],
)
def test_refusals(options: dict[str, t.Any], option: str, word: str) -> None:
    with refused(option, "IPsec settings of network lan", word):
        settings(**options)


@pytest.mark.parametrize("name", ["", "LAN", None])
def test_names(name: str | None) -> None:
    with refused("network", ""):
        settings(network=name)


@pytest.mark.parametrize("mss", [0, 536, 65495])
def test_mss(mss: int) -> None:
    assert settings(mss_clamp=mss).mss_clamp == mss


def test_defaults_are_those_of_a_network_without_settings() -> None:
    assert settings() == IpsecSettings("lan")
    assert IpsecSettings("lan").exclude_my_network


@pytest.mark.parametrize("options", [{}, FULL])
def test_round_trip(options: dict[str, t.Any]) -> None:
    made = settings(**options)
    assert IpsecSettings.from_options(made.to_options()) == made
    assert {key: made.to_options()[key] for key in options} == options


def test_an_empty_text_is_none() -> None:
    assert settings(swanctl_conf="", strongswan_conf="")


@pytest.mark.parametrize("option", ["swanctl_conf", "strongswan_conf"])
class TestTexts:
    def test_show_nowhere(self, option: str) -> None:
        made = settings(configuration_mode="advanced", **{option: TEXT})
        assert getattr(made, option) == TEXT
        assert "hush" not in f"{made!r} {made} {made.to_options()}"

    def test_show_in_no_error(self, option: str) -> None:
        with pytest.raises(ModelError) as raised:
            settings(**{option: TEXT})
        assert "hush" not in repr(raised.value.args) + str(raised.value)
