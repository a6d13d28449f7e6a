# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note of an interrupted run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.unfinished_run import (
    UnfinishedRun,
    unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import Secret
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan import steps
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    Unfinished,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.shared_secrets import (
    SharedSecret,
)

SECTION = {"version": "2"}
B = Plan(
    (
        steps.LoadSecret(SharedSecret("ike-b", "IKE", (), Secret(b"hush"))),
        steps.ParkChildren("b", SECTION),
        steps.SwapIn("b", SECTION, SECTION),
        steps.HandOver("b", ("lan",), frozenset({"7"}), frozenset({"3"})),
    )
)
C = Plan((steps.LoadConnection("c", SECTION), steps.UnloadSecret("ike-c"), steps.ReloadSettings()))
HARMLESS = Plan((steps.WriteFile(File("/a", b"")), steps.TerminateConnection("b")))


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "unfinished"


@pytest.fixture(name="journal")
def _journal(path: Path) -> UnfinishedRun:
    return UnfinishedRun(str(path), DEBIAN)


def test_what_a_plan_leaves_uncertain() -> None:
    assert unfinished(B, DEBIAN) == Unfinished({"b": frozenset({"7"})}, frozenset({"ike-b"}))
    assert unfinished(C, DEBIAN) == Unfinished(
        {"c": frozenset()}, frozenset({"ike-c"}), settings=True
    )
    assert unfinished(HARMLESS, DEBIAN) == Unfinished()


def test_a_pipe_in_its_place_is_not_waited_for(journal: UnfinishedRun, path: Path) -> None:
    for name in ("unfinished", "unfinished.new"):
        os.mkfifo(path.with_name(name))
    assert journal.read(1) == Unfinished()
    journal.begin(1, C)
    assert journal.read(1) == unfinished(C, DEBIAN)


def test_what_was_begun_is_read_until_it_ends(journal: UnfinishedRun, path: Path) -> None:
    assert journal.read(1) == Unfinished()
    journal.begin(1, B)
    assert journal.read(1) == unfinished(B, DEBIAN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"hush" not in path.read_bytes()
    journal.end(unfinished(B, DEBIAN))
    assert journal.read(1) == Unfinished()
    assert list(path.parent.iterdir()) == []


def test_another_run_leaves_the_note_of_one_that_died(journal: UnfinishedRun) -> None:
    journal.begin(1, B)
    journal.begin(1, C)
    both = Unfinished(
        {"b": frozenset({"7"}), "c": frozenset()},
        frozenset({"ike-b", "ike-c"}),
        settings=True,
    )
    assert journal.read(1) == both
    journal.end(unfinished(C, DEBIAN))
    assert journal.read(1) == unfinished(B, DEBIAN)


def test_networks_are_those_of_the_host(journal: UnfinishedRun) -> None:
    """The noted networks depend neither on the daemon process nor on the kind of changed file."""
    files = [File("/etc/tunnelwright/lan.nft", b""), File("/etc/tunnelwright/a.b.json", b"")]
    plan = Plan((steps.WriteFile(files[0]), steps.RemoveFile(files[1]), *C.steps))
    assert unfinished(plan, DEBIAN) == replace(
        unfinished(C, DEBIAN), networks=frozenset({"lan", "a.b"})
    )
    journal.begin(1, plan)
    assert journal.read(2) == Unfinished(networks=frozenset({"lan", "a.b"}))
    journal.end(Unfinished(networks=frozenset({"lan"})))
    assert journal.read(1) == replace(unfinished(C, DEBIAN), networks=frozenset({"a.b"}))


def test_of_two_interrupted_runs_the_later_counts(journal: UnfinishedRun) -> None:
    journal.begin(1, B)
    journal.begin(1, Plan((steps.LoadConnection("b", SECTION),)))
    assert journal.read(1) == Unfinished({"b": frozenset()}, frozenset({"ike-b"}))


def test_taken_back_is_what_others_had_left(journal: UnfinishedRun, path: Path) -> None:
    journal.begin(1, B)
    left = journal.begin(1, Plan((*B.steps[:2], *C.steps)))
    journal.take_back(1, left)
    assert journal.read(1) == unfinished(B, DEBIAN)
    journal.take_back(1, Unfinished())
    assert not path.exists()


def test_another_daemon_has_loaded_everything_from_files(
    journal: UnfinishedRun, path: Path
) -> None:
    journal.begin(1, B)
    assert journal.read(2) == Unfinished()
    journal.begin(2, C)
    assert journal.read(2) == unfinished(C, DEBIAN)


def test_a_key_is_on_trial_until_the_daemon_has_said_what_it_makes_of_it(
    journal: UnfinishedRun, path: Path
) -> None:
    journal.begin(1, B)
    with journal.trying(1, "k1"):
        assert journal.read(1) == replace(unfinished(B, DEBIAN), keys=frozenset({"k1"}))
        journal.begin(1, C)
        assert journal.read(1).keys == {"k1"}
        journal.end(unfinished(C, DEBIAN))
        assert journal.read(1).keys == {"k1"}
    with pytest.raises(HostError), journal.trying(1, "k1"):
        raise HostError("load", "refused")
    assert journal.read(1) == unfinished(B, DEBIAN)
    journal.end(unfinished(B, DEBIAN))
    with journal.trying(1, "k1"):
        assert journal.read(2) == Unfinished()
    assert not path.exists()


def test_a_run_that_was_killed_over_its_note(journal: UnfinishedRun, path: Path) -> None:
    half = path.parent / "unfinished.new"
    half.write_text('{"pi')
    journal.clean()
    journal.clean()
    assert not half.exists()


def test_nothing_is_noted_where_nothing_is_uncertain(journal: UnfinishedRun, path: Path) -> None:
    journal.begin(1, HARMLESS)
    journal.end(unfinished(HARMLESS, DEBIAN))
    assert not path.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pid": 1}', '{"pid": 1, "connections": 3}']
)
def test_a_note_that_makes_no_sense_is_none(journal: UnfinishedRun, path: Path, text: str) -> None:
    path.write_text(text)
    assert journal.read(1) == Unfinished()


def test_where_no_note_can_be_left_nothing_is_begun(tmp_path: Path) -> None:
    with pytest.raises(
        HostError, match=r"^could not write .*/nowhere/unfinished.new: No such file"
    ):
        UnfinishedRun(str(tmp_path / "nowhere/unfinished"), DEBIAN).begin(1, B)
