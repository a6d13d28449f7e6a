# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The comparison of two keys of one kind: the pre-shared keys, or the PPKs."""

from __future__ import annotations

import typing as t

from .direction import Direction
from .key import ComparableKey
from .mismatch import Mismatch


def key_mismatches(
    direction: Direction, option: str, mine: ComparableKey | None, theirs: ComparableKey | None
) -> t.Iterator[Mismatch]:
    """Yield the mismatch of the initiator's key and the responder's key, if there is one.

    ``option`` is ``psk`` or ``ppk``. The codes begin with it. A key is None while only its host
    knows it.
    """
    same = mine.same_as(theirs) if mine is not None and theirs is not None else None
    if mine is None or theirs is None or same is None:
        stated = (option, mine and "given"), (option, theirs and "given")
        yield direction.phase1_mismatch(f"{option}_not_compared", stated)
    elif not same:
        stated = (option, mine.fingerprint), (option, theirs.fingerprint)
        yield direction.phase1_mismatch(f"{option}_mismatch", stated)
