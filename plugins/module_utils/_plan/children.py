# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Read the children of a connection: actions, selectors and mode, and rename parked children.

A child is *parked* when it is loaded under a name that no SA has, ``lan.replaced`` for ``lan``.
``swap/connection_swap.py`` says why.
"""

from __future__ import annotations

import typing as t

from .._render.options.phase2 import SHUNTS
from .._render.strongswan.section import Section, Value

# No phase 2 can have such a name.
_PARKED = ".replaced"

# The actions of a child that is loaded without its start. charon shows close_action, not
# start_action, so that close_action marks such a child in list-conns. The mark changes nothing
# else, because the collection traps wherever it starts.
_WITHOUT_AUTOSTART = {"start_action": "trap", "close_action": "trap"}


def children(section: Section | None) -> t.Mapping[str, Section]:
    """Return the children of a connection by name."""
    if section is None:
        return {}
    return t.cast(t.Mapping[str, Section], section.get("children", {}))


def autostarts(child: Section) -> bool:
    """Return whether charon initiates a child as soon as it is loaded."""
    return "start" in str(child.get("start_action"))


def traps(child: Section) -> bool:
    """Return whether charon initiates a child when traffic matches its trap policy."""
    return "trap" in str(child.get("start_action"))


def traps_after_dpd(child: Section) -> bool:
    """Return whether charon installs a trap policy when it finds the peer dead."""
    return "trap" in str(child.get("dpd_action"))


def initiates(child: Section) -> bool:
    """Return whether this gateway may initiate a child; a child without start_action counts."""
    return child.get("start_action") != "none"


def any_autostarts(section: Section) -> bool:
    """Return whether charon initiates a child of a connection as soon as it is loaded."""
    return any(map(autostarts, children(section).values()))


def any_initiates(section: Section) -> bool:
    """Return whether this gateway may initiate a child of a connection."""
    return any(map(initiates, children(section).values()))


def mode(child: t.Mapping[str, t.Any]) -> str:
    """Return the mode of a child, as written or as list-conns shows it, in lower case."""
    return str(child.get("mode", "tunnel")).lower()


def is_shunt(child: t.Mapping[str, t.Any]) -> bool:
    """Return whether a child passes or drops packets without an SA."""
    return mode(child) in SHUNTS


def selector_texts(child: Section, side: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the traffic selectors of a child as written; ``side`` is ``local`` or ``remote``."""
    return texts(child.get(f"{side}_ts", default))


def texts(value: Value | t.Sequence[str]) -> tuple[str, ...]:
    """Return the elements of a value that is a text or a list."""
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def with_parked_children(section: Section) -> Section:
    """Return a connection with its children under parked names."""
    renamed = {f"{name}{_PARKED}": child for name, child in children(section).items()}
    return {**section, "children": renamed}


def is_parked(loaded: t.Mapping[str, t.Any]) -> bool:
    """Return whether all children of a connection in list-conns have parked names."""
    names = loaded.get("children", {})
    return bool(names) and all(name.endswith(_PARKED) for name in names)


def child_name(name: str) -> str:
    """Return the configured name of a child whose name may be parked."""
    return name[: -len(_PARKED)] if name.endswith(_PARKED) else name


def without_autostart(section: Section, names: t.Container[str]) -> Section:
    """Return a connection whose children of these names initiate nothing when they are loaded.

    list-conns shows the difference, so that a later run finds these children again. The file keeps
    the start action, and swanctl would load the children with it.
    """
    changed = {
        name: {**child, **_WITHOUT_AUTOSTART} if name in names and autostarts(child) else child
        for name, child in children(section).items()
    }
    return {**section, "children": changed}


def children_without_autostart(loaded: t.Mapping[str, t.Any]) -> frozenset[str]:
    """Return the names of the children in list-conns that were loaded without their start."""
    mark = _WITHOUT_AUTOSTART["close_action"]
    return frozenset(
        child_name(name)
        for name, child in loaded.get("children", {}).items()
        if child.get("close_action") == mark
    )
