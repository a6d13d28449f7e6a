# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""An upgrade of a host to a release of Debian, and the findings about it. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from .._model.capabilities import KDF, NEEDS_KDF
from .releases import BASE, EXTRA, STANDARD, DebianRelease, release_of_codename

Facts = t.Mapping[str, t.Any]

# From the worst to the best effect on a connection.
STOPS, REFUSED, DEPENDS, CHANGES, CONTINUES = EFFECTS = (
    "stops",
    "refused",
    "depends",
    "changes",
    "continues",
)

# The states of an IKE SA that is up.
_UP = ("ESTABLISHED", "REKEYING")


@dataclass(frozen=True)
class UpgradeFinding:
    """An effect of the upgrade. ``where`` is the option, the file or the package that causes it."""

    cause: str
    effect: str
    where: str
    reason: str
    action: str

    def to_dict(self) -> dict[str, str]:
        return {
            "cause": self.cause,
            "effect": self.effect,
            "where": self.where,
            "reason": self.reason,
            "action": self.action,
        }


@dataclass(frozen=True)
class Upgrade:
    """The host of ``info``, the result of ipsec_info, and the release after the upgrade."""

    info: Facts
    target: DebianRelease

    @cached_property
    def current(self) -> DebianRelease | None:
        """Return the release of the host, or None if the table does not know it."""
        packages = self.info["packages"]
        known = packages["distribution"] == "debian"
        return release_of_codename(packages["codename"] or "") if known else None

    @cached_property
    def packages(self) -> dict[str, str]:
        return dict(self.info["packages"]["installed"])

    @property
    def strongswan(self) -> dict[str, str]:
        """Return the packages of strongSwan, with their versions."""
        return {name: text for name, text in self.packages.items() if name != "nftables"}

    @property
    def version(self) -> str | None:
        """Return the version of the running daemon, or of the release of the host."""
        running = self.info["daemon"]["version"]
        return running or (self.current.strongswan if self.current else None)

    @property
    def loses_ikev1(self) -> bool:
        return 1 not in self.target.ike_versions

    @property
    def userspace(self) -> bool:
        """Return whether the daemon itself encrypts ESP."""
        return bool(self.info["daemon"]["dataplane"] == "userspace")

    def crosses(self, *numbers: int) -> bool:
        """Return whether the upgrade goes from before this version of strongSwan to it or later.

        It does if the version of the host is not known.
        """
        before = self.version is None or _numbers(self.version) < numbers
        return before and _numbers(self.target.strongswan) >= numbers

    @cached_property
    def available(self) -> frozenset[str]:
        """Return the algorithms after the upgrade, with the packages that are installed now."""
        return self.target.usable({BASE, *self.packages}, aes=self._aes)

    @cached_property
    def moved_plugins(self) -> dict[str, list[str]]:
        """Return the plugins that the upgrade moves to an installed package, by package."""
        if self.current is None:
            return {}
        found = {
            package: sorted(
                name
                for name in names - self.current.plugins[package]
                if any(name in others for others in self.current.plugins.values())
            )
            for package, names in self.target.plugins.items()
            if package in self.packages
        }
        return {package: names for package, names in found.items() if names}

    @cached_property
    def late(self) -> frozenset[str]:
        """Return the algorithms that the daemon may lack until it restarts once more.

        dpkg may configure a package after it has restarted the daemon. Until then, the settings
        that load a moved plugin are not in place. Seen on an upgrade from Debian 12 to 13.
        """
        moved = {name for names in self.moved_plugins.values() for name in names}
        found = NEEDS_KDF if KDF in moved else frozenset()
        return found | {"AES_XCBC_96"} if "xcbc" in moved and not self._aes else found

    @cached_property
    def in_use(self) -> frozenset[str] | None:
        """Return the algorithms of the daemon now, or None if it does not answer."""
        found = self.info["capabilities"]
        kinds = ("encryption", "aead", "integrity", "prf", "key_exchange")
        names = frozenset(name for kind in kinds for name in found[kind])
        return names or None

    @property
    def _aes(self) -> bool:
        """Return whether the processor is known to have AES instructions."""
        has = "AES_CMAC_96" in self.info["capabilities"]["integrity"]
        return STANDARD in self.packages and EXTRA not in self.packages and has

    def lost(self, algorithms: t.Iterable[str]) -> list[str]:
        """Return the algorithms that the upgrade removes, in their order, once each."""
        lacking = (name for name in dict.fromkeys(algorithms) if name not in self.available)
        return [name for name in lacking if self.in_use is None or name in self.in_use]

    def remedy(self, lost: t.Sequence[str]) -> str:
        """Return the action for lost algorithms: install a package, or use other algorithms."""
        packages = {name: self.target.package_of(name) for name in lost}
        needed = sorted({package for package in packages.values() if package})
        gone = [name for name, package in packages.items() if package is None]
        if gone:
            return (
                f"No package of {self.target.title} has {', '.join(gone)}. Use another algorithm "
                "here and at the peer before the upgrade."
            )
        return f"Install {' and '.join(needed)} together with the upgrade."


def live_versions(phase1: Facts) -> set[int]:
    """Return the IKE versions of the IKE SAs that are up."""
    return {sa["version"] for sa in phase1["sas"] if sa["state"] in _UP}


def worst(effects: t.Iterable[str]) -> str:
    return min(effects, key=EFFECTS.index, default=CONTINUES)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
