# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Definitions of peers, from the form of users to the options that the comparison accepts."""

from __future__ import annotations

import hashlib
import multiprocessing
import typing as t
from collections.abc import Mapping, Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._compare.definition import Peer, peer
from ..module_utils._errors import ModelError
from ..module_utils._model.capabilities import Capabilities, release_of
from ..module_utils._module.given import (
    check_numbers,
    check_text,
    check_texts,
    explained,
    subject_of,
    unknown_option,
)
from ..module_utils._module.spec import (
    IPSEC_PHASE1,
    IPSEC_PHASE2,
    IPSEC_SETTINGS,
    VPN_NETWORK,
    Spec,
)

_LISTS = {
    "networks": "gateway_networks",
    "settings": "gateway_settings",
    "phase1": "gateway_phase1",
}
_FORMS = "Give the variables of a host with gateway_phase1, or the options of one phase 1."

_HOST = "inventory_hostname"
# Of a host, and of one tunnel.
_CAPABILITIES = ("gateway_capabilities", "capabilities")
_FINGERPRINTS = ("psk_fingerprint", "ppk_fingerprint")

# Defaults for options that the definition of a third party may lack, because no peer needs them.
_DEFAULTS = {"name": "tunnel", "network": "lan"}


def name_of(definition: t.Any, default: str) -> str:
    """Return the name of a peer: the name of its host, or else its side."""
    name = definition.get(_HOST) if isinstance(definition, Mapping) else None
    return str(name or default)


def read(name: str, definition: t.Any, *, single: bool = True) -> Peer:
    """Return the peer of a definition, or raise ModelError with the object and the option.

    With ``single`` a definition of one phase 1 that is not a host is one end of a tunnel.
    """
    if not isinstance(definition, Mapping):
        problem = f"is of type {type(definition).__name__}, not a definition of a peer"
        raise ModelError("", None, problem, _FORMS)
    sheet = "remote_gateway" in definition
    if not sheet and "gateway_phase1" not in definition:
        raise ModelError("gateway_phase1", None, "is missing", _FORMS)
    own = {key: definition[key] for key in definition if key != "capabilities"} if sheet else {}
    values = {"gateway_phase1": [plain(own)]} if sheet else definition
    lists = {key: _entries(values, variable) for key, variable in _LISTS.items()}
    # Peers may use the address that Ansible uses.
    address_variables = () if sheet else ("ansible_host", _HOST)
    options = {
        "networks": [typed(VPN_NETWORK, item, "network") for item in lists["networks"]],
        "settings": [typed(IPSEC_SETTINGS, item, "IPsec settings") for item in lists["settings"]],
        "phase1": [_phase1(item) for item in lists["phase1"]],
        "addresses": [str(definition[key]) for key in address_variables if key in definition],
        "single": single and _HOST not in definition and len(lists["phase1"]) == 1,
        "capabilities": _capabilities(_CAPABILITIES[sheet], definition),
        "salt": _salt_of_run(),
    }
    return peer(name, options)


def _capabilities(variable: str, definition: Mapping[str, t.Any]) -> Capabilities:
    """Return the capabilities of the IKE daemon; no limits if the definition has none."""
    given = definition.get(variable) or {}
    if not isinstance(given, Mapping):
        raise ModelError(variable, given, "is not a dictionary", _RELEASE)
    version, ike_versions = given.get("version") or "", given.get("ike_versions") or None
    if not isinstance(version, str) or bool(version) != bool(release_of(version)):
        raise ModelError(f"{variable}.version", version, "is not a release of strongSwan", _RELEASE)
    listed = isinstance(ike_versions, Sequence) and {*map(str, ike_versions)} <= {"1", "2"}
    if ike_versions is not None and not listed:
        fix = "Write a list such as [1, 2]."
        raise ModelError(f"{variable}.ike_versions", ike_versions, "is not a list of versions", fix)
    return Capabilities.stated(version, ike_versions and map(int, ike_versions))


def _salt_of_run() -> bytes:
    """Return 32 bytes that are the same in all processes of one ansible-playbook, and in no file.

    Python draws this key at random when the program starts. The processes that Ansible forks for
    its tasks inherit it. The digest keeps the key itself out of our hands.
    """
    key = multiprocessing.current_process().authkey
    return hashlib.sha256(b"tunnelwright.ipsec" + bytes(key)).digest()


def _entries(definition: Mapping[str, t.Any], variable: str) -> list[Mapping[str, t.Any]]:
    # A copy of all variables of a host would take long.
    entries = plain(definition.get(variable)) or []
    if not _is_list_of_mappings(entries):
        raise ModelError(variable, None, "is not a list of dictionaries", _ENTRIES)
    return list(entries)


def _phase1(values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a phase 1 with its phase 2 objects and the fingerprints of keys."""
    own = {key: values[key] for key in values if key not in ("phase2", *_FINGERPRINTS)}
    options = typed(IPSEC_PHASE1, {**_DEFAULTS, **own}, "phase 1")
    owner = {"phase1": options["name"], "network": options["network"]}
    children = _entries(values, "phase2")
    fingerprints = {option: values.get(option) for option in _FINGERPRINTS}
    for option, value in fingerprints.items():
        if value is not None:
            check_text(option, value, subject_of(IPSEC_PHASE1, options))
    return {
        **options,
        **fingerprints,
        "phase2": [
            typed(IPSEC_PHASE2, {**_DEFAULTS, **item, **owner}, "phase 2") for item in children
        ],
    }


def typed(spec: Spec, definition: Mapping[str, t.Any], kind: str) -> dict[str, t.Any]:
    """Return the options in the form of their module, with its defaults.

    Raises ModelError for an option that is unknown, missing or of another type.
    """
    values = {option: value for option, value in definition.items() if value is not None}
    subject = f"{kind} {values.get('name') or values.get('network')}"
    for option, value in values.items():
        argument = spec.argument_spec.get(option)
        if argument is None:
            raise unknown_option(str(option), spec, subject)
        if "options" in argument and not _is_list_of_mappings(value):
            problem = "is not a list of combinations of algorithms"
            raise ModelError(option, value, problem, _ALGORITHMS, subject)
    for option in _required(spec, values):
        if option not in values:
            fix = f"Give the {option} of the {kind}."
            raise ModelError(option, None, "is missing", fix, subject)
    check_texts(spec, values)
    check_numbers(spec, values)
    validator = ArgumentSpecValidator(spec.argument_spec, required_if=list(spec.required_if))
    result = validator.validate(values)
    if result.error_messages:
        problem = explained("; ".join(result.error_messages), spec, values)
        fix = f"See `ansible-doc tunnelwright.ipsec.{_MODULES[kind]}`."
        raise ModelError("", None, f"invalid options: {problem}", fix, subject)
    return dict(result.validated_parameters)


def _required(spec: Spec, values: Mapping[str, t.Any]) -> t.Iterator[str]:
    yield from (
        option for option, argument in spec.argument_spec.items() if argument.get("required")
    )
    for option, value, needed in spec.required_if:
        if values.get(option) in (value, None):
            yield from needed


_MODULES = {
    "network": "vpn_network",
    "IPsec settings": "ipsec_settings",
    "phase 1": "ipsec_phase1",
    "phase 2": "ipsec_phase2",
    "rule": "vpn_rule",
}
_RELEASE = "Write the release as text, such as {version: '6.1.0'}, or remove it."
_ENTRIES = "Write a list of dictionaries, each with the options of its module."
_ALGORITHMS = (
    "Write a list such as [{algorithm: aes, key_length: 256, hash: sha256, dh_group: 14}]."
)


def _is_list_of_mappings(value: t.Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return listed and all(isinstance(item, Mapping) for item in value)


def plain(value: t.Any) -> t.Any:
    """Return the value as plain lists and dictionaries, which Ansible copies faster."""
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value
