# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the model, of the specification and of the documentation are the same."""

from __future__ import annotations

import typing as t
from dataclasses import fields

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.algorithms import (
    DH,
    ENCRYPTIONS,
    HASHES,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.child import ChildSa
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.network import VpnNetwork
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.options import defaults
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.proposal import Proposal
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.rule import VpnRule
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import spec
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.documents import (
    RESOURCES,
    SPECS,
    documentation,
    validated,
)

MODELS: dict[str, type] = {
    "vpn_network": VpnNetwork,
    "ipsec_settings": IpsecSettings,
    "ipsec_phase1": IkeConnection,
    "ipsec_phase2": ChildSa,
    "vpn_rule": VpnRule,
}
# Options that control how a change is made, not its result. NO_OPTIONS are fields of the model.
MANNERS = {
    "vpn_network": {"force"},
    "ipsec_settings": set(),
    "ipsec_phase1": {"weak_crypto", "quantum_safe", "apply"},
    "ipsec_phase2": {"weak_crypto", "quantum_safe", "apply"},
    "vpn_rule": set(),
}
NO_OPTIONS = {"children"}
# The model has these defaults. They distinguish "left out" from every value.
NOTHING = (None, "", ())

every_module = pytest.mark.parametrize("module", MODELS)


def test_every_module_has_a_model() -> None:
    assert RESOURCES.keys() == MODELS.keys()


@every_module
def test_options_are_the_fields_of_the_model(module: str) -> None:
    names = {item.name for item in fields(MODELS[module])} - NO_OPTIONS
    assert RESOURCES[module].spec.argument_spec.keys() - MANNERS[module] == names


@every_module
def test_defaults_are_those_of_the_model(module: str) -> None:
    options = RESOURCES[module].spec.argument_spec
    for name, default in defaults(MODELS[module]).items():
        if name in NO_OPTIONS or name == "encryption":
            continue
        expected = None if default in NOTHING else default
        assert options[name].get("default") == expected, name
        assert type(options[name].get("default")) is type(expected), name


@every_module
def test_what_the_model_cannot_do_without_is_required(module: str) -> None:
    """Options that a task may leave out to remove or disable an object are not required."""
    options = RESOURCES[module].spec.argument_spec
    needed = {item.name for item in fields(MODELS[module])} - defaults(MODELS[module]).keys()
    conditional = {name for _key, _value, names in _required_if(module) for name in names}
    required = {name for name, option in options.items() if option.get("required")}
    assert required == needed - conditional


def _required_if(module: str) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return RESOURCES[module].spec.required_if


def test_encryption_suboptions_are_the_fields_of_a_proposal() -> None:
    for module in ("ipsec_phase1", "ipsec_phase2"):
        suboptions = RESOURCES[module].spec.argument_spec["encryption"]["options"]
        assert set(suboptions) == {item.name for item in fields(Proposal)}
        assert not any("default" in option for option in suboptions.values())


@pytest.mark.parametrize("module", SPECS)
def test_documentation_describes_the_specification(module: str) -> None:
    document = documentation(module)["options"]
    _compare(module, document, SPECS[module].argument_spec)


def _compare(where: str, document: dict[str, t.Any], options: dict[str, t.Any]) -> None:
    assert document.keys() == options.keys(), where
    for name, option in options.items():
        described = document[name]
        place = f"{where}.{name}"
        for key in ("type", "choices", "default", "elements"):
            assert described.get(key) == option.get(key), f"{place}: {key}"
        assert described.get("required", False) == option.get("required", False), place
        assert described["description"], place
        _compare(place, described.get("suboptions", {}), option.get("options", {}))


def test_secrets_and_nothing_else_are_kept_from_the_log() -> None:
    hidden = {
        (module, name)
        for module, resource in RESOURCES.items()
        for name, option in resource.spec.argument_spec.items()
        if option.get("no_log")
    }
    assert hidden == {
        ("ipsec_phase1", "psk"),
        ("ipsec_phase1", "ppk"),
        ("ipsec_settings", "swanctl_conf"),
        ("ipsec_settings", "strongswan_conf"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("yes", "yes"), ("no", "no"), ("true", "yes"), ("Off", "no"), ("never", "never")],
)
def test_unique_ids_takes_yaml_booleans(text: str, expected: str) -> None:
    options = yaml.safe_load(f"network: site-a\nunique_ids: {text}")
    assert validated("ipsec_settings", options)["unique_ids"] == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("yes", "yes"), ("false", "no"), ("ifuri", "ifuri")]
)
def test_strict_crl_takes_yaml_booleans(text: str, expected: str) -> None:
    options = yaml.safe_load(f"network: site-a\nstrict_crl: {text}")
    assert validated("ipsec_settings", options)["strict_crl"] == expected


def test_phase1_needs_its_peer_only_when_present() -> None:
    options = {"name": "site-b", "network": "site-a"}
    for state in ("absent", "disabled"):
        assert validated("ipsec_phase1", {**options, "state": state})["remote_gateway"] is None
    specification = spec.IPSEC_PHASE1
    validator = ArgumentSpecValidator(
        specification.argument_spec, required_if=list(specification.required_if)
    )
    (message,) = validator.validate(options).error_messages
    assert "remote_gateway" in message


def test_one_network_may_be_given_without_a_list() -> None:
    options = {
        "name": "lan",
        "phase1": "site-b",
        "network": "site-a",
        "local_network": "10.1.0.0/24",
        "remote_network": "10.2.0.0/24,10.3.0.0/24",
    }
    params = validated("ipsec_phase2", options)
    assert params["local_network"] == ["10.1.0.0/24"]
    assert params["remote_network"] == ["10.2.0.0/24", "10.3.0.0/24"]


def test_arguments_may_be_changed() -> None:
    """Each call returns new arguments, because AnsibleModule writes into its arguments."""
    first = spec.IPSEC_PHASE1.arguments()
    first["argument_spec"]["encryption"]["options"].clear()
    assert spec.IPSEC_PHASE1.arguments()["argument_spec"]["encryption"]["options"]
    assert first["supports_check_mode"] is True


@pytest.mark.parametrize("module", ["ipsec_phase1", "ipsec_phase2"])
def test_weak_algorithms_are_named_in_the_documentation(module: str) -> None:
    options = documentation(module)["options"]
    suboptions = options["encryption"]["suboptions"]
    weak = {
        "algorithm": {name for name, row in ENCRYPTIONS.items() if row.weak},
        "hash": {name for name, row in HASHES.items() if row.weak},
        "dh_group": {str(number) for number, row in DH.items() if row.weak},
    }
    for name, names in weak.items():
        (line,) = [text for text in suboptions[name]["description"] if "are weak. See" in text]
        assert set(_values(line)) == names
    summary = options["weak_crypto"]["description"][1]
    assert set(_values(summary)) == set().union(*weak.values())


def _values(text: str) -> list[str]:
    return [part.split(")")[0] for part in text.split("V(")[1:]]
