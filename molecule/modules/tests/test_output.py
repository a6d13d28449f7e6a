# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible prints the diffs of the modules, and no secret, in check mode and in a run."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from leaks import telling

SCENARIO = Path(__file__).resolve().parents[1]
# The keys are random for each run, so that only this run can have printed them.
PSK, PPK, SECRET = (secrets.token_hex(16) for _ in range(3))
# The new DPD delay in seconds.
DELAY = 31 + secrets.randbelow(80000)
# The gateway has this key since converge.yml. A diff would show it as the old value.
OLD = "keep me hidden"
HOSTS = ("debian12", "debian13")


@pytest.fixture(name="printed", scope="module")
def _printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the output of check mode and of the run that follows it."""
    variables = tmp_path_factory.mktemp("variables") / "variables.json"
    keys = {"new_psk": PSK, "new_ppk": PPK, "new_secret": SECRET}
    variables.write_text(json.dumps({**keys, "delay": DELAY}))
    settings = {
        "ANSIBLE_CONNECTION_PLUGINS": str(SCENARIO.parent / "connection_plugins"),
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_NOCOLOR": "true",
    }
    printed = {}
    for name, options in (("check", ["--check"]), ("run", [])):
        done = subprocess.run(
            [
                *("ansible-playbook", f"--inventory={SCENARIO}/inventory.yml", "-vvv", "--diff"),
                *(*options, f"--extra-vars=@{variables}", f"{SCENARIO}/change.yml"),
            ],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        printed[name] = done.stdout
    return printed


@pytest.mark.parametrize("run", ["check", "run"])
def test_no_secret_is_printed(printed: dict[str, str], run: str) -> None:
    assert "Using module file" in printed[run], "this is not -vvv"
    assert telling(printed[run], PSK, PPK, SECRET, OLD) == []


@pytest.mark.parametrize("run", ["check", "run"])
def test_diffs_are_printed(printed: dict[str, str], run: str) -> None:
    """Both runs print masked diffs. Without diffs there is no secret to mask."""
    for line in (
        "+++ after: /etc/swanctl/conf.d/tunnelwright.phase1.hub.conf",
        f"+        dpd_delay = {DELAY}",
        "+++ after: /etc/swanctl/conf.d/tunnelwright.advanced.office.conf",
    ):
        assert printed[run].splitlines().count(line) == len(HOSTS), line
    assert "secret = ********" in printed[run]


@pytest.mark.parametrize("run", ["check", "run"])
def test_both_runs_report_the_same_changes(printed: dict[str, str], run: str) -> None:
    for name in ("ike-hub", "ppk-hub"):
        assert printed[run].count(f"load secret {name}") >= len(HOSTS)
    assert printed[run].count("changed=2 ") == len(HOSTS)
