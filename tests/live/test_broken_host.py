# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on which something is broken: the run says so, and leaves it as it was.

When it is mended the next run does what the first one could not.
"""

from __future__ import annotations

import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from ansible_collections.tunnelwright.ipsec.tests.live.changes import AES128
from ansible_collections.tunnelwright.ipsec.tests.live.host import Run
from ansible_collections.tunnelwright.ipsec.tests.live.kill import Task, differing
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PSK, Rig

NO_ROOM = "No space left on device; nothing was changed"
NO_MEMORY = "Error: Could not process rule: Cannot allocate memory"
TAKEN_BACK = "what had been done was taken back"
OTHER_PSK = "another key, which nobody may see"

# On small file systems of their own, with what was there, and full.
FULL = """
mount -t tmpfs -o size=64k,mode=0755 tmpfs /mnt
cp -a {0}/. /mnt
cat /dev/zero >/mnt/.filler 2>/dev/null || true
mount --move /mnt {0} 2>/dev/null || {{ umount /mnt; exit 1; }}
"""


@dataclass(frozen=True)
class Break:
    """``breaks`` and ``mends`` are scripts; ``says`` is a pattern for what the run has to say."""

    label: str
    breaks: str
    mends: str
    says: str
    task: t.Callable[[Rig], Task]
    seconds: float = 5.0
    # The IKE daemon is gone, so that SAs are too.
    deadly: bool = False

    def __str__(self) -> str:
        return self.label


def _change(rig: Rig) -> Task:
    return ("ipsec_phase2", rig.phase2(encryption=AES128))


def _psk(rig: Rig) -> Task:
    return ("ipsec_phase1", rig.phase1(psk=OTHER_PSK))


def _more(rig: Rig) -> Task:
    return ("ipsec_phase2", rig.phase2("more", remote_network=["10.3.0.0/24"]))


def _network(rig: Rig) -> Task:
    own = {"name": "dmz", "ip_address": "10.8.0.1", "network_address": "10.8.0.0/24"}
    return ("vpn_network", rig.network(**own))


def wrapper(program: str, pattern: str, words: str, *, once: bool = False) -> str:
    """A program that fails when it is called so, and is the real one otherwise."""
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
        rf"write {CONF}/tunnelwright.phase1.site-b.conf: {NO_ROOM}",
        _more,
    ),
    Break(
        "full tunnelwright",
        FULL.format("/etc/tunnelwright"),
        "umount /etc/tunnelwright",
        f"write /etc/tunnelwright/lan.nft: {NO_ROOM}",
        _more,
    ),
    Break(
        "read-only etc",
        "mount --bind /etc /etc; mount -o remount,ro,bind /etc",
        "umount /etc",
        r"write /etc/tunnelwright/lan.nft: Read-only file system; nothing was changed",
        _more,
    ),
    Break(
        "read-only etc, new network",
        "mount --bind /etc /etc; mount -o remount,ro,bind /etc",
        "umount /etc",
        r"write /etc/tunnelwright/dmz.nft: Read-only file system; nothing was changed",
        _network,
    ),
    Break(
        "no room in run",
        "mkdir /run/tunnelwright.unfinished.new",
        "rmdir /run/tunnelwright.unfinished.new",
        r"write /run/tunnelwright.unfinished: Is a directory; nothing was changed",
        _change,
    ),
    Break(
        "dead daemon",
        "systemctl stop strongswan",
        "systemctl start strongswan",
        r"reach the IKE daemon at /run/charon.vici: (No such file or directory|Connection refused)"
        r"; is strongswan.service running, and does this run as root\?",
        _psk,
        deadly=True,
    ),
    Break(
        "missing socket",
        "mv /run/charon.vici /run/charon.away",
        "mv /run/charon.away /run/charon.vici",
        r"reach the IKE daemon at /run/charon.vici: No such file or directory; is strongswan.*",
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
        r"run nft: No such file or directory",
        _more,
    ),
    Break(
        "nft refuses",
        wrapper("nft", "'-f /etc/'*", NO_MEMORY),
        "rm -f /usr/local/sbin/nft",
        f"replace the nftables rules of network lan: {NO_MEMORY}; taking back what had been done "
        "failed in the same way",
        _more,
    ),
    Break(
        "nft refuses once",
        wrapper("nft", "'-f /etc/'*", NO_MEMORY, once=True),
        "rm -f /usr/local/sbin/nft",
        f"replace the nftables rules of network lan: {NO_MEMORY}; {TAKEN_BACK}",
        _more,
    ),
    Break(
        "nft refuses a new network",
        wrapper("nft", "'-f /etc/'*", NO_MEMORY),
        "rm -f /usr/local/sbin/nft",
        rf"(?s)start tunnelwright-dmz.service: .*{NO_MEMORY}.*; {TAKEN_BACK}",
        _network,
    ),
    Break(
        "systemctl refuses",
        wrapper("systemctl", "*enable*", "Failed to enable unit: Unit file is masked."),
        "rm -f /usr/local/sbin/systemctl",
        rf"enable tunnelwright-dmz.service: Failed to enable unit: Unit file is masked.; {TAKEN_BACK}",
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
    again = device.apply(*task)
    assert not again.changed, (rig.release, again.result)
    assert not again.writing
    device.wait_for("site-b/net", "site-c/net")
    left = device.sh("ls -a /run | grep ^tunnelwright || true").split()
    assert left == ["tunnelwright.lock"]


def bring_up(rig: Rig) -> None:
    """Tunnels to two peers that are up, and nothing else of ours."""
    device = rig.device
    device.sh("systemctl reset-failed strongswan || true")
    device.apply("vpn_network", {"name": "dmz", "state": "absent"})
    device.apply("ipsec_phase1", rig.phase1())
    device.apply("ipsec_phase2", rig.phase2("more", state="absent"))
    device.apply("ipsec_phase2", rig.phase2())
    device.wait_for("site-b/net", "site-c/net")


@pytest.fixture(name="rigs", scope="module")
def _rigs(rigs: dict[str, Rig]) -> t.Iterator[dict[str, Rig]]:
    for rig in rigs.values():
        device = rig.device
        device.wipe()
        device.ask("bounds", answer=2.0, patience=2.0)
        device.apply("vpn_network", rig.network())
        device.apply("ipsec_phase1", rig.phase1(name="site-c", remote_gateway=rig.address(5)))
        device.apply("ipsec_phase2", rig.phase2(phase1="site-c", remote_network=["10.5.0.0/24"]))
    yield rigs
    for rig in rigs.values():
        rig.device.ask("bounds", answer=30.0, patience=120.0)
