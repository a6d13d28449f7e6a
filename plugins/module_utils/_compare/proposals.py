# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The choice of a proposal. By default charon follows the preference of the responder."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ModelError
from .._model.capabilities import Capabilities
from .._model.proposal import Proposal, Use
from .._model.rounds import negotiated

Proposals = tuple[Proposal, ...]


def chosen(offered: t.Iterable[Proposal], configured: t.Iterable[Proposal]) -> Proposal | None:
    """Return the first proposal of the responder that the initiator offers, None without one.

    It has the negotiated method of each additional key exchange.
    """
    offers = tuple(offered)
    pairs = ((item, offer) for item in configured for offer in offers)
    return next((found for found in (_common(*pair) for pair in pairs) if found), None)


def _common(configured: Proposal, offer: Proposal) -> Proposal | None:
    """Return the proposal that two proposals have in common, None without one."""
    if _without_rounds(configured) != _without_rounds(offer):
        return None
    rounds = negotiated(offer.additional_key_exchange, configured.additional_key_exchange)
    return None if rounds is None else replace(configured, additional_key_exchange=rounds)


def _without_rounds(proposal: Proposal) -> Proposal:
    return replace(proposal, additional_key_exchange=())


def without_rounds(proposals: Proposals) -> Proposals:
    """Return the proposals without their additional key exchanges."""
    return tuple(dict.fromkeys(map(_without_rounds, proposals)))


def understood(offered: Proposals, responder: Capabilities) -> Proposals:
    """Return the proposals that a responder does not refuse because it does not know rounds."""
    if not responder.known or responder.rfc9370:
        return offered
    return tuple(item for item in offered if not item.additional_key_exchange)


def needs_rfc9370(offered: Proposals, configured: Proposals) -> bool:
    """Return whether a responder without rounds is offered only proposals with optional rounds."""
    if any(item.additional_key_exchange for item in configured):
        return False
    plain = tuple(item for item in offered if not item.additional_key_exchange)
    return chosen(offered, configured) is not None and chosen(plain, configured) is None


def without_group(proposals: Proposals) -> Proposals:
    """Return the proposals of the first Child SA, which takes its keys from the IKE SA (no PFS)."""
    return tuple(
        dict.fromkeys(
            replace(item, dh_group=None, additional_key_exchange=()) for item in proposals
        )
    )


def usable(proposals: Proposals, use: Use, version: int) -> Proposals:
    """Return the proposals that this IKE version can negotiate."""
    return tuple(item for item in proposals if _suits(item, use, version))


def quick_mode_offer(proposals: Proposals, ike_group: int | None) -> Proposals:
    """Return the proposals that IKEv1 offers.

    Its key exchange allows only one group: the group of the IKE SA if the list has it.
    """
    groups = [item.dh_group for item in proposals if item.dh_group is not None]
    if not groups:
        return proposals
    group = ike_group if ike_group in groups else groups[0]
    return tuple(item for item in proposals if item.dh_group == group)


def keywords(proposals: t.Iterable[Proposal]) -> list[str]:
    """Return the proposals in strongSwan's words."""
    return [item.keyword() for item in proposals]


def _suits(proposal: Proposal, use: Use, version: int) -> bool:
    try:
        Proposal.build(proposal.to_options(), use, frozenset({version}))
    except ModelError:
        return False
    return True
