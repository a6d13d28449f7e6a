# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The names and types of the options of each module.

Choices and defaults come from the models. The models also check values beyond type and choice, and
their errors name the object and the fix.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field, replace

from .._model import child, connection, lifetime, network, rule, settings
from .._model.algorithms import DH_GROUPS, ENCRYPTION_NAMES, HASH_NAMES, PRF_NAMES
from .._model.authentication import AUTHENTICATIONS
from .._model.options import defaults
from .._model.quantum import IGNORE, QUANTUM_SAFE
from .._model.rule_checks import DIRECTIONS
from .._plan.swap.decision import APPLY, GRACEFUL

WEAK_CRYPTO = ("allow", "warn", "refuse")

CONNECTION_STATES = ("connected", "disconnected", "reconnected")
DIAGNOSTIC_QUERIES = ("logs", "tcpdump", "configuration")
CHECKPOINT_STATES = ("started", "confirmed", "rolled_back")

ArgumentSpec = dict[str, dict[str, t.Any]]
RequiredIf = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Spec:
    """The options of one module as AnsibleModule takes them.

    ``subject`` names the object in errors. The text options ``numbers`` also accept numbers. The
    options ``entries`` are lists of dictionaries. Each dictionary has the options of another Spec.
    """

    argument_spec: ArgumentSpec
    required_if: tuple[RequiredIf, ...] = ()
    subject: str = ""
    numbers: tuple[str, ...] = ()
    entries: t.Mapping[str, Spec] = field(default_factory=dict)

    def without(self, *names: str) -> Spec:
        """Return the Spec without some options."""
        kept = {name: kind for name, kind in self.argument_spec.items() if name not in names}
        return replace(self, argument_spec=kept)

    def arguments(self) -> dict[str, t.Any]:
        """Return keyword arguments for AnsibleModule, which may be modified."""
        return {
            "argument_spec": copy.deepcopy(self.argument_spec),
            "required_if": list(self.required_if),
            "supports_check_mode": True,
        }


_TEXT: dict[str, t.Any] = {"type": "str"}
_TEXTS: dict[str, t.Any] = {"type": "list", "elements": "str"}
_PATH: dict[str, t.Any] = {"type": "path"}
_NUMBER: dict[str, t.Any] = {"type": "int"}
_SWITCH: dict[str, t.Any] = {"type": "bool"}
_NAME: dict[str, t.Any] = {"type": "str", "required": True}
_SECRET: dict[str, t.Any] = {"type": "str", "no_log": True}


def choice(choices: t.Iterable[str], *more: str) -> dict[str, t.Any]:
    return {"type": "str", "choices": [*choices, *more]}


# Ansible would treat an option with "key" in its name as a secret.
def _not_secret(option: dict[str, t.Any]) -> dict[str, t.Any]:
    return {**option, "no_log": False}


def _with_defaults(model: type, options: ArgumentSpec) -> ArgumentSpec:
    """Return options with the defaults of the fields of the same names."""
    known = {key: value for key, value in defaults(model).items() if _says_something(value)}
    return {
        name: {**option, "default": known[name]} if name in known else dict(option)
        for name, option in options.items()
    }


def _says_something(default: object) -> bool:
    return isinstance(default, (bool, int)) or (isinstance(default, str) and default != "")


# No defaults: the default of a suboption depends on the algorithm and on the phase.
_ENCRYPTION: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "algorithm": choice(ENCRYPTION_NAMES),
        "key_length": _not_secret(_NUMBER),
        "hash": choice(HASH_NAMES),
        "dh_group": {"type": "int", "choices": list(DH_GROUPS)},
        "prf": choice(PRF_NAMES),
        # A round is a text, or a list of texts.
        "additional_key_exchange": _not_secret({"type": "list", "elements": "raw"}),
    },
}

POLICY: ArgumentSpec = {
    "weak_crypto": {**choice(WEAK_CRYPTO), "default": "warn"},
    "quantum_safe": {**choice(QUANTUM_SAFE), "default": IGNORE},
    "apply": {**choice(APPLY), "default": GRACEFUL},
}

VPN_NETWORK = Spec(
    _with_defaults(
        network.VpnNetwork,
        {
            "name": _NAME,
            "description": _TEXT,
            "layer2_type": choice(network.LAYER2_TYPES),
            "layer2_id": _NUMBER,
            "ip_address_type": choice(network.ADDRESS_TYPES),
            "ip_address": _TEXT,
            "network_address": _TEXT,
            "interface_network": _TEXT,
            "interface": _TEXT,
            "mtu": _NUMBER,
            "firewall_chains": _TEXTS,
            "ike_interfaces": _TEXTS,
            "dataplane": choice(network.DATAPLANES),
            "state": choice(network.POWER_STATES, "present", "absent"),
            "force": {"type": "bool", "default": False},
        },
    ),
    subject="network {name}",
)

IPSEC_SETTINGS = Spec(
    _with_defaults(
        settings.IpsecSettings,
        {
            "network": _NAME,
            "configuration_mode": choice(settings.MODES),
            # AnsibleModule turns a YAML boolean into the one choice that it can stand for.
            "unique_ids": choice(settings.UNIQUE_IDS),
            "ipcomp": _SWITCH,
            "exclude_my_network": _SWITCH,
            "cisco_extensions": _SWITCH,
            "unencrypted_main_mode": _SWITCH,
            "mss_clamp": _NUMBER,
            "strict_crl": choice(settings.STRICT_CRL),
            "make_before_break": _SWITCH,
            "swanctl_conf": _SECRET,
            "strongswan_conf": _SECRET,
        },
    ),
    subject="IPsec settings of network {network}",
)

IPSEC_PHASE1 = Spec(
    {
        **_with_defaults(
            connection.IkeConnection,
            {
                "name": _NAME,
                "network": _NAME,
                "description": _TEXT,
                "key_exchange": choice(connection.KEY_EXCHANGES),
                "remote_gateway": _TEXT,
                "local_address": _TEXT,
                "encryption": _ENCRYPTION,
                "lifetime": _NUMBER,
                "lifetime_unit": choice(lifetime.UNITS),
                "authentication": choice(AUTHENTICATIONS),
                "psk": _SECRET,
                "ppk": _SECRET,
                "ppk_id": _TEXT,
                "ppk_required": _SWITCH,
                "certificate": _PATH,
                "private_key": _PATH,
                "ca": _PATH,
                "negotiation_mode": choice(connection.NEGOTIATION_MODES),
                "identifier": _TEXT,
                "peer_identifier": _TEXT,
                "connection_behavior": choice(connection.BEHAVIORS),
                "force_udp_encapsulation": _SWITCH,
                "keying_tries": _not_secret(_NUMBER),
                "rekey": _SWITCH,
                "reauth": _SWITCH,
                "mobike": _SWITCH,
                "margintime": _NUMBER,
                "margintime_unit": choice(lifetime.UNITS),
                "dpd_action": choice(connection.DPD_ACTIONS),
                "dpd_delay": _NUMBER,
                "dpd_failures": _NUMBER,
                "state": choice(connection.STATES, "absent"),
            },
        ),
        **POLICY,
    },
    required_if=(("state", "present", ("remote_gateway",)),),
    subject="phase 1 {name}",
)

IPSEC_PHASE2 = Spec(
    {
        **_with_defaults(
            child.ChildSa,
            {
                "name": _NAME,
                "network": _NAME,
                "phase1": _NAME,
                "description": _TEXT,
                "mode": choice(child.MODES),
                "local_network": _TEXTS,
                "remote_network": _TEXTS,
                "protocol": choice(child.PROTOCOLS),
                "lifetime": _NUMBER,
                "lifetime_unit": choice(lifetime.UNITS, lifetime.FOREVER),
                "encryption": _ENCRYPTION,
                "state": choice(child.STATES, "absent"),
            },
        ),
        **POLICY,
    },
    subject="phase 2 {name} of phase 1 {phase1}",
)

VPN_RULE = Spec(
    _with_defaults(
        rule.VpnRule,
        {
            "name": _NAME,
            "network": _NAME,
            "description": _TEXT,
            "action": choice(rule.ACTIONS),
            "direction": choice(DIRECTIONS),
            "protocol": choice(rule.PROTOCOLS),
            "source": _TEXTS,
            "destination": _TEXTS,
            "source_ports": _TEXTS,
            "destination_ports": _TEXTS,
            "target": _TEXT,
            "target_port": _NUMBER,
            "interface": _TEXT,
            "order": _NUMBER,
            "log": _SWITCH,
            "cleartext": _SWITCH,
            "state": choice(rule.STATES, "absent"),
        },
    ),
    required_if=(("state", "present", ("action",)),),
    subject="rule {name} of network {network}",
    numbers=("source_ports", "destination_ports"),
)

IPSEC_CHECKPOINT = Spec(
    {
        "state": {**choice(CHECKPOINT_STATES), "default": "started"},
        "timeout": {"type": "int", "default": 120},
    }
)

IPSEC_CONNECTION = Spec(
    {
        "network": _NAME,
        "phase1": _TEXT,
        "phase2": _TEXT,
        "state": {**choice(CONNECTION_STATES), "default": "connected"},
        "timeout": {"type": "int", "default": 30},
        "probe": _TEXTS,
        "check_rekey": {**_not_secret(_SWITCH), "default": False},
        "peer_log": _TEXTS,
    }
)

IPSEC_INFO = Spec(
    {"network": _TEXT, "phase1": _TEXT, "wait": {"type": "int", "default": 0}},
)

IPSEC_DIAGNOSTICS = Spec(
    {
        "query": {**choice(DIAGNOSTIC_QUERIES), "required": True},
        "network": _TEXT,
        "phase1": _TEXT,
        "since": _TEXT,
        "grep": _TEXT,
        "lines": {"type": "int", "default": 200},
        "interface": _TEXT,
        "filter": _TEXT,
        "seconds": {"type": "int", "default": 10},
        "count": {"type": "int", "default": 1000},
    }
)
