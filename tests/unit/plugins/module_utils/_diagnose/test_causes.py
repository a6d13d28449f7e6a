# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of causes is consistent, and only names options that exist."""

from __future__ import annotations

import re

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose import signs
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.cause import (
    OURS,
    THEIRS,
    Cause,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.causes import (
    CAUSES,
    MIRRORED,
    SECTIONS,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.our_side import (
    of_our_side,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import (
    RESOURCES,
    documentation,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    child,
    connection,
)

every_cause = pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.code)


@every_cause
def test_a_cause_is_one_sentence_and_a_step(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", cause.code)
    for text in (cause.explanation, cause.next_step):
        assert text[0].isupper()
        assert text.endswith(".")
    assert cause.only in ("", "psk", "pubkey", "ikev1", "ppk", "no_ppk")


@every_cause
def test_a_cause_names_options_that_exist(cause: Cause) -> None:
    assert {place.side for place in cause.where} <= {OURS, THEIRS}
    for place in cause.where:
        module, _blank, option = place.option.partition(" ")
        if module in RESOURCES:
            name, _brackets, part = option.partition("[].")
            options = documentation(module)["options"]
            assert name in options
            assert not part or part in options[name]["suboptions"]


@every_cause
def test_each_candidate_can_be_proved(cause: Cause) -> None:
    for code in cause.candidates:
        assert CAUSES[code].look_for, code


@every_cause
def test_what_is_ours_of_it_is_known(cause: Cause) -> None:
    """The value of our side is only empty for a cause without an aspect."""
    made = connection(child(), local_address="198.51.100.1")
    assert bool(of_our_side(cause.aspect, made, child())) == bool(cause.aspect)
    assert not of_our_side("selectors", made, None)


def test_nothing_is_in_the_table_twice() -> None:
    assert sum(map(len, SECTIONS.values())) == len(CAUSES)


def test_signs_tell_of_causes() -> None:
    for sign in (*signs.OUR_SIGNS, *signs.PEER_SIGNS):
        assert sign.code in CAUSES
    assert {*MIRRORED} | {*MIRRORED.values()} <= {*CAUSES}


def test_what_the_peer_can_tell_lies_behind_something_that_we_see() -> None:
    """Each cause that the log of the peer can prove is a candidate of a cause on our side."""
    behind = {code for cause in CAUSES.values() for code in cause.candidates}
    proved = {sign.code for sign in signs.PEER_SIGNS}
    assert proved <= behind
