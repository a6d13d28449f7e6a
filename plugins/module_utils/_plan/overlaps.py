# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Networks that a managed tunnel and an unmanaged connection of charon both carry."""

from __future__ import annotations

import typing as t

from .._model.connection import RESERVED_PREFIX
from .._render.artefacts import Artefacts
from .._render.strongswan.section import Section
from .children import children, is_shunt, selector_texts
from .observed import DaemonState
from .selectors import DYNAMIC, Selectors


def overlaps(wanted: Artefacts, daemon: DaemonState, paths: t.Container[str]) -> list[str]:
    """Return warnings about tunnels in these files under conf.d, with the overlapping networks."""
    ours = {name for parts in wanted.swanctl.values() for name in parts.connection_names}
    theirs = [
        (name, child, _listed(conn))
        for name, connection in sorted(daemon.connections.items())
        if name not in ours and not name.startswith(RESERVED_PREFIX)
        for child, conn in sorted(connection.get("children", {}).items())
        if not is_shunt(conn)
    ]
    if not theirs:
        return []
    return [
        f"phase 2 {child} of phase 1 {name}: {mine} overlaps {selectors} of child {other} of "
        f"connection {connection}, which this collection did not make. Only one of the two carries "
        "the packets between these networks. Remove one of them, or give them other networks."
        for path, parts in wanted.swanctl.items()
        if path in paths
        for name, section in parts.connections.items()
        for child, mine in _written(section)
        for connection, other, selectors in theirs
        if mine.meets(selectors)
    ]


def _written(section: Section) -> t.Iterator[tuple[str, Selectors]]:
    for name, child in children(section).items():
        if not is_shunt(child):
            sides = (selector_texts(child, side) for side in ("local", "remote"))
            yield name, Selectors.of(*sides)


def _listed(child: t.Mapping[str, t.Any]) -> Selectors:
    return Selectors.of(child.get("local-ts", (DYNAMIC,)), child.get("remote-ts", (DYNAMIC,)))
