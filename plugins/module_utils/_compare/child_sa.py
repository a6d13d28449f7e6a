# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The negotiation of a Child SA if one side initiates (RFC 7296 sections 1.2, 1.3, 2.9)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.child import ChildSa
from .._model.proposal import Proposal
from . import proposals, selectors
from .child_mismatches import data_plane, differences, modes, narrowing
from .child_pair import BothSelectors, ChildPair, configured, offered
from .direction import Direction
from .ike import IkeOutcome
from .mismatch import Mismatch
from .responder_children import ResponderChildren
from .selectors import Selectors

UP, PARTIAL, DOWN = "up", "partial", "down"

# Mismatches that first count when the Child SA is rekeyed.
_AT_REKEYING = ("pfs_mismatch", "additional_key_exchange_mismatch")
_WITHOUT_PFS = {
    1: "With IKEv1 the Child SA does not come up",
    2: "The Child SA comes up together with the IKE SA. It can't be rekeyed, and it can't come up "
    "later on the existing IKE SA",
}


@dataclass(frozen=True)
class ChildOutcome:
    """A phase 2 of the initiator, and its counterpart on the responder if there is one.

    - ``proposal`` is the chosen proposal, ``rekey`` the proposal of each rekeying. Both are None
      without an SA.
    - ``ours`` and ``theirs`` are the selectors of the initiator and of the responder.
    - ``whole`` is whether these are all configured selectors of each side.
    """

    child: ChildSa
    responder: ChildSa | None
    mismatches: tuple[Mismatch, ...]
    mode: str = "tunnel"
    proposal: Proposal | None = None
    rekey: Proposal | None = None
    ours: Selectors = ()
    theirs: Selectors = ()
    whole: tuple[bool, bool] = (True, True)

    @property
    def up(self) -> bool:
        """Return whether the Child SA comes up."""
        return self.proposal is not None

    @property
    def states(self) -> tuple[str, str]:
        """Return the states of initiator and responder, in the words of ipsec_info."""
        initiator, responder = (UP if whole else PARTIAL for whole in self.whole)
        return (initiator, responder) if self.up else (DOWN, DOWN)


@dataclass(frozen=True)
class _Choice:
    """The chosen proposal, the proposal of a rekeying, and the mismatch if one is None."""

    proposal: Proposal | None = None
    rekey: Proposal | None = None
    mismatch: Mismatch | None = None


def negotiate_child(
    direction: Direction, ike: IkeOutcome, child: ChildSa, responders: ResponderChildren
) -> ChildOutcome:
    """Return the outcome of a child, with its mismatches even if the IKE SA does not come up."""
    ours, theirs = offered(direction, ike.version, child)
    responder = responders.best(ours, theirs)
    if responder is None:
        return ChildOutcome(child, None, (responders.no_counterpart(direction, child),))
    pair = ChildPair(direction, ike.version, child, responder)
    own = configured(direction, responder, offered=False)
    # The local selectors of the initiator are the remote selectors of the responder.
    carried = selectors.narrowed(own[1], ours), selectors.narrowed(own[0], theirs)
    if ike.version == 1:
        carried = carried[0][:1], carried[1][:1]
    choice = _choose(pair, ike.proposal)
    stops = [*([choice.mismatch] if choice.mismatch else []), *modes(pair)]
    stops += data_plane(pair, carried)
    down = not ike.up or choice.proposal is None or any(map(_prevents, stops))
    return ChildOutcome(
        child,
        responder,
        (*stops, *narrowing(pair, carried), *differences(pair)),
        pair.mode,
        None if down else choice.proposal,
        None if down else choice.rekey,
        *carried,
        _whole(pair, (ours, theirs), own, carried),
    )


def _whole(
    pair: ChildPair, offers: BothSelectors, own: BothSelectors, carried: BothSelectors
) -> tuple[bool, bool]:
    """Return whether the SA carries all selectors of the initiator, and of the responder."""
    direction = pair.direction
    if pair.version == 1:
        # The initiator has offered only the first pair of its selectors.
        offers = offered(direction, 2, pair.child)
    return (
        all(map(selectors.contain, carried, offers)),
        all(
            selectors.contain(part, wanted, loosely=direction.responder.any_peer)
            for part, wanted in zip(carried[::-1], own)
        ),
    )


def _prevents(mismatch: Mismatch) -> bool:
    return mismatch.severity == "error" and mismatch.code not in _AT_REKEYING


def _choose(pair: ChildPair, ike: Proposal | None) -> _Choice:
    mine, theirs = pair.child, pair.responder
    if mine.protocol != theirs.protocol:
        values = mine.protocol, theirs.protocol
        direction = pair.direction
        return _Choice(
            mismatch=direction.phase2_mismatch("protocol_mismatch", pair.both, "protocol", values)
        )
    offers = proposals.usable(mine.encryption, mine.use, pair.version)
    own = proposals.usable(theirs.encryption, theirs.use, pair.version)
    if pair.version == 1:
        return _choose_ikev1(pair, offers, own, ike)
    # The first Child SA takes its keys from the IKE SA. The group counts only for a rekeying.
    first = proposals.chosen(proposals.without_group(offers), proposals.without_group(own))
    responder = pair.direction.responder.capabilities
    rekey = proposals.chosen(proposals.understood(offers, responder), own)
    if rekey is None:
        return _Choice(first, rekey, _no_proposal(pair, offers, own))
    unknown = not responder.rfc9370 and proposals.needs_rfc9370(offers, own)
    return _Choice(first, rekey, _unknown_round(pair) if unknown else None)


def _choose_ikev1(
    pair: ChildPair,
    offers: proposals.Proposals,
    own: proposals.Proposals,
    ike: Proposal | None,
) -> _Choice:
    group = ike.dh_group if ike else None
    chosen = proposals.chosen(proposals.quick_mode_offer(offers, group), own)
    if chosen:
        return _Choice(chosen, chosen)
    return _Choice(mismatch=_no_proposal(pair, offers, own))


def _no_proposal(
    pair: ChildPair, offers: proposals.Proposals, own: proposals.Proposals
) -> Mismatch:
    """Return the mismatch of two lists, which may differ only in the group or in the rounds."""
    code = "esp_proposal_mismatch"
    if _fit(proposals.without_group, offers, own):
        code = "pfs_mismatch"
    # IKEv1 has no rounds, and does not offer every group of its list.
    if pair.version == 2 and _fit(proposals.without_rounds, offers, own):
        code = "additional_key_exchange_mismatch"
    words = {"consequence": _WITHOUT_PFS[pair.version], "phase": "phase 2"}
    return pair.direction.phase2_mismatch(code, pair.both, "encryption", _lists(pair), **words)


def _fit(
    reduced: t.Callable[[proposals.Proposals], proposals.Proposals],
    offers: proposals.Proposals,
    own: proposals.Proposals,
) -> bool:
    """Return whether two reduced lists have a common proposal."""
    return proposals.chosen(reduced(offers), reduced(own)) is not None


def _unknown_round(pair: ChildPair) -> Mismatch:
    words = {**pair.direction.roles, "phase": "phase 2"}
    return pair.direction.phase2_mismatch(
        "additional_key_exchange_unknown", pair.both, "encryption", _lists(pair), **words
    )


def _lists(pair: ChildPair) -> list[list[str]]:
    return [proposals.keywords(item.encryption) for item in pair.both]
