# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers that have one key and claim the identity of another peer.

``LEGAL`` keeps them out. ``REFUSED`` would let them in.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.settings import (
    IpsecSettings,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.connection import (
    connection_section,
)
from ansible_collections.tunnelwright.ipsec.tests.live.host import Host, Options
from ansible_collections.tunnelwright.ipsec.tests.live.rig import Rig

AES = "aes256-sha256-modp2048"
KEYS = {
    "x": "the key of the peer of x, of no other",
    "y": "the key of the peer of y, of no other",
}
# Milliseconds. A gateway that chooses another key never answers in IKEv1.
PATIENCE = "2000"
ANY = {"remote_gateway": "%any", "connection_behavior": "responder_only"}
V1 = {"key_exchange": "ikev1"}
AGGRESSIVE = {**V1, "negotiation_mode": "aggressive"}
HUB = {"identifier": "hub.example"}


@dataclass(frozen=True)
class Call:
    """A peer that has the key of one phase 1 and claims an identity.

    ``name`` is the identity that the peer expects of the gateway. ``site`` is the number of the
    address of the peer. With ``ipv6`` the peer uses its only IPv6 address.
    """

    key: str
    claims: str
    name: str = "%any"
    site: int = 1
    version: str = "2"
    aggressive: bool = False
    ipv6: bool = False


@dataclass(frozen=True)
class Case:
    """Two phase 1 objects. ``<1>``, ``<2>`` and ``<6>`` in their options are addresses of the peer.

    Each of ``strangers`` is a call, and the phase 1 that its peer attacks. Each call of ``honest``
    brings up the phase 1 of its key.
    """

    label: str
    x: Options
    y: Options
    strangers: tuple[tuple[Call, str], ...]
    honest: tuple[Call, ...] = ()

    def __str__(self) -> str:
        return self.label

    @property
    def ikev1(self) -> bool:
        """Return whether a phase 1 or a call of the case has IKEv1."""
        calls = (*(call for call, _meant in self.strangers), *self.honest)
        return any(V1.items() <= given.items() for given in (self.x, self.y)) or any(
            call.version == "1" for call in calls
        )


@dataclass
class Gateway:
    """A device, and the peer that plays all initiators."""

    rig: Rig
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        addresses = {str(number): self.rig.address(number) for number in range(1, 4)}
        ipv6 = {"6": self.rig.peer.ipv6, "us6": self.device.ipv6}
        self.names = {**addresses, **ipv6, "us": self.device.ipv4}

    @property
    def device(self) -> Host:
        return self.rig.device

    def filled(self, value: t.Any) -> t.Any:
        """Return a value with the addresses in place of ``<1>``, ``<us>`` and so on."""
        if not isinstance(value, str):
            return value
        for name, address in self.names.items():
            value = value.replace(f"<{name}>", address)
        return value

    def options(self, name: str, given: Options) -> Options:
        own = {option: self.filled(value) for option, value in given.items()}
        behavior = {"connection_behavior": "responder_only", "weak_crypto": "allow"}
        return {"name": name, "network": "lan", "psk": KEYS[name], **behavior, **own}

    def configure(self, name: str, given: Options) -> None:
        self.device.apply("ipsec_phase1", self.options(name, given))

    def load(self, name: str, given: Options) -> None:
        """Load a connection that the modules refuse, as an earlier version of the modules did."""
        options = self.options(name, given)
        made = IkeConnection.from_record(options)
        section = connection_section(made, IpsecSettings("lan"))
        self.device.vici("load-conn", {name: section})
        secret = {"id": f"ike-{name}", "type": "IKE", "data": KEYS[name]}
        self.device.vici("load-shared", {**secret, "owners": made.psk_owners})

    def let_in(self, call: Call) -> set[str]:
        """Initiate as ``call``, and return the phase 1 objects of which an IKE SA came up.

        strongSwan in the role of the stranger then closes the IKE SA, because the gateway has
        authenticated with another key. Another program could keep the IKE SA.
        """
        claims, name = self.filled(call.claims), self.filled(call.name)
        section = {
            "version": call.version,
            "aggressive": "yes" if call.aggressive else "no",
            "local_addrs": [self.rig.peer.ipv6 if call.ipv6 else self.rig.address(call.site)],
            "remote_addrs": [self.device.ipv6 if call.ipv6 else self.device.ipv4],
            "proposals": [AES],
            "local": {"auth": "psk", "id": claims},
            "remote": {"auth": "psk", "id": name},
            "children": {"net": {"esp_proposals": [AES]}},
        }
        peer = self.rig.peer
        secret = {"id": "caller", "type": "IKE", "data": KEYS[call.key], "owners": [claims, name]}
        peer.vici("load-conn", {"caller": section})
        peer.vici("load-shared", secret)
        try:
            with self.device.listening(after=0.1) as events:
                message = {"ike": "caller", "child": "net", "timeout": PATIENCE}
                peer.ask("request", command="initiate", message=message)
        finally:
            self.hang_up()
        return {
            name
            for event in events
            if event["kind"] == "ike-updown" and event["message"].get("up") == "yes"
            for name in event["message"].keys() & {*KEYS, "road"}
        }

    def hang_up(self) -> None:
        for host in (self.rig.peer, self.device):
            for sa in host.ask("sas")["sas"]:
                message = {"ike-id": sa["uniqueid"], "force": "yes", "timeout": "1000"}
                host.ask("request", command="terminate", message=message)
        for command, key in (("unload-conn", "name"), ("unload-shared", "id")):
            self.rig.peer.ask("request", command=command, message={key: "caller"})

    def clear(self) -> None:
        for name in KEYS:
            absent = {"name": name, "network": "lan", "state": "absent"}
            self.device.apply("ipsec_phase1", absent)
            self.device.ask("request", command="unload-conn", message={"name": name})
            self.device.ask("request", command="unload-shared", message={"id": f"ike-{name}"})


def _any(name: str) -> Options:
    return {**ANY, **HUB, "peer_identifier": f"{name}.example"}


X2, Y2 = (Call(name, f"{name}.example", "hub.example") for name in ("x", "y"))

# Accepted configurations. No stranger can bring up an SA under the identity of another peer.
LEGAL = (
    Case(
        "any address with names",
        _any("x"),
        _any("y"),
        tuple(
            (Call(key, f"{other}.example", name), other)
            for key, other in (("x", "y"), ("y", "x"))
            for name in ("%any", "<us>", "hub.example", f"{key}.example", f"{other}.example")
        ),
        (X2, Y2, Call("x", "x.example"), Call("y", "y.example")),
    ),
    Case(
        "patterns that do not overlap",
        {**_any("x"), "peer_identifier": "*.x.example"},
        {**_any("y"), "peer_identifier": "*.y.example"},
        (
            (Call("x", "a.y.example", "hub.example"), "y"),
            (Call("x", "a.y.example", "a.x.example"), "y"),
            (Call("x", "*.y.example", "hub.example"), "y"),
        ),
        (Call("x", "a.x.example", "hub.example"), Call("y", "b.y.example", "hub.example")),
    ),
    Case(
        "behind one address",
        {**HUB, "remote_gateway": "<1>", "peer_identifier": "x.example"},
        {**HUB, "remote_gateway": "<1>", "peer_identifier": "y.example"},
        (
            (Call("x", "y.example", "hub.example"), "y"),
            (Call("x", "y.example", "x.example"), "y"),
            (Call("y", "x.example", "y.example"), "x"),
        ),
        (X2, Y2),
    ),
    Case(
        "fixed addresses",
        {"remote_gateway": "<1>"},
        {"remote_gateway": "<2>"},
        (
            # The stranger initiates from both addresses, and expects different identities.
            (Call("x", "<2>", "<us>", site=1), "y"),
            (Call("x", "<2>", "<1>", site=1), "y"),
            (Call("x", "<2>", "<us>", site=2), "y"),
            (Call("y", "<1>", "<us>", site=1), "x"),
        ),
        (Call("x", "<1>", "<us>", site=1), Call("y", "<2>", "<us>", site=2)),
    ),
    Case(
        "fixed addresses of both versions",
        {"remote_gateway": "<1>"},
        {"remote_gateway": "<6>"},
        (
            (Call("x", "<6>", "<us6>", ipv6=True), "y"),
            (Call("x", "<6>", "<1>"), "y"),
            (Call("y", "<1>", "<us>"), "x"),
        ),
        (Call("x", "<1>", "<us>"), Call("y", "<6>", "<us6>", ipv6=True)),
    ),
    Case(
        "a fixed address beside any address",
        {"remote_gateway": "<1>"},
        _any("y"),
        (
            (Call("x", "y.example", "hub.example"), "y"),
            (Call("x", "y.example", "<1>"), "y"),
            (Call("y", "<1>", "hub.example", site=2), "x"),
            (Call("y", "<1>", "y.example", site=2), "x"),
        ),
        (Call("x", "<1>", "<us>"), Y2),
    ),
    Case(
        "IKEv1 with fixed addresses",
        {**V1, "remote_gateway": "<1>", "peer_identifier": "x.example"},
        {**V1, "remote_gateway": "<2>", "peer_identifier": "y.example"},
        (
            (Call("x", "y.example", site=1, version="1"), "y"),
            (Call("x", "y.example", site=2, version="1"), "y"),
            (Call("y", "x.example", site=1, version="1"), "x"),
        ),
        (
            Call("x", "x.example", site=1, version="1"),
            Call("y", "y.example", site=2, version="1"),
        ),
    ),
    Case(
        "IKEv1 from any address beside IKEv2",
        {"remote_gateway": "<1>"},
        {**V1, **_any("y")},
        (
            (Call("x", "y.example", version="1"), "y"),
            (Call("y", "<1>", "<us>"), "x"),
        ),
        (Call("x", "<1>", "<us>"), Call("y", "y.example", version="1")),
    ),
    Case(
        "any version behind one address, one with IKEv1",
        {**V1, **HUB, "remote_gateway": "<1>", "peer_identifier": "x.example"},
        {**HUB, "remote_gateway": "<1>"},
        (
            (Call("x", "<1>", "hub.example"), "y"),
            (Call("x", "<1>", "x.example"), "y"),
            (Call("y", "x.example", version="1"), "x"),
        ),
        (Call("x", "x.example", version="1"), Call("y", "<1>", "hub.example")),
    ),
    Case(
        "Aggressive Mode from any address",
        {**AGGRESSIVE, **_any("x")},
        {**AGGRESSIVE, **_any("y")},
        (
            (Call("x", "y.example", version="1", aggressive=True), "y"),
            (Call("y", "x.example", version="1", aggressive=True), "x"),
        ),
        (
            Call("x", "x.example", version="1", aggressive=True),
            Call("y", "y.example", version="1", aggressive=True),
        ),
    ),
)

# Refused configurations. A stranger could bring up an SA under the identity of another peer.
REFUSED = (
    Case(
        "any peer",
        ANY,
        {"remote_gateway": "<1>"},
        ((Call("x", "<1>", "<us>"), "y"),),
    ),
    Case(
        "any peer, over IPv6",
        ANY,
        {"remote_gateway": "<6>"},
        ((Call("x", "<6>", "<us6>", ipv6=True), "y"),),
    ),
    Case(
        "any peer, one identity of this gateway",
        {**ANY, **HUB},
        {**HUB, "remote_gateway": "<1>"},
        ((Call("x", "<1>", "hub.example"), "y"),),
    ),
    Case(
        "any peer, other identities of this gateway",
        {**ANY, "identifier": "road.example"},
        {**HUB, "remote_gateway": "<1>"},
        ((Call("y", "<1>", "road.example"), "x"),),
    ),
    Case(
        "any identity at one address",
        {"remote_gateway": "<2>", "peer_identifier": "%any"},
        {"remote_gateway": "<1>"},
        ((Call("x", "<1>", "<us>"), "y"),),
    ),
    Case(
        "a pattern that matches the other peer",
        {**_any("x"), "peer_identifier": "*.example"},
        _any("y"),
        ((Call("x", "y.example", "hub.example"), "y"),),
    ),
    Case(
        "a network that has the other peer",
        {**_any("x"), "peer_identifier": "<1>/24"},
        {**HUB, "remote_gateway": "<1>"},
        ((Call("x", "<1>", "hub.example"), "y"),),
    ),
    Case(
        "the identity of the other peer in hexadecimal digits",
        {**HUB, "remote_gateway": "<2>", "peer_identifier": "fqdn:#792e6578616d706c65"},
        _any("y"),
        ((Call("x", "y.example", "hub.example"), "y"),),
    ),
    Case(
        "our identity elsewhere",
        {"remote_gateway": "<2>", "peer_identifier": "hub.example"},
        _any("y"),
        ((Call("x", "y.example", "hub.example"), "y"),),
    ),
    Case(
        "no identity of this gateway, from any address",
        {"remote_gateway": "<1>"},
        {**ANY, "peer_identifier": "y.example"},
        ((Call("x", "y.example", "<1>"), "y"),),
    ),
    Case(
        "no identity of this gateway, behind one address",
        {"remote_gateway": "<1>", "peer_identifier": "x.example"},
        {"remote_gateway": "<1>", "peer_identifier": "y.example"},
        ((Call("x", "y.example", "x.example"), "y"),),
    ),
    Case(
        "IKEv1 from any address",
        {**V1, **_any("x")},
        {**V1, **_any("y")},
        ((Call("x", "y.example", version="1"), "y"),),
    ),
    Case(
        "IKEv1 behind one address",
        {**V1, "remote_gateway": "<1>", "peer_identifier": "x.example"},
        {**V1, **HUB, "remote_gateway": "<1>", "peer_identifier": "y.example"},
        ((Call("y", "x.example", version="1"), "x"),),
    ),
    Case(
        "IKEv1 at one address beside any address",
        {**V1, **HUB, "remote_gateway": "<1>"},
        {**V1, **_any("y")},
        ((Call("x", "y.example", version="1"), "y"),),
    ),
    Case(
        "Aggressive Mode beside Main Mode",
        {**AGGRESSIVE, **HUB, "remote_gateway": "<1>"},
        {**V1, **_any("y")},
        ((Call("x", "y.example", version="1"), "y"),),
    ),
    Case(
        "IKEv1 looks by the address of an IKEv2 peer",
        {"remote_gateway": "<1>"},
        {**V1, **ANY, "peer_identifier": "y.example"},
        ((Call("x", "y.example", version="1"), "y"),),
    ),
)
