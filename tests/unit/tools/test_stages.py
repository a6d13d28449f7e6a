# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tools/stages: the result of each target, and the last lines of a failed target at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def stages(*words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, ROOT / "tools" / "stages", *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_end_repeats_the_last_lines_of_the_failed_target_only() -> None:
    run = stages("no-such-target", "help")
    end = run.stdout.rpartition("<== ")[2]
    assert run.returncode == 1
    assert "No rule to make target 'no-such-target'" in end
    assert "help|" not in end
    assert end.rstrip().splitlines()[-2].split()[:2] == ["no-such-target", "FAILED"]


def test_without_a_failure_the_end_is_the_table() -> None:
    run = stages("help")
    assert run.returncode == 0
    assert run.stdout.rstrip().splitlines()[-1].split()[:2] == ["help", "ok"]
    assert "the end of" not in run.stdout
