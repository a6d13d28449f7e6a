# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every failure that can be provoked between two gateways is explained rightly.

With SCORECARD set, what was found is written to tests/live/scorecard.json, and the logs of both
sides to where the unit tests replay them: that is ``make scorecard``.
"""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.causes import CAUSES
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import DEVICES
from ansible_collections.tunnelwright.ipsec.tests.live.failures import (
    FAILURES,
    OTHER_PSK,
    PSK,
    Failure,
    Journal,
    Pair,
)
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Host, Run

SCORECARD = ROOT / "tests/live/scorecard.json"
RECORDED = ROOT / "tests/unit/plugins/module_utils/_diagnose/fixtures/recorded.json"

KINDS = ("key_exchange",)

Card = dict[str, t.Any]


@pytest.fixture(name="cards", scope="module")
def _cards() -> t.Iterator[list[Card]]:
    """What was found; written down where that is asked for."""
    cards: list[Card] = []
    yield cards
    if os.environ.get("SCORECARD"):
        order = {failure.label: number for number, failure in enumerate(FAILURES)}
        cards.sort(key=lambda card: (order.get(card["failure"], 999), card["caller"]))
        logs = [{**card, **card.pop("recorded")} for card in cards]
        SCORECARD.write_text(json.dumps(cards, indent=1) + "\n")
        RECORDED.parent.mkdir(exist_ok=True)
        RECORDED.write_text(json.dumps(logs, indent=1) + "\n")


@pytest.fixture(name="pair", scope="module", params=DEVICES)
def _pair(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Pair:
    """``a`` calls ``b``, then ``b`` calls ``a``."""
    name = request.param
    (other,) = DEVICES.keys() - {name}
    pair = Pair(DEVICES[name], hosts[name], hosts[other])
    pair.prepare()
    return pair


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_failure_is_explained(pair: Pair, failure: Failure, cards: list[Card]) -> None:
    try:
        pair.arrange(failure)
        ours, theirs = Journal(pair.caller), Journal(pair.peer)
        alone = pair.connect(failure)
        logs = {"ours": ours.lines(), "theirs": theirs.lines()}
        check_nothing_half_open(pair)
        both = pair.connect(failure, peer_log=logs["theirs"])
    finally:
        pair.clear(failure)
    card = {
        "failure": failure.label,
        "caller": pair.release,
        "provoked": failure.cause or failure.remark or "none",
        "alone": judged(alone, failure),
        "both": judged(both, failure),
        "recorded": {
            "fails": both.failed,
            # Those on which it depends which candidates there are.
            "options": {key: failure.phase1[key] for key in KINDS if key in failure.phase1},
            "rekeyed": bool(failure.options.get("check_rekey")),
            **logs,
        },
    }
    cards.append(card)
    told = json.dumps({**card, "result": both.result}, indent=1)
    wanted = "listed" if failure.listed else "named"
    assert card["both"]["verdict"] == wanted, told
    assert card["alone"]["verdict"] in ("named", "listed"), told
    assert PSK not in told
    assert OTHER_PSK not in told
    assert all(item["evidence"] for item in both.result["failures"] if not failure.listed), told


def judged(run: Run, failure: Failure) -> dict[str, str]:
    """What was said, against what was provoked."""
    findings = run.result["failures"] or run.result["remarks"]
    if not findings:
        expected = not failure.cause and not failure.remark
        return {"cause": "none", "verdict": "named" if expected else "missed"}
    cause = findings[0]["cause"]
    if not failure.cause and run.failed:
        return {"cause": cause, "verdict": "missed"}
    if cause == (failure.cause or failure.remark):
        return {"cause": cause, "verdict": "named"}
    candidates = {item["cause"] for item in findings[0]["candidates"]}
    behind = candidates | {code for item in candidates for code in CAUSES[item].candidates}
    return {"cause": cause, "verdict": "listed" if failure.cause in behind else "missed"}


def check_nothing_half_open(pair: Pair) -> None:
    for sa in pair.caller.ask("sas")["sas"]:
        assert sa.get("child-sas"), sa
