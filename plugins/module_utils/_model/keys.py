# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The peers that a pre-shared key admits, and the check that these are not too many.

charon of strongSwan 5.9.8 and 6.0.1 finds a key as follows (``tests/live/test_keys.py``):

- The owners of a key are identities or patterns. A key without owners is for every peer.
- An IKEv2 responder tries each key with an owner that matches the identity which the peer claims,
  or the identity by which the peer addresses the responder. A peer may use any identity for a
  responder that has no own identity.
- IKEv1 Main Mode needs the key before the peer sends its identity. The responder searches the
  connections between the two addresses. The first one with an own identity selects the key. If no
  connection has an own identity, an owner must be one of the two addresses. The peer may claim any
  of these connections later.
- IKEv1 Aggressive Mode searches by the identity that the peer claims, and by the own identity.
"""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from functools import cached_property

from .identity import Identity
from .secret import Secret


@dataclass(frozen=True)
class PskPeer:
    """The peer of one connection with a pre-shared key, as a responder sees it.

    ``own`` is the identity of this gateway for the peer; its kind is any if it is not set.
    ``local`` and ``remote`` are addresses. The places name the options of the two identities.
    """

    subject: str
    place: str
    own_place: str
    identity: Identity
    own: Identity
    versions: frozenset[int]
    local: tuple[Identity, ...]
    remote: tuple[Identity, ...]
    aggressive: bool = False

    @property
    def named(self) -> bool:
        """Return whether the peer must address this gateway by one configured identity."""
        return self.own.kind != "any"

    @property
    def main_mode(self) -> bool:
        return 1 in self.versions and not self.aggressive


@dataclass(frozen=True)
class Key:
    """A pre-shared key for ``peer``, which is None if it is unknown.

    ``place`` names the option that sets the owners of the key.
    """

    subject: str
    place: str
    secret: Secret
    owners: tuple[Identity, ...] = ()
    peer: PskPeer | None = None

    @property
    def for_every_peer(self) -> bool:
        return not self.owners or any(owner.kind == "any" for owner in self.owners)

    def is_for(self, peer: PskPeer) -> bool:
        """Return whether the key is for this peer, by its owners."""
        own = (peer.identity, peer.own) if peer.named else (peer.identity,)
        return self.for_every_peer or _match(self.owners, own) is not None

    def may_concern(self, other: Key) -> bool:
        """Return whether two keys may affect each other. The check is quick and mostly False."""
        return (
            self.is_open
            or other.is_open
            or not self.marks.isdisjoint(other.marks)
            or self.own_mark in other.marks
            or other.own_mark in self.marks
        )

    @cached_property
    def _identities(self) -> tuple[Identity, ...]:
        peer = (self.peer.identity, *self.peer.remote) if self.peer else ()
        return (*self.owners, *peer)

    @cached_property
    def marks(self) -> frozenset[str]:
        """Return the owners of the key and the identities of its peer, for an index of keys."""
        return frozenset(map(_mark, self._identities))

    @cached_property
    def own_mark(self) -> str:
        """Return the identity of this gateway for the peer; empty without a peer."""
        return _mark(self.peer.own) if self.peer else ""

    @cached_property
    def is_open(self) -> bool:
        """Return whether a pattern in the key may match any identity."""
        named = self.peer is not None and self.peer.named and self.peer.own.is_wildcard
        return not self.owners or named or any(item.is_wildcard for item in self._identities)


@dataclass(frozen=True)
class Intrusion:
    """A way for the holder of ``key`` to pass for ``peer``.

    ``options`` can prevent it. Each has the subject of its object.
    """

    key: Key
    peer: PskPeer
    reason: str
    fix: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return (
            f"lets the holder of {self.key.subject} connect as the peer of {self.peer.subject}: "
            f"{self.reason}"
        )

    def option_of(self, subject: str) -> str:
        """Return the option of this object that can prevent it, by default its psk."""
        return next((option for option, owner in self.options if owner == subject), "psk")


def intrusion(one: Key | None, other: Key | None) -> Intrusion | None:
    """Return how the holder of one key can pass for the peer of the other key, or None.

    Two connections with the same key are accepted: their peers can pass for each other anyway.
    """
    if one is None or other is None or not one.may_concern(other) or one.secret == other.secret:
        return None
    return way_in(one, other)


def way_in(one: Key, other: Key) -> Intrusion | None:
    """Return the same for two keys that differ."""
    for rule in _RULES:
        for key, peer in ((one, other.peer), (other, one.peer)):
            found = rule(key, peer) if peer else None
            if found:
                return found
    return None


def _as_every_peer(key: Key, peer: PskPeer) -> Intrusion | None:
    if not key.for_every_peer:
        return None
    options = (("peer_identifier", key.peer.subject),) if key.peer else ()
    fix = f"Set {key.place} to the identity of one peer."
    return Intrusion(key, peer, "this key is for every peer", fix, options)


def _as_any_identity(key: Key, peer: PskPeer) -> Intrusion | None:
    if peer.identity.kind != "any":
        return None
    options = (("peer_identifier", peer.subject),)
    fix = f"Set {peer.place} to the identity of one peer."
    return Intrusion(key, peer, f"{peer.subject} accepts every identity", fix, options)


def _by_identity(key: Key, peer: PskPeer) -> Intrusion | None:
    owner = _match(key.owners, (peer.identity,))
    if owner is None:
        return None
    reason = f"this key is for {owner}"
    if str(owner) != str(peer.identity):
        reason += f", which matches the identity of that peer, {peer.identity}"
    fix = (
        f"Set {key.place}, or {peer.place}, to an identity that no other peer has. If the two are "
        "one peer, give them the same psk."
    )
    options = tuple(("peer_identifier", item.subject) for item in (key.peer, peer) if item)
    return Intrusion(key, peer, reason, fix, options)


def _by_our_identity(key: Key, peer: PskPeer) -> Intrusion | None:
    owner = _match(key.owners, (peer.own,)) if peer.named else None
    if owner is None:
        return None
    reason = f"this key is for {owner}, and the own identity of {peer.subject} is {peer.own}"
    fix = f"Set {peer.own_place} to an identity that no peer has."
    return Intrusion(key, peer, reason, fix, (("identifier", peer.subject),))


def _by_addresses(key: Key, peer: PskPeer) -> Intrusion | None:
    """Return the way by addresses, in IKEv1 Main Mode."""
    if not peer.main_mode or not key.peer or 1 not in key.peer.versions:
        return None
    if not _match(key.peer.remote, peer.remote) or not _match(key.peer.local, peer.local):
        return None
    reason = "IKEv1 chooses a psk by the addresses, before a peer sends its identity"
    fix = (
        "Set key_exchange of one of the two to ikev2, use another remote_gateway or certificates, "
        "or give both the same psk."
    )
    options = tuple(("key_exchange", item.subject) for item in (key.peer, peer))
    return Intrusion(key, peer, reason, fix, options)


def _by_address(key: Key, peer: PskPeer) -> Intrusion | None:
    """Return the way by the address of the peer, in IKEv1 Main Mode without an own identity."""
    owners = [owner for owner in key.owners if owner.kind in ("address", "net")]
    owner = _match(owners, peer.remote) if peer.main_mode and not peer.named else None
    if owner is None:
        return None
    reason = (
        f"this key is for {owner}, and {peer.subject} chooses a psk by the address of the peer, "
        "because it uses IKEv1 without an own identity"
    )
    fix = f"Set {peer.own_place} to the identity of this gateway, or key_exchange to ikev2."
    return Intrusion(key, peer, reason, fix, (("identifier", peer.subject),))


def _by_any_name(key: Key, peer: PskPeer) -> Intrusion | None:
    """Return the way by any identity of this gateway, in IKEv2 from an address of the peer."""
    if peer.named or 2 not in peer.versions:
        return None
    known = [item for item in key.peer.remote if not item.is_wildcard] if key.peer else []
    if not _match(known, peer.remote) and not any(item.is_wildcard for item in peer.remote):
        return None
    reason = (
        f"this key is for {key.owners[0]}, and {peer.subject} has no own identity, so that its "
        "peer may address this gateway by any identity, including this one"
    )
    fix = f"Set {peer.own_place} to the identity by which its peer addresses this gateway."
    return Intrusion(key, peer, reason, fix, (("identifier", peer.subject),))


# An earlier rule gives the better reason.
_RULES = (
    _as_every_peer,
    _as_any_identity,
    _by_identity,
    _by_our_identity,
    _by_addresses,
    _by_address,
    _by_any_name,
)


def _mark(identity: Identity) -> str:
    """Return a key that is equal for two identities without patterns exactly if they overlap."""
    return f"{identity.kind} {identity.value}"


def _match(some: t.Iterable[Identity], others: t.Sequence[Identity]) -> Identity | None:
    """Return the first of some identities that overlaps one of the others; None if none does."""
    pairs = itertools.product(some, others)
    return next((one for one, other in pairs if one.overlaps(other)), None)
