# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The interface that a network brings up, in the record of the network.

The next run takes away an interface, or an address, that the network no longer has. The record
names both, also after an interrupted run.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._model.network import VpnNetwork
from .file import File

# The key of the record.
INTERFACES = "interfaces"


@dataclass(frozen=True)
class NetworkInterface:
    """The interface of a network that is switched on.

    ``made`` says whether the collection makes the interface, and may delete it. ``router`` is the
    address that the network puts on the interface, with its prefix length, or empty.
    """

    device: str
    made: bool
    router: str = ""

    def to_record(self) -> dict[str, t.Any]:
        return {"device": self.device, "made": self.made, "router": self.router}


def interface_of(network: VpnNetwork) -> NetworkInterface:
    """Return the interface that a network brings up when it is switched on."""
    return NetworkInterface(network.device, not network.attached, network.router)


def interfaces_of(network: VpnNetwork) -> tuple[NetworkInterface, ...]:
    """Return the one interface of a network; none while the network is switched off."""
    return (interface_of(network),) if network.started else ()


def recorded_interfaces(record: File | None) -> tuple[NetworkInterface, ...] | None:
    """Return the interfaces that a record names.

    Return None where the record names none: it is missing, can't be read, or an earlier version of
    the collection has written it.
    """
    try:
        found = json.loads(record.data)[INTERFACES] if record is not None else None
        return tuple(_read(item) for item in found) if found is not None else None
    except (ValueError, KeyError, TypeError):
        return None


def _read(item: t.Mapping[str, t.Any]) -> NetworkInterface:
    return NetworkInterface(str(item["device"]), item["made"] is True, str(item["router"]))


def with_interfaces(record: File, interfaces: t.Iterable[NetworkInterface]) -> File:
    """Return a record with these interfaces. Raises ValueError for a record that can't be read."""
    content = {**json.loads(record.data), INTERFACES: [item.to_record() for item in interfaces]}
    return File(record.path, record_text(content).encode())


def record_text(content: t.Mapping[str, t.Any]) -> str:
    """Return the text of a record."""
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
