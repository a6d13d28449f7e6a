# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proposals as strongSwan 6.1.0 showed them in list-conns, against the configured proposals.

fixtures/proposals.json has the answers of the daemon for every algorithm. A new algorithm needs a
new record: load a connection with its keyword, and copy the proposals from list-conns.
"""

from __future__ import annotations

import itertools
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import ModelError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    ADDITIONAL_KEY_EXCHANGES,
    DH,
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import (
    Proposal,
    Use,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.loaded_proposals import (
    configured,
    configured_child,
    shown,
    shown_child,
)

Record = dict[str, t.Any]
RECORDS: list[Record] = json.loads(
    (Path(__file__).parent / "fixtures" / "proposals.json").read_text(encoding="utf-8")
)
AES = {"encr": ("AES_CBC_256",), "integ": ("HMAC_SHA2_256_128",), "prf": ("PRF_HMAC_SHA2_256",)}
IKE = {**AES, "ke": ("MODP_2048",)}
ESP = {"encr": ("AES_GCM_16_256",), "sn": ("NO_EXT_SEQ",)}


def sides(record: Record) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Return the proposals of a record, as configured and as shown."""
    if record["use"] == "IKE":
        return configured({"proposals": record["configured"]}), shown(
            {"proposals": record["shown"]}
        )
    protocol = record["use"].lower()
    others = {"esp_proposals": {}, "ah_proposals": {}}
    return (
        configured_child({f"{protocol}_proposals": tuple(record["configured"])}),
        shown_child({**others, f"{protocol}_proposals": record["shown"]}),
    )


@pytest.mark.parametrize("record", RECORDS, ids=lambda item: item["use"])
def test_what_is_configured_is_what_is_shown(record: Record) -> None:
    expected, actual = sides(record)
    assert expected
    assert expected == actual


@pytest.mark.parametrize("record", RECORDS[:3], ids=lambda item: item["use"])
def test_each_proposal_alone(record: Record) -> None:
    for keyword, proposal in zip(record["configured"], record["shown"].values()):
        one = {**record, "configured": [keyword], "shown": {"0": proposal}}
        expected, actual = sides(one)
        assert len(expected) == 1
        assert expected == actual


@pytest.mark.parametrize("record", RECORDS[:3], ids=lambda item: item["use"])
def test_other_algorithms_and_another_order_are_a_difference(record: Record) -> None:
    expected, _actual = sides(record)
    assert len({*expected}) == len(record["configured"])
    turned = dict(zip(record["shown"], reversed([*record["shown"].values()])))
    assert sides({**record, "shown": turned})[1] == tuple(reversed(expected))


def test_all_algorithms_are_recorded() -> None:
    keywords = {
        use: {
            (option, value if isinstance(value, (str, int)) else str(value))
            for record in RECORDS
            if record["use"] == use.name
            for keyword in record["configured"]
            for option, value in options(Proposal.parse(keyword, use))
        }
        for use in Use
    }
    for use, option, value in itertools.chain(
        (
            (use, "algorithm", f"{item.name} {length}")
            for use in (Use.IKE, Use.ESP)
            for item in ENCRYPTIONS.values()
            for length in item.key_lengths
        ),
        ((use, "hash", name) for use in Use for name in HASHES),
        ((Use.IKE, "prf", name) for name in HASHES),
        ((use, "dh_group", number) for use in Use for number in DH),
        ((use, "round", name) for use in Use for name in (*ADDITIONAL_KEY_EXCHANGES, "none")),
    ):
        if (option, value) not in keywords[use]:
            with pytest.raises(ModelError):
                Proposal.build(given(option, value), use, frozenset({2}))


def options(proposal: Proposal) -> t.Iterator[tuple[str, t.Any]]:
    yield "algorithm", f"{proposal.algorithm} {proposal.key_length}"
    yield from (("hash", proposal.hash), ("prf", proposal.prf), ("dh_group", proposal.dh_group))
    yield from (("round", name) for one in proposal.additional_key_exchange for name in one)


def given(option: str, value: t.Any) -> dict[str, t.Any]:
    if option == "algorithm":
        name, length = value.split()
        return {"algorithm": name, "key_length": int(length)}
    if option == "round":
        return {"dh_group": 31, "additional_key_exchange": [value]}
    return {option: value}


def test_defaults_of_the_daemon_are_known() -> None:
    """The first words of the two default proposals of strongSwan 6.1.0."""
    words = {"encr": ("AES_CBC_128", "CAMELLIA_CTR_256", "3DES_CBC"), "integ": ("AES_CMAC_96",)}
    aead = {"encr": ("AES_CCM_16_128", "CAMELLIA_CCM_12_256", "AES_GCM_8_128")}
    assert shown({"proposals": {"0": {**words, "ke": ("ECP_512_BP",)}, "1": aead}}) == (
        "AES_CBC_128,CAMELLIA_CTR_256,3DES_CBC/AES_CMAC_96/ECP_512_BP",
        "AES_CCM_16_128,CAMELLIA_CCM_12_256,AES_GCM_8_128",
    )


@pytest.mark.parametrize(
    "proposals",
    [
        None,
        "AES_CBC_256",
        {"first": IKE},
        {"0": IKE, "1": "aes256"},
        {"0": {**IKE, "kem": ("ML_KEM_768",)}},
        {"0": {**IKE, "encr": "AES_CBC_256"}},
        {"0": {**IKE, "encr": ("AES_CBC_512",)}},
    ],
)
def test_an_unknown_form_is_no_difference(proposals: t.Any) -> None:
    assert shown({"proposals": proposals}) is None
    child = {"esp_proposals": {"0": ESP}, "ah_proposals": proposals}
    assert shown_child(child) is None


@pytest.mark.parametrize(
    "texts",
    [(), ("default",), ("aes256-sha256-modp2048", "default"), ("sha256-aes256-modp2048",), ("x",)],
)
def test_a_conf_text_in_another_form_is_not_compared(texts: tuple[str, ...]) -> None:
    assert configured({"proposals": texts}) == ()
    assert configured({"proposals": ", ".join(texts)}) == ()
    assert configured_child({"esp_proposals": texts, "ah_proposals": ()}) == ()


def test_a_conf_text_in_the_form_of_the_modules() -> None:
    text = "aes256-sha256-modp2048, aes256gcm16-prfsha256-ecp384"
    assert len(configured({"proposals": text})) == 2
    both = {"esp_proposals": "aes256gcm16", "ah_proposals": "sha256"}
    assert configured_child(both) == (
        "ESP:AES_GCM_16_256/NO_EXT_SEQ",
        "AH:HMAC_SHA2_256_128/NO_EXT_SEQ",
    )
    assert configured_child({**both, "ah_proposals": "x"}) == ()


def test_ten_proposals_keep_their_order() -> None:
    lengths = (128, 192, 256)
    names = [
        f"{name}_{size}"
        for name in ("AES_CBC", "AES_CTR", "CAMELLIA_CBC", "AES_GCM_16")
        for size in lengths
    ]
    found = {str(number): {"encr": (name,)} for number, name in enumerate(names)}
    assert shown({"proposals": dict(reversed(found.items()))}) == tuple(names)
