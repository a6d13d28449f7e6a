# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The capabilities of a running IKE daemon."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

# The first release in which IKEv1 is an option of `configure` that is off by default. Debian leaves
# it off.
WITHOUT_IKEV1 = (6, 1)
# The first release with additional key exchanges.
WITH_RFC9370 = (6, 0)

# The pseudo-random functions with which only the plugin kdf derives keys. The plugin openssl
# derives keys with HMAC only.
NEEDS_KDF = frozenset({"PRF_AES128_CMAC", "PRF_AES128_XCBC", "PRF_CAMELLIA128_XCBC"})
KDF = "kdf"

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def release_of(version: str) -> tuple[int, ...]:
    """Return ``(6, 0, 1)`` for ``6.0.1``, and an empty tuple for an unknown version."""
    found = _NUMBERS.match(version)
    return tuple(map(int, found[0].split("."))) if found else ()


def derivable(
    algorithms: t.Mapping[str, frozenset[str]], plugins: t.Callable[[], t.Collection[str]]
) -> dict[str, frozenset[str]]:
    """Return the algorithms without pseudo-random functions that can derive no key.

    Other plugins list these functions too, such as aesni. An IKE SA with such a function fails. The
    reason in the log of charon is ``KDF_PRF``. ``plugins`` returns the loaded plugins. It is called
    only if the daemon lists such a function.
    """
    found = dict(algorithms)
    functions = found.get("prf", frozenset())
    if functions & NEEDS_KDF and KDF not in plugins():
        found["prf"] = functions - NEEDS_KDF
    return found


@dataclass(frozen=True)
class Capabilities:
    """The answers of the running daemon about itself. A load that succeeded is no answer.

    ``version`` is empty, and nothing is refused, if check mode runs on a host without a daemon.
    ``ike_versions`` are the versions that the daemon was built with. ``algorithms`` are its names
    by kind (encryption, aead, integrity, prf, ke), as in the vici command ``get-algorithms``. A
    key exchange is of the kind ``ke`` in each release. ``plugins`` are the loaded plugins.
    """

    version: str = ""
    ike_versions: frozenset[int] = frozenset({1, 2})
    algorithms: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    plugins: frozenset[str] = frozenset()

    @classmethod
    def stated(cls, version: str, ike_versions: t.Iterable[int] | None = None) -> Capabilities:
        """Return the capabilities of a daemon that is not asked.

        Without ``ike_versions``, a release has the IKE versions that Debian builds it with.
        """
        if ike_versions is None:
            ike_versions = {2} if release_of(version) >= WITHOUT_IKEV1 else {1, 2}
        return cls(version, frozenset(ike_versions))

    @property
    def known(self) -> bool:
        """Return whether a daemon answered."""
        return bool(self.version)

    @property
    def release(self) -> tuple[int, ...]:
        """Return the numbers of the version, ``(6, 0, 1)``. An unknown version has none."""
        return release_of(self.version)

    @property
    def ikev1(self) -> bool:
        """Return whether the daemon can negotiate IKEv1. True if this is unknown."""
        return 1 in self.ike_versions

    @property
    def rfc9370(self) -> bool:
        """Return whether the daemon knows additional key exchanges. False if this is unknown."""
        return self.release >= WITH_RFC9370

    @property
    def key_exchanges(self) -> frozenset[str]:
        """Return the key exchange methods: ``MODP_2048``, ``ECP_256``, ``ML_KEM_768``, ..."""
        return self.algorithms.get("ke", frozenset())
