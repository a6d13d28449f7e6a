# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The objects of a network that a change of the network brings into force.

A host is not asked about the objects of a stopped network. The change that starts the network asks
about them, so that check mode finds what the real run would find.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._host.host import Host
from .._model.gateway import Gateway
from .edit import Edit, Params, View
from .phase1 import Phase1Resource
from .resource import Resource
from .rule import RuleResource
from .settings import SettingsResource

# The modules of the objects of a network, by the list of an ipsec_gateway task.
RESOURCES: t.Mapping[str, Resource] = {
    "settings": SettingsResource(),
    "phase1": Phase1Resource(),
    "rules": RuleResource(),
}


class Concerned(t.NamedTuple):
    """An object to check: its list, its options, and its subject.

    An object without an entry in the task has only its name as options. It is not ``described``.
    """

    option: str
    params: Params
    subject: str
    described: bool = False

    def check_host(self, host: Host, view: View) -> list[str]:
        """Ask the host about the object. Returns warnings, raises ModelError."""
        resource = RESOURCES[self.option]
        return resource.check_host(host, self.view(view))

    def view(self, view: View) -> View:
        """Return the view of this object."""
        return replace(view, params=self.params, described=self.described)


def concerned(current: Gateway, edit: Edit) -> t.Iterator[Concerned]:
    """Yield the objects of every network that the edit starts or changes."""
    gateway = edit.gateway
    every = _userspace(current) != _userspace(gateway)
    for network in gateway.networks.values():
        if not network.started or not (every or current.networks.get(network.name) != network):
            continue
        if network.name in gateway.settings:
            subject = gateway.settings[network.name].subject
            yield _object("settings", subject, network=network.name)
        for connection in gateway.connections_of(network.name):
            yield _object("phase1", connection.subject, name=connection.name)
        for rule in gateway.rules.get(network.name, ()):
            yield _object("rules", rule.subject, network=network.name, name=rule.name)


def _userspace(gateway: Gateway) -> bool:
    """Return whether a network asks for the data plane in user space, which all networks share."""
    return any(item.dataplane == "userspace" for item in gateway.networks.values())


def _object(option: str, subject: str, **names: str) -> Concerned:
    return Concerned(option, Params(names, names), subject)
