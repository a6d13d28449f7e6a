# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the errors, and of the values in them."""

from __future__ import annotations

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import (
    HostError,
    ModelError,
    alternatives,
    one_line,
    shown,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("value", [None, []])
def test_a_missing_value_is_not_shown(value: object) -> None:
    error = ModelError("psk", value, "is missing", "Give the key.", "phase 1 site-b")
    assert str(error) == "phase 1 site-b: psk: is missing. Give the key."


@pytest.mark.parametrize("value", [0, False, "", "none"])
def test_every_other_value_is_shown(value: object) -> None:
    assert str(ModelError("mtu", value, "is wrong", "Use 1.")) == f"mtu {value!r}: is wrong. Use 1."


def test_an_error_without_an_option_begins_with_its_object() -> None:
    error = ModelError("", None, "is not a list", "Write a list.", "gateway_phase1")
    assert str(error) == "gateway_phase1: is not a list. Write a list."
    assert error.fault == "gateway_phase1: is not a list."


def test_an_error_is_seen_from_outside() -> None:
    error = (
        ModelError("hash", "x", "is wrong", "Use sha256.").at("encryption[0]").within("phase 1 b")
    )
    assert str(error) == "phase 1 b: encryption[0].hash 'x': is wrong. Use sha256."
    assert str(error.within("network lan")) == str(error)


def test_a_host_error_is_a_sentence_with_its_advice() -> None:
    error = HostError("load connection b", "no such key", "Restore the key.")
    assert str(error) == "could not load connection b: no such key. Restore the key."
    assert str(error.followed_by("Nothing was changed")) == f"{error} Nothing was changed."
    assert str(HostError("load it", "Is it there?")) == "could not load it: Is it there?"


def test_alternatives() -> None:
    assert [alternatives(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a or b",
        "a, b or c",
    ]


def test_a_long_value_is_cut_and_its_length_told() -> None:
    assert shown("a" * 198) == f"'{'a' * 198}'"
    assert shown("a" * 300) == f"'{'a' * 199}... (300 characters)"
    assert shown([1] * 100) == f"[{'1, ' * 66}1... (cut)"


def test_the_words_of_a_tool_stand_on_one_line() -> None:
    error = HostError("load the rules", "Error: syntax error\n\tip6 saddr\x1b[31m x\n   \nbye\n")
    assert str(error) == (
        "could not load the rules: Error: syntax error; ip6 saddr\\x1b[31m x; bye."
    )


@given(*[st.text(max_size=600)] * 5)
def test_no_message_has_control_characters_or_a_long_value(
    subject: str, option: str, value: str, why: str, operation: str
) -> None:
    for error in (
        ModelError(option, value * 9, one_line(why), "another", subject),
        HostError(operation, why),
    ):
        assert str(error).isprintable()
    told = str(ModelError(option, value * 9, "is wrong", "another", subject))
    assert len(told) <= 10 * 3 * 200
    if len(value * 9) > 200:
        assert f"({len(value * 9)} characters)" in told
