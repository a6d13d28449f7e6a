# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The effects of the steps on interfaces, rules, routes and units of networks."""

from __future__ import annotations

import typing as t

from .._errors import HostError
from .._plan import network_steps, steps
from .._render.nft_listing import ElementChanges, read_listing
from .command import last_words
from .host import Host

# The MTU of an interface that depends on no other interface, in Linux.
STANDARD_MTU = 1500


def _run_script(host: Host, step: network_steps.RunScript) -> None:
    _call_script(host, step, step.path, step.verb)


def _call_script(host: Host, step: steps.Step, path: str, verb: str) -> None:
    if host.files.look(path) is None:
        # Taken back to where the network was not there.
        return
    status, output, errors = host.run(["/bin/sh", path, verb], "")
    if status != 0:
        raise HostError(str(step), last_words(errors or output, status))


def _load_rules(host: Host, step: network_steps.LoadRules) -> None:
    _call_script(host, step, step.path, "rules")


def _withdraw_rules(host: Host, step: network_steps.WithdrawRules) -> None:
    _call_script(host, step, step.path, "stop")


def _change_elements(host: Host, step: network_steps.ChangeElements) -> None:
    changes = step.changes.left_in(read_listing(host.nft.table(step.table)))
    if changes != ElementChanges():
        host.nft.load(str(step), changes.transaction(step.table))


def _add_blocks(host: Host, step: network_steps.AddBlocks) -> None:
    host.blocks.add(step.blocks)


def _delete_blocks(host: Host, step: network_steps.DeleteBlocks) -> None:
    host.blocks.delete(step.blocks, step.kept)


def _delete_link(host: Host, step: network_steps.DeleteLink) -> None:
    # The interface may be gone already, because the planner does not observe a former interface.
    if host.link.get(step.device) is not None:
        host.link.delete(step.device)


def _reset_mtu(host: Host, step: network_steps.ResetMtu) -> None:
    link = host.link.get(step.device)
    if link is not None:
        parent = host.link.get(link.parent) if link.parent else None
        host.link.set_mtu(step.device, parent.mtu if parent else STANDARD_MTU)


def _delete_address(host: Host, step: network_steps.DeleteAddress) -> None:
    link = host.link.get(step.device)
    if link is not None and step.address in link.addresses:
        host.link.delete_address(step.device, step.address)


def _add_route(host: Host, step: network_steps.AddRoute) -> None:
    # Gone with its interface, it comes back with it.
    if host.link.get(step.route.device) is not None:
        host.link.add_route(step.route)


def _delete_route(host: Host, step: network_steps.DeleteRoute) -> None:
    if any(step.route.destination == route.destination for route in host.link.routes()):
        host.link.delete_route(step.route)


def _reload_units(host: Host, _step: network_steps.ReloadUnits) -> None:
    host.systemd.daemon_reload()


def _switch_unit(host: Host, step: network_steps.SwitchUnit) -> None:
    getattr(host.systemd, step.verb)(step.unit)


NETWORK_EFFECTS: dict[type[steps.Step], t.Callable[[Host, t.Any], str | None]] = {
    network_steps.RunScript: _run_script,
    network_steps.LoadRules: _load_rules,
    network_steps.WithdrawRules: _withdraw_rules,
    network_steps.ChangeElements: _change_elements,
    network_steps.AddBlocks: _add_blocks,
    network_steps.DeleteBlocks: _delete_blocks,
    network_steps.DeleteLink: _delete_link,
    network_steps.ResetMtu: _reset_mtu,
    network_steps.DeleteAddress: _delete_address,
    network_steps.AddRoute: _add_route,
    network_steps.DeleteRoute: _delete_route,
    network_steps.ReloadUnits: _reload_units,
    network_steps.SwitchUnit: _switch_unit,
}
