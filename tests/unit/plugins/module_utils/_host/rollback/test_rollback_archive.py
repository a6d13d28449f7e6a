# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of the rollback, run by a Python that has only its standard library."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback import (
    rollback_archive,
    rollback_main,
)

vici = pytest.importorskip("vici")


@pytest.fixture(name="path", scope="module")
def _path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "rollback.pyz"
    path.write_bytes(rollback_archive.program(rollback_main))
    return path


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without site-packages, the only vici and ansible are the copies in the program.
    argv = [sys.executable, "-S", "-I", "-B", str(path), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_it_has_all_that_it_needs(path: Path) -> None:
    done = run(path, "ready")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", [(), ("soon",), ("now", "and", "then")])
def test_usage(path: Path, arguments: tuple[str, ...]) -> None:
    done = run(path, *arguments)
    assert done.returncode == 2
    assert done.stderr == f"usage: {path} ready | timeout | now\n"


def test_only_what_runs_on_the_host_is_in_it(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {"__main__.py", "vici/session.py", "tunnelwright/_host/rollback/rollback.py"} <= names
    assert {name.split("/")[0] for name in names} == {"__main__.py", "vici", "tunnelwright"}
    assert not [name for name in names if "_module" in name]


def test_it_is_the_same_every_time(path: Path) -> None:
    """Every run makes the same program, so that no run writes it just before a timer starts it."""
    assert rollback_archive.program(rollback_main) == path.read_bytes()


def test_a_source_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vici.session, "__loader__", None)
    with pytest.raises(rollback_archive.HostError, match=r"vici\.session: "):
        rollback_archive.program(rollback_main)
