# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The checkpoint: every file of the collection and the state of every unit, until confirmation.

One file holds the checkpoint, so it is never incomplete.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from ..._errors import HostError, TunnelwrightError
from ..._model.network import VpnNetwork
from ..._model.platform import Platform
from ..._plan import restore
from ..._plan.plan import Difference
from ..._render.credentials import cleaned
from ..._render.file import PRIVATE, ROOT, File
from ..._render.network_units import unit_name
from ..._render.records import read_network
from ..files.files import LARGEST, Files
from ..host import Host


def _unit_pattern(platform: Platform) -> str:
    return platform.unit_path(unit_name("*"))


def own_patterns(platform: Platform) -> tuple[str, ...]:
    """Return the shell patterns of every path at which the collection leaves files.

    Other files in these directories are unmanaged.
    """
    return (
        platform.record_path("*"),
        platform.rules_path("*"),
        platform.script_path("*"),
        f"{platform.conf_dir}/tunnelwright.*.conf",
        *(f"{folder}/tunnelwright.*.pem" for folder in platform.read_whole),
        platform.daemon_file,
        platform.advanced_daemon_path("*"),
        _unit_pattern(platform),
    )


@dataclass(frozen=True)
class Checkpoint:
    """The kept state: ``files`` by path, ``units`` by name as ``enabled, active``.

    ``since`` is in ISO 8601 and UTC. ``timeout`` is the time without contact from the controller
    until the rollback, in seconds. ``mtus`` are the MTUs of interfaces that no file holds, by name.
    """

    since: str
    timeout: int
    files: t.Mapping[str, File]
    units: t.Mapping[str, str]
    mtus: t.Mapping[str, int]


class KeptFiles(Files):
    """The files of a checkpoint, read like the files of the host."""

    def __init__(self, kept: t.Mapping[str, File], platform: Platform) -> None:
        super().__init__(platform)
        self._kept = kept

    def read(self, path: str, _largest: int = LARGEST) -> File | None:
        return self._kept.get(path)

    def find(self, pattern: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self._kept if matches(path, pattern)))


def matches(path: str, pattern: str) -> bool:
    """Return whether a path matches a shell pattern, of which only the last part is a pattern."""
    directory, name = os.path.split(pattern)
    folder, found = os.path.split(path)
    return folder == directory and fnmatch.fnmatchcase(found, name)


def ours(files: Files) -> dict[str, File]:
    """Return every file of the collection on the host, without blocks that do not belong there.

    An unreadable file is returned as an empty file of mode 0.
    """
    found = {
        path: files.look(path)
        for pattern in own_patterns(files.platform)
        for path in files.find(pattern)
    }
    return {path: cleaned(file, files.platform) for path, file in found.items() if file is not None}


def take(host: Host, timeout: int) -> Checkpoint:
    """Return the current state. Raises HostError for an unreadable file of the collection."""
    files = ours(host.files)
    for path, file in files.items():
        if not file.mode:
            host.files.read(path)
    return Checkpoint(moment(), timeout, files, unit_states(host, files), _mtus(host, files))


def unit_states(host: Host, files: t.Iterable[str]) -> dict[str, str]:
    """Return the state of each unit in ``files``, and of the unit of the IKE daemon."""
    pattern = _unit_pattern(host.platform)
    units = [path.rpartition("/")[2] for path in files if matches(path, pattern)]
    return _states(host, [*units, host.platform.daemon_unit])


def _mtus(host: Host, files: t.Mapping[str, File]) -> dict[str, int]:
    devices = {
        item.device for item in networks_in(files, host.platform).values() if item.mtu is None
    }
    links = {device: host.link.get(device) for device in sorted(devices)}
    return {device: link.mtu for device, link in links.items() if link is not None}


def networks_in(files: t.Mapping[str, File], platform: Platform) -> dict[str, VpnNetwork]:
    """Return the networks by name, without networks that have an unreadable record."""
    found = {}
    for path, file in files.items():
        if matches(path, platform.record_path("*")):
            with contextlib.suppress(TunnelwrightError, UnicodeDecodeError):
                network, *_rest = read_network(path, file.data.decode())
                found[network.name] = network
    return found


def moment() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _states(host: Host, units: t.Iterable[str]) -> dict[str, str]:
    return {unit: _state(host, unit) for unit in units}


def _state(host: Host, unit: str) -> str:
    enabled = "enabled" if host.systemd.is_enabled(unit) else "disabled"
    return f"{enabled}, {'active' if host.systemd.is_active(unit) else 'inactive'}"


# Kept on the host


def save(files: Files, checkpoint: Checkpoint) -> None:
    platform = files.platform
    files.make_private_directory(platform.state_dir)
    files.make_private_directory(platform.checkpoint_dir)
    state = {
        "since": checkpoint.since,
        "timeout": checkpoint.timeout,
        "units": checkpoint.units,
        "mtus": checkpoint.mtus,
        "files": [
            {
                "path": file.path,
                "mode": file.mode,
                "owner": file.owner,
                "link": file.link,
                # This keeps any bytes, and is readable for most files.
                "text": file.data.decode("utf-8", _ANY),
            }
            for file in checkpoint.files.values()
        ],
    }
    data = json.dumps(state, indent=1).encode()
    files.write(File(platform.checkpoint_file, data, PRIVATE))


_ANY = "surrogateescape"


def load(files: Files) -> Checkpoint | None:
    """Return the checkpoint, or None without one. Raises HostError for an unreadable one."""
    path = files.platform.checkpoint_file
    file = files.read(path)
    if file is None:
        return None
    try:
        state = json.loads(file.data)
        kept = [cleaned(_kept(item), files.platform) for item in state["files"]]
        by_path = {item.path: item for item in kept}
        return Checkpoint(state["since"], state["timeout"], by_path, state["units"], state["mtus"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        advice = "Remove the file to end this checkpoint without a rollback."
        raise HostError(
            f"read the checkpoint {path}", f"it is damaged: {error!r}", advice
        ) from None


def _kept(item: t.Mapping[str, t.Any]) -> File:
    # Earlier releases did not keep the owner.
    user, group = item.get("owner", ROOT)
    data = item["text"].encode("utf-8", _ANY)
    return File(item["path"], data, item["mode"], (user, group), item.get("link", ""))


def exists(files: Files) -> bool:
    return bool(files.find(files.platform.checkpoint_file))


def remove(files: Files) -> None:
    """Remove the checkpoint, its state first: without the state there is no checkpoint."""
    platform = files.platform
    for pattern in (platform.checkpoint_file, f"{platform.checkpoint_dir}/*"):
        for path in files.find(pattern):
            files.remove(path)
    files.clean()


# Compared with the host


def differs(host: Host, checkpoint: Checkpoint) -> list[str]:
    """Return the differences of the host from the checkpoint, one short text each."""
    now = _states(host, checkpoint.units)
    units = [
        f"{unit}: was {state}, is {now[unit]}"
        for unit, state in checkpoint.units.items()
        if state != now[unit]
    ]
    mtus = [
        f"MTU of {device}: was {checkpoint.mtus[device]}, is {mtu}"
        for device, mtu in other_mtus(host, checkpoint).items()
    ]
    return [*restore.in_words(checkpoint.files, ours(host.files)), *units, *mtus]


def other_mtus(host: Host, checkpoint: Checkpoint) -> dict[str, int]:
    """Return the current MTUs that differ from the checkpoint, by interface."""
    links = {device: host.link.get(device) for device in checkpoint.mtus}
    now = {device: link.mtu for device, link in links.items() if link is not None}
    return {device: mtu for device, mtu in now.items() if mtu != checkpoint.mtus[device]}


def differences(host: Host, checkpoint: Checkpoint) -> tuple[Difference, ...]:
    return restore.differences(checkpoint.files, ours(host.files), host.platform)
