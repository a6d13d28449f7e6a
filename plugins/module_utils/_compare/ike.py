# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The negotiation of an IKE SA if one side initiates (RFC 7296 sections 1.2, 2; RFC 2409)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.connection import IkeConnection
from .._model.identity import Identity
from .._model.proposal import Proposal, Use
from . import proposals
from .direction import BothValues, Direction, behind_nat
from .key_mismatches import key_mismatches
from .mismatch import Mismatch
from .ppk import ppk_mismatches

Mismatches = t.Iterator[Mismatch]


@dataclass(frozen=True)
class IkeOutcome:
    """The outcome. ``proposal`` is the chosen proposal, None if the IKE SA does not come up."""

    version: int
    proposal: Proposal | None
    mismatches: tuple[Mismatch, ...]

    @property
    def up(self) -> bool:
        """Return whether the IKE SA comes up."""
        return self.proposal is not None


def negotiate_ike(direction: Direction) -> IkeOutcome:
    """Return the outcome with every mismatch, not only the first that stops the negotiation."""
    version = 1 if direction.initiator.connection.key_exchange == "ikev1" else 2
    chosen, mismatches = _choose(direction, version)
    stops = [
        *_addresses(direction),
        *_version(direction, version),
        *mismatches,
        *_authentication(direction, version),
    ]
    down = chosen is None or any(item.severity == "error" for item in stops)
    return IkeOutcome(version, None if down else chosen, tuple(stops))


def _addresses(direction: Direction) -> Mismatches:
    initiator, responder = direction.initiator, direction.responder
    mine, theirs = initiator.connection.peer_address, responder.connection.peer_address
    if mine is not None and theirs is not None and mine.version != theirs.version:
        yield direction.phase1_option("address_family_mismatch", "remote_gateway")
        return
    for end, other in ((initiator, responder), (responder, initiator)):
        gateway, own = end.connection.peer_address, other.connection.local_address
        if gateway is None or own is None or str(gateway) == own:
            continue
        stated = ("remote_gateway", str(gateway)), ("local_address", own)
        if end is responder:
            stated = stated[::-1]
        if behind_nat(other, end):
            yield direction.phase1_mismatch("nat_assumed", stated, hidden=other.peer)
        else:
            words = {"initiator": end.peer, "address": gateway, "responder": other.peer}
            yield direction.phase1_mismatch("address_mismatch", stated, **words)


def _version(direction: Direction, version: int) -> Mismatches:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    yield from _lacks_ikev1(direction, version)
    if version not in responder.versions:
        yield direction.phase1_option("ike_version_mismatch", "key_exchange", version=version)
    elif version == 1 and initiator.negotiation_mode != responder.negotiation_mode:
        yield direction.phase1_option("negotiation_mode_mismatch", "negotiation_mode")


def _lacks_ikev1(direction: Direction, version: int) -> Mismatches:
    """Yield each side that has no IKEv1 and needs it: for its own value, or for its initiator."""
    for end in (direction.initiator, direction.responder):
        connection = end.connection
        accepts = end is direction.responder and version == 1 and 1 in connection.versions
        if end.capabilities.ikev1 or not (accepts or connection.key_exchange == "ikev1"):
            continue
        stated = ("key_exchange", connection.key_exchange), ("", None)
        release = end.capabilities.version
        words = {"side": end.peer, "daemon": f"strongSwan {release}" if release else "IKE daemon"}
        values = stated if end is direction.initiator else stated[::-1]
        yield direction.phase1_mismatch("ikev1_not_supported", values, **words)


def _choose(direction: Direction, version: int) -> tuple[Proposal | None, list[Mismatch]]:
    """Return the chosen proposal, and the mismatches of the two lists."""
    initiator, responder = direction.initiator.connection, direction.responder.connection
    offered = proposals.usable(initiator.encryption, Use.IKE, version)
    configured = proposals.usable(responder.encryption, Use.IKE, version)
    lists = (
        ("encryption", proposals.keywords(initiator.encryption)),
        ("encryption", proposals.keywords(responder.encryption)),
    )
    mismatches = []
    unusable = {*initiator.encryption, *responder.encryption} - {*offered, *configured}
    if unusable:
        unsupported = sorted(proposals.keywords(unusable))
        mismatches.append(
            direction.phase1_mismatch("ikev1_unsupported_algorithm", lists, proposals=unsupported)
        )
    understood = proposals.understood(offered, direction.responder.capabilities)
    chosen = proposals.chosen(understood, configured)
    if chosen is None:
        mismatches.append(_no_proposal(direction, lists, offered, configured))
    elif _needs_rfc9370(direction, offered, configured):
        code, roles = "additional_key_exchange_unknown", direction.roles
        mismatches.append(direction.phase1_mismatch(code, lists, phase="phase 1", **roles))
    elif version == 1 and initiator.negotiation_mode == "aggressive":
        sent, preferred = initiator.encryption[0].dh_group, chosen.dh_group
        if preferred != sent:
            words = {"sent": sent, "preferred": preferred}
            mismatches.append(
                direction.phase1_mismatch("aggressive_mode_group_mismatch", lists, **words)
            )
    return chosen, mismatches


def _needs_rfc9370(
    direction: Direction, offered: proposals.Proposals, configured: proposals.Proposals
) -> bool:
    """Return whether the responder must know optional rounds, and may not know them."""
    known = direction.responder.capabilities.rfc9370
    return not known and proposals.needs_rfc9370(offered, configured)


def _no_proposal(
    direction: Direction,
    lists: BothValues,
    offered: proposals.Proposals,
    configured: proposals.Proposals,
) -> Mismatch:
    """Return the mismatch of two lists without a common proposal."""
    others = map(proposals.without_rounds, (offered, configured))
    if proposals.chosen(*others) is None:
        return direction.phase1_mismatch("ike_proposal_mismatch", lists)
    words = {"phase": "phase 1", "consequence": "The IKE SA does not come up"}
    return direction.phase1_mismatch("additional_key_exchange_mismatch", lists, **words)


def _authentication(direction: Direction, version: int) -> Mismatches:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    if initiator.authentication != responder.authentication:
        yield direction.phase1_option("authentication_mismatch", "authentication")
    elif initiator.uses_psk:
        yield from _keys(direction, version)
    else:
        yield direction.phase1_option("certificate_not_compared", "certificate")
    yield from _identities(direction, version)
    yield from ppk_mismatches(direction, version)


def _keys(direction: Direction, version: int) -> Mismatches:
    yield from key_mismatches(direction, "psk", direction.initiator.key, direction.responder.key)
    if version == 2 and _initiator_lacks_key(direction):
        initiator = direction.initiator
        options = _peer_option(initiator.connection), ("identifier", None)
        words = {"initiator": initiator.peer, "requested": initiator.connection.peer_identity}
        yield direction.phase1_mismatch("psk_not_found_for_wildcard", options, **words)
    if version == 1 and _responder_lacks_key(direction):
        stated = (
            ("identifier", direction.initiator.connection.identifier),
            ("remote_gateway", direction.responder.connection.remote_gateway),
        )
        yield direction.phase1_mismatch("psk_not_found", stated, responder=direction.responder.peer)


def _initiator_lacks_key(direction: Direction) -> bool:
    """Return whether an initiator of IKEv2 can't find its key, if charon looks for ``%any``."""
    initiator = direction.initiator.connection
    owners = [Identity.parse(item) for item in initiator.psk_owners]
    named = initiator.identifier or str(direction.initiator_address)
    owned = any(Identity.parse(named).satisfies(owner) for owner in owners)
    return Identity.parse(initiator.peer_identity).is_wildcard and bool(owners) and not owned


def _responder_lacks_key(direction: Direction) -> bool:
    """Return whether a responder of IKEv1 Main Mode can't find its key.

    charon looks up the key by identities if the responder has an identifier, else by addresses.
    """
    responder = direction.responder.connection
    if responder.negotiation_mode == "aggressive" or responder.identifier:
        return False
    owners = [Identity.parse(item) for item in responder.psk_owners]
    addresses = (direction.initiator_address, direction.responder_address)
    hosts = [Identity("address", str(item)) for item in addresses if item is not None]
    return bool(owners) and not any(item.satisfies(owner) for item in hosts for owner in owners)


def _identities(direction: Direction, version: int) -> Mismatches:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    yield from _authenticated(direction, by_initiator=True)
    requested = Identity.parse(initiator.peer_identity)
    if version == 1 or requested.is_wildcard:
        yield from _authenticated(direction, by_initiator=False)
    elif responder.identifier and not Identity.parse(responder.identifier).satisfies(requested):
        # With IKEv2 the initiator requests an identity. A responder without identifier accepts it.
        yield direction.phase1_mismatch(
            "requested_identity_mismatch",
            (_peer_option(initiator), ("identifier", responder.identifier)),
            initiator=direction.initiator.peer,
            requested=initiator.peer_identity,
            responder=direction.responder.peer,
            named=responder.identifier,
        )


def _authenticated(direction: Direction, *, by_initiator: bool) -> Mismatches:
    """Yield the mismatch of the identity of one side and the identity that the other accepts."""
    prover, verifier = direction.initiator, direction.responder
    address = direction.initiator_address
    if not by_initiator:
        prover, verifier, address = verifier, prover, direction.responder_address
    required = Identity.parse(verifier.connection.peer_identity)
    name = prover.connection.identifier or (None if address is None else str(address))
    if name is None:
        # The address is unknown, but it matches any requirement of an address.
        fits, code = required.kind in ("address", "net"), "identity_unknown"
        if required.kind == "any":
            return
        code = code if fits else "identity_mismatch"
    elif Identity.parse(name).satisfies(required):
        return
    else:
        code = "identity_mismatch"
    stated = ("identifier", name or "its address"), _peer_option(verifier.connection)
    yield direction.phase1_mismatch(
        code,
        stated if by_initiator else stated[::-1],
        prover=prover.peer,
        proved=name or "its address",
        verifier=verifier.peer,
        required=verifier.connection.peer_identity,
    )


def _peer_option(connection: IkeConnection) -> tuple[str, str]:
    option = "peer_identifier" if connection.peer_identifier else "remote_gateway"
    return option, connection.peer_identity
