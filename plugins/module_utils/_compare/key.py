# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Pre-shared keys that are compared and never shown, even if only a fingerprint is known.

The fingerprint of our own key has a salt that is new in each run and stored in no file. So equal
keys have equal fingerprints within a run, and a fingerprint in an old report proves no guess. A
third party that does not give its key chooses a salt, and gives the salt with the fingerprint.
"""

from __future__ import annotations

import functools
import hashlib
import re
import typing as t
from dataclasses import dataclass

from .._errors import ModelError
from .._model.secret import MASK, Secret

_ROUNDS = 200_000
_DIGITS = 10
_GIVEN = re.compile(rf"([0-9a-f]{{16,64}})-([0-9a-f]{{{_DIGITS}}})")


@dataclass(frozen=True)
class ComparableKey:
    """A key with the salt of this run, or the digits of an unknown key with another salt."""

    salt: bytes
    secret: Secret | None = None
    digits: str = ""

    @property
    def fingerprint(self) -> str:
        """Return 10 hexadecimal digits that stand for the key in this run."""
        return self._under(self.salt)

    def same_as(self, other: ComparableKey) -> bool | None:
        """Return whether two keys are equal, None if only digits with different salts are known."""
        if self.secret is not None and other.secret is not None:
            return self.secret == other.secret
        salt = self.salt if self.secret is None else other.salt
        if (self.secret is None and other.secret is None) and self.salt != other.salt:
            return None
        return self._under(salt) == other._under(salt)

    def _under(self, salt: bytes) -> str:
        return self.digits if self.secret is None else fingerprint(self.secret, salt)


def key_from_fingerprint(option: str, value: t.Any, subject: str) -> ComparableKey:
    """Return the key that a third party gives as ``<salt>-<digits>``."""
    match = _GIVEN.fullmatch(str(value).strip().lower())
    if match is None:
        # The value may be a key that the user has given here by mistake.
        problem = "is not a salt and a fingerprint"
        fix = "Write <salt>-<fingerprint>, as in the example of the filter ipsec_mismatches."
        raise ModelError(option, MASK, problem, fix, subject)
    return ComparableKey(match[1].encode(), digits=match[2])


@functools.lru_cache(maxsize=1024)
def fingerprint(secret: Secret, salt: bytes) -> str:
    """Return 40 bits in hexadecimal digits. The computation is slow, against guesses of the key."""
    digest = hashlib.pbkdf2_hmac("sha256", secret.reveal(), salt, _ROUNDS)
    return digest.hex()[:_DIGITS]
