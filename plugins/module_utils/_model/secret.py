# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A secret, which prints as a mask unless ``reveal`` is called."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ModelError

MASK = "********"

# Shorter pre-shared keys are within reach of an offline dictionary attack on IKEv1 Aggressive Mode
# and of an active attacker in IKEv2 (RFC 7296 section 2.15).
STRONG_PSK = 20
# A PPK needs 256 bits of entropy to resist a quantum computer (RFC 8784 section 6).
STRONG_PPK = 32


@dataclass(frozen=True)
class Secret:
    """Raw bytes of a key. ``str`` and ``repr`` are masked; ``==`` compares bytes."""

    _data: bytes = field(repr=False)

    def reveal(self) -> bytes:
        """Return the bytes, for the renderers of files and vici messages only."""
        return self._data

    def shorter_than(self, length: int) -> bool:
        """Return whether the key has fewer bytes than ``length``."""
        return len(self._data) < length

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"


def secret(length: int) -> t.Callable[[str, t.Any], Secret]:
    """Return a converter of texts to their bytes. Its error advises ``length`` characters."""

    def convert(option: str, value: t.Any) -> Secret:
        if isinstance(value, Secret):
            return value
        try:
            found = Secret(str(value).encode("utf-8"))
        except UnicodeEncodeError:
            fix = "Use characters that can be written in UTF-8."
            raise ModelError(option, MASK, "is not UTF-8 text", fix) from None
        if not found.reveal():
            fix = f"Give {length} random characters or more."
            raise ModelError(option, MASK, "is empty", fix)
        return found

    return convert
