# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs on a host with a defect: the run reports the defect, and changes nothing.

The next run after the repair of the host makes the change.
"""

from __future__ import annotations

import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import draw
import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.changes import AES128
from ansible_collections.tunnelwright.ipsec.tests.live.conftest import ALL
from ansible_collections.tunnelwright.ipsec.tests.live.faults import AFTER, BEFORE
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Run
from ansible_collections.tunnelwright.ipsec.tests.live.kill import KEPT, Task, differing
from ansible_collections.tunnelwright.ipsec.tests.live.rig import DEVICES, PSK, Rig

AGAIN = "and run the task again."
NO_ROOM = f"No space left on device. Nothing was changed. Free space on that file system, {AGAIN}"
READ_ONLY = (
    f"Read-only file system. Nothing was changed. Mount that file system for writing, {AGAIN}"
)
NO_MEMORY = "Error: Could not process rule: Cannot allocate memory"
TAKEN_BACK = "The changes of this run were undone."
OTHER_PSK = "another key, which no output may show"

# Replaces a directory by a small full file system with the same files.
FULL = """
mount -t tmpfs -o size=64k,mode=0755 tmpfs /mnt
cp -a {0}/. /mnt
cat /dev/zero >/mnt/.filler 2>/dev/null || true
mount --move /mnt {0} 2>/dev/null || {{ umount /mnt; exit 1; }}
"""


@dataclass(frozen=True)
class Break:
    """A defect. The scripts ``breaks`` and ``mends`` cause and repair it.

    The message of the run must match the pattern ``says``.
    """

    label: str
    breaks: str
    mends: str
    says: str
    task: t.Callable[[Rig], Task]
    seconds: float = 5.0
    # The defect ends the IKE daemon, and the SAs with it.
    deadly: bool = False

    def __str__(self) -> str:
        return self.label


def _change(rig: Rig) -> Task:
    return ("ipsec_phase2", rig.phase2(encryption=AES128))


def _psk(rig: Rig) -> Task:
    return ("ipsec_phase1", rig.phase1(psk=OTHER_PSK))


def _more(rig: Rig) -> Task:
    return ("ipsec_phase2", rig.phase2("more", remote_network=["10.3.0.0/24"]))


def _clamp(_rig: Rig) -> Task:
    return ("ipsec_settings", {"network": "lan", "mss_clamp": 1300})


def _network(rig: Rig) -> Task:
    own = {"name": "dmz", "ip_address": "10.8.0.1", "network_address": "10.8.0.0/24"}
    return ("vpn_network", rig.network(**own))


def wrapper(program: str, pattern: str, words: str, *, once: bool = False) -> str:
    """Return commands that install a wrapper of a program.

    The wrapper fails if its arguments match ``pattern``. Otherwise it runs the real program.
    """
    last = "rm $0; " if once else ""
    return f"""
cat >/usr/local/sbin/{program} <<'END'
#!/bin/sh
case "$*" in
{pattern}) {last}echo '{words}' >&2; exit 1 ;;
esac
exec /usr/bin/env PATH=/usr/sbin:/usr/bin {program} "$@"
END
chmod +x /usr/local/sbin/{program}
"""


CONF = "/etc/swanctl/conf.d"
BREAKS = (
    Break(
        "full conf.d",
        FULL.format(CONF),
        f"umount {CONF}",
        rf"could not write {CONF}/tunnelwright.phase1.site-b.conf: {NO_ROOM}",
        _more,
    ),
    Break(
        "full tunnelwright",
        FULL.format("/etc/tunnelwright"),
        "umount /etc/tunnelwright",
        f"could not write /etc/tunnelwright/lan.nft: {NO_ROOM}",
        _more,
    ),
    Break(
        "read-only etc",
        "mount --bind /etc /etc; mount -o remount,ro,bind /etc",
        "umount /etc",
        f"could not write /etc/tunnelwright/lan.nft: {READ_ONLY}",
        _more,
    ),
    Break(
        "read-only etc, new network",
        "mount --bind /etc /etc; mount -o remount,ro,bind /etc",
        "umount /etc",
        f"could not write /etc/tunnelwright/dmz.json: {READ_ONLY}",
        _network,
    ),
    Break(
        "no room in run",
        "mkdir /run/tunnelwright.unfinished.new",
        "rmdir /run/tunnelwright.unfinished.new",
        f"could not write /run/tunnelwright.unfinished.new: Is a directory. "
        f"Move that directory away, {AGAIN} Nothing was changed.",
        _change,
    ),
    Break(
        "dead daemon",
        "systemctl stop strongswan",
        "systemctl start strongswan",
        r"could not reach the IKE daemon at /run/charon.vici: "
        r"(No such file or directory|Connection refused). "
        r"Check that strongswan.service is running, and run the task as root, with become.",
        _psk,
        deadly=True,
    ),
    Break(
        "missing socket",
        "mv /run/charon.vici /run/charon.away",
        "mv /run/charon.away /run/charon.vici",
        r"could not reach the IKE daemon at /run/charon.vici: No such file or directory. Check .*",
        _psk,
    ),
    Break(
        "hanging daemon",
        "systemctl kill -s STOP strongswan",
        "systemctl kill -s CONT strongswan",
        r".*: the IKE daemon did not answer in time.*",
        _psk,
    ),
    Break(
        "nft missing",
        "mv /usr/sbin/nft /usr/sbin/nft.away",
        "mv /usr/sbin/nft.away /usr/sbin/nft",
        "could not run nft: it is not installed. Install the Debian package nftables.",
        _more,
    ),
    Break(
        "nft refuses",
        wrapper("nft", "'-f /etc/'*", NO_MEMORY),
        "rm -f /usr/local/sbin/nft",
        f"could not replace the nftables rules of network lan: {NO_MEMORY}. "
        "Undoing the changes of this run failed with the same error.",
        _clamp,
    ),
    Break(
        "nft refuses once",
        wrapper("nft", "'-f /etc/'*", NO_MEMORY, once=True),
        "rm -f /usr/local/sbin/nft",
        f"could not replace the nftables rules of network lan: {NO_MEMORY}. {TAKEN_BACK}",
        _clamp,
    ),
    Break(
        "nft refuses an element",
        wrapper("nft", "'--file -'*", NO_MEMORY),
        "rm -f /usr/local/sbin/nft",
        "could not change the nftables sets of network lan: add site-b/more: "
        f"{NO_MEMORY}. {TAKEN_BACK}",
        _more,
    ),
    Break(
        "nft refuses a new network",
        wrapper("nft", "'-f /etc/'*", NO_MEMORY),
        "rm -f /usr/local/sbin/nft",
        f"could not load the nftables rules of network dmz: {NO_MEMORY}. {TAKEN_BACK}",
        _network,
    ),
    Break(
        "ip refuses what blocks cleartext",
        wrapper("ip", "*-batch*", "RTNETLINK answers: Cannot allocate memory", once=True),
        "rm -f /usr/local/sbin/ip",
        "could not replace the nftables rules of network lan: RTNETLINK answers: Cannot allocate "
        f"memory; tunnelwright-lan: could not load the blocks. {TAKEN_BACK}",
        _clamp,
    ),
    Break(
        "ip refuses a block against cleartext",
        wrapper("ip", "*'unreachable 10.3.0.0/24'*", "RTNETLINK answers: Cannot allocate memory"),
        "rm -f /usr/local/sbin/ip",
        "could not add the unreachable route to 10.3.0.0/24: RTNETLINK answers: Cannot allocate "
        f"memory. {TAKEN_BACK}",
        _more,
    ),
    Break(
        "systemctl refuses",
        wrapper("systemctl", "*enable*", "Failed to enable unit: Unit file is masked."),
        "rm -f /usr/local/sbin/systemctl",
        "could not enable tunnelwright-dmz.guard.service: Failed to enable unit: Unit file is "
        f"masked. {TAKEN_BACK}",
        _network,
    ),
)


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_broken(broken: Break, rigs: dict[str, Rig]) -> None:
    def on(rig: Rig) -> None:
        check(broken, rig)

    with ThreadPoolExecutor() as pool:
        list(pool.map(on, rigs.values()))


def check(broken: Break, rig: Rig) -> None:
    device = rig.device
    bring_up(rig)
    before, task = device.state(), broken.task(rig)
    check_mode = device.run(*task, check=True)
    assert check_mode.changed
    up = device.sas()
    device.sh(broken.breaks)
    try:
        run = device.run(*task)
    finally:
        device.sh(broken.mends)
    assert run.failed, rig.release
    said = run.result["msg"]
    print(f"\n{rig.release}, {broken}: {said} ({run.seconds:.1f} s)")
    assert re.fullmatch(broken.says, said), (rig.release, said)
    assert "Traceback" not in str(run.result), run.result
    assert run.seconds < broken.seconds
    harmless(run)
    if broken.deadly:
        device.wait_for("site-b/net", "site-c/net")
    else:
        assert device.sas() == up, rig.release
    odd = differing(device.state(), before)
    assert not odd, (rig.release, odd)
    converges(rig, task)


def harmless(run: Run) -> None:
    for secret in (PSK, OTHER_PSK):
        assert secret not in str(run.result)


def converges(rig: Rig, task: Task) -> None:
    device = rig.device
    assert device.apply(*task).changed
    converged(rig, task)
    device.wait_for("site-b/net", "site-c/net")


def converged(rig: Rig, task: Task) -> None:
    device = rig.device
    again = device.apply(*task)
    assert not again.changed, (rig.release, again.result)
    assert not again.writing
    left = {*device.sh("ls -a /run | grep ^tunnelwright").split()}
    assert "tunnelwright.lock" in left
    assert left <= KEPT


def running(device: Host) -> None:
    """Wait until the IKE daemon has loaded its files. systemd restarts it after a crash."""
    device.sh("sleep 0.3; systemctl reset-failed strongswan; systemctl start strongswan")


def bring_up(rig: Rig) -> None:
    """Bring up tunnels to two peers, without other objects of the collection."""
    device = rig.device
    running(device)
    device.apply("vpn_network", {"name": "dmz", "state": "absent"})
    device.apply("ipsec_settings", {"network": "lan"})
    if "site-b/net" not in device.sas().child:
        device.apply("ipsec_phase1", {"name": "site-b", "network": "lan", "state": "absent"})
    device.apply("ipsec_phase1", rig.phase1())
    device.apply("ipsec_phase2", rig.phase2("more", state="absent"))
    device.apply("ipsec_phase2", rig.phase2())
    device.wait_for("site-b/net", "site-c/net")


CRASH = "systemctl kill --signal=KILL strongswan"
HANG = "systemctl kill --signal=STOP strongswan"
GO_ON = "systemctl kill --signal=CONT strongswan"

# The ends of the messages of a run that failed in the middle.
ENDS = ("Nothing was changed", TAKEN_BACK, "with the same error")


@pytest.mark.parametrize("mishap", [CRASH, HANG], ids=("crash", "hang"))
@pytest.mark.parametrize("task", [_change, _psk, _more], ids=("change", "psk", "more"))
def test_daemon_goes_while_a_run_speaks_with_it(
    mishap: str, task: t.Callable[[Rig], Task], rigs: dict[str, Rig]
) -> None:
    """A run survives a crash or hang of the daemon before or after a request.

    The run leaves the old or the new state after a crash. The next run reaches the new state.
    """

    def on(rig: Rig) -> list[str]:
        return befallen(rig, task(rig), mishap)

    with ThreadPoolExecutor() as pool:
        failures = [failure for found in pool.map(on, rigs.values()) for failure in found]
    assert not failures, "\n".join(failures)


def befallen(rig: Rig, task: Task, mishap: str) -> list[str]:
    device = rig.device
    bring_up(rig)
    old = device.state()
    effects = device.counted(*task).effects
    new = device.state()
    failures = []
    points = [
        (number, when)
        for number, effect in enumerate(effects)
        for when in ((BEFORE, AFTER) if effect.startswith("vici") else ())
    ]
    # Each hang lasts until a timeout, so that the test draws a third of the points. Crashes happen
    # before one request and after the next request, or at all points with LIVE=all. The other
    # release and the next turn swap before and after.
    first = [*DEVICES.values()].index(rig.release)
    turn = first + draw.turn()
    crashes = [item for at, item in enumerate(points) if ALL or (at + at // 2 + turn) % 2 == 0]
    for number, when in points[draw.turn() % 3 :: 3] if mishap == HANG else crashes:
        effect = effects[number]
        bring_up(rig)
        run = device.befall(*task, number=number, when=when, script=mishap)
        if mishap == HANG:
            device.sh(GO_ON)
        running(device)
        said = str(run.result.get("msg", "succeeded"))
        print(f"\n{rig.release}: {when} {number} {effect}: {said} ({run.seconds:.1f} s)")
        try:
            device.wait_for("site-c/net")
            harmless(run)
            assert "Traceback" not in said, said
            assert run.seconds < 25, f"{run.seconds} s"
            now = device.state()
            if not run.failed:
                odd = differing(now, new)
                assert not odd, f"the run succeeded, but the state differs: {odd}"
            elif "The files have the new configuration" in said:
                assert now["files"] == new["files"], f"{said}, but {differing(now, new)}"
            elif mishap == CRASH:
                odd = differing(now, old)
                assert not odd, f"the run failed, but the state differs: {odd}"
            device.apply(*task)
            converged(rig, task)
            odd = differing(device.state(), new)
            assert not odd, f"state after the next run: {odd}"
        except AssertionError as error:
            failures.append(f"{rig.release}: {when} {number} {effect}: {said}\n    {error}")
    return failures


def test_another_run_is_waited_for(rigs: dict[str, Rig], seconds: dict[str, Host]) -> None:
    for release, rig in rigs.items():
        bring_up(rig)
        second = seconds[release]
        with ThreadPoolExecutor() as pool:
            first = pool.submit(
                rig.device.befall, *_change(rig), number=4, when=BEFORE, script="sleep 1.5"
            )
            wait_until_held(second)
            waiting = second.run(*_more(rig))
            assert first.result().changed
        assert not waiting.failed
        assert re.search(
            r"waited \d s for ipsec_phase2 \(process \d+\) to finish",
            str(waiting.result["warnings"]),
        )
        for task in (_change(rig), _more(rig)):
            converged(rig, task)


def test_a_run_that_was_killed_is_not_waited_for(
    rigs: dict[str, Rig], seconds: dict[str, Host]
) -> None:
    for release, rig in rigs.items():
        bring_up(rig)
        second = seconds[release]
        with ThreadPoolExecutor() as pool:
            dying = "sleep 1; kill -KILL $PPID"
            first = pool.submit(rig.device.killed, *_change(rig), number=4, script=dying)
            wait_until_held(second)
            assert not second.run(*_change(rig)).failed
            assert first.result()
        converged(rig, _change(rig))


def test_a_run_that_does_not_end_is_named(rigs: dict[str, Rig], seconds: dict[str, Host]) -> None:
    for release, rig in rigs.items():
        bring_up(rig)
        second = seconds[release]
        second.ask("bounds", answer=30.0, lookup=30.0, patience=1.0)
        with ThreadPoolExecutor() as pool:
            first = pool.submit(rig.device.befall, *_change(rig), number=4, script="sleep 4")
            wait_until_held(second)
            for check_mode in (False, True):
                refused = second.run(*_more(rig), check=check_mode)
                assert re.fullmatch(
                    r"could not get the lock /run/tunnelwright.lock: it has been held for 1 s and "
                    r"more by ipsec_phase2 \(process \d+, since \d\d:\d\d:\d\d\). Nothing was "
                    r"changed. Run the task again when that run has ended.",
                    refused.result["msg"],
                ), refused.result
            assert first.result().changed
        converged(rig, _change(rig))


def wait_until_held(host: Host) -> None:
    """Wait until another program has the lock."""
    host.sh("until ! flock --nonblock /run/tunnelwright.lock true; do sleep 0.05; done")


@pytest.fixture(name="seconds", scope="module")
def _seconds(rigs: dict[str, Rig]) -> t.Iterator[dict[str, Host]]:
    """Return a second driver on each device. No later test makes a daemon hang."""
    found = {}
    for release, rig in rigs.items():
        device = rig.device
        device.ask("bounds", answer=30.0, lookup=30.0, patience=60.0)
        second = Host(f"{device.name}, second", device.reach, device.ipv4, device.ipv6)
        found[release] = second
    yield found
    for second in found.values():
        second.close()


@pytest.fixture(name="rigs", scope="module")
def _rigs(rigs: dict[str, Rig]) -> t.Iterator[dict[str, Rig]]:
    for rig in rigs.values():
        device = rig.device
        device.wipe()
        device.ask("bounds", answer=2.0, lookup=0.5, patience=60.0)
        device.apply("vpn_network", rig.network())
        device.apply("ipsec_phase1", rig.phase1(name="site-c", remote_gateway=rig.address(5)))
        device.apply("ipsec_phase2", rig.phase2(phase1="site-c", remote_network=["10.5.0.0/24"]))
    yield rigs
    for rig in rigs.values():
        rig.device.ask("bounds", answer=30.0, lookup=30.0, patience=120.0)
