# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of additional key exchanges. The outcomes were measured between two strongSwan 6.1.0."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    Proposal,
    Use,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rounds import (
    Rounds,
    negotiated,
)
from hypothesis import given
from hypothesis import strategies as st

IKEV1, IKEV2, AUTO = frozenset({1}), frozenset({2}), frozenset({1, 2})
METHODS = ("mlkem512", "mlkem768", "mlkem1024")
FORMS = "Write a list of rounds, such as [mlkem768], or [[mlkem768, none]] for an optional round."


@pytest.mark.parametrize(
    ("rounds", "keyword"),
    [
        (["mlkem768"], "-ke1_mlkem768"),
        ([["mlkem768"]], "-ke1_mlkem768"),
        ([["mlkem1024", "mlkem768", "none"]], "-ke1_mlkem1024-ke1_mlkem768-ke1_none"),
        ([["mlkem768", "none"], "mlkem1024"], "-ke1_mlkem768-ke1_none-ke2_mlkem1024"),
        (["mlkem768", ["mlkem512", "none"]], "-ke1_mlkem768-ke2_mlkem512-ke2_none"),
        ([], ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("use", list(Use))
def test_keyword(rounds: object, keyword: str, use: Use) -> None:
    options = {"dh_group": 31, "additional_key_exchange": rounds}
    proposal = Proposal.build(options, use, IKEV2)
    assert proposal.keyword().partition("-curve25519")[2] == keyword
    assert Proposal.parse(proposal.keyword(), use) == proposal
    assert Proposal.build(proposal.to_options(), use, IKEV2) == proposal
    assert ("additional_key_exchange" in proposal.to_options()) is bool(keyword)


def test_a_round_of_one_method_is_a_text_in_the_options() -> None:
    options = {"additional_key_exchange": [["mlkem768"], ["mlkem512", "none"]]}
    built = Proposal.build(options, Use.IKE, IKEV2).to_options()
    assert built["additional_key_exchange"] == ["mlkem768", ["mlkem512", "none"]]


@pytest.mark.parametrize(
    ("rounds", "safe"),
    [
        ([], False),
        ([["mlkem768", "none"]], False),
        (["mlkem512"], True),
        ([["mlkem768", "mlkem1024"]], True),
        ([["mlkem768", "none"], "mlkem1024"], True),
    ],
)
def test_a_required_round_makes_a_proposal_quantum_safe(rounds: object, safe: bool) -> None:
    built = Proposal.build({"additional_key_exchange": rounds}, Use.IKE, IKEV2)
    assert built.quantum_safe is safe


@pytest.mark.parametrize(
    ("rounds", "message"),
    [
        ("mlkem768", f" 'mlkem768': is not a list. {FORMS}"),
        ([None], f"[0]: is not a round. {FORMS}"),
        ([[]], f"[0]: is not a round. {FORMS}"),
        ([{"mlkem768": 1}], f"[0] {{'mlkem768': 1}}: is not a round. {FORMS}"),
        (
            ["kyber768"],
            "[0] 'kyber768': is not an additional key exchange. Use one of: mlkem512, mlkem768, "
            "mlkem1024, none.",
        ),
        (
            [["mlkem768", None]],
            "[0] 'null': is not an additional key exchange. Use one of: mlkem512, mlkem768, "
            "mlkem1024, none.",
        ),
        (
            [[["mlkem768"]]],
            "[0] ['mlkem768']: is not an additional key exchange. Use one of: mlkem512, mlkem768, "
            "mlkem1024, none.",
        ),
        (
            [["mlkem768", "mlkem768"]],
            "[0] 'mlkem768': is given twice in one round. Remove one of the two.",
        ),
        (
            [["mlkem768", "none"], ["mlkem1024", "mlkem768"]],
            "[1] 'mlkem768': is also in an earlier round, and RFC 9370 allows each method in one "
            "round. Use another method, or remove the round.",
        ),
        # The form of one round that looks like one of alternatives.
        (
            ["mlkem768", "none"],
            f"[1] 'none': is the only alternative of its round, so the round does nothing. {FORMS}",
        ),
        (
            [["none", "mlkem768"]],
            "[0] 'none': is not the last alternative, so peers that have the others would use none "
            "too. Write the round as [mlkem768, none].",
        ),
    ],
)
def test_refused(rounds: object, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Proposal.build({"additional_key_exchange": rounds}, Use.IKE, IKEV2)
    assert str(caught.value) == f"additional_key_exchange{message}"


@pytest.mark.parametrize(
    ("use", "versions", "problem"),
    [
        (
            Use.IKE,
            IKEV1,
            "cannot be used: IKEv1 has no additional key exchange. Set key_exchange of the phase 1 "
            "to ikev2, or remove additional_key_exchange.",
        ),
        (
            Use.ESP,
            AUTO,
            "cannot be used: key_exchange auto also accepts IKEv1, and IKEv1 has no additional key "
            "exchange. Set key_exchange of the phase 1 to ikev2, or remove "
            "additional_key_exchange.",
        ),
        (
            Use.AH,
            IKEV2,
            "has no key exchange to add to, because the entry has no dh_group. Give dh_group, such "
            "as 31 (curve25519), or remove additional_key_exchange.",
        ),
    ],
)
def test_refused_in_its_place(use: Use, versions: frozenset[int], problem: str) -> None:
    with pytest.raises(ModelError) as caught:
        Proposal.build({"additional_key_exchange": ["mlkem768"]}, use, versions)
    assert str(caught.value) == f"additional_key_exchange ['mlkem768']: {problem}"


@pytest.mark.parametrize(
    "keyword",
    [
        "aes256-sha256-curve25519-ke2_mlkem768",
        "aes256-sha256-curve25519-ke1_none",
        "aes256-sha256-curve25519-ke1_none-ke1_mlkem768",
        "aes256-sha256-curve25519-ke1_mlkem768-ke3_mlkem1024",
        "aes256-sha256-ke1_mlkem768-curve25519",
        "aes256-sha256-ke1_mlkem768",
        "aes256-sha256-curve25519-ke1_bike1",
    ],
)
def test_parse_refuses_what_keyword_would_not_write(keyword: str) -> None:
    with pytest.raises(ModelError):
        Proposal.parse(keyword, Use.ESP)


@pytest.mark.parametrize(
    ("offered", "configured", "result"),
    [
        ((), (), ()),
        ((("mlkem768", "none"),), (), ()),
        ((), (("mlkem768", "none"),), ()),
        ((("mlkem768",),), (), None),
        ((), (("mlkem768",),), None),
        ((("mlkem768", "none"),), (("mlkem768", "none"),), (("mlkem768",),)),
        ((("mlkem768",),), (("mlkem768", "none"),), (("mlkem768",),)),
        # The preference of the responder counts.
        ((("mlkem768", "mlkem1024"),), (("mlkem1024", "mlkem768"),), (("mlkem1024",),)),
        (
            (("mlkem768", "none"), ("mlkem1024",)),
            (("mlkem512", "none"), ("mlkem1024",)),
            (("none",), ("mlkem1024",)),
        ),
        ((("mlkem768", "none"), ("mlkem1024",)), (("mlkem1024",),), None),
    ],
)
def test_negotiated(offered: Rounds, configured: Rounds, result: Rounds | None) -> None:
    assert negotiated(offered, configured) == result


def test_a_round_that_both_leave_out_has_no_keyword() -> None:
    proposal = Proposal("aes", 256, "sha256", 31, None, (("none",), ("mlkem1024",)))
    assert proposal.keyword() == "aes256-sha256-curve25519-ke2_mlkem1024"


ALTERNATIVES = [
    *itertools.permutations(METHODS, 1),
    *itertools.permutations(METHODS, 2),
    *itertools.permutations(METHODS, 3),
]
ROUNDS = st.lists(
    st.sampled_from([*ALTERNATIVES, *((*item, "none") for item in ALTERNATIVES)]), max_size=3
).map(tuple)


@given(one=ROUNDS, other=ROUNDS)
def test_two_sides_agree_whoever_initiates_or_not_at_all(one: Rounds, other: Rounds) -> None:
    assert (negotiated(one, other) is None) == (negotiated(other, one) is None)
