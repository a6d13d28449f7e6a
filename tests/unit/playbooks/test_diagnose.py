# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only its user can read the files that playbook diagnose leaves on the controller.

``molecule/default`` runs the whole playbook. These tests run the tasks that make files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"


def tasks() -> dict[str, dict[str, t.Any]]:
    """Return the tasks of the playbook and of its block, by name."""
    (play,) = yaml.safe_load((ROOT / "playbooks/diagnose.yml").read_text(encoding="utf-8"))
    block = next(task for task in play["tasks"] if "block" in task)
    return {task["name"]: task for task in (*play["tasks"], *block["block"])}


def run(tmp_path: Path, archive: Path, umask: int) -> subprocess.CompletedProcess[str]:
    """Run the tasks that make the archive, with one collected file."""
    known = tasks()
    fetched = {
        "name": "Make the fetched file",
        "ansible.builtin.shell": 'umask 0 && echo packets >"{{ gateway__folder }}/trace.pcap"',
        "changed_when": False,
    }
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "gateway__folder": "{{ gateway__temporary.path }}/vpn-diagnosis/gw-a",
            "gateway__archive": str(archive),
            "gateway__trace": {"ipsec_diagnostics": {"pcap": "/x"}},
        },
        "tasks": [
            known["Create a temporary folder"],
            known["Create a folder for each host"],
            fetched,
            known["Restrict access to the packets"],
            known["Create the archive"],
        ],
    }
    playbook = tmp_path / "play.yml"
    # JSON is valid YAML, and keeps every string a string.
    playbook.write_text(json.dumps([play]))
    return subprocess.run(
        [ANSIBLE, "-i", "gw-a,", playbook],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_archive_and_all_that_is_in_it(tmp_path: Path) -> None:
    """Only the user can read the archive and its files, even with umask 0 and an older archive."""
    archive = tmp_path / "out/vpn-diagnosis.tar.gz"
    archive.parent.mkdir()
    archive.write_text("older")
    archive.chmod(0o666)
    done = run(tmp_path, archive, umask=0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert archive.stat().st_mode & 0o7777 == 0o600
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
    with tarfile.open(archive) as packed:
        modes = {item.name: item.mode for item in packed}
    assert modes == {
        "vpn-diagnosis": 0o700,
        "vpn-diagnosis/gw-a": 0o700,
        "vpn-diagnosis/gw-a/trace.pcap": 0o600,
    }


def test_a_symbolic_link_in_its_place_is_replaced(tmp_path: Path) -> None:
    archive, theirs = tmp_path / "out/a.tar.gz", tmp_path / "theirs"
    archive.parent.mkdir()
    theirs.write_text("theirs")
    archive.symlink_to(theirs)
    done = run(tmp_path, archive, umask=0o022)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not archive.is_symlink()
    assert theirs.read_text() == "theirs"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """A run leaves no file when it can't create the archive in a missing directory."""
    archive = tmp_path / "out/a.tar.gz"
    (archive / "x").mkdir(parents=True)
    done = run(tmp_path, archive / "missing/a.tar.gz", umask=0o022)
    assert "Create the archive" in done.stdout.partition("fatal:")[0]
    assert done.returncode != 0
    assert [path.name for path in archive.iterdir()] == ["x"]


def test_every_file_that_is_written_has_a_mode() -> None:
    modes = {
        name: task["ansible.builtin.copy"]["mode"]
        for name, task in tasks().items()
        if "ansible.builtin.copy" in task
    }
    assert len(modes) == 2
    assert set(modes.values()) == {"0600"}
