# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ipsec_connection names the cause of every failure that the test can provoke between two gateways.

A run tests one failure in six, which ``SEED`` chooses. ``make scorecard`` sets ``SCORECARD``, and
tests all failures. It writes the results to tests/live/scorecard.json, and the logs of both sides
to a fixture that the unit tests replay.
"""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.causes import CAUSES
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.explain import (
    Attempt,
    explain,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.tests.live.failures import (
    AT_CALLER,
    AT_PEER,
    FAILURES,
    NOTHING_LOST,
    OTHER_PPK,
    OTHER_PSK,
    PPK,
    PSK,
    V1,
    Failure,
    drop,
)
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Host, Run
from ansible_collections.tunnelwright.ipsec.tests.live.provoke import (
    PHASE1_OPTIONS,
    PHASE2_OPTIONS,
    Journal,
    Pair,
    filled,
)
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES, need_ikev1, speaks_ikev1

SCORECARD = ROOT / "tests/live/scorecard.json"
RECORDED = ROOT / "tests/unit/plugins/module_utils/_diagnose/fixtures/recorded.json"

# The scorecard needs every failure, because the unit tests replay all logs.
EVERY = 1 if os.environ.get("SCORECARD") else draw.PARTS

KINDS = ("key_exchange",)
# The device with strongSwan 5.
OLD_DEVICE = "a"
# The result of the log of the initiator, if only the other side shows the failure.
UNSEEN = {"cause": "none", "verdict": "unseen"}

Card = dict[str, t.Any]


@pytest.fixture(name="cards", scope="module")
def _cards() -> t.Iterator[list[Card]]:
    """Collect the results. Merge them into the files of earlier results if ``SCORECARD`` is set."""
    cards: list[Card] = []
    yield cards
    if os.environ.get("SCORECARD"):
        write(SCORECARD, [{key: card[key] for key in card if key != "recorded"} for card in cards])
        write(RECORDED, [{**card.pop("recorded"), **card} for card in cards])


def write(path: Path, found: list[Card]) -> None:
    order = [failure.label for failure in (*FAILURES, *AT_CALLER, *AT_PEER, *LATER)]
    before = json.loads(path.read_text()) if path.exists() else []
    known = {(card["failure"], card["initiator"]): card for card in (*before, *found)}
    cards = [card for card in known.values() if card["failure"] in order]
    cards.sort(key=lambda card: (order.index(card["failure"]), card["initiator"]))
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(cards, indent=1) + "\n")


# The device that initiates, and its peer.
PAIRS = ("ab", "ba", "cb")


@pytest.fixture(name="pair", scope="module", params=PAIRS)
def _pair(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Pair:
    caller, peer = request.param
    pair = Pair(DEVICES[caller], hosts[caller], hosts[peer])
    pair.prepare()
    return pair


@pytest.mark.drawn
@pytest.mark.parametrize("failure", draw.sample(FAILURES, EVERY), ids=str)
def test_a_failure_is_explained(pair: Pair, failure: Failure, cards: list[Card]) -> None:
    if failure.ikev1:
        need_ikev1(pair.caller, pair.peer)
    if failure.old and getattr(pair, failure.old).name != OLD_DEVICE:
        # A later release does not fail there. The row in failures.py has the reason.
        pytest.skip(f"the failure needs strongSwan 5 on the {failure.old}")
    check_explanation(pair, failure, cards)


# Device ``c`` has no IKEv1.
WITHOUT_IKEV1 = [
    *(("cb", failure) for failure in AT_CALLER),
    *((pair, failure) for pair in ("ac", "bc") for failure in AT_PEER),
]


@pytest.mark.drawn
@pytest.mark.parametrize(
    ("pair", "failure"), draw.sample(WITHOUT_IKEV1, EVERY), indirect=["pair"], ids=str
)
def test_a_daemon_without_ikev1_is_explained(
    pair: Pair, failure: Failure, cards: list[Card]
) -> None:
    if speaks_ikev1(pair.caller) and speaks_ikev1(pair.peer):
        # The failure can't be provoked where Debian builds forky with IKEv1 again.
        pytest.skip("both daemons have IKEv1")
    check_explanation(pair, failure, cards)


def check_explanation(pair: Pair, failure: Failure, cards: list[Card]) -> None:
    """Provoke a failure, and check its explanations without and with the log of the peer."""
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
        "initiator": pair.release,
        "provoked": failure.cause or "none",
        "alone": judged(alone, failure),
        "both": judged(both, failure),
        "recorded": {
            "fails": both.failed,
            # The options on which the candidates depend.
            "options": {key: failure.phase1[key] for key in KINDS if key in failure.phase1},
            "certified": bool(failure.certified),
            "faults": list(failure.faults),
            "rekeyed": bool(failure.options.get("check_rekey")),
            **logs,
        },
    }
    cards.append(card)
    told = json.dumps({**card, "result": both.result}, indent=1)
    # A log of the peer without packets does not show whether a request has arrived.
    open_ = card["both"]["cause"] == "no_answer"
    assert card["both"]["verdict"] == ("listed" if open_ else "named"), told
    assert card["alone"]["verdict"] in ("named", "listed"), told
    assert PSK not in told
    assert OTHER_PSK not in told
    assert PPK not in told
    assert OTHER_PPK not in told
    seen_by_looking = failure.cause in ("local_address_missing", "no_route", "ikev1_not_supported")
    assert all(item["evidence"] for item in both.result["failures"]) or seen_by_looking, told


def judged(run: Run, failure: Failure) -> dict[str, str]:
    """Return the reported cause, and whether the result names, lists or misses the real cause."""
    findings = run.result["failures"]
    if not findings:
        return {"cause": "none", "verdict": "missed" if failure.cause else "named"}
    cause = findings[0]["cause"]
    if not failure.cause and run.failed:
        return {"cause": cause, "verdict": "missed"}
    if cause == failure.cause:
        return {"cause": cause, "verdict": "named"}
    candidates = {item["cause"] for item in findings[0]["candidates"]}
    behind = candidates | {code for item in candidates for code in CAUSES[item].candidates}
    return {"cause": cause, "verdict": "listed" if failure.cause in behind else "missed"}


def check_nothing_half_open(pair: Pair) -> None:
    for sa in pair.caller.ask("sas")["sas"]:
        assert sa.get("child-sas"), sa


LATER = (
    Failure("the peer stops answering, IKEv2", "peer_dead", phase1={"dpd_delay": 1}),
    Failure(
        "the peer stops answering, IKEv1",
        "peer_dead",
        phase1={**V1, "dpd_delay": 1, "dpd_failures": 1},
        conn={"version": "1"},
    ),
    Failure("initiated twice, IKEv2", "already_up"),
    Failure("a second gateway of the same identity", "replaced_by_same_identity"),
)
# The initiator waits two seconds for an answer.
IMPATIENT = """
echo 'charon { retransmit_tries = 1
 retransmit_timeout = 1
 retransmit_base = 1 }' >/etc/strongswan.d/impatient.conf
swanctl --reload-settings
"""
PATIENT = "rm -f /etc/strongswan.d/impatient.conf; swanctl --reload-settings"


@pytest.mark.drawn
@pytest.mark.parametrize("failure", draw.sample(LATER, EVERY), ids=str)
def test_what_befalls_a_tunnel_later_is_explained(
    pair: Pair, failure: Failure, cards: list[Card]
) -> None:
    """The logs explain a failure of a tunnel that was up, without a new connection."""
    if failure.ikev1:
        need_ikev1(pair.caller, pair.peer)
    pair.caller.sh(IMPATIENT)
    try:
        pair.arrange(failure)
        ours, theirs = Journal(pair.caller), Journal(pair.peer)
        first = pair.connect(failure)
        assert not first.failed, first.result["msg"]
        BEFALL[failure.cause](pair)
        logs = {"ours": ours.lines(), "theirs": theirs.lines()}
    finally:
        pair.caller.sh(PATIENT)
        pair.clear(failure)
    seen = failure.cause != "replaced_by_same_identity"
    packets = [line for line in logs["ours"] if " packet: from " in line]
    told = [_explained(failure, logs["ours"], item) for item in (None, logs["theirs"])]
    card = {
        "failure": failure.label,
        "initiator": pair.release,
        "provoked": failure.cause,
        "alone": told[0] if seen else UNSEEN,
        "both": told[1] if seen else _explained(failure, packets, logs["theirs"]),
    }
    recorded = {"fails": seen, "options": {}, "certified": False, "faults": [], "rekeyed": False}
    cards.append({**card, "recorded": {**recorded, **logs}})
    assert card["both"]["verdict"] == "named", json.dumps({**card, **logs}, indent=1)
    assert card["alone"]["verdict"] in ("named", "unseen"), json.dumps({**card, **logs}, indent=1)


def _explained(failure: Failure, ours: list[str], theirs: list[str] | None) -> dict[str, str]:
    options = {**PHASE1_OPTIONS, **failure.phase1, "remote_gateway": "192.0.2.2"}
    child = ChildSa.from_options(PHASE2_OPTIONS, frozenset({1, 2}))
    connection = IkeConnection.from_options(options).with_child(child)
    given = None if theirs is None else tuple(theirs)
    cause = explain(Attempt(connection, child, tuple(ours), given)).cause.code
    return {"cause": cause, "verdict": "named" if cause == failure.cause else "missed"}


def _go_silent(pair: Pair) -> None:
    pair.peer.sh(filled(drop("input", "udp dport {{ 500, 4500 }} drop"), pair.names))
    try:
        time.sleep(8)
    finally:
        pair.peer.sh(NOTHING_LOST)


def _initiate_again(pair: Pair) -> None:
    again = {"ike": "site-b", "child": "net", "timeout": "3000"}
    assert "refused" in pair.caller.ask("request", command="initiate", message=again)


def _come_anew(pair: Pair) -> None:
    """Kill the daemon of the initiator, and initiate again, as a second gateway would."""
    pair.caller.sh("systemctl kill --signal KILL strongswan; sleep 1; systemctl start strongswan")
    run = pair.connect(LATER[-1])
    assert not run.failed, run.result["msg"]


BEFALL = {
    "peer_dead": _go_silent,
    "already_up": _initiate_again,
    "replaced_by_same_identity": _come_anew,
}
