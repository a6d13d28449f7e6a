# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole machine in memory with the interface of ``Host``, which applies the rendered files.

Files are real files below a directory. The script of a network is parsed, not executed: interface,
address, forwarding and rules come from the lines of the script. charon keeps every loaded object,
shows the fields of list-conns, and loads all files of conf.d at a restart.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._errors import HostError
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.files.files import Files
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.host import Daemon
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.host_routes import Way
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import LinkState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.rollback.timer import SERVICE
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.controller import (
    Controller,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.lock import exclusive
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.seize import seized
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.run.unfinished_run import (
    UnfinishedRun,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.systemd import UnitState
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.tunnels.outdated_sas import (
    Pending,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.vici.message import (
    ChildState,
    IkeState,
    PolicyState,
    encode,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.capabilities import (
    Capabilities,
    release_of,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.checks import IPNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.daemon import DaemonId
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.advanced import loadable
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.blocks import Block
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.file import File
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.nft_listing import (
    key_of,
    read_listing,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.pem import certificate
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.routes import Route
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.strongswan_conf import (
    loads_userspace,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers import pki
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import listed

ALGORITHMS = {
    "encryption": {"AES_CBC", "3DES_CBC"},
    "aead": {"AES_GCM_16"},
    "integrity": {"HMAC_SHA1_96", "HMAC_SHA2_256_128"},
    "prf": {"PRF_HMAC_SHA1", "PRF_HMAC_SHA2_256"},
    "ke": {"MODP_1024", "MODP_2048"},
}

# The files that strongSwan reads first.
PACKAGED = {
    "/etc/strongswan.conf": "charon {\n}\ninclude strongswan.d/*.conf\n",
    "/etc/swanctl/swanctl.conf": "include conf.d/*.conf\n",
}

# The SPI of every Child SA.
SPI = "c0ffee01"

# Files that are in /run on a real host.
NOTES = ("unfinished", "pending")


def sa_section(
    children: t.Iterable[dict[str, t.Any]], made: t.Any = None, uniqueid: str = "1"
) -> dict[str, t.Any]:
    """Return an IKE SA with Child SAs as the event list-sa shows it; ``made`` is its section."""
    made = made or {}
    peer = next(iter(made.get("remote_addrs", ())), "203.0.113.20")
    return {
        "uniqueid": uniqueid,
        "version": made.get("version", "2").replace("0", "2"),
        "state": "ESTABLISHED",
        "local-host": "198.51.100.1",
        "local-port": "500",
        "local-id": made.get("local", {}).get("id", "198.51.100.1"),
        "remote-host": "203.0.113.20" if peer == "%any" else peer,
        "remote-port": "500",
        "remote-id": made.get("remote", {}).get("id", peer),
        "initiator": "yes",
        "encr-alg": "AES_CBC",
        "encr-keysize": _key_length(made.get("proposals", ())),
        "integ-alg": "HMAC_SHA2_256_128",
        "prf-alg": "PRF_HMAC_SHA2_256",
        "dh-group": "MODP_2048",
        **({"ppk": "yes"} if "ppk_id" in made else {}),
        "established": "60",
        "rekey-time": "9000",
        "child-sas": {f"{child['name']}-{child['uniqueid']}": CHILD | child for child in children},
    }


def _key_length(proposals: t.Sequence[str]) -> str:
    """Return the key length of the first proposal, in bits; 256 without proposals."""
    return "128" if proposals and proposals[0].startswith("aes128") else "256"


# The default fields of a Child SA.
CHILD = {
    "state": "INSTALLED",
    "protocol": "ESP",
    "spi-in": SPI,
    "spi-out": SPI,
    "encr-alg": "AES_CBC",
    "encr-keysize": "256",
    "integ-alg": "HMAC_SHA2_256_128",
    "bytes-in": "840",
    "use-in": "3",
    "bytes-out": "1680",
    "rekey-time": "2700",
    "life-time": "3540",
    "install-time": "60",
}


def one_by_one(child: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return a Child SA for each remote network of one Child SA."""
    return [
        {**child, "uniqueid": f"{child['uniqueid']}{number}", "remote-ts": (network,)}
        for number, network in enumerate(child["remote-ts"], 1)
    ]


class MemoryHost:
    """A machine. ``log`` lists the effects in order. An effect in ``failing`` fails once.

    charon does not answer until a restart if ``dead`` is set.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.platform = replace(
            DEBIAN,
            plugin_dir=f"{root}.plugins",
            run_dir=f"{root}.run",
            os_release=str(root / "etc/os-release"),
        )
        self.log: list[str] = []
        self.failing: set[str] = set()
        # Lines of charon in the journal, in the fields of journald.
        self.journalctl: list[dict[str, str]] = []
        self.files = LoggedFiles(self, root)
        # The packages as dpkg-query prints them, and whether charon runs replaced files.
        self.dpkg = ""
        self.replaced: bool | None = False
        self.dead = False
        self.may_lock = True
        self.missing: frozenset[str] = frozenset()
        self._vici = MemoryVici(self)
        self.link = MemoryLink(self)
        self.blocks = MemoryBlocks(self)
        self.ways = MemoryWays(self)
        # The SSH connection of the controller that started the run.
        self.controlled: Controller | None = None
        self.nft = MemoryNft()
        self.systemd = MemorySystemd(self)
        self.unfinished_run = UnfinishedRun(str(root / "unfinished"), self.platform)
        self.pending = Pending(str(root / "pending"))
        # Output of ping, and log lines of charon when a connection is initiated or rekeyed.
        self.answers = (0, "", "")
        self.says: dict[str, tuple[str, ...]] = {}
        for path, text in PACKAGED.items():
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (root / path[1:]).write_text(text)

    def install(self, plugin: str) -> None:
        path = Path(self.platform.plugin_path(plugin))
        path.parent.mkdir()
        path.touch()

    def __enter__(self) -> MemoryHost:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    @property
    def vici(self) -> MemoryVici:
        if self.dead and not self.missing:
            raise HostError("reach the IKE daemon", "Connection refused")
        return self._vici

    def use(self, session: t.Any) -> None:
        self._vici = session

    def daemon(self, id: DaemonId) -> Daemon:
        return Daemon(id, t.cast(t.Any, self))

    def hang_up(self) -> None:
        pass

    def everything(self) -> dict[str, File]:
        """Return every file on the host, without the files of the packages."""
        found = sorted(path for path in self.root.rglob("*") if path.name not in NOTES)
        paths = (f"/{path.relative_to(self.root)}" for path in found)
        files = (self.files.read(path) for path in paths if (self.root / path[1:]).is_file())
        return {file.path: file for file in files if file and file.path not in PACKAGED}

    def did(self, what: str) -> None:
        self.log.append(what)
        if what in self.failing:
            self.failing.discard(what)
            raise HostError(what, "it was not to be")

    def daemon_log(self) -> MemoryLog:
        return MemoryLog(self)

    @contextlib.contextmanager
    def exclusive(self, what: str) -> t.Iterator[str]:
        with exclusive(what, path=f"{self.root}.lock", patience=0.5) as held:
            yield held.waited

    @contextlib.contextmanager
    def seized(self, what: str) -> t.Iterator[str]:
        with seized(what, path=f"{self.root}.lock", silence=0.5) as (_held, note):
            yield note

    def alive(self) -> None:
        pass

    def controller(self) -> Controller | None:
        return self.controlled

    def capabilities(self) -> Capabilities:
        vici = self.vici
        versions = frozenset({1, 2} if getattr(vici, "ikev1", True) else {2})
        version = vici.version().get("version", "")
        return Capabilities(version, versions, vici.algorithms(), vici.plugins())

    def runs_replaced_files(self, _pid: int) -> bool | None:
        return self.replaced

    def restart_daemon(self) -> None:
        self.did("restart")
        self.dead = False
        self.vici.start()

    def run(self, argv: list[str], _stdin: str) -> tuple[int, str, str]:
        if argv[0] == "ping":
            self.log.append(" ".join(argv))
            return self.answers
        if argv[0] == "dpkg-query":
            return 0, self.dpkg, ""
        if "journalctl" in argv:
            return 0, "".join(f"{json.dumps(entry)}\n" for entry in reversed(self.journalctl)), ""
        program, path, verb = argv
        try:
            if program == sys.executable:
                self.did(f"{path} {verb}")
            elif argv == ["swanctl", "--load-all", "--noprompt"]:
                self.did("load all")
                self.vici.load_all()
            else:
                assert program == "/bin/sh"
                self.script(path, verb)
        except HostError as error:
            return 1, "", str(error)
        return 0, "", ""

    def script(self, path: str, verb: str) -> None:
        self.did(f"{path} {verb}")
        text = self.text(path)
        if verb == "start":
            self.link.bring_up(text)
        (rules,) = re.findall(r"^rules_file=(\S+)$", text, re.MULTILINE)
        (table,) = re.findall(r"^table=(\S+)$", text, re.MULTILINE)
        if verb == "stop":
            self.nft.tables.pop(table, None)
        else:
            self.nft.tables[table] = self.text(rules)
            self.blocks.made |= blocks_in(text)

    def text(self, path: str) -> str:
        file = self.files.read(path)
        if file is None:
            raise HostError(f"run {path}", "No such file or directory")
        return file.data.decode()


class MemoryLog:
    """A log of charon with lines from the test, without charon's delays."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    def __enter__(self) -> MemoryLog:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def listen(self, seconds: float) -> None:
        pass

    def about(self, connection: str, _peer: str) -> tuple[str, ...]:
        return self._host.says.get(connection, ())


class LoggedFiles(Files):
    def __init__(self, host: MemoryHost, root: Path) -> None:
        super().__init__(host.platform, str(root))
        self._host = host

    def write(self, file: t.Any, *, keep: bool = False) -> None:
        self._host.did(f"write {file.path}")
        super().write(file, keep=keep)

    def remove(self, path: str, *, keep: bool = False) -> None:
        self._host.did(f"remove {path}")
        super().remove(path, keep=keep)


def _key_id(data: bytes) -> str:
    """Return the id of a private key. The id of a placeholder key is its last word."""
    return pki.key_id(data) if data.startswith(b"-----") else data.split()[-1].decode()


class MemoryVici:
    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.ikev1 = True
        self.release = "6.0.1"
        self.conns: dict[str, t.Any] = {}
        self.shared: dict[str, tuple[str, tuple[str, ...], bytes]] = {}
        self.private: dict[str, bytes] = {}
        # CAs in DER: loaded CAs, CAs that peers have sent, and unmanaged CAs.
        self.cas: set[bytes] = set()
        self.sent: set[bytes] = set()
        self.sections: dict[str, str] = {}
        self.up: dict[str, set[str]] = {}
        self.traps: set[tuple[str, str]] = set()
        self.shunts: set[tuple[str, str]] = set()
        # Connections that the peer refuses, and connections whose peer only accepts phase 1.
        self.refused: set[str] = set()
        self.half: set[str] = set()
        # How often the keys of a child were renewed.
        self.renewed: dict[tuple[str, str], int] = {}
        # For each connection and child: the section of its SA, and the number of earlier SAs.
        self.made: dict[t.Any, t.Any] = {}
        self.times: dict[t.Any, int] = {}
        self.mode = "TUNNEL"
        # The remote networks that the peer accepts for every child (empty: all networks), and
        # whether the peer makes a separate SA for each network.
        self.taken: tuple[str, ...] = ()
        self.one_by_one = False
        # The number of packets by which the counters grow from query to query.
        self.packets, self._counted = 3, 0
        self.pid = 1
        self.loaded_plugins = {"aes", "kernel-netlink"}

    def start(self) -> None:
        """Start charon like strongswan.service, with swanctl --load-all."""
        self.pid += 1
        self.up = {}
        self.made = {}
        self.cas, self.sent, self.sections = set(), set(), {}
        self.load_all()
        drop_in = self._host.files.read("/etc/strongswan.d/tunnelwright.conf")
        userspace = drop_in is not None and loads_userspace(drop_in.data.decode())
        self.loaded_plugins -= {"kernel-libipsec"}
        self.loaded_plugins |= {"kernel-libipsec"} if userspace else set()

    def load_all(self) -> None:
        """Load the files like swanctl --load-all, which unloads objects without a file."""
        self.conns, self.shared, self.private = {}, {}, {}
        self.traps, self.shunts = set(), set()
        for folder in ("x509", "x509ca"):
            for path in self._host.files.find(f"/etc/swanctl/{folder}/*"):
                self._know(self._host.text(path).encode())
        for path in self._host.files.find("/etc/swanctl/private/*"):
            data = self._host.text(path).encode()
            self.private[_key_id(data)] = data
        for path in self._host.files.find("/etc/swanctl/conf.d/*.conf"):
            connections, secrets = loadable(self._host.text(path))
            for name, section in connections.items():
                self._exchange(name, self._with_contents(section))
            for item in secrets:
                self.shared[item.id] = item.kind, item.owners, item.secret.reveal()

    def _with_contents(self, section: t.Any) -> t.Any:
        """Return the section as swanctl sends it: with file contents instead of file names."""
        filled = dict(section)
        for end, key, folder in (("local", "certs", "x509"), ("remote", "cacerts", "x509ca")):
            names = section.get(end, {}).get(key, ())
            # A list with one item is a text in a file.
            names = [names] if isinstance(names, str) else names
            found = [self._host.files.read(f"/etc/swanctl/{folder}/{name}") for name in names]
            if names:
                contents = tuple(file.data for file in found if file is not None)
                filled[end] = {**section[end], key: contents}
        return filled

    def _know(self, pem: bytes) -> None:
        """Keep the certificate of a file if it is a CA certificate, like strongSwan."""
        found = certificate(pem)
        if found is not None and found.is_ca:
            self.cas.add(found.data)

    def ca_certificates(self) -> frozenset[bytes]:
        return frozenset(self.cas | self.sent)

    def flush_certificates(self) -> None:
        self.sent = set()

    def authorities(self) -> dict[str, str]:
        return dict(self.sections)

    def try_authority(self, name: str, data: bytes) -> None:
        self._host.did(f"try authority {name}")
        assert data.startswith(b"-----BEGIN CERTIFICATE-----")

    def unload_authority(self, name: str) -> None:
        self._host.did(f"unload authority {name}")
        self.sections.pop(name)

    def version(self) -> dict[str, str]:
        return {"daemon": "charon-systemd", "version": self.release}

    def plugins(self) -> frozenset[str]:
        return frozenset(self.loaded_plugins)

    def algorithms(self) -> dict[str, frozenset[str]]:
        return {kind: frozenset(names) for kind, names in ALGORITHMS.items()}

    def reload_settings(self) -> None:
        self._host.did("reload settings")

    def connections(self, only: str | None = None) -> dict[str, t.Any]:
        shows = release_of(self.release) >= (6, 0, 7)
        return {
            name: listed(section, proposals=shows)
            for name, section in self.conns.items()
            if only is None or name == only
        }

    def secrets(self) -> frozenset[str]:
        return frozenset(self.shared)

    def sas(self, only: str | None = None) -> tuple[IkeState, ...]:
        return tuple(IkeState.of(*item) for item in self.sa_sections(only))

    def sa_sections(self, only: str | None = None) -> tuple[tuple[str, dict[str, t.Any]], ...]:
        return tuple(
            (name, self._section(name, children))
            for name, children in self.up.items()
            if only is None or name == only
        )

    def _section(self, ike: str, children: set[str]) -> dict[str, t.Any]:
        made = [self._child(number, ike, name) for number, name in enumerate(sorted(children), 1)]
        return sa_section(
            [sa for child in made for sa in (one_by_one(child) if self.one_by_one else [child])],
            self.made.setdefault(ike, self.conns.get(ike, {})),
            str(1 + self.times.get(ike, 0)),
        )

    def _child(self, number: int, ike: str, name: str) -> dict[str, t.Any]:
        known = self.conns.get(ike, {}).get("children", {}).get(name, {})
        section = self.made.setdefault((ike, name), known)
        made = 100 * self.renewed.get((ike, name), 0) + 1000 * self.times.get((ike, name), 0)
        self._counted += self.packets
        return {
            "name": name,
            "uniqueid": str(number + made),
            "mode": self.mode,
            "encr-keysize": _key_length(section.get("esp_proposals", ())),
            "local-ts": tuple(section.get("local_ts", ())),
            "remote-ts": self.taken or tuple(section.get("remote_ts", ())),
            "packets-in": str(self._counted),
            "packets-out": str(self._counted),
        }

    def connection_names(self) -> frozenset[str]:
        return frozenset(self.conns)

    def policies(self) -> tuple[PolicyState, ...]:
        modes = {"TUNNEL": self.traps, "PASS": self.shunts}
        return tuple(
            PolicyState(ike, child, mode)
            for mode, installed in modes.items()
            for ike, child in sorted(installed)
        )

    def load_conn(self, name: str, section: t.Any) -> None:
        self._host.did(f"load {name}")
        assert encode(section)
        for end, key in (("local", "certs"), ("remote", "cacerts")):
            for pem in section.get(end, {}).get(key, ()):
                self._know(pem)
        self._exchange(name, section)

    def unload_conn(self, name: str) -> bool:
        self._host.did(f"unload {name}")
        there = name in self.conns
        self._exchange(name, {})
        self.conns.pop(name)
        return there

    def _exchange(self, name: str, section: t.Any) -> None:
        """Replace a connection like charon: compare children without names, act by name."""
        old, new = self.conns.get(name, {}), section
        self.conns[name] = section
        gone, come = dict(old.get("children", {})), dict(new.get("children", {}))
        if {**old, "children": {}} == {**new, "children": {}}:
            same = [item for item in gone.values() if item in come.values()]
            gone, come = (
                {child: item for child, item in side.items() if item not in same}
                for side in (gone, come)
            )
        for child, item in gone.items():
            if "trap" in item.get("start_action", ""):
                self.traps.discard((name, child))
                self.shunts.discard((name, child))
            if "start" in item.get("start_action", "") and name in self.up:
                self.up[name].discard(child)
        for child, item in come.items():
            if "trap" in item.get("start_action", ""):
                self._installed(item).add((name, child))

    def _installed(self, item: t.Any) -> set[tuple[str, str]]:
        return self.shunts if item.get("mode") == "pass" else self.traps

    def load_shared(self, id: str, owners: t.Any, data: bytes, *, kind: str = "IKE") -> None:
        self._host.did(f"load secret {id}")
        self.shared[id] = kind, tuple(owners), data

    def unload_shared(self, id: str) -> None:
        self._host.did(f"unload secret {id}")
        self.shared.pop(id, None)

    def load_key(self, data: bytes) -> str:
        self._host.did("load key")
        name = _key_id(data)
        self.private[name] = data
        return name

    def keys(self) -> frozenset[str]:
        return frozenset(self.private)

    def unload_key(self, id: str) -> bool:
        self._host.did(f"unload key {id}")
        return self.private.pop(id, None) is not None

    def initiate(self, ike: str, child: str) -> None:
        self._host.did(f"initiate {ike}/{child}")
        if ike not in self.refused:
            self._make_anew(ike, child)
            self.up.setdefault(ike, set()).add(child)
        elif ike in self.half:
            self.up.setdefault(ike, set())

    def _make_anew(self, ike: str, child: str) -> None:
        """Replace SAs with values other than the loaded values, like a hand-over of an old SA."""
        conn = self.conns.get(ike, {})
        if {**self.made.get(ike, conn), "children": {}} != {**conn, "children": {}}:
            self._gone(ike)
        made = self.made.get((ike, child))
        if made is not None and made != conn.get("children", {}).get(child):
            self._gone((ike, child))

    def _gone(self, key: t.Any) -> None:
        for item in [item for item in self.made if item == key or item[0] == key]:
            del self.made[item]
            self.times[item] = self.times.get(item, 0) + 1

    def rekey(self, ike: str, child: ChildState) -> None:
        self._host.did(f"rekey {ike}/{child.name}")
        if ike not in self.refused:
            key = ike, child.name
            self.renewed[key] = self.renewed.get(key, 0) + 1

    def close(self, sa: IkeState) -> None:
        self._host.did(f"close {sa.name}")
        self.up.pop(sa.name)
        self._gone(sa.name)

    def terminate_ike(self, name: str) -> None:
        self._host.did(f"terminate {name}")
        self.up.pop(name, None)
        self._gone(name)

    def terminate_child(self, ike: str, child: str) -> None:
        self._host.did(f"terminate {ike}/{child}")
        self.up[ike].discard(child)
        self._gone((ike, child))

    def install(self, ike: str, child: str) -> None:
        self._host.did(f"install {ike}/{child}")
        self._installed(self.conns[ike]["children"][child]).add((ike, child))
        self._host.link.flushed = False

    def uninstall(self, ike: str, child: str) -> None:
        self._host.did(f"uninstall {ike}/{child}")
        self.traps.discard((ike, child))
        self.shunts.discard((ike, child))


class MemoryLink:
    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.devices = {"eth0": LinkState("", 1500, True, ("198.51.100.1/24",))}
        self.forwards: set[int] = set()
        self.esp = True
        self.learned: tuple[str, ...] = ()
        self.flushed = False
        self.spis = {SPI}
        self.made_routes: dict[str, Route] = {}
        self.reaches = True
        # The interface of the default route of IPv4.
        self.default_route = ""

    def sa_indexes(self) -> frozenset[str]:
        return frozenset(self.spis)

    def addresses(self) -> frozenset[str]:
        found = (item for state in self.devices.values() for item in state.addresses)
        return frozenset(item.split("/")[0] for item in found)

    def interfaces(self) -> tuple[t.Any, ...]:
        found = (item for state in self.devices.values() for item in state.addresses)
        return tuple(map(ipaddress.ip_interface, found))

    def is_next_hop(self, address: t.Any, device: str = "") -> bool:
        return any(
            address in ipaddress.ip_interface(item).network
            for name, state in self.devices.items()
            for item in state.addresses
            if device in ("", name)
        )

    def has_route(self, _address: str) -> bool:
        return self.reaches

    def outbound_policies(self) -> frozenset[tuple[str, str]]:
        """Return the outbound policies of loaded children, even under an earlier name."""
        children = [
            child
            for conn in self._host.vici.conns.values()
            for child in conn.get("children", {}).values()
        ]
        return frozenset(
            (local, remote)
            for child in children
            for local in child.get("local_ts", ())
            for remote in child.get("remote_ts", ())
            if not self.flushed
        )

    def bring_up(self, script: str) -> None:
        (device,) = re.findall(r"^device=(\S+)$", script, re.MULTILINE)
        (alias,) = re.findall(r"^alias='(.*)'$", script, re.MULTILINE)
        made = re.findall(r"^ +ip link add .*(type .*)$", script, re.MULTILINE)
        state = self.devices.get(device)
        if state is None:
            if not made:
                raise HostError("start", f"interface {device} does not exist")
            state = _made_link(made[0], script, alias)
        addresses = re.findall(r"ip address replace (\S+) dev", script)
        mtu = re.findall(r"mtu ([0-9]+)$", script, re.MULTILINE)
        self.devices[device] = replace(
            state,
            up=True,
            mtu=int(mtu[0]) if mtu else state.mtu,
            addresses=tuple(dict.fromkeys((*state.addresses, *addresses))),
        )
        if "/net/ipv4/ip_forward" in script:
            self.forwards.add(4)
        if "/net/ipv6/conf/all/forwarding" in script:
            self.forwards.add(6)
        replaced = r"^ +ip -[46] route replace (\S+)(?: via (\S+))?(?: dev (\S+))? proto 116"
        for target, router, out in re.findall(replaced, script, re.MULTILINE):
            via = ipaddress.ip_address(router) if router else None
            self.made_routes[target] = Route(ipaddress.ip_network(target), via, out or device)

    def routes(self) -> tuple[Route, ...]:
        return tuple(self.made_routes.values())

    def add_route(self, route: Route) -> None:
        self._host.did(f"add route {route}")
        self.made_routes[str(route.destination)] = route

    def delete_route(self, route: Route) -> None:
        self._host.did(f"delete route {route.destination}")
        del self.made_routes[str(route.destination)]

    def get(self, device: str) -> LinkState | None:
        return self.devices.get(device)

    def names(self) -> tuple[str, ...]:
        return tuple(self.devices)

    def delete(self, device: str) -> None:
        self._host.did(f"delete {device}")
        del self.devices[device]
        kept = {key: item for key, item in self.made_routes.items() if item.device != device}
        self.made_routes = kept

    def set_mtu(self, device: str, mtu: int) -> None:
        self._host.did(f"mtu {device} {mtu}")
        self.devices[device] = replace(self.devices[device], mtu=mtu)

    def delete_address(self, device: str, address: str) -> None:
        self._host.did(f"delete {address} from {device}")
        left = tuple(item for item in self.devices[device].addresses if item != address)
        self.devices[device] = replace(self.devices[device], addresses=left)

    def forwarding(self, version: int) -> bool:
        return version in self.forwards

    def kernel_has_esp(self) -> bool:
        return self.esp

    def kernel_has(self, protocol: str) -> bool:
        return self.esp and protocol in ("esp", "ah")

    def ra_default_route_interfaces(self) -> tuple[str, ...]:
        return self.learned


def _made_link(kind: str, script: str, alias: str) -> LinkState:
    """Return a new interface. ``kind`` are the words of ip, such as ``type vlan id 20``."""
    words = kind.split()
    if words[1] != "vlan":
        return LinkState(words[1], 1500, True, (), alias)
    (parent,) = re.findall(r"^ +parent=(\S+)$", script, re.MULTILINE)
    return LinkState("vlan", 1500, True, (), alias, parent, int(words[3]))


class MemoryWays:
    """The networks of the interfaces, their routes, and the further routes in ``others``."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.others: list[Way] = []

    def connected(self) -> tuple[tuple[str, IPNetwork], ...]:
        return tuple(
            (device, ipaddress.ip_network(address, strict=False))
            for device, state in self._host.link.devices.items()
            for address in state.addresses
        )

    def out(self, networks: t.Iterable[IPNetwork]) -> dict[IPNetwork, str]:
        default = self._host.link.default_route
        return {item: default if item.version == 4 else "" for item in networks}

    def main(self, version: int) -> tuple[Way, ...]:
        near = [Way(network, device) for device, network in self.connected()]
        return tuple(way for way in (*near, *self.others) if way.destination.version == version)


class MemoryBlocks:
    """The policies and routes against cleartext."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.made: set[Block] = set()

    def present(self) -> frozenset[Block]:
        return frozenset(self.made)

    def add(self, blocks: t.Iterable[Block]) -> None:
        for block in blocks:
            self._host.did(f"add {block}")
            self.made.add(block)

    def delete(self, blocks: t.Iterable[Block], _kept: t.Iterable[Block]) -> None:
        for block in blocks:
            self._host.did(f"delete {block}")
            self.made.discard(block)


def blocks_in(script: str) -> set[Block]:
    """Return the policies that the function ``block`` of a script makes."""
    selector = r"src (\S+) dst (\S+)(.*?) dir (\w+)"
    policy = rf"^xfrm policy update {selector} .* action (\w+)$"
    made = {
        Block(kind, source, destination, direction, tuple(service.split()))
        for source, destination, service, direction, kind in re.findall(
            policy, script, re.MULTILINE
        )
    }
    for kind, target in re.findall(r"^route replace (\w+) (\S+) table", script, re.MULTILINE):
        made.add(Block(kind, destination=target))
    for target in re.findall(r"^route replace unreachable (\S+) metric", script, re.MULTILINE):
        made.add(Block("last resort", destination=target))
    rule = r"rule add from (\S+)(?: to (\S+))? lookup (\S+)(?: suppress_prefixlength (\d+))? prio"
    for source, target, table, suppress in re.findall(rule, script):
        made.add(Block("rule", source, target, table=table, suppress=int(suppress or -1)))
    return made


class MemoryNft:
    """Tables as texts. The only unmanaged chains are the chains in ``chains``."""

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}
        self.chains: tuple[t.Any, ...] = ()

    def features(self) -> dict[str, t.Any]:
        return {"version": "1.1.7", "json": True}

    def table(self, name: str) -> str:
        return self.tables.get(name, "")

    def expected_table(self, text: str, name: str) -> str:
        found = set(re.findall(r"^table inet (tunnelwright-\S+)", text, re.MULTILINE))
        assert found == {name}
        return text

    def load(self, _purpose: str, text: str) -> None:
        """Delete and add elements in the text of a table, in one transaction."""
        changed: dict[tuple[str, str], dict[str, str]] = {}
        for line in text.splitlines():
            verb, _element, _inet, table, name, rest = line.split(" ", 5)
            element = rest.strip("{} ")
            wanted = changed.setdefault(
                (table, name), {**read_listing(self.tables[table]).elements[name]}
            )
            if verb == "delete":
                del wanted[element]
            else:
                assert key_of(element) not in wanted
                wanted[key_of(element)] = element
        for (table, name), wanted in changed.items():
            self._replace(table, name, wanted)

    def _replace(self, table: str, name: str, wanted: dict[str, str]) -> None:
        assert wanted, "a set without elements has another form"
        elements = read_listing(self.tables[table]).elements[name]
        separator = ",\n\t\t\t     "
        before, after = (separator.join(side.values()) for side in (elements, wanted))
        head, opening, rest = self.tables[table].partition(f"\tset {name} {{\n")
        assert before in rest
        self.tables[table] = f"{head}{opening}{rest.replace(before, after, 1)}"

    def expected(self, _text: str) -> t.Any:
        return ()

    def forget(self) -> None:
        pass

    def own_rules_by_chain(self, _prefix: str) -> dict[str, t.Any]:
        return {}

    def foreign_chains(self) -> tuple[t.Any, ...]:
        return self.chains


class MemorySystemd:
    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self.enabled: set[str] = set()
        self.active: set[str] = set()
        self.stale: set[str] = set()
        # Whether units cannot have their own mount namespace, as in some containers.
        self.confined = False

    def is_enabled(self, unit: str) -> bool:
        return unit in self.enabled

    def is_active(self, unit: str) -> bool:
        return unit in self.active or (
            unit == self._host.platform.daemon_unit and not self._host.dead
        )

    def is_waiting(self, timer: str) -> bool:
        """Return whether the timer is active. A test removes it when it elapses."""
        return timer in self.active

    def restart(self, unit: str) -> None:
        self._host.did(f"restart {unit}")
        self._exec(unit, "Start")
        # The service of the rollback ends when its program ends.
        if unit != SERVICE:
            self.active.add(unit)

    def state(self, unit: str) -> UnitState:
        return UnitState(self.is_enabled(unit), self.is_active(unit), unit in self.stale)

    def states(self, *units: str) -> tuple[UnitState, ...]:
        return tuple(map(self.state, units))

    def daemon_reload(self) -> None:
        self._host.did("daemon-reload")
        self.stale.clear()

    def enable(self, unit: str) -> None:
        self._host.did(f"enable {unit}")
        self._exec(unit, "Start")
        self.enabled.add(unit)

    def disable(self, unit: str) -> None:
        self._host.did(f"disable {unit}")
        self.enabled.discard(unit)

    def start(self, unit: str) -> None:
        self._host.did(f"start {unit}")
        command = self._exec(unit, "Start")
        assert command
        self._host.script(*command)
        self.active.add(unit)

    def stop(self, unit: str) -> None:
        self._host.did(f"stop {unit}")
        command = self._exec(unit, "Stop")
        if command:
            self._host.script(*command)
        self.active.discard(unit)

    def _exec(self, unit: str, what: str) -> tuple[str, str] | None:
        """Return the script and the verb of a unit, or None if the unit runs no script."""
        text = self._host.text(f"/etc/systemd/system/{unit}")
        if unit.startswith("tunnelwright.rollback."):
            if "PrivateTmp=" in text and self.confined:
                raise HostError(f"start {unit}", "Failed at step NAMESPACE: Permission denied")
            return None
        found = re.findall(rf"^Exec{what}=/bin/sh (\S+) (\S+)$", text, re.MULTILINE)
        return found[0] if found else None
