# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The fields of a cause, and the options where it lies."""

from __future__ import annotations

from dataclasses import dataclass

OURS, THEIRS = "ours", "theirs"


@dataclass(frozen=True)
class CauseLocation:
    """An option, a firewall or another thing to check, on one of the two sides."""

    side: str
    option: str


@dataclass(frozen=True)
class Cause:
    """A row of the table of causes. Programs rely on ``code``.

    - ``aspect`` names the part of our configuration that is compared with the peer's, see
      ``our_side.py``.
    - ``look_for`` is the line in the log of the peer that proves the cause, in strongSwan's words.
    - ``only`` excludes connections of another kind: psk, pubkey, ikev1, ppk, no_ppk.
    - ``candidates`` are the codes of the causes that can lie behind this one.
    """

    code: str
    explanation: str
    where: tuple[CauseLocation, ...]
    next_step: str
    look_for: str = ""
    aspect: str = ""
    only: str = ""
    candidates: tuple[str, ...] = ()


def both(*options: str) -> tuple[CauseLocation, ...]:
    """Return the locations of ``options`` on both sides."""
    return tuple(CauseLocation(side, option) for option in options for side in (OURS, THEIRS))


def of_ours(*options: str) -> tuple[CauseLocation, ...]:
    """Return the locations of ``options`` on this side."""
    return tuple(CauseLocation(OURS, option) for option in options)


def of_theirs(*options: str) -> tuple[CauseLocation, ...]:
    """Return the locations of ``options`` on the peer."""
    return tuple(CauseLocation(THEIRS, option) for option in options)
