# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorded logs of real failures have the recorded causes.

`make scorecard` records the logs of all releases and of both sides in recorded.json. The logs in
recorded_ppk.json are of daemons of 5.9.8, 6.0.1 and 6.1.0 in network namespaces, with the
connections of tests/live/failures.py.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.explain import (
    Attempt,
    explain,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.our_side import (
    OwnCertificate,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    PUBKEY,
    child,
    connection,
)

RECORDED: list[dict[str, t.Any]] = [
    record
    for name in ("recorded.json", "recorded_ppk.json")
    for record in json.loads((Path(__file__).parent / "fixtures" / name).read_text("utf-8"))
]
# Causes that are visible on the host or in its SAs, but in no log.
NOT_IN_A_LOG = (
    "local_address_missing",
    "no_route",
    "selectors_narrowed",
    "outdated",
    "ikev1_not_supported",
)

every_failure = pytest.mark.parametrize(
    "record",
    [item for item in RECORDED if item["fails"] and item["both"]["cause"] not in NOT_IN_A_LOG],
    ids=lambda item: f"{item['failure']}, {item['initiator']} initiates",
)


def attempt(record: dict[str, t.Any], theirs: list[str] | None) -> Attempt:
    made = child(name="net")
    return Attempt(
        connection(made, **record["options"], **(PUBKEY if record["certified"] else {})),
        made,
        tuple(record["ours"]),
        None if theirs is None else tuple(theirs),
        rekeyed=record["rekeyed"],
        # The faults in the files of the initiator.
        own=OwnCertificate(faults=dict.fromkeys(record.get("faults", ()), "as it was")),
    )


@every_failure
def test_by_the_initiator_alone(record: dict[str, t.Any]) -> None:
    assert explain(attempt(record, None)).cause.code == record["alone"]["cause"]


@every_failure
def test_with_the_log_of_the_peer(record: dict[str, t.Any]) -> None:
    assert explain(attempt(record, record["theirs"])).cause.code == record["both"]["cause"]


@every_failure
@pytest.mark.parametrize("prefix", ["Nov 25 10:00:01 gw charon-systemd[211]: ", "09[IKE] <us|3> "])
def test_in_whatever_form(record: dict[str, t.Any], prefix: str) -> None:
    theirs = [prefix + line for line in record["theirs"]]
    finding = explain(attempt(record, theirs))
    assert finding.cause.code == record["both"]["cause"]
    assert not [line for line in finding.evidence if prefix in line]
