# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The steps for interfaces, rules, routes and units of networks."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._render.blocks import Block
from .._render.nft_listing import ElementChanges
from .._render.routes import Route
from .steps import Refresh, Step


@dataclass(frozen=True)
class RunScript(Refresh):
    """Run the script of a network (``start``, ``rules``, ``stop``), like its unit at boot."""

    network: str
    path: str
    verb: str
    what: str
    also_undo: tuple[Step, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.what} of network {self.network}"


@dataclass(frozen=True)
class LoadRules(Step):
    """Run the script of a network to load its rules and blocks, when none are loaded."""

    network: str
    path: str
    also_undo: tuple[Step, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"load the nftables rules of network {self.network}"

    def undo(self) -> Step:
        return WithdrawRules(self.network, self.path)


@dataclass(frozen=True)
class WithdrawRules(Step):
    """Run the script of a network to delete its nftables rules, also from other tables."""

    network: str
    path: str

    def __str__(self) -> str:
        return f"delete the nftables rules of network {self.network}"

    def undo(self) -> Step:
        return LoadRules(self.network, self.path)


@dataclass(frozen=True)
class ChangeElements(Step):
    """Delete and add elements of the sets of a network, in one transaction."""

    network: str
    table: str
    changes: ElementChanges = field(repr=False)

    def __str__(self) -> str:
        words = [
            f"{verb} {_listed(labels)}"
            for verb, labels in (
                ("delete", self.changes.deleted_labels),
                ("add", self.changes.added_labels),
            )
            if labels
        ]
        return f"change the nftables sets of network {self.network}: {', '.join(words)}"

    def undo(self) -> Step:
        return ChangeElements(self.network, self.table, self.changes.reversed())


@dataclass(frozen=True)
class AddBlocks(Step):
    """Make policies or routes that block cleartext. ``kept`` are the other blocks of the host."""

    blocks: tuple[Block, ...]
    kept: tuple[Block, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"add {_counted(self.blocks)} against cleartext"

    def undo(self) -> Step:
        return DeleteBlocks(self.blocks, self.kept)


@dataclass(frozen=True)
class DeleteBlocks(Step):
    """Delete policies or routes that block cleartext. ``kept`` are the other blocks of the host."""

    blocks: tuple[Block, ...]
    kept: tuple[Block, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"delete {_counted(self.blocks)} against cleartext"

    def undo(self) -> Step:
        return AddBlocks(self.blocks, self.kept)


def _listed(labels: tuple[str, ...]) -> str:
    """Return ``site-a/lan, site-b/lan and 5 more``."""
    rest = f" and {len(labels) - 2} more" if len(labels) > 2 else ""
    return f"{', '.join(labels[:2])}{rest}"


def _counted(blocks: tuple[Block, ...]) -> str:
    """Return ``the block policy out 10.1.0.0/24 to 10.2.0.0/24 and 5 more``."""
    rest = f" and {len(blocks) - 1} more" if len(blocks) > 1 else ""
    return f"the {blocks[0]}{rest}"


@dataclass(frozen=True)
class DeleteLink(Step):
    """Remove an interface that the collection made."""

    device: str

    def __str__(self) -> str:
        return f"delete interface {self.device}"


@dataclass(frozen=True)
class ResetMtu(Step):
    """Set the MTU of an interface of the collection to the MTU of a new interface."""

    device: str

    def __str__(self) -> str:
        return f"reset the mtu of {self.device}"


@dataclass(frozen=True)
class DeleteAddress(Step):
    """Remove a router address from an interface."""

    address: str
    device: str

    def __str__(self) -> str:
        return f"delete address {self.address} from {self.device}"


@dataclass(frozen=True)
class AddRoute(Step):
    """Add a route of the collection again, with the interface that the kernel showed."""

    route: Route

    def __str__(self) -> str:
        return f"add route {self.route}"


@dataclass(frozen=True)
class DeleteRoute(Step):
    """Delete the only route of the collection to a destination."""

    route: Route

    def __str__(self) -> str:
        return f"delete route {self.route}"

    def undo(self) -> Step | None:
        return AddRoute(self.route) if self.route.device else None


@dataclass(frozen=True)
class ReloadUnits(Refresh):
    """systemd ``daemon-reload``, after a unit file was added, changed or removed."""

    def __str__(self) -> str:
        return "reload systemd's unit files"


@dataclass(frozen=True)
class SwitchUnit(Step):
    """``systemctl enable|disable|start|stop`` of the unit of a network."""

    unit: str
    verb: str
    also_undo: tuple[Step, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.unit}"

    def undo(self) -> Step:
        opposite = {"enable": "disable", "disable": "enable", "start": "stop", "stop": "start"}
        return SwitchUnit(self.unit, opposite[self.verb])
