# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import (
    ChildState,
    IkeState,
    decode,
    encode,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import scripted_vici
from hypothesis import given
from hypothesis import strategies as st
from vici.protocol import FiniteStream, Message

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
VALUES = st.one_of(st.text(st.characters(codec="utf-8")), st.binary())
LISTS = st.lists(VALUES) | st.lists(VALUES).map(tuple)
MESSAGES = st.recursive(
    st.dictionaries(NAMES, VALUES | LISTS),
    lambda inner: st.dictionaries(NAMES, VALUES | LISTS | inner),
    max_leaves=8,
)


@given(MESSAGES)
def test_the_library_sends_what_was_meant(message: dict[str, t.Any]) -> None:
    assert Message.serialize(encode(message)) == scripted_vici.encoded(message)


@given(MESSAGES)
def test_round_trip(message: dict[str, t.Any]) -> None:
    sent = Message.serialize(encode(message))
    assert decode(Message.deserialize(FiniteStream(sent))) == decode(encode(message))


def test_decode() -> None:
    message = {"a": b"x", "b": [b"y", b"z"], "c": {"d": b"caf\xc3\xa9", "e": b"\xff"}}
    assert decode(message) == {"a": "x", "b": ("y", "z"), "c": {"d": "café", "e": "\\xff"}}


@pytest.mark.parametrize("value", [True, None, 5, 1.5, {"a"}, ["ok", None], [["nested"]], [{}]])
def test_what_the_library_would_mangle(value: object) -> None:
    with pytest.raises(TypeError, match=r"^children\.net\.x: vici carries"):
        encode({"children": {"net": {"x": value}}})


def test_name_that_is_no_text() -> None:
    with pytest.raises(TypeError, match=r"^children\.5: a name is a text, not int"):
        encode({"children": {5: "x"}})


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"a": {"b": "x" * 65536}}, r"^a\.b: longer than 65535 bytes$"),
        ({"a": ["ü" * 32768]}, r"^a: longer than 65535 bytes$"),
        ({"n" * 256: "x"}, r"^n+: the name is longer than 255 bytes$"),
        ({"a": "hush\ud800"}, r"^a: not valid Unicode$"),
    ],
)
def test_what_does_not_fit(message: dict[str, t.Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        encode(message)


def test_what_just_fits() -> None:
    encode({"n" * 255: "x" * 65535})


@pytest.mark.parametrize(
    ("state", "up", "gone"),
    [
        ("CREATED", False, False),
        ("ROUTED", False, False),
        ("INSTALLING", False, False),
        ("INSTALLED", True, False),
        ("UPDATING", True, False),
        ("REKEYING", True, False),
        ("REKEYED", False, False),
        ("DELETING", False, False),
        ("DELETED", False, True),
    ],
)
def test_state_of_a_child(state: str, up: bool, gone: bool) -> None:
    child = ChildState("net", "1", state, "TUNNEL")
    assert (child.up, child.gone) == (up, gone)


@pytest.mark.parametrize(
    ("state", "up"),
    [("CONNECTING", False), ("ESTABLISHED", True), ("REKEYING", True), ("DELETING", False)],
)
def test_state_of_an_ike_sa(state: str, up: bool) -> None:
    assert IkeState("site-b", "1", state, "2").up is up


def test_ike_sa_without_children() -> None:
    """charon sends an empty section of children, or no section, for a CONNECTING SA."""
    sa = {"uniqueid": "1", "state": "CONNECTING", "version": "2"}
    assert IkeState.of("site-b", sa) == IkeState.of("site-b", {**sa, "child-sas": {}})
