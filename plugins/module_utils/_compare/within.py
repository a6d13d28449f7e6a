# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Mismatches within the definition of one peer."""

from __future__ import annotations

import itertools
import typing as t

from .._model.keys import way_in
from .definition import Peer, TunnelEnd
from .mismatch import Mismatch, OptionValue, mismatch


def mismatches_within(side: str, names: t.Mapping[str, str], peer: Peer) -> t.Iterator[Mismatch]:
    """Yield each pair of tunnels where the key of one also authenticates for the other."""
    enabled = [item for item in peer.tunnels if item.connection.enabled and item.key is not None]
    for one, other in itertools.combinations(enabled, 2):
        danger = _intrusion(side, names, one, other)
        if danger:
            yield danger


def _intrusion(
    side: str, names: t.Mapping[str, str], one: TunnelEnd, other: TunnelEnd
) -> Mismatch | None:
    ours, theirs = one.connection.key, other.connection.key
    if ours is None or theirs is None or not ours.may_concern(theirs):
        return None
    if one.key is None or other.key is None or one.key.same_as(other.key):
        return None
    way = way_in(ours, theirs)
    if way is None:
        return None
    option, subject = way.options[0]
    end = one if one.subject == subject else other
    stated = {side: OptionValue(subject, option, getattr(end.connection, option))}
    words = {"side": names[side], "what": str(way), "fix": way.fix}
    return mismatch("psk_accepts_another_peer", names, stated, **words)
