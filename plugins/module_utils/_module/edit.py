# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The edit of a module, without the host."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._host.host import Host
from .._host.kernel.link import IPInterface
from .._model.capabilities import Capabilities, derivable
from .._model.gateway import Gateway
from .._model.selector import TrafficSelector
from .._plan.observed import Observed
from .._plan.scope import Scope
from .._plan.selectors import Selectors


class Params(dict[str, t.Any]):
    """The options of a task or of an entry, with the defaults of the module.

    ``given`` are the options that the task itself gives. An option that is null is left out.
    ``place`` is the place of an entry in its task (``phase1[17]``), empty for a whole task.
    """

    def __init__(
        self, options: t.Mapping[str, t.Any], task: t.Mapping[str, t.Any], place: str = ""
    ) -> None:
        super().__init__(options)
        self.given = frozenset(name for name in options if task.get(name) is not None)
        self.place = place

    def said(self, **others: t.Any) -> dict[str, t.Any]:
        """Return the given options alone, with ``others`` in the place of theirs."""
        return {**{name: self[name] for name in self.given}, **others}


@dataclass(frozen=True)
class Edit:
    """The Gateway as the options want it, and what the module answers for.

    ``result`` is returned under the name of the object, without secrets. ``certified`` are the
    phase 1 objects whose certificates come from the files that their options name, which may be new
    ones. Every other keeps the copies that it has. ``apply`` has the option of this name by the
    path of a file under conf.d, for tasks with several objects.
    """

    gateway: Gateway
    scope: Scope
    result: t.Mapping[str, t.Any]
    warnings: tuple[str, ...] = ()
    certified: frozenset[str] = frozenset()
    apply: t.Mapping[str, str] = field(default_factory=dict)


class Asked:
    """The answers of the host for the checks of all objects. The host gets each question once."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lacking: dict[tuple[TrafficSelector, ...], list[str]] = {}

    @cached_property
    def capabilities(self) -> Capabilities:
        return self._host.capabilities()

    @cached_property
    def algorithms(self) -> dict[str, frozenset[str]]:
        """Return the usable algorithms. A phase 1 of IKEv2 needs no other answer."""
        vici = self._host.vici
        return derivable(vici.algorithms(), vici.plugins)

    @cached_property
    def interfaces(self) -> tuple[IPInterface, ...]:
        """Return every address of the host with its network."""
        return self._host.link.interfaces()

    @cached_property
    def addresses(self) -> frozenset[str]:
        return self._host.link.addresses()

    def without_address(self, networks: tuple[TrafficSelector, ...], gateway: Gateway) -> list[str]:
        """Return the networks in which this host has no address.

        The networks of ``gateway``, which is the same in each call, have their addresses by then.
        """
        if networks not in self._lacking:
            started = (item for item in gateway.networks.values() if item.started)
            brought = {str(item.ip_address) for item in started if item.ip_address}
            self._lacking[networks] = without_address(networks, self.addresses | brought)
        return self._lacking[networks]


def without_address(networks: t.Iterable[TrafficSelector], addresses: t.Iterable[str]) -> list[str]:
    """Return the networks that contain none of the addresses."""
    own = [item.split("%")[0] for item in addresses]
    return [
        text
        for text in map(str, networks)
        if not any(Selectors.of([text], ()).covers(address, "") for address in own)
    ]


@dataclass(frozen=True)
class View:
    """An edit with the state of the host, for the checks that need the host.

    ``described`` is False for the check of an object that the task starts and does not describe.
    """

    current: Gateway
    edit: Edit
    params: Params
    observed: Observed
    userspace: bool
    asked: Asked
    described: bool = True
