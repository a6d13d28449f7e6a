# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH_GROUPS,
    ENCRYPTION_NAMES,
    HASH_NAMES,
)
from ansible_collections.tunnelwright.ipsec.tools import algorithm_docs


def test_the_page_is_up_to_date() -> None:
    assert algorithm_docs.main(["--check"]) == 0


def test_drift_is_found_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "algorithms.md"
    monkeypatch.setattr(algorithm_docs, "PAGE", page)
    assert algorithm_docs.main(["--check"]) == 1
    page.write_text("| `aes` | 64 |", encoding="utf-8")
    assert algorithm_docs.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert algorithm_docs.main([]) == 0
    assert algorithm_docs.main(["--check"]) == 0


def test_every_value_has_its_row() -> None:
    firsts = [line.split(" ")[1] for line in algorithm_docs.page().splitlines() if line[:1] == "|"]
    wanted = [*(f"`{name}`" for name in (*ENCRYPTION_NAMES, *HASH_NAMES)), *map(str, DH_GROUPS)]
    assert [first for first in firsts if first in wanted] == wanted
