# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The IKE SA configuration, Phase 1 to operators (RFC 7296 section 1.2)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from .._errors import ModelError
from . import checks, ends, lifetime
from .authentication import AUTHENTICATIONS, CREDENTIALS, PSK, PUBKEY
from .checks import ANY
from .child import ChildSa, proposals
from .connection_checks import check_child, check_connection
from .identity import Identity
from .keys import Key, PskPeer
from .options import Convert, Options, field_values, for_change, option_values
from .ppk import check_ppk, ppk_id
from .proposal import DEFAULT_IKE, Proposal, Use
from .secret import STRONG_PPK, STRONG_PSK, Secret, secret
from .subject import phase1_subject

KEY_EXCHANGES = {"auto": frozenset({1, 2}), "ikev1": frozenset({1}), "ikev2": frozenset({2})}
NEGOTIATION_MODES = ("main", "aggressive")
BEHAVIORS = ("responder_only", "on_demand", "start")
DPD_ACTIONS = ("clear", "hold", "restart", "none")
STATES = ("present", "disabled")
# The options that hold a key. Results and records have none of them.
KEYS = ("psk", "ppk")

# Names that the collection itself uses in the daemon.
RESERVED_PREFIX = "tunnelwright-"


@dataclass(frozen=True)
class IkeConnection:
    """The checked options of one ``ipsec_phase1``, with its Child SAs (Phase 2)."""

    name: str
    network: str
    remote_gateway: str
    description: str = ""
    key_exchange: str = "ikev2"
    local_address: str | None = None
    encryption: tuple[Proposal, ...] = DEFAULT_IKE
    lifetime: int = 3
    lifetime_unit: str = "hours"
    authentication: str = PSK
    psk: Secret | None = None
    ppk: Secret | None = None
    ppk_id: str | None = None
    ppk_required: bool = False
    certificate: str | None = None
    private_key: str | None = None
    ca: str | None = None
    negotiation_mode: str = "main"
    identifier: str | None = None
    peer_identifier: str | None = None
    connection_behavior: str = "on_demand"
    force_udp_encapsulation: bool = False
    keying_tries: int = 3
    rekey: bool = True
    reauth: bool = False
    mobike: bool = False
    margintime: int = 9
    margintime_unit: str = "minutes"
    dpd_action: str = "restart"
    dpd_delay: int = 30
    dpd_failures: int = 5
    state: str = "present"
    children: tuple[ChildSa, ...] = ()

    @classmethod
    def from_options(cls, options: Options, kept: IkeConnection | None = None) -> IkeConnection:
        """Return a phase 1. Raise ModelError naming the phase 1 and the option.

        ``kept`` is the present phase 1. Its children stay, and its keys that are not given.
        """
        return cls._made(options, _CONVERT, kept)

    @classmethod
    def from_record(cls, options: Options) -> IkeConnection:
        """Return the object of a record. A record may hold values that are refused now."""
        return cls._made(options, _RECORDED, None)

    def changed(self, options: Options) -> IkeConnection:
        """Return the phase 1 with these options, and every other as it is. Raises ModelError."""
        # Certificate files are dropped when the authentication no longer uses them.
        gone = CREDENTIALS if options.get("authentication") == PSK else ()
        kept = option_values(self, without=(*KEYS, "children", *gone))
        return self._made({**kept, **options}, for_change(_CONVERT, _RECORDED, options), self)

    @classmethod
    def _made(
        cls, options: Options, table: t.Mapping[str, Convert], kept: IkeConnection | None
    ) -> IkeConnection:
        name = _name(options.get("name"))
        try:
            versions = KEY_EXCHANGES[_key_exchange("key_exchange", options.get("key_exchange"))]
            convert = {**table, "encryption": proposals(Use.IKE, versions)}
            connection = cls(**field_values(cls, options, convert))
            if kept is not None:
                connection = replace(connection, children=kept.children)
                if connection.uses_psk and connection.psk is None:
                    connection = replace(connection, psk=kept.psk)
                if connection.ppk_id is not None and connection.ppk is None:
                    connection = replace(connection, ppk=kept.ppk)
            check_connection(connection)
            check_ppk(connection)
            return connection
        except ModelError as error:
            raise error.within(phase1_subject(name)) from None

    def to_options(self) -> dict[str, t.Any]:
        """Return every option except the keys and the children."""
        return {**self._plain}

    @cached_property
    def _plain(self) -> dict[str, t.Any]:
        return option_values(self, without=(*KEYS, "children"))

    @property
    def subject(self) -> str:
        """Return how errors and warnings name the phase 1."""
        return phase1_subject(self.name)

    @property
    def versions(self) -> frozenset[int]:
        """Return the IKE versions to negotiate. ``auto`` initiates version 2 and accepts both."""
        return KEY_EXCHANGES[self.key_exchange]

    @property
    def enabled(self) -> bool:
        return self.state == "present"

    @property
    def uses_psk(self) -> bool:
        """Return whether both sides authenticate with a pre-shared key."""
        return self.authentication == PSK

    @property
    def uses_certificates(self) -> bool:
        """Return whether both sides authenticate with a certificate."""
        return self.authentication == PUBKEY

    @property
    def ppk_mark(self) -> str | None:
        """Return the identity of the PPK as strongSwan compares it; None without a PPK."""
        return None if self.ppk_id is None else self.ppk_id.casefold()

    @property
    def peer_address(self) -> checks.IPAddress | None:
        """Return the address of the peer; None for a name and for ``%any``."""
        return ends.address_of(self.remote_gateway)

    @property
    def peer_identity(self) -> str:
        """Return the identity that the peer must prove, by default its ``remote_gateway``."""
        return self.peer_identifier or self.remote_gateway

    @property
    def psk_owners(self) -> tuple[str, ...]:
        """Return the identities by which charon finds the PSK. An empty tuple is for every peer."""
        owners = []
        if Identity.parse(self.peer_identity).kind != "any":
            owners.append(self.peer_identity)
        elif self.identifier:
            owners.append(self.identifier)
        elif 2 in self.versions:
            # IKEv2 would search for the key of `%any`, and not find a key for an address.
            return ()
        # IKEv1 Main Mode searches by address if this gateway has no identity, because no peer has
        # sent an identity yet (RFC 2409 section 5.4).
        by_address = 1 in self.versions and not self.identifier
        if by_address and (self.negotiation_mode == "main" or not owners):
            gateway = Identity.parse(self.remote_gateway)
            if gateway.kind == "address" and self.remote_gateway not in owners:
                owners.append(self.remote_gateway)
        return tuple(owners)

    @cached_property
    def key(self) -> Key | None:
        """Return the PSK with the peer that it is for; None with certificates."""
        if not self.uses_psk or self.psk is None:
            return None
        place = f"peer_identifier of {self.subject}"
        peer = PskPeer(
            self.subject,
            place,
            f"identifier of {self.subject}",
            Identity.parse(self.peer_identity),
            Identity.parse(self.identifier or ANY),
            self.versions,
            (Identity.parse(self.local_address or ANY),),
            (Identity.parse(self.remote_gateway.rstrip(".")),),
            self.negotiation_mode == "aggressive",
        )
        owners = tuple(map(Identity.parse, self.psk_owners))
        return Key(f"the psk of {self.subject}", place, self.psk, owners, peer)

    @property
    def lifetime_seconds(self) -> int:
        return lifetime.in_seconds("lifetime", self.lifetime, self.lifetime_unit)

    @property
    def margin_seconds(self) -> int:
        return lifetime.in_seconds("margintime", self.margintime, self.margintime_unit)

    def child(self, name: str) -> ChildSa | None:
        return next((child for child in self.children if child.name == name), None)

    def with_child(self, child: ChildSa) -> IkeConnection:
        """Return the connection with the child. It replaces a child of the same name."""
        return self.with_children((child,))

    def with_children(self, children: t.Iterable[ChildSa]) -> IkeConnection:
        """Return the connection with these children. They replace children of the same names."""
        added = {child.name: child for child in children}
        kept = {child.name: child for child in self.children}
        connection = replace(self, children=tuple({**kept, **added}.values()))
        for child in added.values():
            check_child(connection, child)
        return connection

    def without_child(self, name: str) -> IkeConnection:
        return replace(self, children=tuple(item for item in self.children if item.name != name))


def _name(value: object) -> str:
    name = checks.phase_name("name", value)
    if name.startswith(RESERVED_PREFIX):
        fix = f"Use a name that does not begin with {RESERVED_PREFIX}."
        raise ModelError("name", name, "is reserved for this collection", fix)
    return name


def _key_exchange(option: str, value: t.Any) -> str:
    return checks.one_of(option, "ikev2" if value is None else value, tuple(KEY_EXCHANGES))


_CONVERT: dict[str, Convert] = {
    "network": checks.network_name,
    "remote_gateway": ends.gateway,
    "description": checks.description,
    "key_exchange": _key_exchange,
    "local_address": ends.local_address,
    "authentication": checks.choice(AUTHENTICATIONS),
    "psk": secret(STRONG_PSK),
    "ppk": secret(STRONG_PPK),
    "ppk_id": ppk_id,
    "certificate": checks.file_path,
    "private_key": checks.file_path,
    "ca": checks.file_path,
    "negotiation_mode": checks.choice(NEGOTIATION_MODES),
    "identifier": ends.own_identity,
    "peer_identifier": ends.peer_identity,
    "connection_behavior": checks.choice(BEHAVIORS),
    "keying_tries": checks.whole(0, 1000),
    "dpd_action": checks.choice(DPD_ACTIONS),
    "dpd_delay": checks.whole(1, 86400),
    "dpd_failures": checks.whole(1, 100),
    "state": checks.choice(STATES),
}
# Values that an earlier version accepted stay readable.
_RECORDED: dict[str, Convert] = {
    **_CONVERT,
    "remote_gateway": ends.recorded_gateway,
    "local_address": ends.recorded_address,
    "identifier": checks.identity,
    "peer_identifier": checks.identity,
}
