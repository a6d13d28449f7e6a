# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets in cleartext between two gateways while an event happens to one of them.

A host behind each gateway sends to the other host all the time, also while its gateway shuts down
and boots. Each gateway has a default route to the other gateway. It forwards packets from the
beginning of its boot.
"""

from __future__ import annotations

import contextlib
import json
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.tests.kernel.pair import PSK, SWIFT, End, until
from ansible_collections.tunnelwright.ipsec.tests.live.host import ROOT, Host, Run

# The results for docs/cleartext.md, and the results of the latest run on a data plane.
SEEN = Path(__file__).with_name("cleartext.json")
LATEST = ROOT / ".cache"
USERSPACE, KERNEL = PLANES = ("userspace", "kernel")
RELEASES = ("5.9.8", "6.0.1")

# Packets between the LANs that are not in a tunnel.
FILTER = "(net 10.1.0.0/24 and net 10.2.0.0/24) or (net fd00:1::/64 and net fd00:2::/64)"

_STREAM = """
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=100ms
StandardOutput=null
StandardError=null
ExecStart=ip netns exec lan ping -n -i {pause} {target}
[Install]
WantedBy=sysinit.target
"""
# Sets the routes and enables forwarding, as a network manager and sysctl.d do at boot.
_ROUTE = """
[Unit]
DefaultDependencies=no
After=testbed-host.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -ec 'ip route replace default via {wan4}; ip -6 route replace default via {wan6}; \
echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
[Install]
WantedBy=sysinit.target
"""
# A service that is slow to stop. A shutdown takes as long as its slowest service.
_SLOW = """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
ExecStop=sleep 4
[Install]
WantedBy=multi-user.target
"""
# The host behind the gateway starts before the services of the gateway, and stops after them.
_LAN_HOST = """
[Unit]
DefaultDependencies=no
[Service]
ExecStopPost=
[Install]
WantedBy=sysinit.target
"""


@dataclass
class Count:
    """Packets in cleartext, by IP version."""

    ipv4: int = 0
    ipv6: int = 0

    @property
    def none(self) -> bool:
        return not (self.ipv4 or self.ipv6)


@dataclass(frozen=True)
class Wire:
    """A capture of the packets between two ends: its host and its interface.

    ``pause`` is the time between two packets of a host, in seconds.
    """

    plane: str
    listener: Callable[[End], Host]
    device: str
    pause: str

    @contextlib.contextmanager
    def heard(self, end: End) -> Iterator[Count]:
        """Count the packets in cleartext between the networks of both gateways inside the block.

        The capture runs on the listener of ``end``.
        """
        count = Count()
        with self.listener(end).capturing(self.device, FILTER) as lines:
            yield count
        count.ipv6 = sum(" IP6 " in line for line in lines)
        count.ipv4 = len(lines) - count.ipv6

    def prepare(self, end: End) -> None:
        """Make the host behind the gateway send, and the gateway forward."""
        other = end.other
        stream = [_STREAM.format(pause=self.pause, target=other.host(item)) for item in (4, 6)]
        files = {
            "lan-host.service.d/always.conf": _LAN_HOST,
            "cleartext-4.service": stream[0],
            "cleartext-6.service": stream[1],
            "cleartext-route.service": _ROUTE.format(wan4=other.address, wan6=other.machine.ipv6),
            "cleartext-slow.service": _SLOW,
        }
        end.machine.sh("mkdir -p /etc/systemd/system/lan-host.service.d")
        for name, text in files.items():
            end.machine.sh(f"cat >/etc/systemd/system/{name}", text)
        end.machine.sh(
            "systemctl daemon-reload; systemctl --quiet reenable lan-host; systemctl --quiet "
            "enable --now nftables cleartext-route cleartext-slow cleartext-4 cleartext-6"
        )


def hush(end: End) -> None:
    """Stop the sender, and restore the gateway."""
    end.machine.sh(
        """
        cd /etc/systemd/system
        systemctl --quiet disable --now nftables cleartext-4 cleartext-6 cleartext-route \\
            cleartext-slow
        rm -r lan-host.service.d cleartext-*
        systemctl daemon-reload
        systemctl --quiet reenable lan-host
        ip route delete default
        ip -6 route delete default
        """
    )


def configure(end: End) -> None:
    """Configure a tunnel for IPv4 and IPv6 that starts and recovers without a command."""
    end.network()
    end.network(
        name="lan6",
        ip_address=f"fd00:{end.number}::1",
        network_address=end.lan6,
        interface_network="vpn-lan",
    )
    end.settings(**SWIFT)
    end.phase1(connection_behavior="start", keying_tries=0, dpd_delay=2)
    end.phase2(**networks(end))


def networks(end: End) -> dict[str, t.Any]:
    return {
        "local_network": [end.lan4, end.lan6],
        "remote_network": [end.other.lan4, end.other.lan6],
    }


def carrying(end: End) -> None:
    """Wait until the host behind the gateway reaches the far host, by IPv4 and IPv6."""
    for version in (4, 6):
        ping = f"ip netns exec lan ping -q -c 2 -i 0.2 -W 1 {end.other.host(version)} || true"
        until(
            lambda ping=ping: " 0% packet loss" in end.machine.sh(ping),
            f"{end.name}: IPv{version} to the far host",
            120,
        )


def by_hand(script: str) -> Callable[[End], None]:
    def event(end: End) -> None:
        end.machine.sh(script)

    return event


def strongswan_killed(end: End) -> None:
    """Kill the daemon. A kernel keeps the SAs of a killed daemon until they are deleted."""
    end.machine.sh("systemctl kill -s KILL strongswan; ip xfrm state flush; sleep 3")


def reboot(end: End) -> None:
    t.cast("t.Any", end.machine).restart()


def task(end: End, module: str, **options: t.Any) -> Run:
    """Run a module. The next ``configure`` reverts the change."""
    end.forget()
    return end.machine.apply(module, options)


def network_stopped(end: End) -> None:
    for name in ("lan6", "lan"):
        task(end, "vpn_network", name=name, state="stopped")
    end.machine.sh("sleep 3")
    for name in ("lan", "lan6"):
        task(end, "vpn_network", name=name, state="started")


def phase1_disabled(end: End) -> None:
    task(end, "ipsec_phase1", name="site", network="lan", state="disabled")
    end.machine.sh("sleep 3")


def phase2_disabled(end: End) -> None:
    task(end, "ipsec_phase2", name="net", phase1="site", network="lan", state="disabled")
    end.machine.sh("sleep 3")


def phase2_changed(end: End) -> None:
    """Change the phase 2 with each value of ``apply``, then its networks, and restore them."""
    for apply in ("graceful", "reestablish", "defer"):
        for lifetime in (2, 1):
            end.phase2(**networks(end), lifetime=lifetime, apply=apply)
    wider = [f"10.{end.other.number}.0.0/23", end.other.lan6]
    end.phase2(**{**networks(end), "remote_network": wider}, apply="reestablish")
    end.phase2(**networks(end), apply="reestablish")


def everything_applied(end: End) -> None:
    """Apply a change with every module."""
    end.network(mtu=1400)
    end.settings(**SWIFT, mss_clamp=1300, exclude_my_network=False)
    end.phase1(connection_behavior="on_demand", lifetime=4, apply="reestablish")
    end.phase2(**networks(end), lifetime=2)
    end.forget()


def rolled_back(end: End) -> None:
    task(end, "ipsec_checkpoint", state="started", timeout=600)
    end.phase1(connection_behavior="start", psk=f"not {PSK}", apply="reestablish")
    task(end, "vpn_network", name="lan6", state="stopped")
    task(end, "ipsec_checkpoint", state="rolled_back")


def networks_removed(end: End) -> None:
    """Remove the networks as the role does."""
    gone: list[Run] = []
    for state in ("stopped", "absent"):
        for name in ("lan6", "lan"):
            gone.append(task(end, "vpn_network", name=name, state=state, force=True))
    says_what_leaves(end, gone[-1])


def phase2_removed(end: End) -> None:
    gone = {"name": "net", "phase1": "site", "network": "lan", "state": "absent"}
    says_what_leaves(end, task(end, "ipsec_phase2", **gone))
    end.machine.sh("sleep 2")


def says_what_leaves(end: End, run: Run) -> None:
    warnings = str(run.result.get("warnings", []))
    for near, far in ((end.lan4, end.other.lan4), (end.lan6, end.other.lan6)):
        assert f"packets from {near} to {far} leave in cleartext by " in warnings, warnings


EVENTS: dict[str, Callable[[End], None]] = {
    "shutdown and boot": reboot,
    # Three times, because systemd starts a service at most five times in ten seconds.
    "nftables is restarted three times": by_hand(
        "for _ in 1 2 3; do systemctl restart nftables; sleep 0.5; done"
    ),
    "nftables is reloaded three times": by_hand(
        "for _ in 1 2 3; do systemctl reload nftables; sleep 0.5; done"
    ),
    "every nftables rule is flushed": by_hand("nft flush ruleset; sleep 3"),
    "every nftables rule is flushed while strongSwan is stopped": by_hand(
        "systemctl stop strongswan; nft flush ruleset; sleep 3; systemctl start strongswan"
    ),
    "strongSwan is stopped": by_hand(
        "systemctl stop strongswan; sleep 3; systemctl start strongswan"
    ),
    "strongSwan is killed": strongswan_killed,
    "a network is stopped": network_stopped,
    "a phase 1 is disabled": phase1_disabled,
    "a phase 2 is disabled": phase2_disabled,
    "a phase 2 is changed": phase2_changed,
    "every module changes something": everything_applied,
    "a checkpoint is rolled back": rolled_back,
}
# Intended: the traffic belongs to no tunnel any more, and the result reports it.
OPEN = {"a phase 2 is removed": phase2_removed, "the networks are removed": networks_removed}


# Packets of IPv4 and of IPv6, by event, data plane and release.
Seen = dict[str, dict[str, dict[str, list[int]]]]


def read(path: Path) -> Seen:
    return t.cast(Seen, json.loads(path.read_text())) if path.exists() else {}


def latest(plane: str) -> Path:
    return LATEST / f"cleartext-{plane}.json"


def merged(seen: Seen, more: Seen) -> Seen:
    for event, planes in more.items():
        for plane, releases in planes.items():
            seen.setdefault(event, {}).setdefault(plane, {}).update(releases)
    return seen


def write(path: Path, seen: Seen) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n")


def record(wire: Wire, release: str, event: str, count: Count) -> None:
    path = latest(wire.plane)
    row = {event: {wire.plane: {release: [count.ipv4, count.ipv6]}}}
    write(path, merged(read(path), row))


def check(wire: Wire, end: End, release: str, event: str) -> Count:
    """Count the packets in cleartext from the event until the tunnel is up again.

    The count of an event of ``OPEN`` ends with the event, because no tunnel is left.
    """
    configure(end)
    carrying(end)
    with wire.heard(end) as count:
        {**EVENTS, **OPEN}[event](end)
        if event not in OPEN:
            restore(end)
    if event in OPEN:
        restore(end)
    record(wire, release, event, count)
    return count


def restore(end: End) -> None:
    """Apply everything again, because the test may have changed objects by hand."""
    end.forget()
    configure(end)
    carrying(end)
