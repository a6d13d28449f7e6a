# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The definition of one end of a tunnel, in the options of ``ipsec_phase1`` and ``ipsec_phase2``.

The definition of a third party may contain values that our modules refuse and other products
accept, such as IKEv1 with several networks. The comparison shows the result. The definition may
also lack options that a peer does not need, such as the files of certificates.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from functools import cached_property

from .._model import checks
from .._model.authentication import CREDENTIALS, PUBKEY
from .._model.capabilities import Capabilities
from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import KEY_EXCHANGES, KEYS, NEGOTIATION_MODES, IkeConnection
from .._model.network import VpnNetwork
from .._model.options import Options
from .._model.secret import Secret
from .._model.settings import IpsecSettings
from .._model.subject import phase1_subject
from .key import ComparableKey, key_from_fingerprint
from .selectors import Index, Selectors

# A definition may break the rules of IKEv1.
_LENIENT = frozenset({2})
_UNKNOWN_FILE = "/unknown.pem"
_UNKNOWN_SECRET, _UNKNOWN_PPK = Secret(b"unknown"), Secret(b"unknown PPK")


@dataclass(frozen=True)
class TunnelEnd:
    """A phase 1 with its phase 2 objects, and the other settings of its side.

    ``number`` counts the tunnels of a peer from 0, in the order of its definition.
    """

    peer: str
    connection: IkeConnection
    settings: IpsecSettings
    network: VpnNetwork | None = None
    key: ComparableKey | None = None
    ppk: ComparableKey | None = None
    number: int = 0
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def enabled(self) -> bool:
        """Return whether the phase 1 is enabled and its network is started."""
        return self.connection.enabled and (self.network is None or self.network.started)

    @cached_property
    def children(self) -> tuple[ChildSa, ...]:
        """Return the enabled phase 2 objects."""
        return tuple(item for item in self.connection.children if item.enabled)

    @cached_property
    def network_pairs(self) -> frozenset[tuple[Selectors, Selectors]]:
        """Return the local and the remote networks of each child that has both."""
        pairs = ((item.local_network, item.remote_network) for item in self.children)
        return frozenset(pair for pair in pairs if all(pair))

    @cached_property
    def selectors(self) -> tuple[Index, Index]:
        """Return indexes of the local and of the remote networks of each child."""
        return (
            Index(item.local_network for item in self.children),
            Index(item.remote_network for item in self.children),
        )

    @property
    def any_peer(self) -> bool:
        """Return whether any peer can connect, each with a part of the networks."""
        return self.connection.remote_gateway == ANY

    @property
    def subject(self) -> str:
        """Return ``phase 1 <name>``."""
        return self.connection.subject

    @property
    def userspace(self) -> bool:
        """Return whether the network of the phase 1 uses the userspace data plane."""
        return self.network is not None and self.network.dataplane == "userspace"


@dataclass(frozen=True)
class Peer:
    """A side: its name, its known addresses, and its tunnels to any other side.

    ``single`` is a definition of one tunnel to the compared side, and of no other tunnel.
    """

    name: str
    addresses: frozenset[str]
    tunnels: tuple[TunnelEnd, ...]
    single: bool = False

    def is_gateway_of(self, end: TunnelEnd) -> bool:
        """Return whether the remote_gateway of an end is this peer."""
        return end.connection.remote_gateway in (*self.addresses, self.name)


def peer(name: str, options: Options) -> Peer:
    """Return the peer of a definition.

    ``options`` has ``addresses``, ``single``, the lists ``networks``, ``settings`` and ``phase1``,
    ``capabilities`` of its IKE daemon, and ``salt``, the salt of the run for the fingerprints of
    its keys.

    Raises ModelError with the object and the option.
    """
    networks = {item["name"]: _vpn_network(item) for item in _defined(options["networks"])}
    settings = {item["network"]: IpsecSettings.from_options(item) for item in options["settings"]}
    tunnels = []
    for number, item in enumerate(_defined(options["phase1"])):
        network = item["network"]
        its_settings = settings.get(network) or IpsecSettings(network)
        key, ppk = (_comparable_key(item, option, options["salt"]) for option in KEYS)
        connection = _ike_connection(item)
        made = TunnelEnd(name, connection, its_settings, networks.get(network), number=number)
        tunnels.append(replace(made, key=key, ppk=ppk, capabilities=options["capabilities"]))
    addresses = {*options["addresses"], *(item.connection.local_address for item in tunnels)}
    return Peer(name, frozenset(addresses - {None}), tuple(tunnels), options["single"])


def _defined(items: t.Iterable[Options]) -> t.Iterator[Options]:
    """Yield the objects that exist: not absent, and not disabled without other options."""
    for item in items:
        only_disabled = item.get("state") == "disabled" and item.get("remote_gateway") is None
        if item.get("state") != "absent" and not only_disabled:
            yield item


def _vpn_network(options: Options) -> VpnNetwork:
    state = options.get("state")
    return VpnNetwork.from_options({**options, "state": None if state == "present" else state})


def _ike_connection(options: Options) -> IkeConnection:
    key_exchange = checks.one_of(
        "key_exchange", options.get("key_exchange") or "ikev2", tuple(KEY_EXCHANGES)
    )
    mode = checks.one_of(
        "negotiation_mode", options.get("negotiation_mode") or "main", NEGOTIATION_MODES
    )
    complete = {**options, "key_exchange": "ikev2", "negotiation_mode": "main"}
    if complete.get("authentication") == PUBKEY:
        complete.update({name: complete.get(name) or _UNKNOWN_FILE for name in CREDENTIALS})
    elif not complete.get("psk"):
        complete["psk"] = _UNKNOWN_SECRET
    if not complete.get("ppk") and (complete.get("ppk_id") or complete.get("ppk_fingerprint")):
        complete["ppk"] = _UNKNOWN_PPK
    connection = IkeConnection.from_options(complete)
    owner = {"phase1": connection.name, "network": connection.network}
    children = tuple(
        ChildSa.from_options({**item, **owner}, _LENIENT)
        for item in options.get("phase2") or ()
        if item.get("state") != "absent"
    )
    return replace(connection, key_exchange=key_exchange, negotiation_mode=mode, children=children)


def _comparable_key(options: Options, option: str, salt: bytes) -> ComparableKey | None:
    """Return the key of ``option``, psk or ppk, or what its fingerprint says about it."""
    key, value = options.get(option), options.get(f"{option}_fingerprint")
    if key:
        return ComparableKey(salt, Secret(str(key).encode()))
    if value:
        subject = phase1_subject(options["name"])
        return key_from_fingerprint(f"{option}_fingerprint", value, subject)
    return None
