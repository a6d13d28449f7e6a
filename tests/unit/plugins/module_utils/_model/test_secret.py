# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.secret import MASK, Secret

SECRET = Secret(b"correct horse")


@pytest.mark.parametrize(
    "shown",
    [str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r}", f"{[SECRET]}", f"{(SECRET,)}"],
)
def test_never_shows(shown: str) -> None:
    assert "horse" not in shown
    assert MASK in shown


def test_reveals_when_asked_to() -> None:
    assert SECRET.reveal() == b"correct horse"


def test_compares_bytes() -> None:
    assert Secret(b"correct horse") == SECRET
    assert Secret(b"correct house") != SECRET
    assert SECRET != b"correct horse"
    assert len({SECRET, copy.deepcopy(SECRET), pickle.loads(pickle.dumps(SECRET))}) == 1


@pytest.mark.parametrize(("length", "short"), [(0, True), (19, True), (20, False), (64, False)])
def test_short(length: int, short: bool) -> None:
    assert Secret(b"x" * length).shorter_than(20) is short


def test_counts_bytes() -> None:
    assert not Secret("\u00e4".encode() * 10).shorter_than(20)


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        SECRET._data = b""  # type: ignore[misc]
