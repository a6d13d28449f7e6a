# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual machine for a test: a host like in the live tests, with its own kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Host
from debian import MOVING

HERE = ROOT / "tests/kernel"

# Seconds that an emulated processor needs for one second of a real processor.
PATIENCE = 60.0


def testbed(*words: str) -> None:
    subprocess.run([str(ROOT / "tools/kernel-testbed"), *words], check=True)


def absent(topology: Path) -> str:
    """Return the hosts of a topology that have no disk today, with the reason."""
    command = [str(ROOT / "tools/kernel-testbed"), "skipped", str(topology)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def bed(testbed_name: str) -> str:
    """Return the name of the lock of a testbed, which other checkouts do not share."""
    command = [str(ROOT / "tools/kernel-testbed"), "lock", testbed_name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Machine(Host):
    """A virtual machine of ``testbed``. Threads must not share it."""

    def __init__(self, name: str, testbed_name: str, ipv4: str, ipv6: str, image: str) -> None:
        settings = ROOT / f".cache/kernel/{testbed_name}/ssh_config"
        super().__init__(name, ("ssh", "-F", str(settings), name), ipv4, ipv6)
        self.testbed, self.image = testbed_name, image

    @property
    def is_moving(self) -> bool:
        """Return whether the machine has the release that Debian still changes."""
        return self.image.rpartition("-")[2] in MOVING

    def now(self) -> str:
        """Return the time of the machine in whole seconds, as ``journalctl --since @`` takes it."""
        return self.sh("date +%s").strip()

    def restart(self) -> None:
        """Shut down in order and boot again."""
        self.close()
        testbed("restart", self.testbed, self.name)


def is_running(machine: Machine) -> bool:
    done = subprocess.run([*machine.reach, "true"], capture_output=True, check=False)
    return done.returncode == 0
