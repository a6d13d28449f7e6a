# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The use of a post-quantum pre-shared key between two ends (RFC 8784).

The outcomes are the same with strongSwan 5.9.8, 6.0.1 and 6.1.0. A tunnel comes up without a PPK
only if one end has none, and the other end does not require it.
"""

from __future__ import annotations

import typing as t

from .definition import TunnelEnd
from .direction import Direction
from .key_mismatches import key_mismatches
from .mismatch import Mismatch


def ppk_mismatches(direction: Direction, version: int) -> t.Iterator[Mismatch]:
    """Yield the mismatches of the PPKs. ``version`` is the version of IKE."""
    initiator, responder = direction.initiator, direction.responder
    having = [end for end in (initiator, responder) if end.connection.ppk_id is not None]
    if not having:
        return
    if version == 1:
        yield direction.phase1_option("ppk_not_in_ikev1", "ppk_id")
    elif len(having) == 1:
        yield _one_sided(direction, having[0])
    elif initiator.connection.ppk_mark != responder.connection.ppk_mark:
        yield direction.phase1_option("ppk_id_mismatch", "ppk_id")
    else:
        yield from key_mismatches(direction, "ppk", initiator.ppk, responder.ppk)


def _one_sided(direction: Direction, end: TunnelEnd) -> Mismatch:
    other = direction.responder if end is direction.initiator else direction.initiator
    code = "ppk_missing" if end.connection.ppk_required else "ppk_unused"
    return direction.phase1_option(code, "ppk_id", side=end.peer, other=other.peer)
