# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._releases.advisories import (
    VULNERABILITIES,
)
from ansible_collections.tunnelwright.ipsec.tools import advisory_docs


def test_the_page_is_up_to_date() -> None:
    assert advisory_docs.main(["--check"]) == 0


def test_drift_is_found_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "advisories.md"
    monkeypatch.setattr(advisory_docs, "PAGE", page)
    assert advisory_docs.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert advisory_docs.main([]) == 0
    assert advisory_docs.main(["--check"]) == 0


def test_every_vulnerability_has_its_row() -> None:
    rows = [line.split(" | ") for line in advisory_docs.page().splitlines()]
    found = {row[0].removeprefix("| "): row for row in rows if row[0].startswith("| CVE-")}
    assert found.keys() == VULNERABILITIES.keys()
    assert found["CVE-2026-78133"][3] == "unknown"
    assert found["CVE-2026-78135"][3] == "`5.9.8-5+deb12u6`"
