# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparison of keys, which are never shown."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.key import (
    ComparableKey,
    fingerprint,
    key_from_fingerprint,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import compared
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK

SECRET = Secret(PSK.encode())
RUN = b"salt of a run"
SALT = "5b1e7c0d94f2a6384e9bd0c71f63a82d"
# The fingerprint that a third party computes as documented.
DIGITS = hashlib.pbkdf2_hmac("sha256", PSK.encode(), SALT.encode(), 200000).hex()[:10]
TOLD = f"{SALT}-{DIGITS}"


def sheet(text: str) -> ComparableKey:
    return key_from_fingerprint("psk_fingerprint", text, "phase 1 site-b")


def test_fingerprint_is_as_documented():
    assert fingerprint(SECRET, SALT.encode()) == DIGITS


def test_a_fingerprint_depends_on_the_salt():
    assert ComparableKey(RUN, SECRET).fingerprint == ComparableKey(RUN, SECRET).fingerprint
    assert (
        ComparableKey(RUN, SECRET).fingerprint != ComparableKey(b"another run", SECRET).fingerprint
    )


def test_keys_and_fingerprints_compare():
    ours, another, told = (
        ComparableKey(RUN, SECRET),
        ComparableKey(RUN, Secret(b"another")),
        sheet(TOLD),
    )
    assert ours.same_as(ComparableKey(RUN, SECRET)) is True
    assert ours.same_as(told) is True
    assert told.same_as(ours) is True
    assert told.same_as(sheet(TOLD)) is True
    assert ours.same_as(another) is False
    assert told.same_as(another) is False


def test_fingerprints_with_different_salts_tell_nothing():
    other = "0" * 16
    assert sheet(TOLD).same_as(sheet(f"{other}-{fingerprint(SECRET, other.encode())}")) is None


def test_a_key_of_ours_is_never_shown_with_a_salt_that_others_know():
    assert ComparableKey(RUN, SECRET).fingerprint == fingerprint(SECRET, RUN)
    assert sheet(TOLD).fingerprint == DIGITS


def test_a_key_shows_nothing():
    assert PSK not in repr(ComparableKey(RUN, SECRET))


@pytest.mark.parametrize(
    "text", ["010f91c7f4", f"{SALT}-", f"{SALT[:15]}-{DIGITS}", f"{SALT}-{DIGITS}0", PSK]
)
def test_what_is_no_fingerprint_with_a_salt_is_refused_and_not_shown(text):
    with pytest.raises(ModelError) as raised:
        sheet(text)
    assert "is not a salt and a fingerprint" in str(raised.value)
    assert "<salt>-<fingerprint>" in str(raised.value)
    assert text not in str(raised.value)


def test_a_fingerprint_in_the_place_of_a_key():
    told = {"psk": None, "psk_fingerprint": TOLD.upper()}
    assert compared(told).verdict == "up"
    assert compared(told, told).verdict == "up"
    found = compared({"psk": None, "psk_fingerprint": f"{SALT}-0123456789"})
    assert found.codes == {"psk_mismatch"}
    shown = found.finding("psk_mismatch")
    assert shown["ours"] == "0123456789"
    assert shown["theirs"] != DIGITS


def test_fingerprints_that_can_not_be_compared_are_no_mismatch():
    others = f"{'0' * 16}-{fingerprint(SECRET, b'0' * 16)}"
    found = compared(
        {"psk": None, "psk_fingerprint": TOLD}, {"psk": None, "psk_fingerprint": others}
    )
    assert found.verdict == "up"
    assert found.finding("psk_not_compared")["severity"] == "info"


def test_a_fingerprint_without_a_salt_is_told():
    found = compared({"psk": None, "psk_fingerprint": "010f91c7f4"})
    assert found.codes == {"definition_invalid"}
    assert "psk_fingerprint" in found.finding("definition_invalid")["explanation"]
