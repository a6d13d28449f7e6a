# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Check mode on a host that has no strongSwan, nftables or iproute2 yet.

A part of the host that can't be asked is replaced by an empty one, in which nothing is loaded.
"""

from __future__ import annotations

import typing as t

from .._errors import HostError
from .._render.nft_text import body
from .host import Host
from .kernel.blocks import Blocks
from .kernel.host_routes import Ways
from .kernel.link import Link
from .kernel.nft import Nft
from .systemd import Systemd, UnitState
from .vici.client import Vici
from .vici.message import Message

DAEMON, RULES, INTERFACES, UNITS = "IKE daemon", "rules", "interfaces", "units"


def leave_out(host: Host) -> list[str]:
    """Replace each part of the host that can't be asked by an empty one, and return the reasons.

    ``host.missing`` has the names of these parts afterwards.
    """
    reasons = []
    for part, probe in _PROBES.items():
        try:
            probe(host)
        except HostError as error:
            _replace(host, part)
            reasons.append(f"{part}: {error}")
    return reasons


_PROBES: dict[str, t.Callable[[Host], object]] = {
    DAEMON: lambda host: host.vici.version(),
    RULES: lambda host: host.nft.foreign_chains(),
    INTERFACES: lambda host: host.link.names(),
    UNITS: lambda host: host.systemd.is_active(host.platform.daemon_unit),
}


def _replace(host: Host, part: str) -> None:
    host.missing |= {part}
    if part == DAEMON:
        host.use(EmptyDaemon())
    elif part == RULES:
        host.nft = _EmptyRules(_nothing)
    elif part == UNITS:
        host.systemd = _NoUnits(_nothing)
    else:
        host.link, host.ways, host.blocks = Link(_nothing), Ways(_nothing), Blocks(_nothing)


def _nothing(_argv: list[str], _stdin: str) -> tuple[int, str, str]:
    """Answer in the place of each program: it has nothing to list."""
    return 0, "", ""


class EmptyDaemon(Vici):
    """A daemon in which nothing is loaded. It accepts every connection that is tried."""

    def __init__(self) -> None:
        self._lost = ""

    def __exit__(self, *_exception: object) -> None:
        pass

    @property
    def pid(self) -> int:
        return 0

    def _request(self, *_arguments: t.Any, **_options: t.Any) -> dict[str, t.Any]:
        return {}

    def _events(
        self, _operation: str, _command: str, _event: str, _message: Message
    ) -> list[dict[str, t.Any]]:
        return []


class _EmptyRules(Nft):
    def expected_table(self, text: str, _name: str) -> str:
        return body(text)


class _NoUnits(Systemd):
    def states(self, *units: str) -> tuple[UnitState, ...]:
        return tuple(UnitState() for _unit in units)
