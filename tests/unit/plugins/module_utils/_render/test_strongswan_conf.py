# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.options.daemon import (
    DAEMON_WIDE,
    aggressive_responder,
    asking,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.records import MANAGED
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan.strict import (
    parse,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan_conf import (
    LIBIPSEC,
    daemon_section,
    daemon_text,
    loads_userspace,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    connection,
    gateway,
    network,
    settings,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.strategies import gateways
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

OTHER = {"name": "dmz", "ip_address": "10.9.0.1", "network_address": "10.9.0.0/24"}
AGGRESSIVE = {"key_exchange": "ikev1", "negotiation_mode": "aggressive", "identifier": "a.example"}
AGGRESSIVE_PSK = "i_dont_care_about_security_and_use_aggressive_mode_psk"
SETTINGS = {
    "cisco_extensions": "cisco_unity",
    "unencrypted_main_mode": "accept_unencrypted_mainmode_messages",
    "make_before_break": "make_before_break",
}


def charon(*parts: t.Any, userspace: bool = False) -> t.Any:
    section = daemon_section(gateway(*parts), userspace=userspace)
    assert section.keys() == {"charon"}
    return section["charon"]


def test_everything_is_written_out() -> None:
    """Every setting is written, because make_before_break became the default in strongSwan 6.0."""
    assert charon() == dict.fromkeys(SETTINGS.values(), "no")
    assert set(DAEMON_WIDE) == SETTINGS.keys()


@pytest.mark.parametrize(("option", "setting"), SETTINGS.items())
@pytest.mark.parametrize(
    ("lan", "dmz", "expected"),
    [
        (False, False, ()),
        (True, False, ("lan",)),
        (False, True, ("dmz",)),
        (True, True, ("dmz", "lan")),
    ],
)
def test_on_as_soon_as_one_network_asks_for_it(
    option: str, setting: str, lan: bool, dmz: bool, expected: tuple[str, ...]
) -> None:
    parts = (
        network(),
        network(**OTHER),
        settings(**{option: lan}),
        settings(network="dmz", **{option: dmz}),
    )
    made = charon(*parts)
    assert made[setting] == ("yes" if expected else "no")
    assert [made[other] for other in SETTINGS.values() if other != setting] == ["no", "no"]
    assert asking(gateway(*parts), option) == expected


@pytest.mark.parametrize(
    ("options", "answered"),
    [
        ({}, False),
        ({"key_exchange": "ikev1"}, False),
        (AGGRESSIVE, True),
        ({**AGGRESSIVE, "state": "disabled"}, False),
        (
            {
                **AGGRESSIVE,
                "authentication": "pubkey",
                "psk": None,
                "certificate": "/a",
                "private_key": "/b",
                "ca": "/c",
            },
            False,
        ),
    ],
)
def test_aggressive_mode_with_a_psk_is_answered_only_when_it_is_used(
    options: dict[str, str], answered: bool
) -> None:
    made = connection(**options)
    assert charon(made).get(AGGRESSIVE_PSK) == ("yes" if answered else None)
    assert aggressive_responder(gateway(made)) is answered


@pytest.mark.parametrize("userspace", [True, False])
def test_the_userspace_data_plane_is_a_plugin(userspace: bool) -> None:
    plugins = charon(userspace=userspace).get("plugins")
    assert plugins == ({LIBIPSEC: {"load": "yes"}} if userspace else None)


@profile(max_examples=40, deadline=None)
@given(gateways(), st.booleans())
def test_text(made: t.Any, userspace: bool) -> None:
    text = daemon_text(made, userspace=userspace)
    assert text.startswith(f"{MANAGED}\ncharon {{\n")
    assert parse(text) == daemon_section(made, userspace=userspace)
    assert loads_userspace(text) is userspace


@pytest.mark.parametrize(
    "text",
    [
        "",
        "charon = yes",
        "charon { plugins = yes\n }",
        "charon { plugins { kernel-libipsec = yes\n } }",
        "charon { plugins { kernel-libipsec { load = no\n } } }",
        "charon { plugins { kernel-libipsec { } } }",
        "charon { plugins { kernel-libipsec { load = yes\n } }",
    ],
)
def test_no_userspace_in_another_text(text: str) -> None:
    assert loads_userspace(text) is False
