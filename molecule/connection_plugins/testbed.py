# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks in a container with one `podman exec` each, where containers.podman.podman takes four.

In a scenario of hundreds of tasks that is most of the time. What reaches a module is the same.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from ansible.errors import AnsibleError
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
        container = self.get_option("remote_addr")
        # Without a terminal nobody would answer a prompt.
        done = subprocess.run(
            ("podman", "exec", "--interactive", container, "/bin/sh", "-c", cmd),
            input=in_data or b"",
            capture_output=True,
        )
        return done.returncode, done.stdout, done.stderr

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
        """Every command has a connection of its own."""

    def close(self) -> None:
        self._connected = False
