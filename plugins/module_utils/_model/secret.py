# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A secret, which prints as a mask unless ``reveal`` is called."""

from __future__ import annotations

from dataclasses import dataclass, field

MASK = "********"

# Shorter pre-shared keys are within reach of an offline dictionary attack on IKEv1 Aggressive Mode
# and of an active attacker in IKEv2 (RFC 7296 section 2.15).
STRONG_LENGTH = 20


@dataclass(frozen=True)
class Secret:
    """Raw bytes of a pre-shared key. ``str`` and ``repr`` are masked; ``==`` compares bytes."""

    _data: bytes = field(repr=False)

    def reveal(self) -> bytes:
        """Return the bytes, for the renderers of files and vici messages only."""
        return self._data

    @property
    def short(self) -> bool:
        return len(self._data) < STRONG_LENGTH

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"
