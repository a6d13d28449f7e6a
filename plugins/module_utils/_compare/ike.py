# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What becomes of the IKE SA when one side calls the other (RFC 7296 sections 1.2, 2; RFC 2409)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.connection import IkeConnection
from .._model.identity import Identity
from .._model.proposal import Proposal, Use
from . import proposals
from .direction import Direction, behind_nat
from .findings import Finding

Findings = t.Iterator[Finding]


@dataclass(frozen=True)
class IkeOutcome:
    """``proposal`` is the one that wins, None if the IKE SA does not come up."""

    version: int
    proposal: Proposal | None
    findings: tuple[Finding, ...]

    @property
    def up(self) -> bool:
        return self.proposal is not None


def negotiated(direction: Direction) -> IkeOutcome:
    """Everything that stands in the way is found, not only what would stop it first."""
    version = 1 if direction.initiator.connection.key_exchange == "ikev1" else 2
    selected, findings = _select(direction, version)
    stops = [
        *_addresses(direction),
        *_version(direction, version),
        *findings,
        *_authentication(direction, version),
    ]
    down = selected is None or any(item.severity == "error" for item in stops)
    return IkeOutcome(version, None if down else selected, tuple(stops))


def _addresses(direction: Direction) -> Findings:
    initiator, responder = direction.initiator, direction.responder
    mine, theirs = initiator.connection.peer_address, responder.connection.peer_address
    if mine is not None and theirs is not None and mine.version != theirs.version:
        yield direction.alike("address_family_mismatch", "remote_gateway")
        return
    for caller, answering in ((initiator, responder), (responder, initiator)):
        called, own = caller.connection.peer_address, answering.connection.local_address
        if called is None or own is None or str(called) == own:
            continue
        stated = ("remote_gateway", str(called)), ("local_address", own)
        if caller is responder:
            stated = stated[::-1]
        if behind_nat(answering, caller):
            yield direction.phase1("nat_assumed", stated, hidden=answering.peer)
        else:
            words = {"caller": caller.peer, "called": called, "answering": answering.peer}
            yield direction.phase1("address_mismatch", stated, **words)


def _version(direction: Direction, version: int) -> Findings:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    if version not in responder.versions:
        yield direction.alike("ike_version_mismatch", "key_exchange", version=version)
    elif version == 1 and initiator.negotiation_mode != responder.negotiation_mode:
        yield direction.alike("negotiation_mode_mismatch", "negotiation_mode")


def _select(direction: Direction, version: int) -> tuple[Proposal | None, list[Finding]]:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    offered = proposals.usable(initiator.encryption, Use.IKE, version)
    configured = proposals.usable(responder.encryption, Use.IKE, version)
    lists = (
        ("encryption", proposals.keywords(initiator.encryption)),
        ("encryption", proposals.keywords(responder.encryption)),
    )
    findings = []
    unusable = {*initiator.encryption, *responder.encryption} - {*offered, *configured}
    if unusable:
        what = sorted(proposals.keywords(unusable))
        findings.append(direction.phase1("ikev1_unsupported_algorithm", lists, what=what))
    selected = proposals.chosen(offered, configured)
    if selected is None:
        findings.append(direction.phase1("ike_proposal_mismatch", lists))
    elif version == 1 and initiator.negotiation_mode == "aggressive":
        sent, preferred = initiator.encryption[0].dh_group, selected.dh_group
        if preferred != sent:
            words = {"sent": sent, "preferred": preferred}
            findings.append(direction.phase1("aggressive_mode_group_mismatch", lists, **words))
    return selected, findings


def _authentication(direction: Direction, version: int) -> Findings:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    if initiator.authentication != responder.authentication:
        yield direction.alike("authentication_mismatch", "authentication")
    elif initiator.authentication == "psk":
        yield from _keys(direction, version)
    else:
        yield direction.alike("certificate_not_compared", "certificate")
    yield from _identities(direction, version)


def _keys(direction: Direction, version: int) -> Findings:
    mine, theirs = direction.initiator.key, direction.responder.key
    same = mine.same_as(theirs) if mine is not None and theirs is not None else None
    if mine is None or theirs is None or same is None:
        told = ("psk", mine and "given"), ("psk", theirs and "given")
        yield direction.phase1("psk_not_compared", told)
    elif not same:
        shown = ("psk", mine.fingerprint), ("psk", theirs.fingerprint)
        yield direction.phase1("psk_mismatch", shown)
    if version == 2 and _keyless_caller(direction):
        initiator = direction.initiator
        options = _peer_option(initiator.connection), ("identifier", None)
        words = {"caller": initiator.peer, "asked": initiator.connection.peer_identity}
        yield direction.phase1("psk_not_found_for_wildcard", options, **words)
    if version == 1 and _keyless(direction):
        stated = (
            ("identifier", direction.initiator.connection.identifier),
            ("remote_gateway", direction.responder.connection.remote_gateway),
        )
        yield direction.phase1("psk_not_found", stated, answering=direction.responder.peer)


def _keyless_caller(direction: Direction) -> bool:
    """Whether an initiator of IKEv2 does not find its key: charon looks for it by ``%any`` then."""
    initiator = direction.initiator.connection
    owners = [Identity.parse(item) for item in initiator.psk_owners]
    named = initiator.identifier or str(direction.initiator_address)
    proved = any(Identity.parse(named).proves(owner) for owner in owners)
    return Identity.parse(initiator.peer_identity).wild and bool(owners) and not proved


def _keyless(direction: Direction) -> bool:
    """Whether a responder of IKEv1 Main Mode does not find its key.

    With an identifier of its own charon looks it up by identities, else by addresses.
    """
    responder = direction.responder.connection
    if responder.negotiation_mode == "aggressive" or responder.identifier:
        return False
    owners = [Identity.parse(item) for item in responder.psk_owners]
    addresses = (direction.initiator_address, direction.responder_address)
    known = [Identity("address", str(item)) for item in addresses if item is not None]
    return bool(owners) and not any(item.proves(owner) for item in known for owner in owners)


def _identities(direction: Direction, version: int) -> Findings:
    initiator, responder = direction.initiator.connection, direction.responder.connection
    yield from _proved(direction, by_initiator=True)
    asked = Identity.parse(initiator.peer_identity)
    if version == 1 or asked.wild:
        yield from _proved(direction, by_initiator=False)
    elif responder.identifier and not Identity.parse(responder.identifier).proves(asked):
        # With IKEv2 the initiator says whom it calls; who has no identifier goes by that name.
        yield direction.phase1(
            "requested_identity_mismatch",
            (_peer_option(initiator), ("identifier", responder.identifier)),
            caller=direction.initiator.peer,
            asked=initiator.peer_identity,
            answering=direction.responder.peer,
            named=responder.identifier,
        )


def _proved(direction: Direction, *, by_initiator: bool) -> Findings:
    """What one side says it is, against what the other one accepts."""
    prover, verifier = direction.initiator, direction.responder
    address = direction.initiator_address
    if not by_initiator:
        prover, verifier, address = verifier, prover, direction.responder_address
    required = Identity.parse(verifier.connection.peer_identity)
    name = prover.connection.identifier or (None if address is None else str(address))
    if name is None:
        # Whatever address it is, it is one.
        fits, code = required.kind in ("address", "net"), "identity_unknown"
        if required.kind == "any":
            return
        code = code if fits else "identity_mismatch"
    elif Identity.parse(name).proves(required):
        return
    else:
        code = "identity_mismatch"
    stated = ("identifier", name or "its address"), _peer_option(verifier.connection)
    yield direction.phase1(
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
