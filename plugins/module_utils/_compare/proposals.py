# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which proposal wins. With charon it is the responder's preference that counts, by default."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ModelError
from .._model.proposal import Proposal, Use

Proposals = tuple[Proposal, ...]


def chosen(offered: t.Iterable[Proposal], configured: t.Iterable[Proposal]) -> Proposal | None:
    """The first that the responder has configured and the initiator offers."""
    known = tuple(offered)
    return next((item for item in configured if item in known), None)


def without_group(proposals: Proposals) -> Proposals:
    """Those of the first Child SA of an IKE SA, which takes its keys from that (no PFS)."""
    return tuple(dict.fromkeys(replace(item, dh_group=None) for item in proposals))


def usable(proposals: Proposals, use: Use, version: int) -> Proposals:
    """Those that this IKE version can negotiate."""
    return tuple(item for item in proposals if _suits(item, use, version))


def quick_mode_offer(proposals: Proposals, ike_group: int | None) -> Proposals:
    """What IKEv1 offers: its one key exchange allows for one group, that of the IKE SA at best."""
    groups = [item.dh_group for item in proposals if item.dh_group is not None]
    if not groups:
        return proposals
    group = ike_group if ike_group in groups else groups[0]
    return tuple(item for item in proposals if item.dh_group == group)


def keywords(proposals: t.Iterable[Proposal]) -> list[str]:
    return [item.keyword() for item in proposals]


def _suits(proposal: Proposal, use: Use, version: int) -> bool:
    try:
        Proposal.build(proposal.to_options(), use, frozenset({version}))
    except ModelError:
        return False
    return True
