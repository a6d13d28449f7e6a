# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What a cause is, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

OURS, THEIRS = "ours", "theirs"


@dataclass(frozen=True)
class Place:
    """An option, or whatever else is to be looked at, on one of the two sides."""

    side: str
    option: str


@dataclass(frozen=True)
class Cause:
    """``aspect`` names what of our configuration is compared with the peer's, see ``known.py``.

    ``look_for`` is the line in the peer's log that proves the cause, in strongSwan's words. With
    ``only`` it can't be the cause of a connection of another kind: psk, pubkey, ikev1.
    """

    code: str
    explanation: str
    where: tuple[Place, ...]
    next_step: str
    look_for: str = ""
    aspect: str = ""
    only: str = ""
    candidates: tuple[str, ...] = ()


def both(*options: str) -> tuple[Place, ...]:
    return tuple(Place(side, option) for option in options for side in (OURS, THEIRS))


def of_ours(*options: str) -> tuple[Place, ...]:
    return tuple(Place(OURS, option) for option in options)


def of_theirs(*options: str) -> tuple[Place, ...]:
    return tuple(Place(THEIRS, option) for option in options)
