# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A checkpoint holds every secret, and only root can read it. No output shows a secret."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import dataclass

import pytest
from hosts import KEPT, RECORD, Gateway, playbook
from leaks import forms, shows, telling, watched_processes

# The keys are random for each run, so that only this run can have left them on the hosts.
OLD, NEW, OLD_PPK, NEW_PPK = KEYS = [secrets.token_hex(16) for _ in range(4)]

OTHER = "/etc/swanctl/conf.d/tunnelwright.phase1.other.conf"
MORE = "/etc/swanctl/conf.d/tunnelwright.phase1.more.conf"
TEXT = "/etc/swanctl/conf.d/tunnelwright.advanced.lan.conf"

# A checkpoint with the old keys is confirmed. Then a checkpoint with the new keys is rolled back,
# first in check mode. The phase 1 of MORE has a PPK too.
RUNS = {
    "begin": ("change.yml", {"new_psk": OLD, "new_ppk": OLD_PPK, "timeout": 120}),
    "confirm": ("checkpoint.yml", {"state": "confirmed"}),
    "change": ("change.yml", {"new_psk": NEW, "new_ppk": NEW_PPK, "timeout": 120}),
    "check": ("checkpoint.yml", {"state": "rolled_back"}),
    "back": ("checkpoint.yml", {"state": "rolled_back"}),
}


@dataclass
class Story:
    """The output of each run of ansible-playbook, and the files with secrets after the run.

    ``processes`` are the programs that showed a secret during the runs.
    """

    said: dict[str, str]
    found: dict[str, list[dict[str, str]]]
    processes: set[str]


@pytest.fixture(scope="module")
def story(gateways: list[Gateway]) -> Story:
    said, found = {}, {}
    with watched_processes(*KEYS) as processes:
        for name, (play, variables) in RUNS.items():
            options = ["-vvv", "--diff", *(["--check"] if name == "check" else [])]
            done = playbook(play, *options, variables=variables)
            assert done.returncode == 0, done.stdout
            said[name] = done.stdout
            found[name] = [files_with(gateway, *KEYS) for gateway in gateways]
    return Story(said, found, processes)


def files_with(gateway: Gateway, *secrets_: str) -> dict[str, str]:
    """Return every file of the host that shows a secret, with mode and owner."""
    roots = ["/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var"]
    # grep reads the patterns from standard input, so that no process has them as arguments.
    grep = ["grep", "-rlaF", "--exclude-dir=netns", "--file=-", *roots]
    search = ["podman", "exec", "-i", gateway.container, *grep]
    patterns = b"\n".join(form for secret in secrets_ for form in forms(secret))
    done = subprocess.run(search, input=patterns, capture_output=True)
    assert done.returncode < 2, done.stderr
    paths = done.stdout.decode().splitlines()
    return {path: gateway.sh(f"stat -c '%a %U %G' {path}") for path in paths}


@pytest.mark.parametrize("run", RUNS)
def test_output(story: Story, run: str) -> None:
    assert "Using module file" in story.said[run], "this is not -vvv"
    assert telling(story.said[run], *KEYS) == []


def test_arguments_and_environment_of_processes(story: Story) -> None:
    assert story.processes == set()


def test_diffs_are_shown(story: Story) -> None:
    """The outputs show masked diffs. Without diffs there is no secret to mask."""
    for run in ("confirm", "check", "back"):
        assert OTHER in story.said[run]
        assert "********" in story.said[run]


@pytest.mark.parametrize(
    ("run", "paths"),
    [
        ("begin", {OTHER, MORE, TEXT}),
        ("confirm", {OTHER, MORE, TEXT}),
        ("change", {OTHER, MORE, TEXT, KEPT}),
        ("check", {OTHER, MORE, TEXT, KEPT}),
        ("back", {OTHER, MORE, TEXT}),
    ],
)
def test_files(story: Story, run: str, paths: set[str]) -> None:
    for found in story.found[run]:
        assert found == dict.fromkeys(paths, "600 root root")


def test_the_old_key_is_back(story: Story, gateways: list[Gateway]) -> None:
    for gateway in gateways:
        assert files_with(gateway, NEW, NEW_PPK) == {}
        assert files_with(gateway, OLD_PPK) == {MORE: "600 root root"}
        assert not gateway.host.file(KEPT).exists
        assert gateway.record()["reason"] == "requested"
        assert gateway.sh(f"stat -c '%a %U %G' {RECORD}") == "600 root root"
        journal = gateway.host.run("journalctl --all --output=export").stdout_bytes
        assert b"rolled back to the state of" in journal
        assert not shows(journal, *KEYS)


def test_directories_are_for_root_alone(gateways: list[Gateway], story: Story) -> None:
    for gateway in gateways:
        assert gateway.sh("stat -c '%a %U %G' /var/lib/tunnelwright") == "700 root root"
