# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of the scenario, and functions that run playbooks on them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
ROOT = SCENARIO.parents[1]
KEY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "key"

RECORD = "/var/lib/tunnelwright/rolled-back.json"
KEPT = "/var/lib/tunnelwright/checkpoint/state.json"

# Seconds until the rollback. A task on a busy machine takes less, so no rollback begins between two
# tasks. The value is small, because the tests often wait for the rollback.
TIMEOUT = 30
# Seconds within which the program starts and the rollback ends, even on a busy machine.
PATIENCE = 120


class Gateway:
    def __init__(self, name: str) -> None:
        self.name = name
        self.container = f"tw-{SCENARIO.name}-{name}"
        self.wan6 = f"2001:db8:75::{name[-2:]}"
        self.host = testinfra.get_host(f"podman://{self.container}")

    def __repr__(self) -> str:
        return self.name

    def sh(self, command: str) -> str:
        """Return the output of a command line, which must succeed."""
        return str(self.host.check_output(command))

    def held(self) -> dict[str, Any]:
        """Return files, connections, secrets, policies, tables, links and units, without SAs."""
        return json.loads(self.sh("gateway-state"))["held"]

    def sas(self) -> list[str]:
        """Return the SPIs, which distinguish an SA that stayed from a re-established SA."""
        listed = self.sh("swanctl --list-sas")
        ike = re.findall(r"^\S+: #\d+, ESTABLISHED, .*$", listed, re.MULTILINE)
        children = re.findall(r"^ +(?:in|out) +\w+", listed, re.MULTILINE)
        return [*ike, *children]

    def up(self) -> bool:
        """Return whether the tunnel to the peer is up: an IKE SA, and a phase 2 both ways."""
        return len(self.sas()) == 3

    def rolled_back(self) -> bool:
        return self.host.file(RECORD).exists and not self.host.file(KEPT).exists

    def record(self) -> dict[str, Any]:
        return json.loads(self.host.file(RECORD).content_string)

    def restart(self) -> None:
        command = [ROOT / "tools/testbed", "restart", self.container]
        subprocess.run(command, check=True, capture_output=True)

    def ssh(self) -> bool:
        """Return whether the controller can make a new connection."""
        options = [*ssh_options(), "-o", "ControlPath=none"]
        argv = [*as_controller(), "ssh", *options, f"root@{self.wan6}", "true"]
        return subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def as_controller() -> list[str]:
    """Return the prefix that runs a command in the network of the host ``controller``."""
    show = ["podman", "inspect", "--format={{.State.Pid}}", f"tw-{SCENARIO.name}-controller"]
    pid = subprocess.check_output(show, text=True).strip()
    return ["nsenter", f"--net=/proc/{pid}/ns/net"]


def ssh_options() -> list[str]:
    options = {
        "IdentityFile": KEY,
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "BatchMode": "yes",
        "ConnectTimeout": 2,
        # ssh closes a dead connection after two intervals of two seconds.
        "ServerAliveInterval": 2,
        "ServerAliveCountMax": 2,
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def wait_for(what: str, look: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def playbook(
    name: str,
    *options: str,
    variables: Mapping[str, Any] | None = None,
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the scenario, by its file name, with extra ``variables``."""
    given = KEY.parent / "variables.json"
    given.touch(mode=0o600)
    given.write_text(json.dumps(variables or {}))
    inventory = SCENARIO / "inventory.yml"
    argv = [*prefix, "ansible-playbook", f"--inventory={inventory}", *options]
    argv += [f"--extra-vars=@{given}", str(SCENARIO / name)]
    settings = {"ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "molecule/connection_plugins")}
    return subprocess.run(
        argv,
        env={**os.environ, **settings},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def played(name: str, *options: str, **variables: Any) -> str:
    """Return the output of a playbook, which must succeed."""
    done = playbook(name, *options, variables=variables)
    assert done.returncode == 0, done.stdout
    return done.stdout
