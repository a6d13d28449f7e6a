# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report the state of a test host and the events of its IKE daemon, beside the driver.

The modules read the host in other ways, so that this program does not share their mistakes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

from gateway_state import DIRECTORIES, forwarding, links, printed, routes, text
from vici import Session

EVENTS = ("ike-updown", "child-updown", "ike-rekey", "child-rekey")
RECORDS = "/etc/tunnelwright/*.json"

_session: Session | None = None


def session() -> Session:
    """Return the session of all requests, a new one after a restart of the daemon."""
    global _session
    if _session is not None:
        try:
            _session.request("version")
            return _session
        except Exception:
            _session = None
    _session = Session()
    return _session


class Listener:
    """A recorder of events until ``stop``. The constructor returns after the subscription."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def stop(self) -> list[dict[str, Any]]:
        self._stop.set()
        self._thread.join(10)
        return self._events

    def _listen(self) -> None:
        try:
            for kind, message in Session().listen(EVENTS, timeout=0.05):
                self._ready.set()
                if kind is not None:
                    name = kind.decode() if isinstance(kind, bytes) else kind
                    self._note(name, text(message))
                elif self._stop.is_set():
                    break
        except Exception as error:
            # For example, the daemon was restarted.
            self._note("lost", {"why": repr(error)})
            self._ready.set()

    def _note(self, kind: str, message: Any) -> None:
        self._events.append({"kind": kind, "at": time.monotonic(), "message": message})


def sas() -> dict[str, Any]:
    """Return the IKE SAs with their Child SAs, in the form of ``list-sas``."""
    listed = [
        {"name": name, **text(item)}
        for sa in session().streamed_request("list-sas", "list-sa")
        for name, item in sa.items()
    ]
    return {"sas": listed}


def state() -> dict[str, Any]:
    """Return the state without SAs, which is equal before and after a run that changes nothing."""
    paths = _files()
    return {
        "files": paths,
        "interfaces": _noted_interfaces(),
        "links": links(),
        "routes": routes(),
        "blocks": _blocks(),
        "nft": _ruleset(),
        "forwarding": forwarding(),
        "units": _units(paths),
        **_daemon(),
    }


def _blocks() -> list[str]:
    """Return the policies, rules and routes that block cleartext without nftables rules."""
    policies = re.split(r"\n(?=src )", printed("ip", "xfrm", "policy", "list", "nosock"))
    found = [" ".join(item.split()) for item in policies if "mark 0/0x80000000" in item]
    for version in ("-4", "-6"):
        listed = printed("ip", version, "route", "show", "table", "all", "proto", "116")
        found += [line for line in listed.splitlines() if " table 116 " in f"{line} "]
        rules = printed("ip", version, "rule", "list")
        found += [line for line in rules.splitlines() if "lookup 116" in line]
    return sorted(found)


def _files() -> dict[str, str]:
    """Return mode and digest of every file, and the target of every link.

    The digest of a record leaves out its interfaces, which ``_noted_interfaces`` returns.
    """
    found = {}
    for directory in (*DIRECTORIES, "/etc/strongswan.conf"):
        for path in sorted((Path(directory), *Path(directory).rglob("*"))):
            if path.is_symlink():
                found[str(path)] = f"-> {os.readlink(path)}"
            elif path.is_file():
                digest = hashlib.sha256(_content(path)).hexdigest()
                found[str(path)] = f"{path.stat().st_mode & 0o7777:04o} {digest}"
    return found


def _content(path: Path) -> bytes:
    record = _record(path) if path.match(RECORDS) else None
    if record is None:
        return path.read_bytes()
    return json.dumps({key: item for key, item in record.items() if key != "interfaces"}).encode()


def _record(path: Path) -> dict[str, Any] | None:
    """Return the content of a record, or None if a test has damaged it."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _noted_interfaces() -> dict[str, Any]:
    """Return the interfaces that each record names.

    A run writes the name of a new interface into the record before it uses the interface.
    """
    return {
        str(path): (_record(path) or {}).get("interfaces", [])
        for path in Path("/").glob(RECORDS.lstrip("/"))
    }


def _ruleset() -> list[Any]:
    """Return every table as nft lists it, sorted by name, without handles and counts.

    nft lists tables, chains, sets and their elements in the order of their creation, which has no
    meaning. The order of rules has a meaning, and stays.
    """
    listed = json.loads(printed("nft", "-s", "-j", "list", "ruleset"))["nftables"]
    entries = [_plain(entry) for entry in listed if "metainfo" not in entry]

    def place(entry: dict[str, Any]) -> tuple[str, ...]:
        ((kind, item),) = entry.items()
        if kind == "rule":
            return ("rule", item["family"], item["table"], item["chain"])
        return (kind, item["family"], item.get("table", ""), item["name"])

    return sorted(entries, key=place)


def _plain(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _value(key, value) for key, value in item.items() if key != "handle"}
    return [_plain(element) for element in item] if isinstance(item, list) else item


def _value(key: str, value: Any) -> Any:
    if key == "counter":
        return None
    if key == "elem" and isinstance(value, list):
        return sorted(map(_plain, value), key=repr)
    return _plain(value)


def _units(paths: dict[str, str]) -> dict[str, str]:
    """Return systemd's states of the daemon and of the services of the collection."""
    ours = [path for path in paths if re.search(r"system/tunnelwright-[^/]*\.service$", path)]
    names = ["strongswan.service", *(os.path.basename(path) for path in ours)]
    shown = printed("systemctl", "show", "--property=UnitFileState,ActiveState,SubState", *names)
    return dict(zip(names, shown.split("\n\n"), strict=True))


def _daemon() -> dict[str, Any]:
    """Return the objects that charon has loaded."""
    asked = {"trap": "yes", "pass": "yes", "drop": "yes"}
    policies = {
        f"{name} {item['mode']}"
        for policy in session().streamed_request("list-policies", "list-policy", asked)
        for name, item in text(policy).items()
    }
    return {
        "plugins": sorted(text(session().request("stats"))["plugins"]),
        "connections": {
            name: item
            for conn in session().streamed_request("list-conns", "list-conn")
            for name, item in text(conn).items()
        },
        "secrets": sorted(text(session().request("get-shared"))["keys"]),
        "private_keys": sorted(text(session().request("get-keys"))["keys"]),
        "policies": sorted(policies),
    }
