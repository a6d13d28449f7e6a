# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random calls of the modules, most of them valid, and the objects that these calls leave."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import KEYS
from ansible_collections.tunnelwright.ipsec.tests.live.changes import CERTIFIED, SECOND
from ansible_collections.tunnelwright.ipsec.tests.live.entries import as_gateway, of_entry
from ansible_collections.tunnelwright.ipsec.tests.live.rig import PSK, Rig, speaks_ikev1

Options = dict[str, t.Any]

NETWORKS = {"lan": "10.1.0", "dmz": "10.9.0"}
PHASE1 = ("alpha", "beta", "gamma")
PHASE2 = ("one", "two", "three")
RULES = ("first", "second", "third")
OTHER_PSK = "another key of twenty characters or more"
FOREIGN_CHAIN = "inet handmade input"
# An unmanaged table of the host.
FOREIGN_TABLE = """
table inet handmade {
    chain input {
        type filter hook input priority 0; policy accept;
    }
}
"""


@dataclass(frozen=True)
class Call:
    module: str
    options: Options

    def __str__(self) -> str:
        return f"{self.module} {_without_keys(self.options)}"


def _without_keys(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return [_without_keys(item) for item in value]
    if isinstance(value, dict):
        return {key: "..." if key in KEYS else _without_keys(item) for key, item in value.items()}
    return value


@dataclass
class World:
    """The calls that are still in effect, in the order in which their objects were created."""

    networks: dict[str, Options] = field(default_factory=dict)
    settings: dict[str, Options] = field(default_factory=dict)
    phase1: dict[str, Options] = field(default_factory=dict)
    phase2: dict[tuple[str, str], Options] = field(default_factory=dict)
    rules: dict[tuple[str, str], Options] = field(default_factory=dict)

    def calls(self) -> list[Call]:
        """Return the runs that lead from an empty host to this state."""
        return [
            *(Call("vpn_network", item) for item in self.networks.values()),
            *(Call("ipsec_settings", item) for item in self.settings.values()),
            *(Call("ipsec_phase1", item) for item in self.phase1.values()),
            *(Call("ipsec_phase2", item) for item in self.phase2.values()),
            *(Call("vpn_rule", item) for item in self.rules.values()),
        ]

    def whole(self) -> Call:
        """Return the one run that leads from any host to this state."""
        children: dict[str, list[Options]] = {name: [] for name in self.phase1}
        for (phase1, _name), options in self.phase2.items():
            children[phase1].append(of_entry(options))
        lists = {
            "networks": [*self.networks.values()],
            "settings": [*self.settings.values()],
            "phase1": [{**item, "phase2": children[name]} for name, item in self.phase1.items()],
            "rules": [*self.rules.values()],
        }
        return Call("ipsec_gateway", {**lists, "state": "overridden", "purge_all": True})

    def as_gateway(self, call: Call) -> Call:
        """Return the run of ipsec_gateway with one entry that does what another module does."""
        phase1 = self.phase1.get(call.options.get("phase1", ""), {})
        return Call("ipsec_gateway", as_gateway(call.module, call.options, phase1))

    def known(self, call: Call) -> Options:
        """Return the options of the object of a call, or none if the object does not exist."""
        options = call.options
        found: Options | None
        if call.module == "vpn_network":
            found = self.networks.get(options["name"])
        elif call.module == "ipsec_settings":
            found = self.settings.get(options["network"])
        elif call.module == "ipsec_phase1":
            found = self.phase1.get(options["name"])
        elif call.module == "ipsec_phase2":
            found = self.phase2.get((options["phase1"], options["name"]))
        else:
            found = self.rules.get((options["network"], options["name"]))
        return found or {}

    def merged(self, call: Call) -> Call:
        """Return the call that describes the whole object which a merged entry leaves."""
        return Call(call.module, {**self.known(call), **call.options})

    def note(self, call: Call) -> None:
        """Note a run that did not fail, without the options that a run does not keep."""
        kept = {key: value for key, value in call.options.items() if key not in NOT_KEPT}
        getattr(self, f"_{call.module}")(kept)

    def _vpn_network(self, options: Options) -> None:
        name, known = options["name"], self.networks.get(options["name"])
        if options.get("state") == "absent":
            self.networks.pop(name, None)
            self.settings.pop(name, None)
            for phase1 in [key for key, item in self.phase1.items() if item["network"] == name]:
                self._drop(phase1)
            self.rules = {key: item for key, item in self.rules.items() if key[0] != name}
            return
        state = options.get("state", "started")
        if state == "present":
            state = known["state"] if known else "started"
        values = known if known and not options.keys() - {"name", "state"} else options
        self.networks[name] = {**values, "state": state}

    def _ipsec_settings(self, options: Options) -> None:
        self.settings[options["network"]] = options

    def _ipsec_phase1(self, options: Options) -> None:
        name, known = options["name"], self.phase1.get(options["name"], {})
        if options.get("state") == "absent":
            self._drop(name)
        elif "remote_gateway" not in options:
            self.phase1[name] = {**known, "state": "disabled"}
        else:
            keeps = "psk" in known and "psk" not in options and "certificate" not in options
            self.phase1[name] = {**options, "psk": known["psk"]} if keeps else options

    def _ipsec_phase2(self, options: Options) -> None:
        key = options["phase1"], options["name"]
        if options.get("state") == "absent":
            known = self.phase1.get(options["phase1"], {"network": None})
            if known["network"] == options["network"]:
                self.phase2.pop(key, None)
        elif "local_network" not in options:
            self.phase2[key] = {**self.phase2[key], "state": "disabled"}
        else:
            self.phase2[key] = options

    def _vpn_rule(self, options: Options) -> None:
        key = options["network"], options["name"]
        if options.get("state") == "absent":
            self.rules.pop(key, None)
        elif "action" not in options:
            self.rules[key] = {**self.rules[key], "state": "disabled"}
        else:
            self.rules[key] = options

    def _drop(self, phase1: str) -> None:
        self.phase1.pop(phase1, None)
        for key in [key for key in self.phase2 if key[0] == phase1]:
            del self.phase2[key]


# Options about one run, which are no part of the object.
NOT_KEPT = ("apply", "weak_crypto", "quantum_safe")


class Generator:
    """A source of random calls that fit the current world. ``live``: the tunnels come up.

    ``whole``: the calls go through ipsec_gateway.
    """

    def __init__(self, seed: int, rig: Rig) -> None:
        self._random = random.Random(seed)
        self._rig = rig
        self.live = self._chance(0.4)
        self.whole = self._chance(0.4)

    def given(self) -> list[Call]:
        """Return the runs before most sequences: a network and one or two tunnels."""
        world = World()
        if self._chance(0.3):
            return []
        options = self._rig.network()
        world.note(Call("vpn_network", options))
        calls = [Call("vpn_network", options)]
        for name in PHASE1[: self._one(1, 2)]:
            phase1 = self._rig.phase1(name=name, remote_gateway=self._answering(name))
            phase2 = {**self._networks(name, "one", "lan"), "phase1": name}
            calls.append(Call("ipsec_phase1", phase1))
            calls.append(Call("ipsec_phase2", self._rig.phase2("one", **phase2)))
        return calls

    def call(self, world: World) -> Call:
        """Return a random call. Calls for kinds of objects that are missing are more likely."""
        if not world.networks:
            return Call("vpn_network", self._network(world))
        kinds = {
            "vpn_network": 2,
            "ipsec_settings": 2,
            "ipsec_phase1": 3 if world.phase1 else 12,
            "ipsec_phase2": 6 if world.phase1 else 1,
            "vpn_rule": 4,
        }
        (module,) = self._random.choices([*kinds], [*kinds.values()])
        draw = {
            "vpn_network": self._network,
            "ipsec_settings": self._settings,
            "ipsec_phase1": self._phase1,
            "ipsec_phase2": self._phase2,
            "vpn_rule": self._rule,
        }
        return Call(module, draw[module](world))

    def merges(self) -> bool:
        """Return whether the next call is a merged entry of ipsec_gateway."""
        return self.whole and self._chance(0.4)

    def part(self, call: Call, world: World) -> Call:
        """Return a call for a known object with a part of its options, as a merged entry has."""
        known = world.known(call)
        if not known or call.options.get("state") == "absent":
            return call
        kept = {
            key: value
            for key, value in call.options.items()
            if key in ("name", "network", "phase1") or self._chance(0.5)
        }
        return Call(call.module, kept)

    # Modules

    def _network(self, world: World) -> Options:
        name = "lan" if not world.networks or self._chance(0.6) else "dmz"
        known = name in world.networks
        if known and self._chance(0.4):
            state = self._one("started", "stopped", "present", "absent")
            return {"name": name, "state": state, **({"force": True} if state == "absent" else {})}
        prefix = NETWORKS[name]
        options = {
            "name": name,
            "ip_address": f"{prefix}.{self._one(1, 1, 1, 2)}",
            "network_address": f"{prefix}.0/24",
            "state": self._one("started", "started", "started", "stopped", "present"),
        }
        return self._with(
            options,
            {
                "description": ("VPN", 'o\'ther "quotes"', "näher"),
                "mtu": (1400, 1300, 10),
                "interface": (f"{name}0",),
                "firewall_chains": ([FOREIGN_CHAIN], ["inet nowhere input"]),
                "ike_interfaces": (["eth0"],),
                "dataplane": ("userspace", "auto"),
                "layer2_id": (7,),
            },
            0.15,
        )

    def _settings(self, world: World) -> Options:
        options: Options = {"network": self._network_name(world)}
        if self._chance(0.2):
            options["configuration_mode"] = "advanced"
        # Settings of IKEv1.
        on = (True, False) if speaks_ikev1(self._rig.device) else (False, False)
        return self._with(
            options,
            {
                "unique_ids": ("yes", "no", "never"),
                "ipcomp": (True, False),
                "exclude_my_network": (False, True),
                "cisco_extensions": on,
                "unencrypted_main_mode": on,
                "mss_clamp": (1300, 1200, 0, 10),
                "strict_crl": ("yes", "ifuri", "no"),
                "make_before_break": (True, False),
                **({} if "configuration_mode" not in options else CONF_TEXTS),
            },
            0.25,
        )

    def _phase1(self, world: World) -> Options:
        name = self._one(*PHASE1, *world.phase1, *world.phase1)
        known = world.phase1.get(name)
        network = known["network"] if known and self._chance(0.97) else self._network_name(world)
        named = {"name": name, "network": network}
        if known and self._chance(0.25):
            return {**named, "state": self._one("absent", "disabled")}
        options = {
            **named,
            "remote_gateway": self._gateway(name),
            "connection_behavior": self._one("start", "start", "on_demand", "responder_only"),
            **self._authentication(known is not None),
        }
        if self._chance(0.2):
            version = self._one("ikev1", "auto")
            if version == "auto" or speaks_ikev1(self._rig.device):
                options["key_exchange"] = version
        if options.get("key_exchange") == "ikev1" and self._chance(0.3):
            options["negotiation_mode"] = "aggressive"
            if "authentication" not in options:
                options["identifier"] = "gw.example"
        options = self._with(options, PHASE1_VALUES, 0.12)
        if not speaks_ikev1(self._rig.device):
            options.pop("dpd_failures", None)
        return options

    def _phase2(self, world: World) -> Options:
        phase1 = self._one(*(world.phase1 or PHASE1[:1]))
        name = self._one(*PHASE2)
        network = world.phase1.get(phase1, {"network": "lan"})["network"]
        named = {"name": name, "network": network, "phase1": phase1}
        if (phase1, name) in world.phase2 and self._chance(0.25):
            return {**named, "state": self._one("absent", "disabled")}
        options = {**named, **self._networks(phase1, name, network)}
        if self._chance(0.1):
            options["remote_network"].append(f"172.16.{self._one(1, 2)}.0/24")
        return self._with(options, PHASE2_VALUES, 0.12)

    def _rule(self, world: World) -> Options:
        named = {"name": self._one(*RULES), "network": self._network_name(world)}
        if (named["network"], named["name"]) in world.rules and self._chance(0.25):
            return {**named, "state": self._one("absent", "disabled")}
        prefix = NETWORKS.get(named["network"], "10.1.0")
        kind = self._one("filter", "translate", "route")
        if kind == "filter":
            what = {"action": self._one("accept", "drop", "reject"), **self._one(*FILTERS)}
        elif kind == "translate":
            what = {"action": "translate", **self._one(*TRANSLATIONS)}
            for option in ("target", "destination"):
                if option in what:
                    what[option] = what[option].format(prefix)
        else:
            way = self._one({"target": f"{prefix}.254"}, {"interface": "eth0"})
            way = self._one(way, way, way, {"interface": "nowhere0"})
            what = {"action": "route", "destination": f"10.{self._one(77, 78)}.0.0/16", **way}
        more = {"order": (1, 7, 0), "description": ("Rule", "näher"), "state": ("disabled",)}
        return self._with({**named, **what}, {**more, "log": (True,)}, 0.12)

    # Values

    def _networks(self, phase1: str, name: str, network: str) -> Options:
        """Return the networks of a phase 2, which differ for each phase 2."""
        prefix = NETWORKS.get(network, "10.1.0")
        number = 20 + 10 * PHASE1.index(phase1) + PHASE2.index(name)
        return {
            "local_network": [f"{prefix}.0/{self._one(24, 24, 24, 25)}"],
            "remote_network": [f"10.{number}.0.0/{self._one(24, 24, 24, 16)}"],
        }

    def _gateway(self, name: str) -> str:
        return "%any" if self._chance(0.05) else self._answering(name)

    def _answering(self, name: str) -> str:
        """Return an address of the peer, or an address of RFC 5737, which never answers."""
        number = 1 + PHASE1.index(name)
        if self.live:
            return self._rig.address(number)
        return f"203.0.113.{10 * number + self._one(0, 0, 0, 1)}"

    def _authentication(self, known: bool) -> Options:
        if self._chance(0.15):
            certified = {key: value for key, value in CERTIFIED.items() if key != "psk"}
            if self._chance(0.3):
                return {**certified, **SECOND}
            return certified
        if known and self._chance(0.3):
            return {}
        return {"psk": PSK if self.live or self._chance(0.7) else OTHER_PSK}

    def _network_name(self, world: World) -> str:
        return "nowhere" if self._chance(0.03) else self._one(*world.networks)

    def _with(
        self, options: Options, values: t.Mapping[str, t.Sequence[t.Any]], share: float
    ) -> Options:
        """Return the options, and each option of ``values`` with the probability ``share``."""
        more = {key: self._one(*choices) for key, choices in values.items() if self._chance(share)}
        return {**options, **more}

    def _one(self, *choices: t.Any) -> t.Any:
        return self._random.choice(choices)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share


_ROAD = "connections {\n road {\n  remote_addrs = 203.0.113.200\n }\n}\n"
_SECRET = "secrets {\n ike-road {\n  id = 203.0.113.200\n  secret = 0sZXh0cmFfc2VjcmV0\n }\n}\n"
_UNKNOWN_VERSION = "connections {\n road {\n  version = 9\n }\n}\n"
_OPEN = "connections {\n"
CONF_TEXTS = {
    "swanctl_conf": (_ROAD, _SECRET, _ROAD + _SECRET, _UNKNOWN_VERSION, _OPEN),
    "strongswan_conf": ("charon {\n  retry_initiate_interval = 30\n}\n", "charon {\n"),
}

STRONG = {"algorithm": "aes", "key_length": 256, "hash": "sha512", "dh_group": 19}
WEAK = {"algorithm": "3des", "hash": "sha1", "dh_group": 14}
AEAD = {"algorithm": "aes-gcm", "key_length": 256, "dh_group": 20}

FILTERS: tuple[Options, ...] = (
    {"direction": "incoming"},
    {"direction": "outgoing", "protocol": "icmp"},
    {"direction": "incoming", "protocol": "tcp", "destination_ports": ["22", "8000-8100"]},
    {"direction": "outgoing", "source": ["10.1.0.0/25", "fd00:1::/64"]},
    {"direction": "incoming", "destination_ports": ["22"]},
)
TRANSLATIONS: tuple[Options, ...] = (
    {"direction": "outgoing", "source": "192.168.7.0/24", "target": "{}.7"},
    {"direction": "outgoing", "source": "192.168.7.0/24", "target": "{}.0/24"},
    {"direction": "outgoing", "source": "192.168.7.0/24", "target": "{}.0/25"},
    {"direction": "incoming", "destination": "{}.9", "target": "192.168.7.20"},
)

PHASE1_VALUES: dict[str, t.Sequence[t.Any]] = {
    "description": ("Branch", 'a # b { c } "d" $e \\f'),
    "encryption": ([STRONG], [WEAK], [AEAD], [STRONG, WEAK], [{"algorithm": "aes-gcm"}]),
    "lifetime": (2, 24, 0),
    "lifetime_unit": ("hours", "days", "seconds"),
    "identifier": ("gw.example", "keyid:1a2b", "someone@gw.example"),
    "peer_identifier": ("peer.example",),
    "force_udp_encapsulation": (True, False),
    "keying_tries": (0, 1, 5),
    "rekey": (False, True),
    "reauth": (True, False),
    "mobike": (True, False),
    "margintime": (5, 10),
    "margintime_unit": ("minutes", "seconds"),
    "dpd_action": ("clear", "hold", "restart", "none"),
    "dpd_delay": (10, 20, 0),
    "dpd_failures": (3, 4),
    "weak_crypto": ("allow", "refuse"),
    "quantum_safe": ("warn", "require"),
    "apply": ("reestablish", "defer"),
    "state": ("disabled",),
}

PHASE2_VALUES: dict[str, t.Sequence[t.Any]] = {
    "description": ("Servers", "line's end \\n"),
    "mode": ("transport",),
    "protocol": ("ah",),
    "encryption": ([STRONG], [WEAK], [AEAD], [{"algorithm": "aes", "dh_group": None}]),
    "lifetime": (2, 8, 0),
    "lifetime_unit": ("hours", "days", "forever"),
    "weak_crypto": ("allow", "refuse"),
    "quantum_safe": ("warn", "require"),
    "apply": ("reestablish", "defer"),
    "state": ("disabled",),
}
