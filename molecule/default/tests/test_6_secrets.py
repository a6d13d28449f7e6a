# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PSK and a PPK are in their file and nowhere else: not in outputs, logs or processes.

The hosts are bare when the test begins. The keys are installed and replaced, and a run with them
fails.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gateway import (
    ROOT,
    Gateway,
    ansible_playbook,
    example_variables,
    up,
    wait_for,
    write_variables,
)
from leaks import forms, shows, telling, watched_processes

# The keys are random, so that only this run can have left them on the hosts. The last key is
# planted where no other key may be, to test the search.
OLD, NEW, OLD_PPK, NEW_PPK, PLANTED = (secrets.token_hex(16) for _ in range(5))
KEYS = (OLD, NEW, OLD_PPK, NEW_PPK)

RUNS = ("first", "check", "change", "failure", "mistake")


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_every_form_is_recognised(before: str) -> None:
    text = f"{before}{PLANTED} and more"
    assert shows(text.encode(), PLANTED)
    assert shows(text.encode().hex().encode(), PLANTED)
    assert shows(base64.b64encode(text.encode()), PLANTED)
    assert not shows(base64.b64encode(text.encode()), OLD, NEW)


# --- Where a secret might show up


def journal_with(gateway: Gateway, *secrets_: str) -> list[str]:
    # In the export format, the length of a text of several lines precedes the text, in binary.
    journal = gateway.host.run("journalctl --all --output=export").stdout_bytes
    return telling(journal.decode(errors="replace"), *secrets_)


def files_with(gateway: Gateway, secret: str) -> dict[str, int]:
    """Return every file of the host that shows the secret, with its mode."""
    roots = ["/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var"]
    # grep reads the patterns from standard input, so that no process has them as arguments.
    grep = ["grep", "-rlaF", "--exclude-dir=netns", "--file=-", *roots]
    search = ["podman", "exec", "-i", gateway.container, *grep]
    done = subprocess.run(search, input=b"\n".join(forms(secret)), capture_output=True)
    assert done.returncode < 2, done.stderr
    return {path: gateway.host.file(path).mode for path in done.stdout.decode().splitlines()}


def test_a_planted_secret_is_found(near: Gateway) -> None:
    assert journal_with(near, PLANTED) == []
    near.sh(f"echo 'psk is {PLANTED}' | systemd-cat -t planted")
    near.sh("journalctl --sync")
    assert journal_with(near, PLANTED) == [f"MESSAGE=psk is {PLANTED}"]

    assert not files_with(near, PLANTED).keys() - journals(near)
    encoded = base64.b64encode(f"secret = {PLANTED}".encode()).decode()
    near.sh(f"echo {encoded} >/root/planted && chmod 640 /root/planted")
    assert files_with(near, PLANTED)["/root/planted"] == 0o640
    near.sh("rm /root/planted")

    with watched_processes(PLANTED) as seen:
        # Without the second command, sleep would replace sh and its arguments.
        near.sh(f"sh -c 'sleep 0.5; :' {PLANTED}")
    assert "sh" in seen


def journals(gateway: Gateway) -> set[str]:
    return set(gateway.sh("find /run/log/journal /var/log/journal -type f || true").split())


# --- The runs


@dataclass
class Story:
    """The output, log and status of ansible-playbook in each run.

    ``processes`` are the programs that showed a secret. ``controller`` is the folder of temporary
    files on the controller.
    """

    said: dict[str, str]
    statuses: dict[str, int]
    processes: set[str]
    controller: Path


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    controller = tmp_path_factory.mktemp("ansible")
    said, statuses = {}, {}
    with watched_processes(*KEYS) as processes:
        for name in RUNS:
            scratch = tmp_path_factory.mktemp(name)
            options = ["-vvv", "--diff", *(["--check"] if name == "check" else [])]
            done = subprocess.run(
                ansible_playbook(
                    "site", *options, f"--extra-vars=@{write_variables(variables(name), scratch)}"
                ),
                env={
                    **os.environ,
                    "ANSIBLE_LOG_PATH": str(scratch / "log"),
                    "ANSIBLE_LOCAL_TEMP": str(controller),
                },
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            said[name] = done.stdout + (scratch / "log").read_text()
            statuses[name] = done.returncode
    return Story(said, statuses, processes, controller)


def variables(run: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"site_psk": OLD if run == "first" else NEW}
    if run in ("first", "failure", "mistake"):
        # This plugin copies modules with their arguments into files before they run, as ssh does.
        wanted["scenario_connection"] = "containers.podman.podman"
    (phase1,) = example_variables()["gateway_phase1"]
    ppk = OLD_PPK if run == "first" else NEW_PPK
    phase1 |= {"ppk": ppk, "ppk_id": "ppk-of-both", "ppk_required": True}
    wanted["gateway_phase1"] = [phase1]
    if run == "failure":
        # The module has the key and refuses the name, because an administrator uses it.
        other = {"name": "handmade", "remote_gateway": "192.0.2.99"}
        wanted["gateway_phase1"] = [{**phase1, **other, "phase2": None}]
    if run == "mistake":
        wanted["gateway_phase1"] = [{**phase1, "remote_gateway": "999.1.1.1"}]
    return wanted


def test_the_runs_did_what_they_should(story: Story, gateways: dict[str, Gateway]) -> None:
    assert story.statuses == {"first": 0, "check": 0, "change": 0, "failure": 2, "mistake": 2}
    for name in ("first", "check", "change"):
        assert "load secret ike-gw-a" in story.said[name], name
        assert "load secret ppk-gw-a" in story.said[name], name
    assert "phase1[0] handmade: name 'handmade': makes the connection" in story.said["failure"]
    assert "'999.1.1.1'" in story.said["mistake"]
    # After the restart charon only has the keys of the files. The tunnel comes up if both ends have
    # the same key.
    for gateway in gateways.values():
        gateway.sh("systemctl restart strongswan")
    wait_for("the tunnel is up", lambda: up(gateways))


@pytest.mark.parametrize("run", RUNS)
def test_output_and_log_of_ansible(story: Story, run: str) -> None:
    assert "Using module file" in story.said[run], "this is not -vvv"
    assert telling(story.said[run], *KEYS) == []


def test_arguments_and_environment_of_processes(story: Story) -> None:
    assert story.processes == set()


def test_temporary_files_on_the_controller(story: Story) -> None:
    left = [path for path in story.controller.rglob("*") if path.is_file()]
    assert not [path for path in left if shows(path.read_bytes(), *KEYS)]


@pytest.mark.usefixtures("story")
def test_journal(near: Gateway) -> None:
    assert journal_with(near, *KEYS) == []


@pytest.mark.usefixtures("story")
def test_files(near: Gateway, far: Gateway) -> None:
    place = f"/etc/swanctl/conf.d/tunnelwright.phase1.{far.name}.conf"
    for old, new in ((OLD, NEW), (OLD_PPK, NEW_PPK)):
        assert files_with(near, old) == {}
        assert files_with(near, new) == {place: 0o600}
    assert (near.host.file(place).user, near.host.file(place).group) == ("root", "root")


@pytest.mark.usefixtures("story")
def test_temporary_files_on_the_gateway(near: Gateway) -> None:
    assert near.sh("find /root/.ansible/tmp /tmp -mindepth 1 -name 'ansible*'") == ""
