# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A due rollback while the lock is held: by a hanging run, a busy run, or an unmanaged program."""

from __future__ import annotations

import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Options
from ansible_collections.tunnelwright.ipsec.tests.live.rig import Rig

# Seconds: until the rollback is due, until a run without progress is ended, until a run has ended
# after a signal, and an allowance for a busy machine.
DUE, SILENCE, LAST_WORDS, SLACK = 10.0, 15.0, 5.0, 15.0
RECORD = "/var/lib/tunnelwright/rolled-back.json"
# The rollback removes this file at its end.
TIMER = "/etc/systemd/system/tunnelwright.rollback.timer"
# Stops the run, which is the parent process of the shell.
STOP = "kill -STOP $(ps -o ppid= -p $$)"
HANGING_NFT = """
cat >/usr/local/sbin/nft <<'END'
#!/bin/sh
case "$*" in
"-f /"*) rm $0; exec sleep 1234 ;;
esac
exec /usr/sbin/nft "$@"
END
chmod +x /usr/local/sbin/nft
"""


@dataclass
class Seen:
    """A rollback: its time after the change, and its record."""

    seconds: float
    record: dict[str, t.Any] = field(repr=False)


@pytest.fixture(name="tunnels")
def _tunnels(rigs: dict[str, Rig]) -> t.Iterator[dict[str, Rig]]:
    """Return the rigs with a tunnel that is up on each device."""

    def begin(rig: Rig) -> None:
        end(rig)
        rig.device.apply("vpn_network", rig.network())
        rig.device.apply("ipsec_phase1", rig.phase1())
        rig.device.apply("ipsec_phase2", rig.phase2())
        rig.device.wait_for("site-b/net")

    def end(rig: Rig) -> None:
        rig.device.sh("rm -f /usr/local/sbin/nft")
        rig.device.apply("ipsec_checkpoint", {"state": "rolled_back"})
        rig.device.sh(f"rm -f {RECORD}")
        rig.device.wipe()

    on_all(rigs, begin)
    yield rigs
    on_all(rigs, end)


def on_all(rigs: dict[str, Rig], test: t.Callable[[Rig], None]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(test, rigs.values()))


def begun(rig: Rig) -> dict[str, t.Any]:
    """Begin a checkpoint, and return the state to restore."""
    state = rig.device.state()
    rig.device.apply("ipsec_checkpoint", {"state": "started", "timeout": int(DUE)})
    return state


def rolled_back(device: Host, since: float, most: float) -> Seen:
    """Wait for the end of the rollback, at most ``most`` seconds, and return its record."""
    while time.monotonic() < since + most:
        text = device.sh(f"cat {RECORD} 2>/dev/null || true")
        if text and device.sh(f"ls {TIMER} 2>/dev/null || true") == "":
            return Seen(time.monotonic() - since, json.loads(text))
        time.sleep(0.2)
    said = device.sh("journalctl --unit tunnelwright.rollback --no-pager --lines 20")
    raise AssertionError(f"{device.name}: no rollback within {most} s:\n{said}")


CHANGE: Options = {"mtu": 1400, "description": "a change without a confirmation"}
# The run hangs in the middle, or in nft, which a script of the collection runs.
HANGS = {
    "stopped": ("true", {"number": 10, "script": STOP}),
    "program": (HANGING_NFT, {}),
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_run_that_hangs_is_ended(tunnels: dict[str, Rig], hang: str) -> None:
    prepare, mishap = HANGS[hang]

    def check(rig: Rig) -> None:
        device = rig.device
        before = begun(rig)
        device.sh(prepare)
        start = time.monotonic()
        assert device.killed("vpn_network", rig.network(**CHANGE), **mishap)
        ended = time.monotonic() - start
        # The run is not ended before the rollback is due and SILENCE has passed.
        assert ended >= DUE + SILENCE - 1, ended
        assert ended <= DUE + SILENCE + LAST_WORDS + SLACK, ended
        seen = rolled_back(device, start, DUE + SILENCE + LAST_WORDS + 2 * SLACK)
        print(f"{rig.release}: {hang}: ended after {ended:.1f} s, done after {seen.seconds:.1f} s")
        assert seen.record["restored"]
        assert "vpn_network (process" in seen.record["errors"][0]
        assert "showed no progress for 15 s or more: it was ended" in seen.record["errors"][0]
        assert seen.record["left"] == []
        after = device.state()
        for key in ("files", "links", "nft", "connections", "secrets", "units"):
            assert after[key] == before[key], key
        assert device.sh("pgrep -f '[s]leep 1234' || true") == ""
        device.wait_for("site-b/net")
        assert not device.run("vpn_network", rig.network()).changed

    on_all(tunnels, check)


def test_a_run_that_waits_for_a_peer_is_not_ended(tunnels: dict[str, Rig]) -> None:
    """A run that waits for a silent peer is not ended, even after the time of the checkpoint."""

    def check(rig: Rig) -> None:
        device = rig.device
        begun(rig)
        nobody = rig.address(9).rpartition(".")[0] + ".250"
        silent = rig.phase1(name="silent", remote_gateway=nobody, connection_behavior="on_demand")
        device.apply("ipsec_phase1", silent)
        tunnel = rig.phase2("far", phase1="silent", remote_network=["10.77.0.0/24"])
        device.apply("ipsec_phase2", tunnel)
        start = time.monotonic()
        options = {"network": "lan", "phase1": "silent", "timeout": int(DUE + 2 * SILENCE)}
        called = device.run("ipsec_connection", options)
        seconds = time.monotonic() - start
        assert called.failed
        assert called.result["failures"][0]["cause"] == "no_answer"
        assert seconds >= DUE + 2 * SILENCE - 1, seconds
        # The end of the run renewed the time of the checkpoint, so that the due rollback does
        # nothing.
        confirmed = device.apply("ipsec_checkpoint", {"state": "confirmed"})
        assert confirmed.changed
        assert device.sh(f"cat {RECORD} 2>/dev/null || true") == ""

    on_all(tunnels, check)


def test_what_is_not_ours_is_left_alone(tunnels: dict[str, Rig]) -> None:
    """The rollback leaves an unmanaged program that holds the lock alone, and does its work."""

    def check(rig: Rig) -> None:
        device = rig.device
        before = begun(rig)
        device.apply("vpn_network", rig.network(**CHANGE))
        start = time.monotonic()
        held = "echo $$ >/run/holder; exec flock --no-fork /run/tunnelwright.lock sleep 300"
        device.sh(f"setsid sh -c '{held}' >/dev/null 2>&1 &")
        try:
            seen = rolled_back(device, start, DUE + SILENCE + 2 * SLACK)
            assert seen.seconds >= DUE + SILENCE - 2
        finally:
            # The program still runs: otherwise kill would fail.
            device.sh("kill $(cat /run/holder); rm /run/holder")
        assert seen.record["errors"] == [
            "could not get the lock /run/tunnelwright.lock: it is held by a program that is no run "
            "of this collection. It continued without the lock."
        ]
        assert device.state()["files"] == before["files"]

    on_all(tunnels, check)
