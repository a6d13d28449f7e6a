# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our gateway, set up by the modules, and a peer of another make: tunnels between their LANs."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
import typing as t

from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.configuration import (
    PKI,
    Options,
    Places,
    Site,
)
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.peers import Peer
from ansible_collections.tunnelwright.ipsec.tests.kernel.machine import Machine

PINGS = 3

# Seconds to wait for an action that a daemon takes by its own timer, on a busy machine.
PATIENCE = 180.0

# Retransmissions that give up after a quarter of a minute instead of three minutes.
IMPATIENT = """
charon {
    retransmit_tries = 3
    retransmit_timeout = 4.0
    retransmit_base = 1.0
}
"""

# Packets from the other gateway: packets between LANs in cleartext, and packets by protocol.
_PROBE = """
table inet probe
delete table inet probe
table inet probe {
    counter in_clear { }
    counter as_esp { }
    counter as_ah { }
    counter as_udp { }
    chain arriving {
        type filter hook prerouting priority raw; policy accept;
        iifname { "vpn-lan", "lan0", "eth0", "lo" } return
        ip saddr 10.0.0.0/8 ip daddr 10.0.0.0/8 meta ipsec missing counter name in_clear
        ip6 saddr fd00::/8 ip6 daddr fd00::/8 meta ipsec missing counter name in_clear
        meta l4proto esp counter name as_esp
        meta l4proto ah counter name as_ah
        udp dport 4500 @th,64,32 != 0 counter name as_udp
    }
}
"""

# A host that masquerades, on the only path from this host to `peer`.
_NAT = """
ip netns add nat
ip link add nat0 type veth peer name inside netns nat
ip link add outside link eth1 netns nat type macvlan mode bridge
ip address add {behind}/24 dev nat0
ip link set nat0 up
ip -n nat link set lo up
ip -n nat address add {gateway}/24 dev inside
ip -n nat link set inside up
ip -n nat address add {nat}/24 dev outside
ip -n nat link set outside up
ip netns exec nat sysctl -q -w net.ipv4.ip_forward=1
ip netns exec nat nft 'table ip nat {{ chain post {{
    type nat hook postrouting priority srcnat; oifname outside masquerade; }}; }}'
ip route add {peer}/32 via {gateway} src {behind}
"""
_NO_NAT = """
ip netns delete nat 2>/dev/null || true
ip link delete nat0 2>/dev/null || true
"""

_NAMES = {"network": "lan", "phase1": "peer"}

_KERNEL = """
ip -s xfrm state
ip xfrm policy | grep -v -A 1 socket || true
ip -brief address
ip route
"""


class Rig:
    """Our gateway with modules only, and its peer with files that a user may copy."""

    def __init__(self, ours: Machine, peer: Peer, places: Places) -> None:
        self.ours, self.peer, self.places = ours, peer, places
        self.theirs = peer.machine
        self._ends = (ours, peer.machine)
        self._site: Site | None = None
        self._since = "0"
        self._translated: set[str] = set()
        self._applied: dict[str, Options] = {}

    @property
    def site(self) -> Site:
        assert self._site is not None
        return self._site

    # --- Set up

    def prepare(self, pki: str) -> None:
        """Set up LAN, probes and certificates of a peer (``pki`` is a tar archive in base64)."""
        lan = self.places.their_lan
        self.theirs.sh(
            f"""
            ip link show vpn-lan >/dev/null 2>&1 || ip link add vpn-lan type bridge
            ip address replace {router(lan[4])}/24 dev vpn-lan
            ip address replace {router(lan[6])}/64 dev vpn-lan nodad
            ip link set vpn-lan up
            sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
            """
        )
        for machine in self._ends:
            machine.sh(f"rm -rf {PKI}; mkdir -p -m 700 {PKI}; base64 -d | tar -x -C {PKI}", pki)
            machine.sh(f"{_NO_NAT}\nnft -f -", _PROBE)
        self.ours.apply("ipsec_phase1", {"name": "peer", "network": "lan", "state": "absent"})
        self.peer.prepare()

    def clear(self) -> None:
        """Remove the configuration of the peer and of the tunnel."""
        self.ours.apply("ipsec_phase1", {"name": "peer", "network": "lan", "state": "absent"})
        self.peer.clear()
        for machine in self._ends:
            machine.sh(f"{_NO_NAT}\nnft delete table inet probe; rm -rf {PKI}")
        self.theirs.sh("ip link delete vpn-lan")

    def set_up(self, site: Site) -> None:
        """Set up both ends for the tunnel of ``site``, without a wait. Raise AssertionError."""
        self._site, self._since = site, self.ours.now()
        self.ours.ask("request", command="terminate", message={"ike": "peer", "force": "yes"})
        self._translate()
        # The initiator is set up last.
        ends = [self._load_peer, self._apply_ours]
        for end in ends if site.tunnel.start == "ours" else reversed(ends):
            end()

    def _load_peer(self) -> None:
        self.peer.load(self.site.files(), self.site.tunnel.key)
        self._route()

    def _apply_ours(self) -> None:
        """Apply only objects that differ from the previous tunnel, because a run takes seconds."""
        site = self.site
        wanted = {"ipsec_phase1 peer": site.phase1()}
        wanted |= {f"ipsec_phase2 {options['name']}": options for options in site.phase2()}
        for key in sorted(set(self._applied) - set(wanted), reverse=True):
            del self._applied[key]
            self.ours.apply("ipsec_phase2", {**_NAMES, "name": key.split()[1], "state": "absent"})
        for key, options in wanted.items():
            if self._applied.get(key) != options:
                self._applied.pop(key, None)
                self.ours.apply(key.split()[0], options)
                self._applied[key] = options

    def _translate(self) -> None:
        """Set up NAT at the end that needs NAT for the tunnel, and remove it elsewhere."""
        site, places = self.site, self.places
        pairs = {"ours": (self.ours, places.theirs[4]), "theirs": (self.theirs, places.ours[4])}
        for side, (machine, other) in pairs.items():
            if side in self._translated:
                machine.sh(_NO_NAT)
                self._translated.remove(side)
            if side == site.tunnel.nat:
                self._translated.add(side)
                gateway = places.behind_nat.rpartition(".")[0] + ".1"
                behind = {"behind": places.behind_nat, "gateway": gateway, "nat": places.nat}
                machine.sh(_NAT.format(peer=other, **behind))

    def _route(self) -> None:
        """Set a route to our LAN at the peer, because the test bed has no default route."""
        device = "nat0" if self.site.tunnel.nat == "theirs" else "eth1"
        if self.site.column.daemon != "strongswan":
            self.theirs.sh(
                "".join(
                    f"ip -{version} route replace {lan} dev {device} "
                    f"src {router(self.places.their_lan[version])}\n"
                    for version, lan in self.places.our_lan.items()
                )
            )

    # --- Observations

    def child_sas(self) -> dict[str, tuple[str, str]]:
        """Return the SPIs (in, out) of our Child SAs that are up, by ``connection/child``."""
        return {
            f"{sa['name']}/{child['name']}": (child["spi-in"], child["spi-out"])
            for sa in self.ours.ask("sas")["sas"]
            if sa["state"] == "ESTABLISHED"
            for child in sa.get("child-sas", {}).values()
            if child["state"] == "INSTALLED"
        }

    def ike_sa(self) -> str:
        """Return the cookies of our IKE SA that is up, or ``""``."""
        for sa in self.ours.ask("sas")["sas"]:
            if sa["state"] == "ESTABLISHED":
                return f"{sa['initiator-spi']}-{sa['responder-spi']}"
        return ""

    def is_up(self) -> bool:
        """Return whether each phase 2 has an SA that is in the kernels of both ends."""
        sas = self.child_sas()
        if set(sas) < set(self.site.children()):
            return False
        spis = {spi for pair in sas.values() for spi in pair}
        return spis <= set(packets(self.ours)) and spis <= set(packets(self.theirs))

    def said(self) -> str:
        """Return the logs of both daemons since the tunnel was set up."""
        ours = self.ours.sh(
            f"journalctl --unit strongswan --since @{self._since} --output cat --no-pager"
        )
        return f"--- ours\n{ours}\n--- the peer's\n{self.peer.log()}"

    def told(self) -> str:
        """Return the logs and kernel states that help to find the reason of a failure."""
        kernels = "\n".join(f"--- {machine.name}\n{machine.sh(_KERNEL)}" for machine in self._ends)
        return f"{self.said()}\n{kernels}"

    # --- Traffic

    def lost(self) -> str:
        """Return the output of each ``ping`` that lost a packet, from LAN to LAN, both ways."""
        return "".join(said for said in self._ping(PINGS) if " 0% packet loss" not in said)

    def knock(self) -> None:
        """Send a packet from our LAN, which may be lost."""
        list(self._ping(1, back=False))

    def _ping(self, count: int, back: bool = True) -> t.Iterator[str]:
        tunnel, places = self.site.tunnel, self.places
        ping = f"ping -c {count} -i 0.2 -W 10"
        if tunnel.mode == "transport":
            yield self.ours.sh(f"{ping} {self.site.theirs} || true")
            if back:
                yield self.theirs.sh(f"{ping} {self.site.ours} || true")
            return
        for version in tunnel.inside:
            yield self.ours.lan(f"{ping} {_host(places.their_lan[version])} || true")
            if back:
                yield self.theirs.lan(f"{ping} {_host(places.our_lan[version])} || true")

    def wait(self, what: t.Callable[[], bool], seconds: float = PATIENCE, wanted: str = "") -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"{wanted or 'not up'}\n{self.told()}"
            # Each query takes the emulated processors seconds, which the daemons need.
            time.sleep(1)

    def wait_up(self, seconds: float = PATIENCE) -> None:
        """Wait until the tunnel is up. If we initiate, traffic for the tunnel is sent meanwhile."""

        def up() -> bool:
            if self.is_up():
                return True
            if self.site.tunnel.start == "ours" and not self.ours.ask("sas")["sas"]:
                self.knock()
            return False

        self.wait(up, seconds)

    def carries(self) -> None:
        """Assert that traffic passes only in the SAs of both ends, in the tunnel's protocol."""
        for _attempt in range(3):
            before = [_seen(machine) for machine in self._ends]
            lost = self.lost()
            assert not lost, f"lost packets: {lost}\n{self.told()}"
            after = [_seen(machine) for machine in self._ends]
            # A rekeyed SA disappears with its counters. Then the test counts again.
            if all(set(old[0]) == set(new[0]) for old, new in zip(before, after, strict=True)):
                break
        for machine, old, new in zip(self._ends, before, after, strict=True):
            self._assert_protected(
                machine.name, *(_grown(*pair) for pair in zip(old, new, strict=True))
            )
        if self.site.tunnel.nat:
            seen = self.theirs if self.site.tunnel.nat == "ours" else self.ours
            assert f" {self.places.nat} " in seen.sh("ip xfrm state"), self.told()

    def _assert_protected(self, name: str, in_sas: dict[str, int], came: dict[str, int]) -> None:
        """Assert protection; ``in_sas`` and ``came`` are packets of one end, from ``carries``."""
        tunnel = self.site.tunnel
        # Each ping and its answer, both ways.
        expected = 2 * PINGS * len(tunnel.inside)
        protocol = "udp" if tunnel.udp or tunnel.nat else tunnel.protocol
        counts = f"{name}: {in_sas} {came}"
        assert sum(in_sas.values()) >= 2 * expected, f"{counts}\n{self.told()}"
        assert came.pop(f"as_{protocol}") >= expected, f"{counts}\n{self.told()}"
        assert not any(came.values()), f"in cleartext, or otherwise: {counts}\n{self.told()}"

    # --- Events of a line

    @contextlib.contextmanager
    def cut(self) -> t.Iterator[None]:
        """Drop every packet at the peer, except for the packets of the test itself."""
        self.theirs.sh(
            """nft 'table inet cut {
                chain in { type filter hook prerouting priority -400; iifname "eth1" drop; }
                chain out { type filter hook output priority -400; oifname "eth1" drop; }
            }'"""
        )
        try:
            yield
        finally:
            self.theirs.sh("nft delete table inet cut")


def packets(machine: Machine) -> dict[str, int]:
    """Return the number of packets of each ESP and AH SA in the kernel, by its SPI."""
    return _packets(machine.sh("ip -s xfrm state"))


def _packets(listed: str) -> dict[str, int]:
    found = re.findall(
        r"proto (?:esp|ah) spi 0x([0-9a-f]{8}).*?lifetime current:\s+\d+\(bytes\), (\d+)\(packets",
        listed,
        re.DOTALL,
    )
    return {spi: int(count) for spi, count in found}


def _seen(machine: Machine) -> tuple[dict[str, int], dict[str, int]]:
    """Return the packets by SPI, and the packets that the probe counted."""
    told = machine.sh("ip -s xfrm state; nft list counters table inet probe")
    counted = re.findall(r"counter (\w+) \{\s*packets (\d+)", told)
    return _packets(told), {name: int(count) for name, count in counted}


def _grown(old: dict[str, int], new: dict[str, int]) -> dict[str, int]:
    return {name: count - old.get(name, 0) for name, count in new.items()}


def router(network: str) -> str:
    return str(ipaddress.ip_network(network)[1])


def _host(network: str) -> str:
    """Return the address of the host in a LAN of the test bed: .10 or ::10."""
    found = ipaddress.ip_network(network)
    return str(found[10 if found.version == 4 else 0x10])
