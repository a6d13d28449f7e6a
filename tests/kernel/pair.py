# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two gateways and the tunnel between the LANs behind them, both ends made by the modules.

Ends are ``a`` (strongSwan 5.9.8 or forky, LANs 10.1.0.0/24 and fd00:1::/64) and ``b`` (6.0.1, LANs
10.2.0.0/24 and fd00:2::/64). Options of both ends are given once, and options of one end under the
name of the end.
"""

from __future__ import annotations

import re
import time
import typing as t
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import PATIENCE, Machine
from ansible_collections.tunnelwright.ipsec.tests.live.host import Run
from ansible_collections.tunnelwright.ipsec.tests.live.rig import need_ikev1

Options = Mapping[str, t.Any]

PSK = "a key of these tests, of no other use"
NUMBERS = {"a": 1, "b": 2}
RELEASES = {"a": "5.9.8", "b": "6.0.1"}
PHASE1, PHASE2 = "site", "net"
# Values that a daemon without IKEv1 cannot have.
IKEV1 = {"key_exchange": "ikev1", "cisco_extensions": True, "unencrypted_main_mode": True}

# With these settings charon notices a dead peer within seconds: 1 + 1.5 + 2.25.
SWIFT = {
    "configuration_mode": "advanced",
    "strongswan_conf": "charon {\n retransmit_tries = 2\n retransmit_timeout = 1.0\n"
    " retransmit_base = 1.5\n}\n",
}


class End:
    """A gateway of the pair. The pair sets ``other``, the other end."""

    other: End

    def __init__(self, name: str, machine: Machine) -> None:
        self.name, self.machine, self.number = name, machine, NUMBERS[name]
        self._phases: dict[str, set[str]] = {}
        # The last options of each object, because a run takes seconds even without a change.
        self._applied: dict[tuple[str, ...], Options] = {}

    @property
    def release(self) -> str:
        """Return the name of the strongSwan of this end."""
        return "forky" if self.machine.is_moving else RELEASES[self.name]

    @property
    def address(self) -> str:
        return self.machine.ipv4

    @property
    def lan4(self) -> str:
        return f"10.{self.number}.0.0/24"

    @property
    def lan6(self) -> str:
        return f"fd00:{self.number}::/64"

    @property
    def router(self) -> str:
        return f"10.{self.number}.0.1"

    def host(self, version: int = 4) -> str:
        """Return the address of the host on the LAN."""
        return f"10.{self.number}.0.10" if version == 4 else f"fd00:{self.number}::10"

    def network(self, **options: t.Any) -> Run | None:
        base = {"name": "lan", "ip_address": self.router, "network_address": self.lan4}
        return self._apply("vpn_network", {**base, **options})

    def settings(self, **options: t.Any) -> Run | None:
        return self._apply("ipsec_settings", {"network": "lan", **options})

    def phase1(self, **options: t.Any) -> Run | None:
        base = {"name": PHASE1, "network": "lan", "remote_gateway": self.other.address, "psk": PSK}
        given = {**base, **options}
        if given.get("authentication") == "pubkey":
            del given["psk"]
        self._phases.setdefault(given["name"], set())
        return self._apply("ipsec_phase1", given)

    def phase2(self, **options: t.Any) -> Run | None:
        given = self._phase2(options)
        self._phases.setdefault(given["phase1"], set()).add(given["name"])
        return self._apply("ipsec_phase2", given)

    def _phase2(self, options: Options) -> dict[str, t.Any]:
        base = {
            **{"name": PHASE2, "network": "lan", "phase1": PHASE1},
            **{"local_network": [self.lan4], "remote_network": [self.other.lan4]},
        }
        return {**base, **options}

    def has(self, phase2: Options) -> bool:
        """Return whether a phase 2 has these options already."""
        given = self._phase2(phase2)
        return self._applied.get(("ipsec_phase2", given["phase1"], given["name"])) == given

    def _apply(self, module: str, options: Options) -> Run | None:
        """Run the module, unless the last run of the object had the same options."""
        key = (module, options.get("phase1", ""), options.get("name", ""))
        # `apply` does not belong to the state of an object.
        same = {name: value for name, value in options.items() if name != "apply"}
        if self._applied.get(key) == same:
            return None
        if any(same.get(name) == value for name, value in IKEV1.items()):
            need_ikev1(self.machine)
        run = self.machine.apply(module, dict(options))
        self._applied[key] = same
        if module == "ipsec_phase1" and options.get("state") == "absent":
            self._forget(options["name"], *self._phases.pop(options["name"]))
        return run

    def clear(self, *, but: frozenset[tuple[str, str]] = frozenset()) -> None:
        """Remove every phase 1 and phase 2 that is not in ``but``, which has pairs of names."""
        phases = {name for name, _child in but}
        for name in list(self._phases):
            if name not in phases:
                gone = {"name": name, "network": "lan", "state": "absent"}
                self.machine.apply("ipsec_phase1", gone)
                self._forget(name, *self._phases.pop(name))
                continue
            for child in self._phases[name] - {item for phase, item in but if phase == name}:
                gone = {"name": child, "phase1": name, "network": "lan", "state": "absent"}
                self.machine.apply("ipsec_phase2", gone)
                self._phases[name].discard(child)
                self._applied.pop(("ipsec_phase2", name, child), None)

    def forget(self) -> None:
        """Forget the applied options, so that they are applied again."""
        self._applied.clear()

    def _forget(self, phase1: str, *children: str) -> None:
        self._applied.pop(("ipsec_phase1", "", phase1), None)
        for child in children:
            self._applied.pop(("ipsec_phase2", phase1, child), None)

    def initiate(self, phase1: str = PHASE1, child: str = PHASE2) -> None:
        """Initiate a Child SA, which may come up already, and wait until it is up."""
        said = self.machine.sh(
            f"swanctl --initiate --ike {phase1} --child {child} --timeout 30 2>&1 || true"
        )
        until(
            lambda: self.children(child, phase1), f"{self.name}: {phase1}/{child} is up\n{said}", 20
        )

    def terminate(self, phase1: str = PHASE1) -> None:
        self.machine.sh(f"swanctl --terminate --ike {phase1} --timeout 20 2>&1 || true")

    def sas(self, phase1: str = PHASE1) -> list[dict[str, t.Any]]:
        """Return the IKE SAs of a phase 1 that are up, as ``list-sas`` has them."""
        return [
            sa
            for sa in self.machine.ask("sas")["sas"]
            if sa["name"] == phase1 and sa["state"] in ("ESTABLISHED", "REKEYING")
        ]

    def sa(self, phase1: str = PHASE1) -> dict[str, t.Any]:
        """Return the only IKE SA of a phase 1."""
        found = self.sas(phase1)
        assert len(found) == 1, f"{self.name}: {phase1} has {len(found)} IKE SAs: {found}"
        return found[0]

    def children(self, child: str = PHASE2, phase1: str = PHASE1) -> list[dict[str, t.Any]]:
        """Return the Child SAs of a phase 2 that are up."""
        return [
            item
            for sa in self.sas(phase1)
            for item in sa.get("child-sas", {}).values()
            if item["name"] == child and item["state"] == "INSTALLED"
        ]

    def child(self, child: str = PHASE2, phase1: str = PHASE1) -> dict[str, t.Any]:
        """Return the only Child SA of a phase 2."""
        found = self.children(child, phase1)
        assert len(found) == 1, f"{self.name}: {phase1}/{child} has {len(found)} SAs: {found}"
        return found[0]

    def orphans(self) -> set[str]:
        """Return the SPIs of SAs in the kernel that the daemon does not know."""
        pattern = r"^\s(proto|enc|auth|aead)"
        keyed = self.machine.sh(f"ip xfrm state | grep -E '{pattern}' || true")
        spis = set(re.findall(r" spi 0x(\w+).*\n\t(?!proto)", keyed))
        children = [
            child
            for sa in self.machine.ask("sas")["sas"]
            for child in sa.get("child-sas", {}).values()
        ]
        return spis - {child.get(f"spi-{way}") for child in children for way in ("in", "out")}

    def conn(self, phase1: str = PHASE1) -> dict[str, t.Any]:
        """Return the connection of a phase 1 as ``list-conns`` shows it."""
        return t.cast("dict[str, t.Any]", self.machine.state()["connections"][phase1])

    def mark(self) -> str:
        """Return a cursor of the journal, for ``log``."""
        return self.machine.sh("journalctl --show-cursor -n 0 | sed -n 's/^-- cursor: //p'").strip()

    def log(self, since: str) -> str:
        """Return the log of charon since a mark."""
        return self.machine.sh(f"journalctl -u strongswan -o cat --after-cursor '{since}'")


class Pair:
    """Both ends. ``pair.both(f)`` calls ``f`` with each end, at the same time."""

    def __init__(self, a: Machine, b: Machine, tap: Machine) -> None:
        self.a, self.b, self._tap = End("a", a), End("b", b), tap
        self.a.other, self.b.other = self.b, self.a
        self.ends = (self.a, self.b)

    def wire(self, expression: str) -> t.ContextManager[list[str]]:
        """Return a capture on a third host between the ends, where tunnel packets are protected."""
        return self._tap.capturing("eth1", expression)

    def both(self, work: t.Callable[[End], t.Any]) -> list[t.Any]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(work, self.ends))

    def configure(
        self,
        *,
        network: Options | None = None,
        settings: Options | None = None,
        phase1: Options | None = None,
        phase2: Options | None = None,
        **of_end: Mapping[str, Options],
    ) -> None:
        """Configure one tunnel with these options and defaults, and no other tunnel.

        ``a={"phase1": {...}}`` is for one end only. SAs that are up are closed first.
        """
        shared = {"network": network, "settings": settings, "phase1": phase1, "phase2": phase2}

        def work(end: End) -> None:
            own = of_end.get(end.name, {})
            given = {key: {**(value or {}), **own.get(key, {})} for key, value in shared.items()}
            end.terminate()
            # The old phase 2 may not fit the new options of its phase 1.
            kept = PHASE2 if end.has(given["phase2"]) else ""
            end.clear(but=frozenset({(PHASE1, kept)}))
            end.network(**given["network"])
            end.settings(**given["settings"])
            end.phase1(**{"apply": "reestablish", **given["phase1"]})
            end.phase2(**{"apply": "reestablish", **given["phase2"]})

        self.both(work)

    def tunnel(self, initiator: str = "a", **options: t.Any) -> None:
        """Configure a tunnel, and assert that it is up and carries traffic both ways."""
        self.configure(**options)
        (self.a if initiator == "a" else self.b).initiate()
        self.ping()

    def ping(self, *, version: int = 4, size: int = 56, count: int = 3) -> None:
        """Ping from LAN to LAN, each way, and assert the counters of both ends."""
        before = self.both(carried)
        for end in self.ends:
            host = end.other.host(version)
            end.machine.lan(f"ping -q -c {count} -i 0.2 -W 5 -s {size} {host}")
        after = self.both(carried)
        for end, old, new in zip(self.ends, before, after, strict=True):
            for way in ("in", "out"):
                moved = new[way] - old[way]
                assert moved >= 2 * count, f"{end.name}: {moved} packets {way} of {2 * count}"


def carried(end: End) -> dict[str, int]:
    """Return the packets in and out of all Child SAs that are up."""
    items = [
        item
        for sa in end.machine.ask("sas")["sas"]
        for item in sa.get("child-sas", {}).values()
        # A replaced Child SA stays for a while. Then it disappears with its counters.
        if item["state"] not in ("REKEYED", "DELETED")
    ]
    return {way: sum(int(item.get(f"packets-{way}", 0)) for item in items) for way in ("in", "out")}


def until(holds: t.Callable[[], t.Any], what: str, seconds: float = PATIENCE) -> t.Any:
    """Wait until ``holds`` returns a true value, and return the value."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)
    return found


def lost_meanwhile(pair: Pair, holds: t.Callable[[], t.Any], what: str) -> int:
    """Return the number of lost packets, of 20 a second, until 2 s after ``holds`` is true."""
    ping = "ip netns exec lan ping -n -i 0.05"
    a = pair.a.machine
    a.sh(f"{ping} {pair.b.host()} >/run/ping 2>&1 & echo $! >/run/ping.pid")
    try:
        until(holds, what, seconds=120)
        a.sh("sleep 2")
    finally:
        a.sh("kill -INT $(cat /run/ping.pid); sleep 1")
    told = a.sh("cat /run/ping")
    found = re.search(r"(\d+) packets transmitted, (\d+) received", told)
    assert found, told
    return int(found[1]) - int(found[2])
