# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The packages of strongSwan that a host has. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """An unpacked package. ``version`` is the version of its source, without rebuilds."""

    name: str
    version: str
    source: str


@dataclass(frozen=True)
class Installed:
    """The distribution of a host (``ID`` and ``VERSION_CODENAME`` of os-release), and packages.

    Both texts are empty if they are not known.
    """

    distribution: str = ""
    codename: str = ""
    packages: tuple[Package, ...] = field(default=())

    def of_source(self, source: str) -> t.Mapping[str, str]:
        """Return the versions of the packages of a source, by the name of the package."""
        return {item.name: item.version for item in self.packages if item.source == source}
