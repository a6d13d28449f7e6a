# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random changes: to one tunnel, to settings, and to the rules of the network of all other tunnels.

The two sides of the tunnel always have enough in common to negotiate, as during a change by an
operator on one side after the other.
"""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._module import spec
from ansible_collections.tunnelwright.ipsec.tests.live.entries import as_gateway
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Options
from ansible_collections.tunnelwright.ipsec.tests.live.twenty import (
    COMMON,
    FACING,
    NUMBERS,
    ONE,
    SIDES,
    SPARE,
    Call,
    local_network,
    network,
    phase1,
    phase2,
)

MODULES = {
    "phase1": "ipsec_phase1",
    "phase2": "ipsec_phase2",
    "lan": "vpn_network",
    "lan settings": "ipsec_settings",
    "lab settings": "ipsec_settings",
    "lab rule": "vpn_rule",
}


@dataclass(frozen=True)
class Change:
    """Runs that belong together. ``disruptive`` marks a requested interruption."""

    kind: str
    calls: tuple[Call, ...]
    disruptive: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of change, which sets the options of one of ``values`` on an object."""

    name: str
    of: str
    values: tuple[Options, ...]
    sides: str = "ab"


def _each(option: str, *values: t.Any) -> tuple[Options, ...]:
    return tuple({option: value} for value in values)


def _aes(length: int, group: int | None, digest: str = "sha256") -> Options:
    proposal = {"algorithm": "aes", "key_length": length, "hash": digest}
    return proposal if group is None else {**proposal, "dh_group": group}


def _gcm(group: int) -> Options:
    return {"algorithm": "aes-gcm", "key_length": 256, "dh_group": group}


# Every list has the proposal COMMON, at different positions.
_LISTS = (
    [COMMON],
    [_aes(128, 19), COMMON],
    [_aes(256, 31, "sha512"), COMMON],
    [COMMON, _aes(128, 14), _aes(256, 20, "sha384")],
    [_gcm(19), COMMON],
)
# A DH group is for PFS. A proposal of phase 2 may lack it.
_ESP_LISTS = (*_LISTS, [COMMON, _aes(256, None)], [_aes(192, 31), COMMON, _gcm(20)])


def _networks(side: str) -> tuple[list[str], ...]:
    """Return the lists of networks that the tunnel may carry on a side.

    Each list contains the source of the packets.
    """
    whole, half = local_network(side, NUMBERS[ONE]), local_network(side, NUMBERS[ONE], 25)
    return [whole], [half], [whole, local_network(side, SPARE[1])]


KINDS = (
    Kind("phase 1 description", "phase1", _each("description", "", "Branch", "To be moved")),
    Kind("phase 1 lifetime", "phase1", _each("lifetime", 8, 10, 12, 24)),
    Kind("phase 1 encryption", "phase1", _each("encryption", *_LISTS)),
    Kind("phase 1 keying_tries", "phase1", _each("keying_tries", 0, 1, 3, 5)),
    Kind("phase 1 rekey", "phase1", _each("rekey", True, False)),
    Kind("phase 1 reauth", "phase1", _each("reauth", True, False)),
    Kind("phase 1 mobike", "phase1", _each("mobike", True, False)),
    Kind("phase 1 margintime", "phase1", _each("margintime", 5, 9, 15)),
    Kind("phase 1 encapsulation", "phase1", _each("force_udp_encapsulation", True, False)),
    Kind("phase 1 dpd_action", "phase1", _each("dpd_action", "clear", "hold", "restart", "none")),
    Kind("phase 1 dpd_delay", "phase1", _each("dpd_delay", 20, 30, 60)),
    Kind("behavior", "phase1", _each("connection_behavior", "start", "on_demand")),
    Kind("phase 2 description", "phase2", _each("description", "", "Servers")),
    Kind("phase 2 lifetime", "phase2", _each("lifetime", 8, 10, 12)),
    Kind("phase 2 encryption", "phase2", _each("encryption", *_ESP_LISTS)),
    *(
        Kind(f"phase 2 {option}", "phase2", _each(option, *_networks(behind)), side)
        for side in SIDES
        for option, behind in (("local_network", side), ("remote_network", FACING[side]))
    ),
    Kind("lab unique_ids", "lab settings", _each("unique_ids", "yes", "no", "never")),
    Kind("lab mss_clamp", "lab settings", _each("mss_clamp", 0, 1240, 1300)),
    Kind("lan mss_clamp", "lan settings", _each("mss_clamp", 0, 1240, 1300)),
    Kind("lan cisco_extensions", "lan settings", _each("cisco_extensions", True, False)),
    Kind("lan make_before_break", "lan settings", _each("make_before_break", True, False)),
    Kind("lan main mode", "lan settings", _each("unencrypted_main_mode", True, False)),
    Kind("lan exclude_my_network", "lan settings", _each("exclude_my_network", True, False)),
    Kind("lan description", "lan", _each("description", "", "Headquarters")),
    Kind("lan ike_interfaces", "lan", _each("ike_interfaces", [], ["eth0"], ["eth0", "lo"])),
    Kind(
        "lan firewall_chains",
        "lan",
        _each("firewall_chains", [], ["inet office input"], ["inet office forward"]),
    ),
    Kind("lan mtu", "lan", _each("mtu", 1400, 1500)),
    # Rules that do not match the flows, which are UDP.
    Kind(
        "lab rule",
        "lab rule",
        (
            {"action": "drop", "protocol": "tcp", "destination_ports": ["9"]},
            {"action": "reject", "protocol": "icmp", "destination_ports": []},
            {"action": "accept", "protocol": "any", "destination_ports": []},
        ),
    ),
)

RULE: Options = {"name": "some", "network": "lab", "direction": "incoming"}

# The weights of the changes that concern more than one option. Each entry of KINDS weighs 1.
_SPECIAL = {"psk": 2, "second phase 2": 3, "off and on": 1, "reestablish": 1}


class Operator:
    """A source of random changes, which knows the current options of both sides."""

    def __init__(self, seed: int, hosts: t.Mapping[str, Host]) -> None:
        self._random = random.Random(seed)
        self._second = False
        self._wanted: dict[tuple[str, str], Options] = {}
        for side in SIDES:
            self._wanted[side, "phase1"] = phase1(side, hosts[FACING[side]], ONE)
            self._wanted[side, "phase2"] = phase2(side, ONE)
            self._wanted[side, "lan"] = network(side, "lan")
            self._wanted[side, "lan settings"] = {"network": "lan"}
            self._wanted[side, "lab settings"] = {"network": "lab"}
            self._wanted[side, "lab rule"] = {**RULE}
        for kind in KINDS:
            for side in SIDES:
                known = self._wanted[side, kind.of]
                for option in kind.values[0].keys() - known.keys():
                    known[option] = _default(kind.of, option)

    def change(self) -> Change:
        names = [*KINDS, *_SPECIAL]
        weights = [1] * len(KINDS) + list(_SPECIAL.values())
        (drawn,) = self._random.choices(names, weights)
        special = _SPECIAL_CHANGES.get(drawn) if isinstance(drawn, str) else None
        change = special(self) if special else self._change(t.cast(Kind, drawn))
        # A third of the changes is made by the module for whole gateways.
        return self._whole(change) if self._random.random() < 1 / 3 else change

    def _whole(self, change: Change) -> Change:
        calls = tuple(
            Call(
                call.side,
                "ipsec_gateway",
                as_gateway(call.module, call.options, self._wanted[call.side, "phase1"]),
            )
            for call in change.calls
        )
        return replace(change, kind=f"{change.kind}, ipsec_gateway", calls=calls)

    def _change(self, kind: Kind) -> Change:
        side = self._random.choice(kind.sides)
        now = self._wanted[side, kind.of]
        others = [value for value in kind.values if {**now, **value} != now]
        return Change(kind.name, (self._set(side, kind.of, **self._random.choice(others)),))

    def _set(self, side: str, of: str, **options: t.Any) -> Call:
        self._wanted[side, of] = {**self._wanted[side, of], **options}
        return Call(side, MODULES[of], self._wanted[side, of])

    def _new_psk(self) -> Change:
        psk = f"key {self._random.getrandbits(64):x} of both sides"
        sides = self._random.sample(sorted(SIDES), 2)
        return Change("psk", tuple(self._set(side, "phase1", psk=psk) for side in sides))

    def _second_phase2(self) -> Change:
        """Add or remove a second phase 2. The initiator adds it last, and removes it first."""
        self._second = not self._second
        calls = []
        for side in ("b", "a") if self._second else ("a", "b"):
            options = {
                **phase2(side, ONE),
                "name": "more",
                "local_network": [local_network(side, SPARE[0])],
                "remote_network": [local_network(FACING[side], SPARE[0])],
                "state": "present" if self._second else "absent",
            }
            calls.append(Call(side, "ipsec_phase2", options))
        return Change("second phase 2", tuple(calls))

    def _off_and_on(self) -> Change:
        of = self._random.choice(("phase1", "phase2"))
        back = self._wanted["a", of]
        off = Call("a", MODULES[of], {**back, "state": "disabled"})
        return Change("off and on", (off, Call("a", MODULES[of], back)), disruptive=True)

    def _reestablished(self) -> Change:
        now = self._wanted["a", "phase2"]["lifetime"]
        call = self._set("a", "phase2", lifetime=9 if now != 9 else 11)
        call = Call(call.side, call.module, {**call.options, "apply": "reestablish"})
        return Change("reestablish", (call,), disruptive=True)


_SPECIAL_CHANGES: dict[str, t.Callable[[Operator], Change]] = {
    "psk": Operator._new_psk,
    "second phase 2": Operator._second_phase2,
    "off and on": Operator._off_and_on,
    "reestablish": Operator._reestablished,
}


def _default(of: str, option: str) -> t.Any:
    """Return the default of an option."""
    default = _SPECS[MODULES[of]][option].get("default")
    return _EMPTY.get(option) if default is None else default


_SPECS = {
    "vpn_network": spec.VPN_NETWORK.argument_spec,
    "ipsec_settings": spec.IPSEC_SETTINGS.argument_spec,
    "ipsec_phase1": spec.IPSEC_PHASE1.argument_spec,
    "ipsec_phase2": spec.IPSEC_PHASE2.argument_spec,
    "vpn_rule": spec.VPN_RULE.argument_spec,
}
_EMPTY: Options = {
    "description": "",
    "ike_interfaces": [],
    "firewall_chains": [],
    "destination_ports": [],
}
