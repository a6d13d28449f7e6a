# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels.outdated_sas import (
    Pending,
    follow,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import IkeState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.in_force import (
    InForce,
    is_key,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
)

NONSENSE = (', "connections": 3', ', "connections": {"b": {}}')
OLD = InForce({"3": {"dpd_delay": "30"}}, {"7": ("net", {"remote_ts": ["10.2.0.0/24"]})})
KEY = Secret(b"the key before this one")
PSK_BEFORE = SharedSecret("ike-b", "IKE", (), KEY)
PPK_BEFORE = SharedSecret("ppk-b", "PPK", ("ppk-b",), Secret(b"a quantum key"))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "pending"


def test_a_pipe_in_its_place_is_not_waited_for(path: Path) -> None:
    for name in ("pending", "pending.new"):
        os.mkfifo(path.with_name(name))
    pending = Pending(str(path))
    assert pending.read(1) == {}
    pending.put(1, "b", OLD)
    assert pending.read(1) == {"b": OLD}


def test_what_was_put_is_there_for_that_daemon(path: Path) -> None:
    pending = Pending(str(path))
    assert pending.read(1) == {}
    pending.put(1, "b", InForce({"4": {}}))
    pending.put(1, "b", OLD)
    pending.put(1, "c", InForce({"5": {}}))
    assert pending.read(1) == {"b": OLD, "c": InForce({"5": {}})}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["pending"]
    pending.put(1, "c", InForce())
    assert pending.read(1) == {"b": OLD}
    assert pending.read(2) == {}
    pending.put(2, "c", InForce({"1": {}}))
    assert pending.read(2) == {"c": InForce({"1": {}})}


def test_a_key_is_noted_as_a_digest_of_its_own(path: Path) -> None:
    pending = Pending(str(path))
    pending.put_key(1, "b", {"3", "4"}, PSK_BEFORE)
    pending.put(1, "b", OLD)
    noted = pending.read(1)["b"]
    assert (noted.ikes, {*noted.keys}) == (OLD.ikes, {"3", "4"})
    assert is_key(noted.keys["3"], KEY.reveal())
    assert not is_key(noted.keys["3"], b"another")
    assert KEY.reveal().decode() not in path.read_text()
    # The SAs have authenticated with the key that was noted first.
    pending.put_key(1, "b", {"3", "5"}, replace(PSK_BEFORE, secret=Secret(b"another")))
    again = pending.read(1)["b"].keys
    assert again["3"] == noted.keys["3"]
    assert is_key(again["5"], b"another")
    assert again["5"].partition("$")[0] != again["3"].partition("$")[0]


def test_a_ppk_is_noted_beside_the_psk(path: Path) -> None:
    pending = Pending(str(path))
    pending.put_key(1, "b", {"3"}, PSK_BEFORE)
    pending.put_key(1, "b", {"3"}, PPK_BEFORE)
    pending.put(1, "b", OLD)
    noted = pending.read(1)["b"]
    assert is_key(noted.keys["3"], KEY.reveal())
    assert is_key(noted.ppks["3"], PPK_BEFORE.secret.reveal())
    assert "quantum" not in path.read_text()
    pending.put_key(1, "b", {"3"}, replace(PSK_BEFORE, kind="EAP"))
    assert pending.read(1)["b"] == noted


def test_the_note_of_an_earlier_version(path: Path) -> None:
    path.write_text('{"pid": 1, "connections": {"b": ["3"]}}')
    assert Pending(str(path)).read(1) == {"b": InForce({"3": {}})}
    entry = '{"ikes": {}, "children": {}, "keys": {"3": "a$b"}}'
    path.write_text(f'{{"pid": 1, "connections": {{"b": {entry}}}}}')
    assert Pending(str(path)).read(1) == {"b": InForce(keys={"3": "a$b"})}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", *(f'{{"pid": 1{more}}}' for more in ("", *NONSENSE))],
)
def test_a_note_that_makes_no_sense_is_none(path: Path, text: str) -> None:
    path.write_text(text)
    assert Pending(str(path)).read(1) == {}


def test_where_none_can_be_left_nothing_fails(tmp_path: Path) -> None:
    Pending(str(tmp_path / "nowhere/pending")).put(1, "b", OLD)


# Lines of charon 5.9.8 and 6.0.1, with the id of the IKE SA that each line is about.
TO = "198.51.100.1[a]...192.0.2.2[b]"
ESTABLISHED = "established with SPIs c1_i c2_o and TS 10.1.0.0/24 === 10.2.0.0/24"
REKEYED = [
    ("3", "initiating IKE_SA b[4] to 192.0.2.2"),
    ("3", f"IKE_SA b[4] rekeyed between {TO}"),
]
PEER_REKEYED = [("3", f"IKE_SA b[4] rekeyed between {TO}")]
REAUTHENTICATED = [
    ("3", "reauthenticating IKE_SA b[3]"),
    ("3", "restarting CHILD_SA net"),
    ("3", "initiating IKE_SA b[4] to 192.0.2.2"),
    ("4", f"IKE_SA b[4] established between {TO}"),
    ("4", f"CHILD_SA net{{8}} {ESTABLISHED}"),
]
IKEV1 = [
    ("3", "initiating Main Mode IKE_SA b[4] to 192.0.2.2"),
    ("4", f"IKE_SA b[4] established between {TO}"),
]
ANEW = [
    ("4", "initiating IKE_SA b[4] to 192.0.2.2"),
    ("4", f"IKE_SA b[4] established between {TO}"),
    ("4", f"CHILD_SA net{{8}} {ESTABLISHED}"),
]
CHILD_REKEYED = [("3", f"{way} CHILD_SA net{{8}} {ESTABLISHED}") for way in ("inbound", "outbound")]
CHILD_ANEW = [("3", f"CHILD_SA net{{8}} {ESTABLISHED}")]
CHILD_ANEW_AND_REKEYED = [("3", f"CHILD_SA net{{6}} {ESTABLISHED}"), *CHILD_REKEYED]
BEFORE = [("2", f"inbound CHILD_SA net{{7}} {ESTABLISHED}")]


def journal(lines: list[tuple[str, str]], pid: str = "1") -> str:
    entries = [
        {
            "__REALTIME_TIMESTAMP": "1769860800000000",
            "MESSAGE": text,
            "IKE_SA_NAME": "b",
            "IKE_SA_UNIQUE_ID": ike,
            "_PID": pid,
        }
        for ike, text in lines
    ]
    return "".join(f"{json.dumps(entry)}\n" for entry in reversed(entries))


def sas(ike: str, child: str) -> list[IkeState]:
    net = {"name": "net", "uniqueid": child, "state": "INSTALLED"}
    section = {"uniqueid": ike, "state": "ESTABLISHED", "version": "2", "child-sas": {"net": net}}
    return [IkeState.of("b", section)]


class TestFollowing:
    def followed(
        self, path: Path, lines: list[tuple[str, str]], ike: str, child: str, noted: InForce
    ) -> InForce:
        pending = Pending(str(path))
        pending.write(1, {"b": noted})
        asked: list[list[str]] = []

        def run(argv: list[str], _stdin: str) -> tuple[int, str, str]:
            asked.append(argv)
            return 0, journal(lines) + journal(lines, pid="7"), ""

        found = follow(pending, run, DEBIAN.daemon_unit, 1, sas(ike, child))
        # The result is noted, so that the next run need not search again.
        assert follow(pending, refuse, DEBIAN.daemon_unit, 1, sas(ike, child)) == found
        assert all("IKE_SA_NAME=b" in argv for argv in asked)
        return found.get("b", InForce())

    @pytest.mark.parametrize(
        ("lines", "ike", "left"),
        [
            ([], "3", True),
            (REKEYED, "4", True),
            (PEER_REKEYED, "4", True),
            (REAUTHENTICATED, "4", True),
            (IKEV1, "4", True),
            ([*REKEYED, ("4", f"IKE_SA b[9] rekeyed between {TO}")], "9", True),
            (ANEW, "4", False),
            ([], "4", False),
            ([("3", "initiating IKE_SA bb[4] to 192.0.2.2")], "4", False),
        ],
    )
    def test_an_ike_sa(
        self, path: Path, lines: list[tuple[str, str]], ike: str, left: bool
    ) -> None:
        noted = InForce(OLD.ikes)
        found = self.followed(path, lines, ike, "8", noted)
        assert found.ikes == ({ike: OLD.ikes["3"]} if left else {})

    @pytest.mark.parametrize(
        ("lines", "child", "left"),
        [
            ([], "7", True),
            (CHILD_REKEYED, "8", True),
            ([*BEFORE, *CHILD_REKEYED], "8", True),
            (REAUTHENTICATED, "8", True),
            (CHILD_ANEW, "8", False),
            (CHILD_ANEW_AND_REKEYED, "8", False),
            ([*BEFORE, *CHILD_ANEW_AND_REKEYED], "8", False),
            (ANEW, "8", False),
        ],
    )
    def test_a_child_sa(
        self, path: Path, lines: list[tuple[str, str]], child: str, left: bool
    ) -> None:
        noted = InForce(children=OLD.children)
        found = self.followed(path, lines, "3", child, noted)
        assert found.children == ({child: OLD.children["7"]} if left else {})

    @pytest.mark.parametrize(
        ("lines", "left"), [(REKEYED, True), (REAUTHENTICATED, False), (IKEV1, False)]
    )
    def test_a_key_which_only_an_authentication_replaces(
        self, path: Path, lines: list[tuple[str, str]], left: bool
    ) -> None:
        found = self.followed(path, lines, "4", "8", InForce(keys={"3": "digest"}))
        assert found.keys == ({"4": "digest"} if left else {})

    def test_no_journal(self, path: Path) -> None:
        pending = Pending(str(path))
        pending.put(1, "b", OLD)
        assert (
            follow(pending, lambda *_: (1, "", "no journal"), DEBIAN.daemon_unit, 1, sas("4", "8"))
            == {}
        )

    def test_of_what_is_gone_nothing_is_left(self, path: Path) -> None:
        pending = Pending(str(path))
        pending.put(1, "b", OLD)
        assert follow(pending, refuse, DEBIAN.daemon_unit, 1, []) == {}
        assert pending.read(1) == {}


def refuse(*_call: t.Any) -> tuple[int, str, str]:
    raise AssertionError("the journal is read without need")
