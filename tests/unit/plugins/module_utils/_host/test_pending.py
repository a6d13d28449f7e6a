# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.pending import Pending


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "pending"


def test_a_pipe_in_its_place_is_not_waited_for(path: Path) -> None:
    for name in ("pending", "pending.new"):
        os.mkfifo(path.with_name(name))
    pending = Pending(str(path))
    assert pending.read(1) == {}
    pending.add(1, "b", {"3"})
    assert pending.read(1) == {"b": {"3"}}


def test_what_was_added_is_there_for_that_daemon(path: Path) -> None:
    pending = Pending(str(path))
    assert pending.read(1) == {}
    pending.add(1, "b", {"3"})
    pending.add(1, "b", {"4"})
    pending.add(1, "c", {"5"})
    assert pending.read(1) == {"b": {"3", "4"}, "c": {"5"}}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["pending"]
    assert pending.read(2) == {}
    pending.add(2, "c", {"1"})
    assert pending.read(2) == {"c": {"1"}}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "connections": 3}'])
def test_a_note_that_makes_no_sense_is_none(path: Path, text: str) -> None:
    path.write_text(text)
    assert Pending(str(path)).read(1) == {}


def test_where_none_can_be_left_nothing_fails(tmp_path: Path) -> None:
    Pending(str(tmp_path / "nowhere/pending")).add(1, "b", {"3"})
