# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The edit of ipsec_gateway: all entries of a task as one edit of the Gateway.

Only the Gateway after all entries is checked, so that two objects may exchange their addresses or
networks in one task. An entry that is refused does not hide the errors of the other entries.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._errors import ModelError
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.interface_users import check_interfaces_kept
from .._model.network import VpnNetwork
from .._model.options import option_values
from .._model.platform import Platform
from .._model.subject import network_subject, phase1_subject, phase2_subject
from .._plan.scope import Scope, network_scope
from . import phase1, phase2
from .edit import Edit, Params
from .entries import ErrorList, check_once, label
from .keys import check_connection, check_start
from .network import wanted as wanted_network
from .rule import RuleResource
from .settings import SettingsResource
from .spec import POLICY

_Named = t.TypeVar("_Named", VpnNetwork, IkeConnection)

_NO_PLACE = "gateway"


class GatewayEdit:
    """The Gateway after each kind of entry, with warnings and errors."""

    def __init__(self, current: Gateway, params: Params, platform: Platform) -> None:
        self._current = current
        self._params = params
        self._platform = platform
        self._state: str = params["state"]
        self._errors = ErrorList()
        self._warnings: list[str] = []
        self._certified: set[str] = set()
        self.gateway = current

    def made(self) -> Edit:
        """Return the edit. Raises EntryErrors with the errors of all entries."""
        check_once(self._params, self._errors)
        self._remove()
        if self._state != "deleted":
            self._set_networks()
            self._set_settings()
            self._set_tunnels()
            self._set_rules()
        self._check_interfaces()
        self._check_last_tunnel()
        self._errors.raise_all()
        gateway, certified = self.gateway.in_file_order(), frozenset(self._certified)
        return Edit(gateway, self._scope(), {}, tuple(self._warnings), certified, self._apply())

    def _apply(self) -> dict[str, str]:
        """Return ``apply`` of the entries with it, by path. A phase 1 counts before its phase 2."""
        found = {}
        for entry in self._params["phase1"]:
            path = self._platform.connection_path(entry["name"])
            for one in (*entry["phase2"], entry):
                if "apply" in one.given:
                    found[path] = one["apply"]
        return found

    def _entries(self, option: str, *, absent: bool = False) -> t.Iterator[Params]:
        """Yield the entries of one list that are to exist, or that are to be absent."""
        for entry in self._params[option]:
            gone = self._state == "deleted" or entry.get("state") == "absent"
            if gone is absent:
                yield entry

    def _remove(self) -> None:
        """Remove absent objects, and with state overridden the objects that no entry names."""
        for entry in self._entries("rules", absent=True):
            self.gateway = self.gateway.without_rule(entry["network"], entry["name"])
        for entry in self._entries("settings", absent=True):
            self.gateway = self.gateway.without_settings(entry["network"])
        for entry in self._entries("phase1", absent=True):
            with self._noting(entry):
                phase1.known_phase1(self.gateway, entry["name"], entry["network"])
                self.gateway = self.gateway.without_connection(entry["name"])
        if self._state == "overridden":
            self._remove_unnamed()
        for entry in self._entries("networks", absent=True):
            force = self._state == "deleted" or entry["force"]
            with self._noting(entry):
                if entry["name"] in self.gateway.networks:
                    self.gateway = self.gateway.without_network(entry["name"], force=force)

    def _remove_unnamed(self) -> None:
        rules = {(entry["network"], entry["name"]) for entry in self._params["rules"]}
        for network, known in self._current.rules.items():
            for rule in known:
                if (network, rule.name) not in rules:
                    self.gateway = self.gateway.without_rule(network, rule.name)
        for name in self._current.connections.keys() - _names(self._params["phase1"]):
            self.gateway = self.gateway.without_connection(name)
        for name in self._current.settings.keys() - _names(self._params["settings"], "network"):
            self.gateway = self.gateway.without_settings(name)
        for name in self._current.networks.keys() - _names(self._params["networks"]):
            self.gateway = self.gateway.without_network(name, force=True)

    def _set_networks(self) -> None:
        made: dict[str, VpnNetwork] = {}
        for entry in self._entries("networks"):
            with self._noting(entry):
                network = self._network(entry)
                made[network.name] = network
        before = self.gateway
        self._checked(made, self.gateway.with_networks, "networks")
        for name, network in made.items():
            known = before.networks.get(name)
            if network.started and known is not None and not known.started:
                with self._noting(self._entry("networks", name)):
                    check_start(name, self.gateway)

    def _network(self, entry: Params) -> VpnNetwork:
        known = self.gateway.networks.get(entry["name"])
        if known is None or self._state != "merged":
            return wanted_network(known, entry)
        power = {"state": known.state} if entry["state"] == "present" else {}
        return known.changed(entry.said(**power))

    def _set_settings(self) -> None:
        for entry in self._entries("settings"):
            with self._noting(entry):
                options = entry
                if self._state == "merged":
                    # The conf texts are no part of ``to_options``, which has no secrets.
                    known = option_values(self.gateway.settings_of(entry["network"]))
                    options = Params({**entry, **known, **entry.said()}, entry, entry.place)
                edit = SettingsResource().edit(self.gateway, options, self._platform)
                self.gateway = edit.gateway
                self._warnings += edit.warnings

    def _set_tunnels(self) -> None:
        made: dict[str, IkeConnection] = {}
        for entry in self._entries("phase1"):
            with self._noting(entry):
                connection = self._connection(entry)
                made[connection.name] = connection
        self._checked(made, self.gateway.with_tunnels, "phase1")
        for entry in self._entries("phase1"):
            if entry["name"] not in made:
                continue
            connection = self.gateway.connections[entry["name"]]
            with self._noting(entry):
                check_connection(connection, self.gateway)
                options = self._with_defaults(entry)
                self._warnings += phase1.warnings_about(connection, options, self.gateway)
                self._certified |= phase1.certified(entry)

    def _connection(self, entry: Params) -> IkeConnection:
        known = phase1.known_phase1(self.gateway, entry["name"], entry["network"])
        if known is not None and self._state == "merged":
            connection = known.changed(entry.said())
        else:
            connection = phase1.wanted(known, entry)
        if self._state == "overridden":
            named = _names(entry["phase2"])
            kept = tuple(child for child in connection.children if child.name in named)
            connection = replace(connection, children=kept)
        said = self._with_defaults(entry)["quantum_safe"]
        for child_entry in entry["phase2"]:
            connection = self._with_child(connection, child_entry, said)
        return connection

    def _with_child(self, connection: IkeConnection, entry: Params, said: str) -> IkeConnection:
        if entry.get("state") == "absent":
            return connection.without_child(entry["name"])
        place = {"phase1": connection.name, "network": connection.network}
        options = Params({**entry, **place}, {**entry, **place}, entry.place)
        options.given = entry.given
        try:
            known = connection.child(entry["name"])
            if known is not None and self._state == "merged":
                child = known.changed(entry.said(), connection.versions)
            else:
                child = phase2.wanted(connection, options)
            policies = self._with_defaults(options)
            self._warnings += phase2.warnings_about(child, connection, policies, said)
            return connection.with_child(child)
        except ModelError as error:
            self._errors.add(label(entry.place, entry), error)
            return connection

    def _set_rules(self) -> None:
        for entry in self._entries("rules"):
            with self._noting(entry):
                known = self.gateway.rule(entry["network"], entry["name"])
                if known is not None and self._state == "merged":
                    self.gateway = self.gateway.with_rule(known.changed(entry.said()))
                else:
                    edit = RuleResource().edit(self.gateway, entry, self._platform)
                    self.gateway = edit.gateway

    def _with_defaults(self, entry: Params) -> Params:
        """Return the entry with the policies of the task, if the entry has none."""
        given = entry.given
        policies = {name: self._params[name] for name in POLICY if name not in given}
        options = Params({**entry, **policies}, entry, entry.place)
        options.given = given
        return options

    def _checked(
        self,
        made: dict[str, _Named],
        together: t.Callable[[t.Iterable[_Named]], Gateway],
        option: str,
    ) -> None:
        """Set objects together. Leave out refused objects, so that every error is found."""
        labels = self._labels(option)
        while made and not self._errors.full:
            try:
                self.gateway = together(made.values())
            except ModelError as error:
                self._errors.add(labels.get(error.subject, _NO_PLACE), error)
                name = next((key for key, item in made.items() if _concerns(item, error)), "")
                made.pop(name or next(iter(made)))
            else:
                return

    def _labels(self, option: str) -> dict[str, str]:
        """Return the entries of a list by the subject of their objects."""
        found = {}
        for entry in self._params[option]:
            name = entry["name"]
            subject = network_subject(name) if option == "networks" else phase1_subject(name)
            found[subject] = label(entry.place, entry)
            for child in entry.get("phase2", ()):
                found[phase2_subject(child["name"], name)] = label(child.place, child)
        return found

    def _entry(self, option: str, name: str) -> Params:
        entries: list[Params] = self._params[option]
        return next(entry for entry in entries if entry["name"] == name)

    @contextlib.contextmanager
    def _noting(self, entry: Params) -> t.Iterator[None]:
        """Note the error of an entry, and continue with the other entries."""
        try:
            yield
        except ModelError as error:
            self._errors.add(label(entry.place, entry), error)

    def _check_interfaces(self) -> None:
        try:
            check_interfaces_kept(self._current, self.gateway)
        except ModelError as error:
            self._errors.add(self._labels("networks").get(error.subject, error.subject), error)

    def _check_last_tunnel(self) -> None:
        """Refuse to remove every tunnel of a host that the task does not name."""
        if self._state != "overridden" or self._params["purge_all"]:
            return
        if self._current.connections and not self.gateway.connections:
            fix = "Describe the tunnels that stay, or set purge_all to true."
            problem = "would remove the last tunnel of this host"
            self._errors.add(_NO_PLACE, ModelError("state", "overridden", problem, fix))

    def _scope(self) -> Scope:
        """Return the scope of all entries, which includes removed objects."""
        networks = _names(self._params["networks"]) | _names(self._params["settings"], "network")
        networks |= {entry["network"] for entry in self._params["rules"]}
        known = self._current.networks.keys() | self.gateway.networks.keys()
        scope = Scope(
            swanctl=frozenset(
                self._platform.connection_path(name) for name in _names(self._params["phase1"])
            )
        )
        for name in sorted(networks & known):
            own = network_scope(name, self._platform)
            scope = Scope(scope.networks | own.networks, scope.swanctl | own.swanctl, own.daemons)
        return scope


def _names(entries: t.Iterable[Params], option: str = "name") -> set[str]:
    return {entry[option] for entry in entries}


def _concerns(item: VpnNetwork | IkeConnection, error: ModelError) -> bool:
    """Return whether an error is about an object, or about a child of it."""
    children = item.children if isinstance(item, IkeConnection) else ()
    return error.subject in (item.subject, *(child.subject for child in children))
