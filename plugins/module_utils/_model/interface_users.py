# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The objects that use the interface of another network."""

from __future__ import annotations

from .._errors import ModelError
from .gateway import Gateway


def check_interfaces_kept(before: Gateway, after: Gateway) -> None:
    """Refuse to take away an interface that an object of another network uses.

    Only the Gateway after all edits counts, so that one task may move an object and stop the
    network whose interface the object used. Raises ModelError with the network as its object.
    """
    for network in before.networks.values():
        if network.attached or network.device not in before.devices - after.devices:
            continue
        users = _users(network.device, network.name, after)
        if users:
            raise ModelError(
                "interface",
                network.device,
                f"is used by {', '.join(users)}, which would lose it",
                "Change, stop or remove what uses the interface first.",
                network.subject,
            )


def _users(device: str, owner: str, gateway: Gateway) -> list[str]:
    """Return the subjects of the objects in force that use an interface of a network."""
    found = []
    for network in sorted(gateway.networks.values(), key=lambda item: item.name):
        if not network.started or network.name == owner:
            continue
        if device in (network.interface_network, *network.ike_interfaces):
            found.append(network.subject)
        rules = gateway.rules.get(network.name, ())
        found += [item.subject for item in rules if item.enabled and item.interface == device]
    return found
