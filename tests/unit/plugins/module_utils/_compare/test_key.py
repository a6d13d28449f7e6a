# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that are compared and never shown."""

from __future__ import annotations

import hashlib

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.key import (
    Key,
    fingerprint,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import compared
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PSK

SECRET = Secret(PSK.encode())


def test_fingerprint_is_as_documented():
    digest = hashlib.pbkdf2_hmac("sha256", PSK.encode(), b"tunnelwright.ipsec", 200000)
    assert fingerprint(SECRET) == digest.hex()[:10]


def test_keys_and_fingerprints_compare():
    told = Key(given=fingerprint(SECRET))
    assert Key(SECRET).same_as(Key(SECRET))
    assert Key(SECRET).same_as(told)
    assert told.same_as(Key(SECRET))
    assert not Key(SECRET).same_as(Key(Secret(b"another")))
    assert not told.same_as(Key(Secret(b"another")))


def test_a_key_shows_nothing():
    assert PSK not in repr(Key(SECRET))


def test_a_fingerprint_in_the_place_of_a_key():
    told = {"psk": None, "psk_fingerprint": fingerprint(SECRET).upper()}
    assert compared(told).verdict == "up"
    assert compared({"psk": None, "psk_fingerprint": "0123456789"}).codes == {"psk_mismatch"}
