# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal in the format of journald, with the fields of charon."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels.charon_log import (
    Log,
    LogLine,
    ended,
    last_attempt,
    read_log,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.scripted_run import (
    ScriptedRun,
)


def entry(text: t.Any, at: int = 0, **more: str) -> str:
    stamp = str((1769860800 + at) * 1000000)
    return json.dumps({"__REALTIME_TIMESTAMP": stamp, "_PID": "77", "MESSAGE": text, **more})


def of_sa(text: str, sa: str, name: str = "") -> LogLine:
    return LogLine("2026-01-31T12:00:00+00:00", text, "IKE", name, sa)


COMMAND = (
    "timeout 20 journalctl --unit=strongswan.service --quiet --no-pager --output=json "
    "--output-fields=MESSAGE,GROUP,LEVEL,IKE_SA_NAME,IKE_SA_UNIQUE_ID,_PID --lines=10000 --reverse"
)


def read(run: ScriptedRun, *printed: str) -> tuple[LogLine, ...]:
    run.expect(COMMAND, "\n".join(reversed(printed)))
    return read_log(run, DEBIAN.daemon_unit)


def texts(lines: t.Iterable[LogLine]) -> list[str]:
    return [line.text for line in lines]


class TestReading:
    def test_fields(self, run: ScriptedRun) -> None:
        printed = entry(
            "received NO_PROPOSAL_CHOSEN notify error",
            GROUP="IKE",
            LEVEL="1",
            IKE_SA_NAME="site-b",
            IKE_SA_UNIQUE_ID="4",
        )
        (line,) = read(run, printed)
        assert line == LogLine(
            "2026-01-31T12:00:00+00:00",
            "received NO_PROPOSAL_CHOSEN notify error",
            "IKE",
            "site-b",
            "77/4",
            77,
        )
        assert str(line) == (
            "2026-01-31T12:00:00+00:00 [IKE] <site-b> received NO_PROPOSAL_CHOSEN notify error"
        )

    def test_what_may_hold_a_key_is_left_out(self, run: ScriptedRun) -> None:
        found = read(run, entry("SK_ei secret", LEVEL="4"), entry("fine", LEVEL="3"))
        assert texts(found) == ["fine"]

    def test_bytes_and_what_is_no_entry(self, run: ScriptedRun) -> None:
        found = read(run, entry([104, 105, 255]), entry(None), "garbage", '"text"', "{}")
        assert texts(found) == ["hi\\xff"]

    def test_bounds(self, run: ScriptedRun) -> None:
        run.expect(COMMAND.replace("=10000", "=50") + " --since=-300s")
        assert read_log(run, DEBIAN.daemon_unit, since=300, lines=50) == ()

    def test_oldest_first(self, run: ScriptedRun) -> None:
        assert texts(read(run, entry("first"), entry("then"))) == ["first", "then"]

    def test_no_journal(self, run: ScriptedRun) -> None:
        run.expect(COMMAND, status=1, errors="No such file")
        with pytest.raises(HostError, match="read the journal of the IKE daemon: No such file"):
            read_log(run, DEBIAN.daemon_unit)


class TestAbout:
    def test_its_sas_from_before_they_had_a_name(self) -> None:
        log = Log(
            [
                of_sa("received packet: from 192.0.2.2[500]", "1/1"),
                of_sa("IKE_SA site-b[1] established", "1/1", "site-b"),
                of_sa("received packet: from 192.0.2.3[500]", "1/2"),
                of_sa("IKE_SA site-c[2] established", "1/2", "site-c"),
            ]
        )
        assert texts(log.about(("site-b", "192.0.2.2"))) == [
            "received packet: from 192.0.2.2[500]",
            "IKE_SA site-b[1] established",
        ]

    def test_attempts_that_were_never_assigned(self) -> None:
        log = Log(
            [
                of_sa("received packet: from 192.0.2.2[500] to 192.0.2.1[500]", "1/3"),
                of_sa("no IKE config found for 192.0.2.1...192.0.2.2, sending", "1/3"),
                of_sa("received packet: from 192.0.2.22[500] to 192.0.2.1[500]", "1/4"),
            ]
        )
        assert len(log.about(("site-b", "192.0.2.2"))) == 2

    def test_the_same_id_of_another_daemon_is_another_sa(self) -> None:
        log = Log([of_sa("a", "1/1", "site-b"), of_sa("b", "2/1", "site-c")])
        assert texts(log.about(("site-b", "192.0.2.2"))) == ["a"]

    def test_no_sa_at_all(self) -> None:
        log = Log(
            [
                LogLine("", "added vici connection: site-b"),
                LogLine("", "added vici connection: site-bb"),
                LogLine("", "unable to resolve gw.example, initiate aborted"),
                LogLine("", "loaded certificate from 2001:db8::2[500]"),
            ]
        )
        assert texts(log.about(("site-b", "gw.example"))) == [
            "added vici connection: site-b",
            "unable to resolve gw.example, initiate aborted",
        ]
        assert len(log.about(("x", "2001:db8::2"))) == 1


def test_last_attempt() -> None:
    lines = [
        of_sa("first", "1/1"),
        of_sa("second", "1/2"),
        of_sa("first still", "1/1"),
        LogLine("", "about none"),
        of_sa("second still", "1/2"),
    ]
    assert texts(last_attempt(lines)) == ["second", "about none", "second still"]
    assert texts(last_attempt(lines[3:4])) == ["about none"]
    assert last_attempt([]) == ()


def test_end() -> None:
    lines = [
        LogLine("1", "establishing IKE_SA failed, peer not responding"),
        LogLine("2", "closing CHILD_SA net{1} with SPIs c1_i (0 bytes) c2_o (0 bytes)"),
        LogLine("3", "initiating IKE_SA site-b[2] to 192.0.2.2"),
    ]
    assert ended(lines) == "2"
    assert ended(lines[2:]) is None
