# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two gateways, one of each release, with twenty tunnels between them that carry packets.

Nineteen tunnels are in network ``lan``. The changed tunnel is in network ``lab``, because settings
of a network may renew all of its tunnels.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.tests.live.host import HERE, LIBRARY, Host, Options

OTHERS = tuple(f"t{number:02}" for number in range(1, 20))
ONE = "one"
# The number of each tunnel in addresses: 10.1.N.0/24 behind gateway a, 10.2.N.0/24 behind b.
NUMBERS = {**{name: int(name[1:]) for name in OTHERS}, ONE: 20}
SIDES = {"a": 1, "b": 2}
FACING = {"a": "b", "b": "a"}

# Further networks behind the gateways, which the changed tunnel carries at times.
SPARE = (120, 121)

# With these lifetimes no SA is rekeyed during a run.
LASTING = {"lifetime": 12, "lifetime_unit": "hours"}

# DH group 19 needs little CPU time.
COMMON = {"algorithm": "aes", "key_length": 256, "hash": "sha256", "dh_group": 19}


@dataclass(frozen=True)
class Call:
    """One run of a module on gateway ``side``."""

    side: str
    module: str
    options: Options


@dataclass(frozen=True)
class Flow:
    """The packets in one direction of one tunnel. ``holes`` are runs of lost numbers."""

    sent: int
    holes: tuple[tuple[int, int], ...]
    repeated: int
    slowest: float

    @property
    def lost(self) -> int:
        return self.lost_within(0, self.sent)

    def lost_within(self, begin: int, end: int) -> int:
        """Return how many packets with numbers from ``begin`` to ``end`` - 1 were lost."""
        return sum(stop - start for start, stop in self._clipped(begin, end))

    def gap_within(self, begin: int, end: int) -> float:
        """Return the longest gap in ms, at one packet every 10 ms."""
        runs = [stop - start for start, stop in self._clipped(begin, end)]
        return 10.0 * (max(runs) + 1) if runs else 0.0

    def _clipped(self, begin: int, end: int) -> list[tuple[int, int]]:
        spans = [(max(first, begin), min(last + 1, end)) for first, last in self.holes]
        return [(start, stop) for start, stop in spans if start < stop]


def local_network(side: str, number: int, length: int = 24) -> str:
    return f"10.{SIDES[side]}.{number}.0/{length}"


def router(side: str, number: int) -> str:
    return f"10.{SIDES[side]}.{number}.1"


def network(side: str, name: str) -> Options:
    number = 0 if name == "lan" else NUMBERS[ONE]
    address = local_network(side, number)
    return {"name": name, "ip_address": router(side, number), "network_address": address}


def phase1(side: str, peer: Host, name: str) -> Options:
    return {
        "name": name,
        "network": "lab" if name == ONE else "lan",
        "remote_gateway": peer.ipv4,
        "identifier": f"{name}-{side}.example",
        "peer_identifier": f"{name}-{FACING[side]}.example",
        "psk": f"the first key of tunnel {name}",
        # Side b initiates only for traffic without an SA, so that two attempts do not collide.
        "connection_behavior": "start" if side == "a" else "on_demand",
        "encryption": [COMMON],
        **LASTING,
    }


def phase2(side: str, name: str) -> Options:
    return {
        "name": "net",
        "network": "lab" if name == ONE else "lan",
        "phase1": name,
        "local_network": [local_network(side, NUMBERS[name])],
        "remote_network": [local_network(FACING[side], NUMBERS[name])],
        "encryption": [COMMON],
        **LASTING,
    }


class Pair:
    """Gateways ``a`` and ``b``."""

    def __init__(self, hosts: t.Mapping[str, Host]) -> None:
        self.hosts = {side: hosts[side] for side in SIDES}

    def both(self, work: t.Callable[[str], t.Any]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(work, SIDES))

    def set_up(self) -> None:
        self.both(self._configure)
        # Some tunnels were initiated before the peer was configured.
        for name in NUMBERS:
            self.connect(name)
        # Two attempts at once may create two SAs. Wait until one SA is left.
        for host in self.hosts.values():
            host.wait_for(*(f"{name}/net" for name in NUMBERS))

    def _configure(self, side: str) -> None:
        host, peer = self.hosts[side], self.hosts[FACING[side]]
        host.wipe()
        host.sh(_foreign_rules() + _addresses(side, "replace"))
        for name in ("lan", "lab"):
            host.apply("vpn_network", network(side, name))
        for name in NUMBERS:
            host.apply("ipsec_phase1", phase1(side, peer, name))
            host.apply("ipsec_phase2", phase2(side, name))

    def connect(self, name: str) -> None:
        """Bring a tunnel up from side a. The tunnel may be up already."""
        host = self.hosts["a"]
        deadline = time.monotonic() + 20
        while f"{name}/net" not in host.sas().child:
            assert time.monotonic() < deadline, host.log()
            asked = {"ike": name, "child": "net", "timeout": "5000"}
            host.ask("request", command="initiate", message=asked)
            time.sleep(0.1)

    def clean(self) -> None:
        for side, host in self.hosts.items():
            host.sh("nft delete table inet office 2>/dev/null || true")
            host.sh(_addresses(side, "delete"))
            host.wipe()


def _addresses(side: str, verb: str) -> str:
    """Return commands for an address in each network of a tunnel."""
    numbers = (*(NUMBERS[name] for name in OTHERS), *SPARE)
    return "".join(f"ip address {verb} {router(side, n)}/32 dev lo\n" for n in numbers)


def _foreign_rules() -> str:
    """Return chains of another administrator, for ``firewall_chains``."""
    return "".join(
        f"nft 'add table inet office; add chain inet office {hook} "
        f"{{ type filter hook {hook} priority 0; policy accept; }}'\n"
        for hook in ("input", "forward")
    )


class Traffic:
    """A context with packets in both directions through every tunnel. See ``traffic.py``."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._ends: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Traffic:
        for side, host in self._pair.hosts.items():
            host.sh(f"cat >{LIBRARY}/traffic.py", (HERE / "traffic.py").read_text())
            flows = [
                {"name": name, "local": router(side, n), "remote": router(FACING[side], n)}
                for name, n in NUMBERS.items()
            ]
            program = ("nice", "-n", "-5", "python3", f"{LIBRARY}/traffic.py", json.dumps(flows))
            self._ends[side] = subprocess.Popen(
                [*host.reach, f"exec {shlex.join(program)}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        # The answers prove that both sides listen before one side sends.
        self.sent()
        for side in SIDES:
            self._say(side, "go")
        return self

    def __exit__(self, *_exception: object) -> None:
        for end in self._ends.values():
            end.communicate(timeout=20)

    def sent(self) -> dict[str, dict[str, int]]:
        """Return how many packets each side has sent through each tunnel."""
        return {side: self._ask(side, "sent") for side in SIDES}

    def drained(self, seconds: float) -> dict[str, dict[str, Flow]]:
        """Stop the traffic, and return the flows by sender and tunnel after ``seconds``.

        In this time the last packets arrive.
        """
        for side in SIDES:
            self._say(side, "hush")
        sent = self.sent()
        with contextlib.suppress(subprocess.TimeoutExpired):
            next(iter(self._ends.values())).wait(seconds)
        seen = {side: self._ask(side, "seen") for side in SIDES}
        return {
            side: {name: _flow(sent[side][name], seen[FACING[side]][name]) for name in sent[side]}
            for side in SIDES
        }

    def go_on(self) -> None:
        for side in SIDES:
            self._say(side, "go")

    def _say(self, side: str, word: str) -> None:
        stdin = self._ends[side].stdin
        assert stdin is not None
        stdin.write(f"{word}\n")
        stdin.flush()

    def _ask(self, side: str, word: str) -> dict[str, t.Any]:
        self._say(side, word)
        stdout = self._ends[side].stdout
        assert stdout is not None
        return dict(json.loads(stdout.readline()))


def _flow(sent: int, seen: t.Mapping[str, t.Any]) -> Flow:
    holes = [tuple(hole) for hole in seen["holes"]]
    if seen["expected"] < sent:
        holes.append((seen["expected"], sent - 1))
    return Flow(sent, tuple(holes), seen["repeated"], seen["slowest"])
