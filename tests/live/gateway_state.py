# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report the state of a gateway as JSON, from its files, charon, nft, ip and systemd.

``held`` is equal before and after a run that changes nothing. ``sas`` changes without a run.
The modules read the host in other ways, so that this program does not share their mistakes.
The driver of the live tests imports this program. Molecule installs it as ``gateway-state``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import vici

DIRECTORIES = ("/etc/swanctl", "/etc/strongswan.d", "/etc/tunnelwright", "/etc/systemd/system")
OURS = re.compile(
    r"/(tunnelwright(\.[^/]*)?\.conf|tunnelwright/[^/]*|tunnelwright-[^/]*\.service)$"
)


def printed(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def text(value: Any) -> Any:
    """Return a vici message with its bytes as text, and keys and certificates as digests."""
    if isinstance(value, dict):
        return {key: text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [text(item) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return hashlib.sha256(value).hexdigest()
    return value


def files() -> dict[str, str]:
    """Return mode and digest of every file, and the target of every link."""
    found = {}
    for directory in (*DIRECTORIES, "/etc/strongswan.conf"):
        for path in sorted((Path(directory), *Path(directory).rglob("*"))):
            if path.is_symlink():
                found[str(path)] = f"-> {os.readlink(path)}"
            elif path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path)] = f"{path.stat().st_mode & 0o7777:04o} {digest}"
    return found


def texts(paths: dict[str, str]) -> dict[str, str]:
    """Return the texts of the collection's files, without keys and certificates."""
    ours = [path for path in paths if OURS.search(path) and not os.path.islink(path)]
    return {path: Path(path).read_text() for path in ours}


def links() -> dict[str, Any]:
    return {
        item["ifname"]: {
            "kind": item.get("linkinfo", {}).get("info_kind", ""),
            "alias": item.get("ifalias", ""),
            "mtu": item["mtu"],
            "up": "UP" in item["flags"],
            "addresses": [
                f"{address['local']}/{address['prefixlen']}"
                for address in item["addr_info"]
                if "local" in address and address["scope"] != "link"
            ],
        }
        for item in json.loads(printed("ip", "-j", "-d", "address", "show"))
    }


def routes() -> list[str]:
    """Return the routes of the collection. Routes of the kernel and of charon are left out."""
    listed = printed("ip", "route") + printed("ip", "-6", "route")
    lines = (" ".join(line.replace("linkdown", "").split()) for line in listed.splitlines())
    return sorted(line for line in lines if " proto 116 " in line)


def tables() -> dict[str, str]:
    """Return the ruleset, each table under ``family name``.

    The elements of a set are sorted, because nft lists some sets in the order of their creation.
    """
    listed = printed("nft", "-s", "list", "ruleset")
    found = re.findall(r"^table (\S+ \S+) \{\n(.*?)^\}$", listed, re.MULTILINE | re.DOTALL)
    return {name: _ELEMENTS.sub(_sorted_elements, content) for name, content in found}


_ELEMENTS = re.compile(r"(?<=\telements = \{ )[^{}]*(?= \})")


def _sorted_elements(found: re.Match[str]) -> str:
    """Return the elements of a set, one in a line. No comment of an element has a comma."""
    elements = sorted(" ".join(item.split()) for item in found[0].split(","))
    return ",\n\t\t\t     ".join(elements)


def units(paths: dict[str, str]) -> dict[str, str]:
    """Return systemd's states of the daemon and of the services with a file in /etc."""
    names = [
        os.path.basename(path)
        for path, content in paths.items()
        if path.endswith(".service") and not content.startswith("->")
    ]
    states = {}
    for name in ("strongswan.service", *names):
        show = ("systemctl", "show", "--value", "--property=UnitFileState,ActiveState", name)
        states[name] = " ".join(printed(*show).split())
    return states


def forwarding() -> dict[str, str]:
    names = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    return {name: Path("/proc/sys", *name.split(".")).read_text().strip() for name in names}


def daemon(session: vici.Session) -> dict[str, Any]:
    """Return the objects that charon has loaded, and its process id, which a restart changes."""
    stats = text(session.stats())
    policies = {
        f"{name} {item['mode']}"
        for policy in session.list_policies({"trap": "yes", "pass": "yes", "drop": "yes"})
        for name, item in text(policy).items()
    }
    return {
        "pid": printed("systemctl", "show", "--value", "--property=MainPID", "strongswan"),
        "plugins": sorted(stats["plugins"]),
        "connections": {
            name: item for conn in session.list_conns() for name, item in text(conn).items()
        },
        "secrets": sorted(text(session.get_shared())["keys"]),
        "private_keys": sorted(text(session.get_keys())["keys"]),
        "policies": sorted(policies),
    }


def sas(session: vici.Session) -> list[str]:
    return [
        f"{name} {text(item)['state']}" for sa in session.list_sas() for name, item in sa.items()
    ]


def numbers(session: vici.Session) -> dict[str, Any]:
    """Return the numbers that distinguish an SA from its successor, by name of the connection."""
    return {
        name: {
            "unique": item["uniqueid"],
            "children": {
                child["name"]: [child["uniqueid"], child.get("spi-in"), child.get("spi-out")]
                for child in item.get("child-sas", {}).values()
            },
        }
        for sa in session.list_sas()
        for name, item in text(sa).items()
    }


def gateway_state() -> dict[str, Any]:
    """Return ``held``, the names and states of the IKE SAs, and the numbers of all SAs."""
    paths = files()
    session = vici.Session()
    held = {
        "files": paths,
        "texts": texts(paths),
        "links": links(),
        "routes": routes(),
        "tables": tables(),
        "forwarding": forwarding(),
        "units": units(paths),
        **daemon(session),
    }
    return {"held": held, "sas": sas(session), "numbers": numbers(session)}


if __name__ == "__main__":
    json.dump(gateway_state(), sys.stdout)
