# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network namespaces of the local kernel, in which the tests run the real nft, ip and sh.

Each namespace is deleted after its test. The network of the machine does not change.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import Link
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import (
    Nft,
    Ruleset,
    normalised,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import (
    ForeignChain,
    VpnNetwork,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import network_files, nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import PRIORITIES
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.cleartext_blocks import (
    cleartext_blocks,
)

_numbers = itertools.count()


def table_in(ruleset: Ruleset, name: str) -> Ruleset:
    """Return the entries of the table ``inet <name>``."""
    return tuple(
        entry
        for entry in ruleset
        for kind, item in entry.items()
        if item["family"] == "inet" and (item["name"] if kind == "table" else item["table"]) == name
    )


# Timeouts in seconds: for an expected answer on a busy machine, and for an unexpected answer.
_LONG, _SHORT = 10, 0.5


def pytest_configure(config: pytest.Config) -> None:
    lacking = [program for program in ("ip", "nft", "unshare") if not shutil.which(program)]
    if lacking or os.geteuid() != 0:
        why = f"{', '.join(lacking)} missing" if lacking else "this is not root"
        pytest.exit(f"tests in network namespaces need root, iproute2 and nftables: {why}", 2)


class Namespace:
    """A network namespace, and programs run in it."""

    def __init__(self) -> None:
        self.name = f"tw-{os.getpid()}-{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.sh("ip link set lo up")
        # A new namespace copies the settings of the machine, which may forward packets.
        # Without duplicate address detection, new addresses are usable at once.
        self.sh(
            """
            echo 0 >/proc/sys/net/ipv4/ip_forward
            echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
            for set in all default; do echo 0 >/proc/sys/net/ipv6/conf/$set/accept_dad; done
            """
        )

    def close(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def run(self, argv: list[str], stdin: str = "") -> tuple[int, str, str]:
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def sh(self, script: str) -> str:
        """Run lines of sh that must all succeed, and return their output."""
        status, output, errors = self.run(["sh", "-euc", script])
        assert status == 0, f"{script}\n{output}{errors}"
        return output

    def nft(self, text: str) -> None:
        status, _output, errors = self.run(["nft", "-f", "-"], text)
        assert status == 0, errors

    def ruleset(self) -> t.Any:
        """Return the ruleset that nft lists, without handles and counts."""
        return normalised(json.loads(self.sh("nft -s -j list ruleset")))

    def links(self) -> t.Any:
        return json.loads(self.sh("ip -j -d address show"))

    def python(self, code: str, *arguments: object) -> subprocess.Popen[str]:
        argv = ["ip", "netns", "exec", self.name, sys.executable, "-ISc", code]
        return subprocess.Popen(
            [*argv, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def namespace() -> t.Iterator[t.Callable[[], Namespace]]:
    """Yield a function that makes a namespace, and remove all of them after the test."""
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(Namespace())
        return made[-1]

    yield make
    for item in made:
        item.close()


_ECHO = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as server:
    server.bind((address, port))
    print("ready", flush=True)
    data, peer = server.recvfrom(100)
    server.sendto(peer[0].encode(), peer)
"""

_ASK = """
import socket, sys
source, port, target, target_port, patience = sys.argv[1:]
family = socket.AF_INET6 if ":" in target else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as client:
    client.bind((source, int(port)))
    client.settimeout(float(patience))
    try:
        # A connected socket reports ICMP errors, and accepts only answers of its target.
        client.connect((target, int(target_port)))
        client.send(b"?")
        print(client.recv(100).decode())
    except OSError as error:
        print(type(error).__name__)
"""

_LISTEN = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 7), family=family) as server:
    print("ready", flush=True)
    client = server.accept()[0]
    print(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), flush=True)
    client.recv(1)
"""

_CONNECT = """
import socket, sys
with socket.create_connection((sys.argv[2], 7), 10, (sys.argv[1], 0)) as client:
    print(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
"""


def ask(
    client: Namespace,
    source: str,
    server: Namespace,
    target: str,
    port: int = 9,
    source_port: int = 0,
    patience: float = _LONG,
    at: tuple[str, int] | None = None,
) -> str:
    """Send a datagram and return the source address at the receiver, or the name of the error.

    ``at`` is the address and port of the receiver, if NAT changes the target.
    """
    echo = server.python(_ECHO, *(at or (target, port)))
    try:
        assert echo.stdout is not None
        assert echo.stdout.readline() == "ready\n", echo.communicate()
        asking = client.python(_ASK, source, source_port, target, port, patience)
        answer, errors = asking.communicate(timeout=2 * _LONG)
        assert not errors, errors
        return answer.strip()
    finally:
        echo.kill()
        echo.communicate()


def blocked(
    client: Namespace,
    source: str,
    server: Namespace,
    target: str,
    port: int = 9,
    at: tuple[str, int] | None = None,
) -> bool:
    """Return whether a datagram or its answer is lost, or the sender gets an error."""
    answer = ask(client, source, server, target, port, patience=_SHORT, at=at)
    return answer in ("TimeoutError", "PermissionError", "OSError")


def segment_sizes(
    client: Namespace, source: str, server: Namespace, target: str
) -> tuple[int, int]:
    """Return the largest TCP segments in bytes for client and server on a new connection."""
    listening = server.python(_LISTEN, target)
    try:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "ready\n", listening.communicate()
        mine, errors = client.python(_CONNECT, source, target).communicate(timeout=2 * _LONG)
        assert not errors, errors
        return int(mine), int(listening.stdout.readline())
    finally:
        listening.kill()
        listening.communicate()


LAN4, LAN6 = ipaddress.ip_network("10.1.0.0/24"), ipaddress.ip_network("fd00:1::/64")
FAR4, FAR6 = ipaddress.ip_network("10.2.0.0/24"), ipaddress.ip_network("fd00:2::/64")
TUNNELS = (nft.TunnelMatch("site-b/lan4", LAN4, FAR4), nft.TunnelMatch("site-b/lan6", LAN6, FAR6))


def network(**options: t.Any) -> VpnNetwork:
    values = {"name": "lan", "ip_address": "10.1.0.1", "network_address": str(LAN4)}
    return VpnNetwork.from_options({**values, **options})


def rules(**options: t.Any) -> nft.RulesetInput:
    values: dict[str, t.Any] = {"own": LAN4, "tunnels": TUNNELS, "userspace": True}
    return nft.RulesetInput("lan", **{**values, **options})


@dataclass(frozen=True)
class Installed:
    """The files of a network in a directory, with the contents that the module writes."""

    where: Namespace
    directory: Path
    network: VpnNetwork

    def write(self, wanted: nft.RulesetInput) -> None:
        name = self.network.name
        blocks = cleartext_blocks(wanted, self.network.on_link)
        text = network_files.script(
            self.network, wanted, blocks, replace(DEBIAN, record_dir=str(self.directory))
        )
        (self.directory / f"{name}.sh").write_text(text)
        (self.directory / f"{name}.nft").write_text(nft.render(nft.table(wanted)))

    def run(self, verb: str) -> tuple[int, str, str]:
        return self.where.run(["sh", str(self.directory / f"{self.network.name}.sh"), verb])

    def __call__(self, verb: str) -> str:
        """Run the script with a verb, assert that it succeeds, and return its standard error."""
        status, output, errors = self.run(verb)
        assert (status, output) == (0, ""), f"{verb}: {status} {output}{errors}"
        return errors

    def unblock(self) -> None:
        """Remove the routes, routing rules and policies of the guard, but no nftables rule."""
        priorities = " ".join(map(str, PRIORITIES.values()))
        self.where.sh(
            f"""
            for version in -4 -6; do
                ip $version rule flush protocol 116
                ip $version route flush table all proto 116
            done
            for priority in {priorities}; do ip xfrm policy deleteall priority $priority; done
            """
        )

    def flush(self) -> None:
        """Remove every nftables rule of the host, like the first line of many firewall scripts."""
        self.where.sh("nft flush ruleset")

    def live(self) -> str:
        return Nft(self.where.run).table(nft.table_name(self.network.name))


@pytest.fixture
def install(tmp_path: Path) -> t.Callable[..., Installed]:
    def make(where: Namespace, of: VpnNetwork, wanted: nft.RulesetInput) -> Installed:
        made = Installed(where, tmp_path, of)
        made.write(wanted)
        return made

    return make


@dataclass(frozen=True)
class Site:
    """A LAN host, its gateway and the far site, which has hosts and a gateway in one namespace.

    Two links lead to the far site: ``wan0`` is the internet, and ``ipsec0`` stands for the tunnel
    of kernel-libipsec. The link of a packet shows whether the packet would be in the tunnel.
    """

    host: Namespace
    gateway: Namespace
    far: Namespace

    def through(self, device: str) -> None:
        """Route the traffic between both sides over ``ipsec0`` or ``wan0``.

        The routes of charon are in table 220. Routes to the internet are in the main table.
        """
        near = {"wan0": ("192.0.2.2", "2001:db8::2"), "ipsec0": ("198.51.100.2", "2001:db8:1::2")}
        far = {"wan0": ("192.0.2.1", "2001:db8::1"), "ipsec0": ("198.51.100.1", "2001:db8:1::1")}
        for number, (target, back) in enumerate(((FAR4, LAN4), (FAR6, LAN6))):
            ip = f"ip -{target.version} route"
            self.gateway.sh(f"{ip} flush table 220 2>/dev/null || true")
            self.gateway.sh(f"{ip} replace {target} via {near['wan0'][number]} dev wan0")
            if device == "ipsec0":
                hop = near["ipsec0"][number]
                self.gateway.sh(f"{ip} replace {target} via {hop} dev ipsec0 table 220")
            self.far.sh(f"{ip} replace {back} via {far[device][number]} dev {device}")


@pytest.fixture
def site(namespace: t.Callable[[], Namespace]) -> Site:
    """Return a site without the collection. ``port0``, the port of the LAN, has no bridge yet."""
    made = Site(namespace(), namespace(), namespace())
    host, far = made.host.name, made.far.name
    made.gateway.sh(
        f"""
        ip link add port0 type veth peer name eth0 netns {host}
        ip link add wan0 type veth peer name wan0 netns {far}
        ip link add ipsec0 type veth peer name ipsec0 netns {far}
        ip address add 192.0.2.1/24 dev wan0
        ip address add 198.51.100.1/24 dev ipsec0
        ip address add 2001:db8::1/64 dev wan0 nodad
        ip address add 2001:db8:1::1/64 dev ipsec0 nodad
        for device in port0 wan0 ipsec0; do ip link set $device up; done
        ip -4 rule add priority 220 lookup 220
        ip -6 rule add priority 220 lookup 220
        """
    )
    made.far.sh(
        """
        ip address add 192.0.2.2/24 dev wan0
        ip address add 198.51.100.2/24 dev ipsec0
        ip address add 2001:db8::2/64 dev wan0 nodad
        ip address add 2001:db8:1::2/64 dev ipsec0 nodad
        ip address add 10.2.0.10/32 dev lo
        ip address add fd00:2::10/128 dev lo nodad
        for device in wan0 ipsec0; do ip link set $device up; done
        """
    )
    made.host.sh(
        """
        ip address add 10.1.0.10/24 dev eth0
        ip address add fd00:1::10/64 dev eth0 nodad
        ip link set eth0 up
        ip route add default via 10.1.0.1
        ip -6 route add default via fd00:1::1
        """
    )
    made.through("ipsec0")
    return made


@pytest.fixture
def gateway(site: Site, install: t.Callable[..., Installed]) -> t.Callable[..., Installed]:
    """Return a function that starts the network on the gateway, with the arguments of ``rules``."""

    def start(**options: t.Any) -> Installed:
        made = install(site.gateway, network(), rules(**options))
        said = made("start")
        assert said == ""
        site.gateway.sh(
            """
            ip link set port0 master vpn-lan
            ip address replace fd00:1::1/64 dev vpn-lan nodad
            """
        )
        return made

    return start


WAN, WAN6, FAR_WAN, FAR_WAN6 = "192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"


def forge(site: Site, source: str, target: str, seen_by: Namespace, behind: str = "") -> int:
    """Return how many of 3 packets arrive that the far site sends in cleartext over ``wan0``.

    ``behind`` is the host's own address, if ``target`` is a translated address.
    """
    version = 6 if ":" in target else 4
    hop = {4: WAN, 6: WAN6}[version]
    for destination in (target, behind or target):
        site.far.sh(f"ip -{version} route replace {destination} via {hop} dev wan0")
    ip = {4: "ip", 6: "ip6"}[version]
    seen_by.nft(
        f"""
        table inet seen
        delete table inet seen
        table inet seen {{ chain pre {{ type filter hook input priority 0;
            {ip} saddr {source} udp dport 9 counter; }}
        }}
        """
    )
    send = (
        "import socket, sys; s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else"
        " socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 0));"
        "[s.sendto(b'?', (sys.argv[2], 9)) for _ in range(3)]"
    )
    _output, errors = site.far.python(send, source, target).communicate(timeout=10)
    assert not errors, errors
    # A packet that is not forged takes the same path. It arrives after the forged packets.
    honest = {4: FAR_WAN, 6: FAR_WAN6}[version]
    assert ask(site.far, honest, seen_by, behind or target) == honest
    listed = seen_by.sh("nft list table inet seen")
    return int(re.findall(r"packets (\d+)", listed)[0])


def chain(text: str) -> ForeignChain:
    return ForeignChain.parse("firewall_chains", text)


@pytest.fixture(scope="session")
def has_esp() -> bool:
    def run(argv: list[str], stdin: str) -> tuple[int, str, str]:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return Link(run).kernel_has_esp()
