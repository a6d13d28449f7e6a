# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another ansible-core needs its Python. A machine without it skips the suite by name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYTHONS = {"2.20": "3.12", "2.21": "3.13"}


@pytest.mark.parametrize("release", PYTHONS)
def test_a_machine_without_the_python_skips_by_name(release: str, tmp_path: Path) -> None:
    for program in ("sh", "sed", "dirname"):
        (tmp_path / program).symlink_to(Path("/usr/bin") / program)
    done = subprocess.run(
        [str(ROOT / "tools/with-core"), release, "no-such-target"],
        env={**os.environ, "PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wanted = f"this machine has no Python {PYTHONS[release]}"
    assert done.stdout == f"SKIPPED: ansible-core {release}: {wanted}\n"
