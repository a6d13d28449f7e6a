#!/usr/bin/env python3
# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record the outputs of nft and ip of each release for the same objects, as input of unit tests.

    .venv/bin/python tools/record_outputs.py

The objects are in a temporary network namespace of this machine. The script needs root. It writes
tests/unit/plugins/module_utils/_host/kernel/fixtures/outputs.json.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import Link
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import Nft
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.recorded import (
    QUESTIONS,
    TABLE,
)
from debian import SUITES

ROOT = Path(__file__).resolve().parents[1]
FIXTURE = ROOT / "tests/unit/plugins/module_utils/_host/kernel/fixtures/outputs.json"
NAMESPACE = "tw-recorded"
RULES = [ROOT / f"tests/live/steps/files/{name}.nft" for name in ("by-hand", "docker-like")]

OBJECTS = """
ip link set lo up
ip link add vpn-lan address 02:00:00:00:00:01 type bridge
ip link set vpn-lan mtu 1400 alias "VPN network lan"
ip link add wan address 02:00:00:00:00:02 type veth peer name far address 02:00:00:00:00:03
for device in vpn-lan wan far; do ip link set $device up; done
ip address add 10.1.0.1/24 dev vpn-lan
ip address add fd00:1::1/64 dev vpn-lan nodad
ip address add 192.0.2.1/24 dev wan
ip address add 192.0.2.77/24 dev wan valid_lft 600 preferred_lft 600
ip route add default via 192.0.2.254
ip route add 10.55.0.0/16 via 10.1.0.254 dev vpn-lan proto 116
ip route add 10.56.0.0/16 dev vpn-lan proto 116
ip route add unreachable 10.57.0.0/16 proto 116
ip -6 route add fd00:55::/64 via fd00:1::fe dev vpn-lan proto 116
ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out priority 375423 \\
    tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1 mode tunnel
ip xfrm policy add src 10.1.0.0/24 dst 10.3.0.0/24 proto tcp dport 443 dir out priority 375423
ip xfrm policy add src fd00:1::/64 dst fd00:2::/64 dir out priority 375423
ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir fwd priority 375423
ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out action block priority 4294967295 \\
    mark 0 mask 0x80000000
"""


class Recorder:
    """A ``Run`` in the namespace that keeps each command with its answer."""

    def __init__(self, programs: str) -> None:
        self._path = f"{programs}:{os.environ['PATH']}"
        self.answers: dict[str, list[object]] = {}

    def __call__(self, argv: list[str], stdin: str) -> tuple[int, str, str]:
        done = subprocess.run(
            ["ip", "netns", "exec", NAMESPACE, "env", f"PATH={self._path}", *argv],
            input=stdin, text=True, capture_output=True,
        )  # fmt: skip
        self.answers[" ".join(argv)] = [done.returncode, done.stdout, done.stderr]
        return done.returncode, done.stdout, done.stderr


def record(release: str) -> dict[str, list[object]]:
    printed = subprocess.check_output([str(ROOT / "tools/testbed"), "programs", release], text=True)
    recorder = Recorder(printed.splitlines()[-1])
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        recorder(["sh", "-euc", OBJECTS], "")
        for rules in (*(path.read_text() for path in RULES), TABLE):
            recorder(["nft", "-f", "-"], rules)
        for status, _printed, errors in recorder.answers.values():
            assert status == 0, errors
        recorder.answers.clear()
        for ask in QUESTIONS.values():
            ask(Link(recorder), Nft(recorder))
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True)
    return recorder.answers


if __name__ == "__main__":
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(json.dumps({name: record(name) for name in SUITES}, indent=1) + "\n")
