# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection plugin that runs tasks in the namespaces of a container, with nsenter.

The plugin containers.podman.podman runs `podman exec` four times for a task. In a scenario of
hundreds of tasks, these calls take most of the time. A module gets the same input with both
plugins.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
author: The tunnelwright.ipsec authors (@tunnelwright)
name: testbed
short_description: Run tasks in a container of a testbed
description:
  - Runs tasks as root in a container of C(tools/testbed), with pipelining.
options:
  remote_addr:
    description: Name of the container.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  pipelining:
    description: Feed a module to the Python of the container instead of copying it there first.
    type: bool
    default: true
"""

# The environment that podman sets for a command in a container.
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "container": "podman",
}


class Connection(ConnectionBase):
    transport = "testbed"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        # A command without a terminal can't wait for an answer to a prompt.
        done = subprocess.run(
            ("nsenter", "--target", self._process(), "--all", "/bin/sh", "-c", cmd),
            input=in_data or b"",
            capture_output=True,
            env=_ENVIRONMENT,
            cwd="/",
        )
        return done.returncode, done.stdout, done.stderr

    def _process(self) -> str:
        """Return the id of the first process of the container, which changes with a restart."""
        container = self.get_option("remote_addr")
        asked = ("podman", "inspect", "--format", "{{.State.Pid}}", container)
        done = subprocess.run(asked, capture_output=True, text=True)
        found = done.stdout.strip()
        if done.returncode != 0 or found == "0":
            raise AnsibleConnectionFailure(f"{container} does not run: {done.stderr.strip()}")
        return found

    def put_file(self, in_path: str, out_path: str) -> None:
        super().put_file(in_path, out_path)
        self._copy(f"cat > {shlex.quote(out_path)}", Path(in_path).read_bytes())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        super().fetch_file(in_path, out_path)
        Path(out_path).write_bytes(self._copy(f"cat {shlex.quote(in_path)}"))

    def _copy(self, command: str, data: bytes = b"") -> bytes:
        status, output, errors = self.exec_command(command, data)
        if status != 0:
            raise AnsibleError(f"{command}: {errors.decode(errors='replace')}")
        return output

    def reset(self) -> None:
        """Do nothing, because every command has its own connection."""

    def close(self) -> None:
        self._connected = False
