# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The files of a network, and the rules, routes and blocks that are to be live of it."""

from __future__ import annotations

from dataclasses import dataclass

from .._model.network import VpnNetwork
from .._model.platform import Platform
from . import network_files, network_units, nft
from .blocks import Block
from .cleartext_blocks import cleartext_blocks
from .file import EXECUTABLE, File
from .network_view import NetworkView
from .records import network_record
from .routes import Route, routes
from .ruleset_input import ruleset_input


@dataclass(frozen=True)
class NetworkParts:
    """The files of a network, and its live parts.

    Interface, forwarding and routes are live while the network is switched on. Rules and blocks
    are always live. ``forwarding`` has the IP versions that the kernel forwards.
    """

    network: VpnNetwork
    script: File
    rules: File
    unit: File
    guard_unit: File
    ruleset: nft.RulesetInput
    forwarding: tuple[int, ...] = ()
    routes: tuple[Route, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        return self.rules, self.script, self.guard_unit, self.unit


def network_parts(view: NetworkView, platform: Platform, *, userspace: bool) -> NetworkParts:
    """Return everything of a network but its record and its tunnels."""
    network, name = view.network, view.name
    rules = ruleset_input(view, userspace=userspace)
    blocks = cleartext_blocks(rules, network.on_link)
    script = network_files.script(network, rules, blocks, platform)
    unit, guard_unit = network_units.unit_name(name), network_units.guard_unit_name(name)
    return NetworkParts(
        network,
        File(platform.script_path(name), script.encode(), EXECUTABLE),
        File(platform.rules_path(name), nft.render(nft.table(rules)).encode()),
        File(platform.unit_path(unit), network_units.unit(network, platform).encode()),
        File(platform.unit_path(guard_unit), network_units.guard_unit(network, platform).encode()),
        rules,
        network_files.ip_versions(network, rules),
        routes(network, rules.vpn_rules),
        blocks,
    )


def record_file(view: NetworkView, parts: NetworkParts, platform: Platform) -> File:
    """Return the record of a network, its settings and its rules."""
    text = network_record(view.network, view.settings, view.rules, parts.forwarding)
    return File(platform.record_path(view.name), text.encode())
