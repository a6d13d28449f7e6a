# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The variables of role gateway, judged without a host: every error, each with its place.

Each entry is an edit of the Gateway, as it is on the host: the same code says the same of it. What
is there besides is known by its names alone, so that what depends on more is left to the modules.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..module_utils._errors import ModelError
from ..module_utils._model import checks
from ..module_utils._model.authentication import PSK
from ..module_utils._model.child import ChildSa
from ..module_utils._model.connection import IkeConnection
from ..module_utils._model.gateway import Gateway
from ..module_utils._model.network import VpnNetwork
from ..module_utils._model.platform import DEBIAN
from ..module_utils._model.secret import Secret
from ..module_utils._module.edit import Params
from ..module_utils._module.network import NetworkResource
from ..module_utils._module.phase1 import Phase1Resource
from ..module_utils._module.phase2 import Phase2Resource
from ..module_utils._module.resource import Resource
from ..module_utils._module.rule import RuleResource
from ..module_utils._module.settings import SettingsResource
from ._definition import nearest, plain, typed

Made = dict[str, t.Any]
Given = Mapping[str, t.Any]

LISTS = ("gateway_networks", "gateway_settings", "gateway_phase1", "gateway_rules")
# With those that are no lists, all variables of the role.
ROLE_VARIABLES = (
    *LISTS,
    "gateway_confirm_timeout",
    "gateway_psk_directory",
    "gateway_remove_packages",
    "gateway_vici_digest",
    "gateway_verify",
    "gateway_verify_timeout",
)
# Those of the playbooks, and what the documentation of the collection suggests.
PLAYBOOK_VARIABLES = (
    "gateway_archive",
    "gateway_hosts",
    "gateway_seconds",
    "gateway_status_mode",
    "gateway_status_page",
    "gateway_status_title",
    "gateway_strict",
)

# How many errors are told at once.
_MOST = 20
_ENTRIES = "Write a list of dictionaries, each with the options of its module."
# In an entry of them alone an object is switched or removed, and the rest of it stays.
_SWITCH = {"name", "network", "phase1", "state", "force", "apply", "weak_crypto", "phase2"}
_SWITCHED = ("absent", "disabled", "stopped")
_ANY_VERSION = frozenset({2})


def judge(definition: Given, host: Given, names: t.Iterable[str]) -> Made:
    """``errors`` and ``warnings``, one text each, and in ``summary`` how much there is.

    ``host`` has the names of the ``networks`` and ``phase1`` objects that are there already;
    ``names`` are those of variables that are set, to find the misspelt ones.
    """
    judgement = _Judgement(host)
    errors, warnings = _misspelt(definition, names)
    for variable, judged in (
        ("gateway_networks", judgement.network),
        ("gateway_settings", judgement.settings),
        ("gateway_phase1", judgement.phase1),
        ("gateway_rules", judgement.rule),
    ):
        for place, entry in judgement.entries(variable, definition.get(variable)):
            judged(place, entry)
    errors += judgement.errors
    more = [f"and {len(errors) - _MOST} more"] if len(errors) > _MOST else []
    return {
        "errors": [*errors[:_MOST], *more],
        "warnings": warnings,
        "summary": _summary(judgement.counts),
    }


def _misspelt(definition: Given, names: t.Iterable[str]) -> tuple[list[str], list[str]]:
    """A name that is nearly one of the role is an error, unless that one is in use as well."""
    errors, warnings = [], []
    for name in sorted({*names} - {*ROLE_VARIABLES, *PLAYBOOK_VARIABLES}):
        stem = nearest(_stem(name), map(_stem, ROLE_VARIABLES))
        fix = f"Write gateway_{stem}, if that is meant." if stem else "Remove it."
        text = f"{name}: is not a variable of the role. {fix}"
        if stem and not definition.get(f"gateway_{stem}"):
            errors.append(text)
        else:
            warnings.append(text)
    return errors, warnings


def _stem(name: str) -> str:
    return name.replace("gateway_", "", 1)


def _summary(counts: Counter[str]) -> str:
    kinds = [("network", "s"), ("phase 1", ""), ("phase 2", ""), ("rule", "s")]
    return ", ".join(
        f"{counts[kind]} {kind}{plural if counts[kind] != 1 else ''}" for kind, plural in kinds
    )


class _Judgement:
    """The Gateway as the entries make it, one after the other, in the order of the role."""

    def __init__(self, host: Given) -> None:
        self.errors: list[str] = []
        self.counts: Counter[str] = Counter()
        self._known_phase1 = {*host.get("phase1", ())}
        self._known_networks = {*host.get("networks", ())}
        self._gateway = Gateway({name: _stub(name) for name in self._known_networks})
        # A network whose name is wrong may be the one that an entry means.
        self._nameless = False
        self._places: dict[tuple[str, ...], str] = {}

    # --- One list, and one entry of each

    def entries(self, place: str, given: t.Any) -> t.Iterator[tuple[str, Given]]:
        """Those that are entries, each with its place; null is an empty list."""
        given = plain(given)
        if given is None:
            return
        if not isinstance(given, Sequence) or isinstance(given, str):
            self._refuse(place, ModelError("", None, "is not a list", _ENTRIES))
            return
        for index, entry in enumerate(given):
            if isinstance(entry, Mapping):
                yield f"{place}[{index}]", entry
            else:
                self._refuse(
                    f"{place}[{index}]", ModelError("", None, "is not a dictionary", _ENTRIES)
                )

    def network(self, place: str, given: Given) -> None:
        name = given.get("name")
        known = _named(name) and name in self._known_networks
        if known and _switches(given):
            self._count("network", given)
            if given["state"] == "absent":
                rest = {key: it for key, it in self._gateway.networks.items() if key != name}
                self._gateway = replace(self._gateway, networks=rest)
        elif not self._edited(place, NetworkResource(), "network", given):
            self._assume_network(name)
            self._nameless |= not _named(name) or name not in self._gateway.networks

    def settings(self, place: str, given: Given) -> None:
        self._edited(place, SettingsResource(), "IPsec settings", given)

    def phase1(self, place: str, given: Given) -> None:
        own = {key: given[key] for key in given if key != "phase2"}
        name, absent = own.get("name"), own.get("state") == "absent"
        known = _named(name) and name in self._known_phase1
        keeps = own.get("psk") is None and own.get("authentication", PSK) == PSK
        if known and (_switches(own) or keeps):
            good = self._judged(place, "phase 1", own, lambda: self._edit_known(own))
        else:
            good = self._edited(place, Phase1Resource(), "phase 1", own)
        owner = {"phase1": name or _UNNAMED, "network": own.get("network") or _UNNAMED}
        for where, entry in self.entries(f"{_title(place, name)}, phase2", given.get("phase2")):
            if not absent:
                self._phase2(where, {**entry, **owner}, judged=good, known=known)

    def _phase2(self, place: str, given: Given, *, judged: bool, known: bool) -> None:
        if known and _switches(given):
            self._count("phase 2", given)
        elif judged:
            self._edited(place, Phase2Resource(), "phase 2", given)
        else:
            # The error of its phase 1 is told. What can be said of it alone is said.
            self._judged(place, "phase 2", given, lambda: _alone(given))

    def rule(self, place: str, given: Given) -> None:
        if _switches(given) and str(given.get("network")) in self._known_networks:
            self._count("rule", given)
        else:
            self._edited(place, RuleResource(), "rule", given)

    # --- What they share

    def _edited(self, place: str, resource: Resource, kind: str, given: Given) -> bool:
        def edit() -> None:
            params = Params(typed(resource.spec, given, kind), given)
            # Only the scope of an edit depends on the platform, and the scope is not used here.
            self._gateway = resource.edit(self._gateway, params, DEBIAN).gateway

        if self._nameless:
            self._assume_network(given.get("network"))
        return self._judged(place, kind, given, edit)

    def _judged(self, place: str, kind: str, given: Given, edit: t.Callable[[], None]) -> bool:
        try:
            self._check_once(place, kind, given)
            edit()
        except ModelError as error:
            name = given.get("network" if kind == "IPsec settings" else "name")
            self._refuse(_title(place, name), error)
            return False
        self._count(kind, given)
        return True

    def _check_once(self, place: str, kind: str, given: Given) -> None:
        """One of two entries for the same object would undo the other in every run."""
        parts = {"network": ("name",), "phase 1": ("name",), "IPsec settings": ("network",)}
        option, *more = parts.get(kind, ("name", "network", "phase1"))
        key = (kind, *(str(given.get(part)) for part in (option, *more)))
        if given.get(option) is not None and self._places.setdefault(key, place) != place:
            problem = f"is the {option} of {self._places[key]} too"
            fix = "Define each object in one entry only."
            raise ModelError(option, given.get(option), problem, fix)

    def _refuse(self, title: str, error: ModelError) -> None:
        # The place says what the subject of the error would say.
        placed = ModelError(error.option, error.value, error.problem, error.fix, title)
        self.errors.append(str(placed))

    def _count(self, kind: str, given: Given) -> None:
        self.counts[kind] += given.get("state") != "absent"

    def _assume_network(self, name: t.Any) -> None:
        """So that what is in the network is not called wrong as well."""
        try:
            legal = checks.network_name("name", name)
        except ModelError:
            return
        if legal not in self._gateway.networks:
            networks = {**self._gateway.networks, legal: _stub(legal)}
            self._gateway = replace(self._gateway, networks=networks)

    def _edit_known(self, given: Given) -> None:
        """A phase 1 that keeps something that the host alone knows, at least its key."""
        params = typed(Phase1Resource.spec, given, "phase 1")
        name, network = params["name"], params["network"]
        if params["state"] == "absent":
            return
        stub = IkeConnection(name=name, network=network, remote_gateway="192.0.2.1", psk=_UNTOLD)
        after = stub
        if params["remote_gateway"] is not None:
            after = IkeConnection.from_options(params, stub)
        connections = {**self._gateway.connections, name: replace(after, psk=None)}
        self._gateway = replace(self._gateway, connections=connections)


_UNTOLD = Secret(b"not told")
_UNNAMED = "unnamed"


def _title(place: str, name: t.Any) -> str:
    """The place with the name in the entry, if that is fit to be shown."""
    fit = _named(name) and name.isprintable() and 0 < len(name) <= 64
    return f"{place} {name}" if fit else place


def _named(name: t.Any) -> bool:
    return isinstance(name, str)


def _stub(name: str) -> VpnNetwork:
    """A network of which nothing is known but that it is there."""
    return VpnNetwork(name, ip_address_type="none", interface_network="unknown")


def _switches(given: Given) -> bool:
    return given.keys() <= _SWITCH and given.get("state") in _SWITCHED


def _alone(given: Given) -> None:
    owner = {"phase1": _UNNAMED, "network": _UNNAMED}
    params = typed(Phase2Resource.spec, {**given, **owner}, "phase 2")
    if params["state"] != "absent":
        ChildSa.from_options(params, _ANY_VERSION)
