# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""A file of the collection, and a directory, as values: content, mode and owner."""

from __future__ import annotations

from dataclasses import dataclass, field

PRIVATE = 0o600
PUBLIC = 0o644
EXECUTABLE = 0o755
# User and group.
ROOT = (0, 0)


@dataclass(frozen=True)
class File:
    """A file of the collection. ``data`` is its whole content.

    ``link`` is the target of a symbolic link that was found in the place of the file. The other
    fields then describe the file that the link leads to.
    """

    path: str
    data: bytes = field(repr=False)
    mode: int = PUBLIC
    owner: tuple[int, int] = ROOT
    link: str = ""

    @property
    def directory(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Directory:
    """A directory of the collection as it was found."""

    path: str
    mode: int
    owner: tuple[int, int] = ROOT
