# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway for the step tables, with a firewall, a connection and a bridge of an administrator."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.tunnelwright.ipsec.tests.live.differences import differences
from ansible_collections.tunnelwright.ipsec.tests.live.host import Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import Rig, speaks_ikev1
from ansible_collections.tunnelwright.ipsec.tests.live.step_tables import (
    KINDS,
    STEPS,
    Scenario,
    Values,
)

State = dict[str, t.Any]

BY_HAND = """
cat >/etc/swanctl/conf.d/by-hand.conf
chmod 600 /etc/swanctl/conf.d/by-hand.conf
swanctl --load-all >/dev/null
ip link delete br-office 2>/dev/null || true
ip link add br-office type bridge
ip link set br-office up
nft -f /root/by-hand.nft
"""
# Resets the address of br-office. The collection changes the address, and a wipe leaves the change.
ADDRESSES = """
ip address flush dev br-office
ip address add 192.168.50.2/24 dev br-office
"""
BY_HAND_REMOVED = """
rm -f /etc/swanctl/conf.d/by-hand.conf /usr/local/sbin/vici-request /root/by-hand.nft
ip link delete br-office
nft delete table inet filter
nft delete table ip by-hand
"""
KERNEL = {
    "kernel_vlan": "ip link add a type bridge && ip link add link a name b type vlan id 2",
    "kernel_esp": "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel "
    "enc 'cbc(aes)' 0x00000000000000000000000000000000 "
    f"auth 'hmac(sha256)' 0x{'0' * 64}",
}


class Gateway:
    """A device with the current scenario and its next step.

    A step needs the steps before it. The gateway repeats these steps if another test was the last
    test on it. Therefore each test can run alone.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig, self.device = rig, rig.device
        # The state without objects of the collection, and with the objects of the scenario.
        self.found: State = {}
        self.start: State = {}
        # The state after the last test, with which the next test begins.
        self.held: State = {}
        self._features: dict[str, bool] = {}
        self._scenario: Scenario | None = None
        self._next = 0

    def prepare(self) -> None:
        """Create the objects of the administrator, and find the features of the host."""
        self.device.wipe()
        self.device.sh("cat >/root/by-hand.nft", text("by-hand.nft"))
        program = "#!/usr/bin/python3\n" + text("vici-request")
        self.device.sh("cat >/usr/local/sbin/vici-request; chmod 700 /usr/local/sbin/*", program)
        self.device.sh(BY_HAND + ADDRESSES, text("by-hand.conf"))
        self._features = {name: self._can(script) for name, script in KERNEL.items()}
        self._features["ikev1"] = speaks_ikev1(self.device)
        self.found = self.look()["held"]

    def _can(self, script: str) -> bool:
        """Return whether a script succeeds in a separate network namespace."""
        done = self.device.ask("shell", script=f"unshare --net sh -c {shlex.quote(script)}")
        return bool(done["status"] == 0)

    def clear(self) -> None:
        """Remove the objects of the collection and the objects of the administrator."""
        self.device.sh(BY_HAND_REMOVED)
        self.device.wipe()

    def look(self) -> State:
        return self.device.ask("gateway_state")

    @property
    def facts(self) -> Values:
        """Return the variables that every template of a table may use."""
        return {"found": self.found, "start": self.start, **self._features}

    def reach(self, scenario: Scenario, number: int) -> None:
        """Create the objects of the scenario and carry out its steps before ``number``.

        This method does nothing if the last test ended before step ``number``.
        """
        if self._scenario is scenario and self._next == number:
            self._scenario = None
            return
        self._begin(scenario)
        for step in scenario.rows("steps")[:number]:
            if not scenario.applies(step, self.facts):
                continue
            self.prepared(step)
            self.device.apply(*self.task(scenario, step))
        if number:
            self.held = self.look()["held"]

    def passed(self, scenario: Scenario, number: int, held: State) -> None:
        """Record that the steps before ``number`` are done. ``held`` is the state after them."""
        self._scenario, self._next, self.held = scenario, number, held

    def prepared(self, step: Values) -> None:
        """Carry out the command of a step that makes the step necessary, if there is a command."""
        if "prepare" in step:
            self.device.sh(step["prepare"])

    def task(self, scenario: Scenario, row: Values) -> tuple[str, dict[str, t.Any]]:
        """Return the module and the options of a row."""
        module = row.get("module") or scenario.entry["module"]
        return module, scenario.value(row["options"], self.facts)

    def _begin(self, scenario: Scenario) -> None:
        self._scenario = None
        self.device.wipe()
        self.device.sh(ADDRESSES)
        for name, value in self.found["forwarding"].items():
            self.device.sh(f"sysctl -qw {name}={value}")
        bare = self.look()["held"]
        lasting = differences({**self.found, "pid": bare["pid"]}, bare)
        assert not lasting, "\n".join(lasting)
        objects = scenario.entry.get("objects", {})
        for kind, module in KINDS.items():
            for options in objects.get(kind, ()):
                self.device.apply(module, scenario.value(options, self.facts))
        self.start = self.held = self.look()["held"]


def text(name: str) -> str:
    """Return the content of a file in ``steps/files``."""
    return (STEPS / "files" / name).read_text()


def words_missing(run: Run, words: t.Iterable[str]) -> list[str]:
    """Return the words that the message of a failure lacks."""
    return [word for word in words if word not in run.result["msg"]]
