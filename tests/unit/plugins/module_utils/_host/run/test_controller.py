# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller in the environment of scripted processes in /proc, and of real processes."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.controller import (
    Controller,
    controller,
)


def process(proc: Path, pid: int, parent: int, environment: bytes = b"") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "environ").write_bytes(environment)
    # The name of a program may contain any character.
    (proc / str(pid) / "stat").write_bytes(b"%d (py) thon) S %d 1 1" % (pid, parent))


def chain(proc: Path, *environments: bytes) -> Controller | None:
    """Return the controller that the last process finds. Each process is the parent of the next."""
    for number, environment in enumerate(environments, 2):
        process(proc, number, number - 1, environment)
    return controller(str(proc), len(environments) + 1)


def test_of_a_parent(tmp_path: Path) -> None:
    environment = b"HOME=/root\0SSH_CONNECTION=192.0.2.9 50022 192.0.2.1 22\0"
    found = chain(tmp_path, b"", environment, b"SUDO_USER=x\0", b"")
    client, server = map(ipaddress.ip_address, ("192.0.2.9", "192.0.2.1"))
    assert found == Controller(client, 50022, server, 22)


@pytest.mark.parametrize(
    ("told", "client"),
    [
        (b"fe80::9%eth0 1 fe80::1%eth0 22", "fe80::9"),
        (b"::ffff:192.0.2.9 1 ::ffff:192.0.2.1 22", "192.0.2.9"),
        (b"2001:db8::9 1 2001:db8::1 22", "2001:db8::9"),
    ],
)
def test_kinds_of_addresses(tmp_path: Path, told: bytes, client: str) -> None:
    found = chain(tmp_path, b"SSH_CONNECTION=" + told)
    assert found is not None
    assert str(found.client) == client


@pytest.mark.parametrize(
    "environment", [b"", b"SSH_CONNECTION=", b"SSH_CONNECTION=a b c d", b"XSSH_CONNECTION=1 2 3 4"]
)
def test_none(tmp_path: Path, environment: bytes) -> None:
    assert chain(tmp_path, environment, b"") is None
    assert controller(str(tmp_path / "nowhere"), 7) is None


def test_of_real_processes() -> None:
    """The controller is found even if env, like sudo, removes the variable for its child."""
    code = (
        "import json; from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run "
        "import controller; print(json.dumps(str(controller.controller().client)))"
    )
    inner = f"env -i {sys.executable} -c '{code}'; true"
    done = subprocess.run(
        ["sh", "-c", 'sh -c "$0"; true', inner],
        env={**os.environ, "SSH_CONNECTION": "192.0.2.9 50022 192.0.2.1 22"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == "192.0.2.9", done.stderr
