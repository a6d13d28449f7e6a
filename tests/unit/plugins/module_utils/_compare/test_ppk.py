# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PPKs of two ends: the outcomes that daemons of 5.9.8, 6.0.1 and 6.1.0 had."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._compare.key import fingerprint
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.ends import compared
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import PPK

REQUIRED = {**PPK, "ppk_required": True}
OTHER_KEY = {**PPK, "ppk": "another key of these tests"}
OTHER_NAME = {**PPK, "ppk_id": "ppk-site-c"}
NONE: dict[str, t.Any] = {}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict", "code"),
    [
        (PPK, PPK, "up", None),
        (REQUIRED, REQUIRED, "up", None),
        (REQUIRED, {**PPK, "ppk_id": "PPK-Site-B"}, "up", None),
        (PPK, OTHER_KEY, "down", "ppk_mismatch"),
        (REQUIRED, OTHER_KEY, "down", "ppk_mismatch"),
        (PPK, OTHER_NAME, "down", "ppk_id_mismatch"),
        (OTHER_NAME, REQUIRED, "down", "ppk_id_mismatch"),
        (PPK, NONE, "degraded", "ppk_unused"),
        (NONE, PPK, "degraded", "ppk_unused"),
        (REQUIRED, NONE, "down", "ppk_missing"),
        (NONE, REQUIRED, "down", "ppk_missing"),
    ],
)
def test_outcomes(
    ours: dict[str, t.Any], theirs: dict[str, t.Any], verdict: str, code: str | None
) -> None:
    found = compared(ours, theirs)
    assert (found.verdict, found.codes) == (verdict, {code} - {None})
    assert PPK["ppk"] not in str(found.result)
    assert OTHER_KEY["ppk"] not in str(found.result)
    if code:
        assert found.finding(code)["initiator"] == "both"


def test_different_keys_show_as_fingerprints() -> None:
    found = compared(PPK, OTHER_KEY).finding("ppk_mismatch")
    assert len(found["ours"]) == len(found["theirs"]) == 10
    assert found["ours"] != found["theirs"]


def test_the_side_without_a_ppk_is_named() -> None:
    found = compared(REQUIRED, NONE).finding("ppk_missing")
    assert found["explanation"] == "local requires a PPK, and remote has none."
    assert (found["ours"], found["theirs"]) == ("ppk-site-b", None)


def test_ikev1_uses_none() -> None:
    found = compared(PPK, PPK, both={"key_exchange": "ikev1"})
    assert (found.verdict, found.codes) == ("degraded", {"ppk_not_in_ikev1"})


def test_a_fingerprint_in_the_place_of_a_key() -> None:
    salt = "5b1e7c0d94f2a6384e9bd0c71f63a82d"
    digits = fingerprint(Secret(PPK["ppk"].encode()), salt.encode())
    told = {**PPK, "ppk": None, "ppk_fingerprint": f"{salt}-{digits}"}
    assert compared(told, PPK).verdict == "up"
    assert compared(told, OTHER_KEY).codes == {"ppk_mismatch"}
    wrong = compared({**told, "ppk_fingerprint": PPK["ppk"]}, PPK)
    assert wrong.codes == {"definition_invalid"}
    assert PPK["ppk"] not in str(wrong.result)


def test_a_key_that_is_not_given_is_not_compared() -> None:
    found = compared({**PPK, "ppk": None}, PPK)
    assert found.verdict == "up"
    assert found.finding("ppk_not_compared")["severity"] == "info"
