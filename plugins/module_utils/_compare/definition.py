# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What one end of a tunnel says, in the options of ``ipsec_phase1`` and ``ipsec_phase2``.

A third party's sheet may say what our modules refuse and others configure, such as IKEv1 with
several networks: what comes of that is for the comparison to say. It may also leave out what a
sheet does not tell, such as the files of certificates.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from .._model import checks
from .._model.authentication import CREDENTIALS, PUBKEY
from .._model.checks import ANY
from .._model.child import ChildSa
from .._model.connection import KEY_EXCHANGES, NEGOTIATION_MODES, IkeConnection
from .._model.network import VpnNetwork
from .._model.options import Options
from .._model.secret import Secret
from .._model.settings import IpsecSettings
from .key import Key, key_of_sheet
from .selectors import Index, Selectors

# The rules of IKEv1 are not for a definition to break.
_LENIENT = frozenset({2})
_FILE = "/not/told.pem"
_UNTOLD = Secret(b"not told")


@dataclass(frozen=True)
class Tunnel:
    """One phase 1 with its phase 2 objects, and what else of its side bears on it."""

    peer: str
    connection: IkeConnection
    settings: IpsecSettings
    network: VpnNetwork | None = None
    key: Key | None = None

    @property
    def enabled(self) -> bool:
        return self.connection.enabled and (self.network is None or self.network.started)

    @cached_property
    def children(self) -> tuple[ChildSa, ...]:
        return tuple(item for item in self.connection.children if item.enabled)

    @cached_property
    def mirrored(self) -> frozenset[tuple[Selectors, Selectors]]:
        """The local and the remote networks of each child that has both."""
        found = ((item.local_network, item.remote_network) for item in self.children)
        return frozenset(pair for pair in found if all(pair))

    @cached_property
    def selectors(self) -> tuple[Index, Index]:
        """Of the local and of the remote networks of each child."""
        return (
            Index(item.local_network for item in self.children),
            Index(item.remote_network for item in self.children),
        )

    @property
    def anybody(self) -> bool:
        """Whether any peer may come, each with a part of the networks."""
        return self.connection.remote_gateway == ANY

    @property
    def subject(self) -> str:
        return f"phase 1 {self.connection.name}"

    @property
    def userspace(self) -> bool:
        return self.network is not None and self.network.dataplane == "userspace"


@dataclass(frozen=True)
class Peer:
    """One side: its name, the addresses it is known by, and its tunnels to whomever.

    ``single`` is a definition of nothing but one tunnel to the other side.
    """

    name: str
    addresses: frozenset[str]
    tunnels: tuple[Tunnel, ...]
    single: bool = False

    def names(self, tunnel: Tunnel) -> bool:
        """Whether a tunnel of another side leads here."""
        return tunnel.connection.remote_gateway in (*self.addresses, self.name)


def peer(name: str, options: Options) -> Peer:
    """``options`` has ``addresses``, ``single``, and lists ``networks``, ``settings``, ``phase1``.

    ``salt`` is the salt of the run, for fingerprints of its keys.

    Raises ModelError naming the object and the option.
    """
    networks = {item["name"]: _network(item) for item in _present(options["networks"])}
    settings = {item["network"]: IpsecSettings.from_options(item) for item in options["settings"]}
    tunnels = []
    for item in _present(options["phase1"]):
        network = item["network"]
        known = settings.get(network) or IpsecSettings(network)
        connection = _connection(item)
        key = _key(item, options["salt"])
        tunnels.append(Tunnel(name, connection, known, networks.get(network), key))
    addresses = {*options["addresses"], *(item.connection.local_address for item in tunnels)}
    return Peer(name, frozenset(addresses - {None}), tuple(tunnels), options["single"])


def _present(items: t.Iterable[Options]) -> t.Iterator[Options]:
    """Those that are defined: what is absent, or disabled without being told, is no tunnel."""
    for item in items:
        untold = item.get("state") == "disabled" and item.get("remote_gateway") is None
        if item.get("state") != "absent" and not untold:
            yield item


def _network(options: Options) -> VpnNetwork:
    state = options.get("state")
    return VpnNetwork.from_options({**options, "state": None if state == "present" else state})


def _connection(options: Options) -> IkeConnection:
    key_exchange = checks.one_of(
        "key_exchange", options.get("key_exchange") or "ikev2", tuple(KEY_EXCHANGES)
    )
    mode = checks.one_of(
        "negotiation_mode", options.get("negotiation_mode") or "main", NEGOTIATION_MODES
    )
    given = {**options, "key_exchange": "ikev2", "negotiation_mode": "main"}
    if given.get("authentication") == PUBKEY:
        given.update({name: given.get(name) or _FILE for name in CREDENTIALS})
    elif not given.get("psk"):
        given["psk"] = _UNTOLD
    connection = IkeConnection.from_options(given)
    owner = {"phase1": connection.name, "network": connection.network}
    children = tuple(
        ChildSa.from_options({**item, **owner}, _LENIENT)
        for item in options.get("phase2") or ()
        if item.get("state") != "absent"
    )
    return replace(connection, key_exchange=key_exchange, negotiation_mode=mode, children=children)


def _key(options: Options, salt: bytes) -> Key | None:
    psk, told = options.get("psk"), options.get("psk_fingerprint")
    if psk:
        return Key(salt, Secret(str(psk).encode()))
    return key_of_sheet("psk_fingerprint", told, f"phase 1 {options['name']}") if told else None
