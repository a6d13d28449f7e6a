# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The validation of the variables of role gateway without a host: every error, with its place.

The code of the modules checks each entry. Existing objects of the host are known only by name.
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
from ..module_utils._module.entries import named
from ..module_utils._module.given import nearest
from ..module_utils._module.network import NetworkResource
from ..module_utils._module.phase1 import Phase1Resource
from ..module_utils._module.phase2 import Phase2Resource
from ..module_utils._module.resource import Resource
from ..module_utils._module.rule import RuleResource
from ..module_utils._module.settings import SettingsResource
from ..module_utils._module.spec import POLICY
from ._definition import plain, typed

Made = dict[str, t.Any]
Options = Mapping[str, t.Any]

LISTS = ("gateway_networks", "gateway_settings", "gateway_phase1", "gateway_rules")
# All variables of the role, lists and others.
ROLE_VARIABLES = (
    *LISTS,
    "gateway_confirm_timeout",
    "gateway_psk_directory",
    "gateway_purge",
    "gateway_purge_all",
    "gateway_quantum_safe",
    "gateway_remove_packages",
    "gateway_vici_digest",
    "gateway_verify",
    "gateway_verify_timeout",
)
# Variables of the playbooks, and names that the documentation of the collection suggests.
PLAYBOOK_VARIABLES = (
    "gateway_archive",
    "gateway_capabilities",
    "gateway_hosts",
    "gateway_seconds",
    "gateway_status_mode",
    "gateway_status_page",
    "gateway_status_title",
    "gateway_strict",
)

# The number of errors that are reported at once.
_MOST = 20
_ENTRIES = "Write a list of dictionaries, each with the options of its module."
# An entry with only these options switches or removes an object, and keeps its other options.
_SWITCH = {"name", "network", "phase1", "state", "force", "phase2", *POLICY}


def validate(definition: Options, host: Options, names: t.Iterable[str]) -> Made:
    """Return ``errors`` and ``warnings`` as texts, and in ``summary`` the number of objects.

    ``host`` has the names of the existing ``networks`` and ``phase1`` objects. ``names`` are the
    names of all variables that are set, to find misspelt names.
    """
    validation = _Validation(host)
    errors, warnings = _misspelt(definition, names)
    for variable, check in (
        ("gateway_networks", validation.network),
        ("gateway_settings", validation.settings),
        ("gateway_phase1", validation.phase1),
        ("gateway_rules", validation.rule),
    ):
        for place, entry in validation.entries(variable, definition.get(variable)):
            check(place, entry)
    errors += validation.errors
    more = [f"and {len(errors) - _MOST} more"] if len(errors) > _MOST else []
    return {
        "errors": [*errors[:_MOST], *more],
        "warnings": warnings,
        "summary": _summary(validation.counts),
    }


def _misspelt(definition: Options, names: t.Iterable[str]) -> tuple[list[str], list[str]]:
    """Return errors and warnings for names that are not variables of the role.

    A name that resembles a variable of the role is an error, unless this variable is set too.
    """
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


class _Validation:
    """The Gateway that results from the entries, one after the other, in the order of the role."""

    def __init__(self, host: Options) -> None:
        self.errors: list[str] = []
        self.counts: Counter[str] = Counter()
        self._known_phase1 = {*host.get("phase1", ())}
        self._known_networks = {*host.get("networks", ())}
        self._gateway = Gateway({name: _stub(name) for name in self._known_networks})
        # Entries may refer to a network whose name has an error.
        self._nameless = False
        self._places: dict[tuple[str, ...], str] = {}

    # --- Lists and entries

    def entries(self, place: str, options: t.Any) -> t.Iterator[tuple[str, Options]]:
        """Yield each entry that is a dictionary, with its place. Null is an empty list."""
        options = plain(options)
        if options is None:
            return
        if not isinstance(options, Sequence) or isinstance(options, str):
            self._refuse(place, ModelError("", None, "is not a list", _ENTRIES))
            return
        for index, entry in enumerate(options):
            if isinstance(entry, Mapping):
                yield f"{place}[{index}]", entry
            else:
                self._refuse(
                    f"{place}[{index}]", ModelError("", None, "is not a dictionary", _ENTRIES)
                )

    def network(self, place: str, options: Options) -> None:
        """Check an entry of gateway_networks."""
        name = options.get("name")
        exists = isinstance(name, str) and name in self._known_networks
        if exists and _switches(options):
            self._count("network", options)
            if options["state"] == "absent":
                rest = {key: it for key, it in self._gateway.networks.items() if key != name}
                self._gateway = replace(self._gateway, networks=rest)
        elif not self._edited(place, NetworkResource(), "network", options):
            self._assume_network(name)
            self._nameless |= not isinstance(name, str) or name not in self._gateway.networks

    def settings(self, place: str, options: Options) -> None:
        """Check an entry of gateway_settings."""
        self._edited(place, SettingsResource(), "IPsec settings", options)

    def phase1(self, place: str, options: Options) -> None:
        """Check an entry of gateway_phase1, with its phase 2 objects."""
        own = {key: options[key] for key in options if key != "phase2"}
        name, absent = own.get("name"), own.get("state") == "absent"
        exists = isinstance(name, str) and name in self._known_phase1
        keeps = own.get("psk") is None and own.get("authentication", PSK) == PSK
        keeps |= own.get("ppk") is None and own.get("ppk_id") is not None
        if exists and (_switches(own) or keeps):
            valid = self._checked(place, "phase 1", own, lambda: self._edit_known(own))
        else:
            valid = self._edited(place, Phase1Resource(), "phase 1", own)
        owner = {"phase1": name or _UNNAMED, "network": own.get("network") or _UNNAMED}
        for where, entry in self.entries(f"{_title(place, name)}, phase2", options.get("phase2")):
            if not absent:
                self._phase2(where, {**entry, **owner}, valid=valid, exists=exists)

    def _phase2(self, place: str, options: Options, *, valid: bool, exists: bool) -> None:
        if exists and _switches(options):
            self._count("phase 2", options)
        elif valid:
            self._edited(place, Phase2Resource(), "phase 2", options)
        else:
            # Its phase 1 has an error that is reported. Only its own options can be checked.
            self._checked(place, "phase 2", options, lambda: _alone(options))

    def rule(self, place: str, options: Options) -> None:
        """Check an entry of gateway_rules."""
        if _switches(options) and str(options.get("network")) in self._known_networks:
            self._count("rule", options)
        else:
            self._edited(place, RuleResource(), "rule", options)

    # --- Checks of every entry

    def _edited(self, place: str, resource: Resource, kind: str, options: Options) -> bool:
        def edit() -> None:
            params = Params(typed(resource.spec, options, kind), options)
            # Only the scope of an edit depends on the platform, and the scope is not used here.
            self._gateway = resource.edit(self._gateway, params, DEBIAN).gateway

        if self._nameless:
            self._assume_network(options.get("network"))
        return self._checked(place, kind, options, edit)

    def _checked(self, place: str, kind: str, options: Options, edit: t.Callable[[], None]) -> bool:
        try:
            self._check_once(place, kind, options)
            edit()
        except ModelError as error:
            name = options.get("network" if kind == "IPsec settings" else "name")
            self._refuse(_title(place, name), error)
            return False
        self._count(kind, options)
        return True

    def _check_once(self, place: str, kind: str, options: Options) -> None:
        """Raise ModelError for a second entry of an object, which would undo the first."""
        parts = {"network": ("name",), "phase 1": ("name",), "IPsec settings": ("network",)}
        option, *more = parts.get(kind, ("name", "network", "phase1"))
        key = (kind, *(str(options.get(part)) for part in (option, *more)))
        if options.get(option) is not None and self._places.setdefault(key, place) != place:
            problem = f"is the {option} of {self._places[key]} too"
            raise ModelError(
                option, options[option], problem, "Define each object in one entry only."
            )

    def _refuse(self, title: str, error: ModelError) -> None:
        # The place replaces the subject of the error.
        self.errors.append(str(named(error, title)))

    def _count(self, kind: str, options: Options) -> None:
        self.counts[kind] += options.get("state") != "absent"

    def _assume_network(self, name: t.Any) -> None:
        """Add a network whose entry has an error, so that its tunnels get no error from that."""
        try:
            legal = checks.network_name("name", name)
        except ModelError:
            return
        if legal not in self._gateway.networks:
            networks = {**self._gateway.networks, legal: _stub(legal)}
            self._gateway = replace(self._gateway, networks=networks)

    def _edit_known(self, options: Options) -> None:
        """Edit a phase 1 that keeps values which only the host knows, at least its key."""
        params = typed(Phase1Resource.spec, options, "phase 1")
        name, network = params["name"], params["network"]
        if params["state"] == "absent":
            return
        stub = IkeConnection(name, network, "192.0.2.1", psk=_UNKNOWN_SECRET, ppk=_UNKNOWN_PPK)
        after = stub
        if params["remote_gateway"] is not None:
            after = IkeConnection.from_options(params, stub)
        ppk = None if after.ppk == _UNKNOWN_PPK else after.ppk
        connections = {**self._gateway.connections, name: replace(after, psk=None, ppk=ppk)}
        self._gateway = replace(self._gateway, connections=connections)


_UNKNOWN_SECRET, _UNKNOWN_PPK = Secret(b"unknown"), Secret(b"unknown PPK")
_UNNAMED = "unnamed"


def _title(place: str, name: t.Any) -> str:
    """Return the place, with the name in the entry if it is short and printable."""
    fit = isinstance(name, str) and name.isprintable() and 0 < len(name) <= 64
    return f"{place} {name}" if fit else place


def _stub(name: str) -> VpnNetwork:
    """Return a network of which only the name is known."""
    return VpnNetwork(name, ip_address_type="none", interface_network="unknown")


def _switches(options: Options) -> bool:
    return options.keys() <= _SWITCH and options.get("state") in ("absent", "disabled", "stopped")


def _alone(options: Options) -> None:
    owned = {**options, "phase1": _UNNAMED, "network": _UNNAMED}
    params = typed(Phase2Resource.spec, owned, "phase 2")
    if params["state"] != "absent":
        ChildSa.from_options(params, frozenset({2}))
