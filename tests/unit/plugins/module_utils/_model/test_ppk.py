# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PPKs: the identities that strongSwan sends as they are written, and the rules with other options.

The lists of identities were tried between two daemons of 5.9.8, of 6.0.1 and of 6.1.0.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.ppk import ppk_id
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PHASE1,
    PPK,
    PSK,
    PUBKEY,
    connection,
    gateway,
    refused,
)

SITE_C = {"name": "site-c", "remote_gateway": "192.0.2.3"}
# Sent and read alike.
NAMES = ("ppk-s", "ppk", "a@b.example", "PPK-S", "0x1234", "12345", "1-2", "a.b", "a+b", "x" * 127)
# Sent in a form that the receiver reads as another identity.
ADDRESSES = ("10.0.0.1", "10.0.0.1-10.0.0.9")
NO_NAMES = (
    "",
    " ppk",
    "ppk ",
    "a b",
    'a"b',
    "a{b}",
    "a#b",
    "a,b",
    "a\nb",
    "a=b",
    "a/b",
    "C=DE, O=x",
    "10.0.0.0/24",
    "fe80::1",
    "keyid:ppk-s",
    "@#aabbcc",
    "@ppk",
    "{1}:x",
    "*",
    "%any",
    "ppk-*",
    "-ppk",
    "\u00fc-ppk",
    "x" * 128,
    7,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_an_identity(name: str) -> None:
    assert ppk_id("ppk_id", name) == name


@pytest.mark.parametrize("name", [*ADDRESSES, *NO_NAMES])
def test_anything_else_is_none(name: object) -> None:
    with pytest.raises(ModelError, match="such as ppk-site-b"):
        ppk_id("ppk_id", name)


@pytest.mark.parametrize(
    ("options", "option", "advice"),
    [
        ({"ppk": "x"}, "ppk_id", "the peer finds the PPK by this identity"),
        ({"ppk_id": "x"}, "ppk", "is missing for ppk_id 'x'"),
        ({"ppk_required": True}, "ppk_required", "Give ppk and ppk_id"),
        ({**PPK, "ppk": ""}, "ppk", "32 random characters"),
        ({**PPK, "ppk": "caf\udce9"}, "ppk", "UTF-8"),
        ({**PPK, "ppk": PSK}, "ppk", "another key"),
        ({**PPK, "key_exchange": "ikev1"}, "ppk_id", "Set key_exchange to ikev2, or remove ppk"),
        (
            {**PPK, "key_exchange": "auto", "ppk_required": True},
            "ppk_required",
            "ppk_required to false",
        ),
    ],
)
def test_contradictions(options: dict[str, t.Any], option: str, advice: str) -> None:
    with refused(option, "phase 1 site-b", advice):
        connection(**options)


def test_an_error_shows_no_key() -> None:
    with pytest.raises(ModelError) as raised:
        connection(**{**PPK, "ppk": PSK})
    assert PSK not in repr(raised.value.args) + str(raised.value)


@pytest.mark.parametrize("more", [{}, PUBKEY, {"key_exchange": "auto"}, {"ppk_required": True}])
def test_accepted(more: dict[str, t.Any]) -> None:
    made = connection(**{**PPK, **more})
    assert (made.ppk, made.ppk_id) == (Secret(PPK["ppk"].encode()), "ppk-site-b")
    assert PPK["ppk"] not in f"{made!r} {made} {made.to_options()}"
    assert made.to_options().keys() >= {"ppk_id", "ppk_required"}


class TestKept:
    KNOWN = connection(**PPK, ppk_required=True)

    def wanted(self, **options: t.Any) -> IkeConnection:
        return IkeConnection.from_options({**PHASE1, "psk": None, **options}, self.KNOWN)

    def test_with_its_identity(self) -> None:
        assert self.wanted(ppk_id="ppk-site-b", ppk_required=True) == self.KNOWN
        assert self.wanted(ppk_id="another").ppk == self.KNOWN.ppk

    def test_gone_without_its_identity(self) -> None:
        assert self.wanted() == connection()

    def test_replaced_when_given(self) -> None:
        assert self.wanted(ppk="new", ppk_id="ppk-site-b").ppk == Secret(b"new")

    def test_in_a_change_of_another_option(self) -> None:
        assert self.KNOWN.changed({"mobike": True}).ppk == self.KNOWN.ppk

    def test_a_psk_that_becomes_the_ppk_is_refused(self) -> None:
        with refused("ppk", "phase 1 site-b"):
            self.KNOWN.changed({"psk": PPK["ppk"]})


class TestTwoOnOneHost:
    def test_one_identity_with_two_keys(self) -> None:
        host = gateway(connection(**PPK))
        for name in ("ppk-site-b", "PPK-Site-B"):
            other = connection(**SITE_C, ppk="another key", ppk_id=name)
            with refused("ppk_id", "phase 1 site-c", "is the ppk_id of phase 1 site-b too"):
                host.with_connection(other)

    def test_unless_one_is_disabled(self) -> None:
        host = gateway(connection(**PPK))
        other = {**SITE_C, "ppk": "another key", "ppk_id": "ppk-site-b"}
        assert host.with_connection(connection(**other, state="disabled"))

    def test_one_identity_with_one_key(self) -> None:
        host = gateway(connection(**PPK), connection(**SITE_C, **PPK))
        assert host.names_by_ppk == {Secret(PPK["ppk"].encode()): ["site-b", "site-c"]}

    def test_two_identities(self) -> None:
        other = {**SITE_C, "ppk": "another key", "ppk_id": "ppk-site-c"}
        assert gateway(
            connection(**PPK),
            connection(**other),
            connection(**{**SITE_C, "name": "d", "remote_gateway": "192.0.2.9"}),
        )
