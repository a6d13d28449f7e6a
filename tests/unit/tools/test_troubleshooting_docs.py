# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._diagnose.causes import CAUSES
from ansible_collections.tunnelwright.ipsec.tools import troubleshooting_docs


def test_the_page_is_up_to_date() -> None:
    assert troubleshooting_docs.main(["--check"]) == 0


def test_drift_is_found_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "troubleshooting.md"
    monkeypatch.setattr(troubleshooting_docs, "PAGE", page)
    assert troubleshooting_docs.main(["--check"]) == 1
    page.write_text("# Troubleshooting\n", encoding="utf-8")
    assert troubleshooting_docs.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert troubleshooting_docs.main([]) == 0
    assert troubleshooting_docs.main(["--check"]) == 0


def test_every_cause_has_its_entry() -> None:
    assert re.findall(r"^#### `(\w+)`$", troubleshooting_docs.page(), re.MULTILINE) == [*CAUSES]
