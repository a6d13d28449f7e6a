# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of every option of a phase 1 and a phase 2, each to a new value."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.tunnelwright.ipsec.tests.live.rig import PKI, PPK, Rig

Value = t.Any


@dataclass(frozen=True)
class Change:
    """A change of ``option`` to ``value``. ``along`` holds further options that the value needs.

    ``base`` holds the options of the object before the change, beside the options of every tunnel
    of these tests. ``base1`` holds them for the phase 1 of a phase 2. A value may be a function of
    the rig. ``refused`` is a part of the error when the module refuses the value. ``harmless``
    marks a change that must not touch an SA, except when ``apply`` is ``noticed``.
    """

    module: str
    option: str
    value: Value
    along: t.Mapping[str, Value] = field(default_factory=dict)
    base: t.Mapping[str, Value] = field(default_factory=dict)
    base1: t.Mapping[str, Value] = field(default_factory=dict)
    refused: str = ""
    harmless: bool = False
    noticed: str = ""
    label: str = ""

    def __str__(self) -> str:
        return self.label or f"{self.module.removeprefix('ipsec_')} {self.option} {self.shown}"

    @property
    def ikev1(self) -> bool:
        """Return whether the tunnel has IKEv1 before or after the change."""
        values = {**self.base, **self.base1, self.option: self.value}
        return values.get("key_exchange") == "ikev1"

    @property
    def shown(self) -> str:
        return "elsewhere" if callable(self.value) else str(self.value)

    def harmless_if(self, apply: str) -> bool:
        return self.harmless and apply != self.noticed

    def before(self, rig: Rig) -> dict[str, t.Any]:
        return resolved(self.base, rig)

    def after(self, rig: Rig) -> dict[str, t.Any]:
        return resolved({**self.base, self.option: self.value, **self.along}, rig)


def resolved(options: t.Mapping[str, Value], rig: Rig) -> dict[str, t.Any]:
    return {name: value(rig) if callable(value) else value for name, value in options.items()}


def _one(module: str) -> t.Callable[..., Change]:
    def change(option: str, value: Value, **more: t.Any) -> Change:
        return Change(module, option, value, **more)

    return change


AES128 = [{"algorithm": "aes", "key_length": 128, "hash": "sha256", "dh_group": 14}]
CERTIFIED = {
    "authentication": "pubkey",
    "psk": None,
    "certificate": f"{PKI}/first.pem",
    "private_key": f"{PKI}/first.key",
    "ca": f"{PKI}/ca.pem",
    "identifier": "gw.example",
    "peer_identifier": "peer.example",
}
SECOND = {"certificate": f"{PKI}/second.pem", "private_key": f"{PKI}/second.key"}
IKEV1 = {"key_exchange": "ikev1"}
# A phase 1 with Aggressive Mode needs its local address.
FROM_ADDRESS = {**IKEV1, "local_address": lambda rig: rig.device.ipv4}

_p1, _p2 = _one("ipsec_phase1"), _one("ipsec_phase2")

CHANGES = (
    _p1("name", "other", refused="is the peer of phase 1 site-b, with the same"),
    _p1("network", "other", refused="does not have this phase 1"),
    _p1("description", "Branch", harmless=True),
    _p1("key_exchange", "auto"),
    _p1("key_exchange", "ikev1"),
    _p1("remote_gateway", lambda rig: rig.address(1)),
    _p1("local_address", lambda rig: rig.device.ipv4),
    _p1("encryption", AES128, label="phase1 encryption AES 128"),
    _p1("lifetime", 4),
    _p1("lifetime_unit", "days"),
    _p1("authentication", "pubkey", along=CERTIFIED),
    _p1(
        "psk",
        "another key, of no peer that there is",
        harmless=True,
        noticed="reestablish",
        label="phase1 psk",
    ),
    _p1(
        "ppk",
        "another post-quantum key, of no peer that there is",
        base=PPK,
        harmless=True,
        noticed="reestablish",
        label="phase1 ppk",
    ),
    _p1("ppk_id", PPK["ppk_id"], along=PPK, label="phase1 ppk_id with a ppk"),
    _p1("ppk_id", "ppk-nobody", base=PPK),
    _p1("ppk_required", True, base=PPK),
    _p1("certificate", f"{PKI}/second.pem", along=SECOND, base=CERTIFIED),
    _p1("private_key", f"{PKI}/second.key", along=SECOND, base=CERTIFIED),
    _p1("ca", f"{PKI}/ca-renewed.pem", base=CERTIFIED),
    _p1("negotiation_mode", "aggressive", base=FROM_ADDRESS),
    _p1("identifier", "gw.example"),
    _p1("peer_identifier", "peer.example"),
    _p1("connection_behavior", "on_demand"),
    _p1("connection_behavior", "responder_only"),
    _p1("force_udp_encapsulation", True),
    _p1("keying_tries", 5),
    _p1("rekey", False),
    _p1("reauth", True),
    _p1("mobike", True),
    _p1("margintime", 10),
    _p1("margintime_unit", "seconds"),
    _p1("dpd_action", "clear"),
    _p1("dpd_action", "hold"),
    _p1("dpd_action", "none"),
    _p1("dpd_delay", 20),
    _p1("dpd_failures", 4),
    _p1("dpd_failures", 4, base=IKEV1, label="phase1 dpd_failures 4 of IKEv1"),
    _p1("state", "disabled"),
    _p1("state", "absent"),
    _p1("weak_crypto", "refuse", harmless=True),
    _p1("quantum_safe", "require", refused="is not quantum safe"),
    _p1("apply", "defer", harmless=True),
    _p2("name", "other", refused="overlaps"),
    _p2("network", "other", refused="does not exist in network other"),
    _p2("phase1", "site-c", refused="overlaps"),
    _p2("description", "Servers", harmless=True),
    _p2("mode", "transport", refused="transport"),
    _p2("local_network", ["10.1.0.0/25"]),
    _p2("remote_network", ["10.2.0.0/25"]),
    _p2("remote_network", ["10.2.0.0/24", "10.7.0.0/24"], label="phase2 remote_network one more"),
    _p2("protocol", "ah", refused="ah"),
    _p2("lifetime", 2),
    _p2("lifetime_unit", "days"),
    _p2("lifetime_unit", "forever"),
    _p2("encryption", AES128, label="phase2 encryption AES 128"),
    _p2("state", "disabled"),
    _p2("state", "absent"),
    _p2("weak_crypto", "refuse", harmless=True),
    _p2("quantum_safe", "require", refused="takes its keys from phase 1 site-b"),
    _p2("apply", "defer", harmless=True),
)

# The changes with the most information. They also run with the values of connection_behavior and
# apply with which the whole list does not run.
TELLING = tuple(
    change
    for change in CHANGES
    if (change.module, change.option, change.shown)
    in {
        ("ipsec_phase1", "description", "Branch"),
        ("ipsec_phase1", "dpd_delay", "20"),
        ("ipsec_phase1", "psk", "another key, of no peer that there is"),
        ("ipsec_phase1", "connection_behavior", "responder_only"),
        ("ipsec_phase1", "connection_behavior", "on_demand"),
        ("ipsec_phase2", "encryption", str(AES128)),
        ("ipsec_phase2", "remote_network", "['10.2.0.0/25']"),
        ("ipsec_phase2", "lifetime", "2"),
        ("ipsec_phase2", "state", "absent"),
    }
)
