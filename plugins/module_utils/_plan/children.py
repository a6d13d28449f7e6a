# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The children of a connection: as configured, set aside, or loaded without their start."""

from __future__ import annotations

import typing as t

from .._render.strongswan.section import Section

# No phase 2 can bear such a name.
_ASIDE = ".replaced"


def children(section: Section | None) -> t.Mapping[str, Section]:
    if section is None:
        return {}
    return t.cast(t.Mapping[str, Section], section.get("children", {}))


def aside(section: Section) -> Section:
    """A connection with its children under names that no SA has."""
    renamed = {f"{name}{_ASIDE}": child for name, child in children(section).items()}
    return {**section, "children": renamed}


# Where what starts also traps, this changes nothing but what list-conns shows.
_QUIET = {"start_action": "trap", "close_action": "trap"}


def quiet(section: Section, names: t.Container[str]) -> Section:
    """A connection whose children of these names begin nothing when they are loaded.

    It shows: swanctl would load them otherwise from the file, which has the start action.
    """
    still = {
        name: {**child, **_QUIET} if name in names and starts(child) else child
        for name, child in children(section).items()
    }
    return {**section, "children": still}


def quieted(loaded: t.Mapping[str, t.Any]) -> frozenset[str]:
    """The children that were loaded without their start, of a connection as list-conns shows it."""
    found = loaded.get("children", {}).items()
    silent = (name for name, child in found if child.get("close_action") == _QUIET["close_action"])
    return frozenset(bare(name) for name in silent)


def bare(child: str) -> str:
    """The name of a child, be it set aside or not."""
    return child[: -len(_ASIDE)] if child.endswith(_ASIDE) else child


def is_set_aside(loaded: t.Mapping[str, t.Any]) -> bool:
    """Whether a connection, as list-conns shows it, has its children set aside."""
    names = loaded.get("children", {})
    return bool(names) and all(name.endswith(_ASIDE) for name in names)


def is_shunt(child: t.Mapping[str, t.Any]) -> bool:
    """Whether a child, as written or as list-conns shows it, passes or drops packets without SA."""
    return str(child.get("mode", "")).lower() in ("pass", "drop")


def starts(child: Section) -> bool:
    """Whether charon initiates it by itself."""
    return "start" in str(child.get("start_action"))


def starting(section: Section) -> bool:
    """Whether charon initiates a child of the connection by itself."""
    return any(map(starts, children(section).values()))
