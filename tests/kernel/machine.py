# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual machine as a test sees it: what a host of the live tests can do, and its own kernel."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
import typing as t

from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Host

HERE = ROOT / "tests/kernel"

# What an emulated processor needs, where a real one needs one second.
PATIENCE = 60.0


def testbed(*words: str) -> None:
    subprocess.run([str(ROOT / "tools/kernel-testbed"), *words], check=True)


class Machine(Host):
    """One virtual machine of ``testbed``. Not to be shared between threads."""

    def __init__(self, name: str, testbed_name: str, ipv4: str, ipv6: str, image: str) -> None:
        settings = ROOT / f".cache/kernel/{testbed_name}/ssh_config"
        super().__init__(name, ("ssh", "-F", str(settings), name), ipv4, ipv6)
        self.testbed, self.image = testbed_name, image

    def restart(self) -> None:
        """Shut down in order and boot again."""
        self.close()
        testbed("restart", self.testbed, self.name)

    def lan(self, script: str) -> str:
        """Lines of sh on the host behind this gateway."""
        return self.sh(f"ip netns exec lan sh -euc {shlex.quote(script)}")

    @contextlib.contextmanager
    def capturing(self, device: str, expression: str, where: str = "") -> t.Iterator[list[str]]:
        """What passes meanwhile, a line a packet as tcpdump tells it; filled at the end.

        ``where`` is a network namespace of the host.
        """
        inside = f"ip netns exec {where} " if where else ""
        # AppArmor lets tcpdump write to such names only.
        file = f"/run/{time.monotonic_ns()}.pcap"
        self.sh(
            f"{inside}tcpdump -Z root -U -n -i {device} -w {file} {shlex.quote(expression)} "
            f">{file}.said 2>&1 & echo $! >{file}.pid; for _ in $(seq 200); do "
            f"grep -q listening {file}.said && exit 0; sleep 0.05; done; cat {file}.said; exit 1"
        )
        lines: list[str] = []
        try:
            yield lines
        finally:
            # An emulated processor may be behind with what it has heard.
            self.sh(
                f'old=; until [ "$(stat -c %s {file})" = "$old" ]; do '
                f"old=$(stat -c %s {file}); sleep 1; done; kill -INT $(cat {file}.pid); "
                f"while kill -0 $(cat {file}.pid) 2>/dev/null; do sleep 0.05; done"
            )
            told = self.sh(f"tcpdump -nn -tt -v -r {file} 2>/dev/null; rm -f {file}*")
            # Further lines of a packet are indented.
            lines += told.replace("\n    ", " ").splitlines()


def is_running(machine: Machine) -> bool:
    done = subprocess.run([*machine.reach, "true"], capture_output=True, check=False)
    return done.returncode == 0
