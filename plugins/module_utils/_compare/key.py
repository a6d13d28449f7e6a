# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Pre-shared keys that are compared and never shown, even where only a fingerprint is known."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from .._model.secret import Secret

_SALT = b"tunnelwright.ipsec"
_ROUNDS = 200_000
_DIGITS = 10


@dataclass(frozen=True)
class Key:
    """A key, or the fingerprint of one that is not to leave its owner."""

    secret: Secret | None = None
    given: str = ""

    @property
    def fingerprint(self) -> str:
        return self.given if self.secret is None else fingerprint(self.secret)

    def same_as(self, other: Key) -> bool:
        if self.secret is not None and other.secret is not None:
            return self.secret == other.secret
        return self.fingerprint == other.fingerprint


@functools.lru_cache(maxsize=1024)
def fingerprint(secret: Secret) -> str:
    """40 bits, slow to compute, so that a guess of a poor key can't be tried out quickly."""
    digest = hashlib.pbkdf2_hmac("sha256", secret.reveal(), _SALT, _ROUNDS)
    return digest.hex()[:_DIGITS]
