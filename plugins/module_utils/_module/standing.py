# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Deviations of a phase 2 that carries traffic. Pure."""

from __future__ import annotations

import typing as t

from .._diagnose.causes import CAUSES
from .._diagnose.explain import Finding
from .._model.child import ChildSa
from .._model.child_text import selectors_text
from .._model.connection import IkeConnection
from .._plan.selectors import grouped
from .._plan.standing import Deviation, Standing


def shortcoming(connection: IkeConnection, child: ChildSa, standing: Standing) -> Finding | None:
    """Return the deviation of a phase 2 from its configuration, or None without one."""
    if standing.deviations:
        return _deviating(connection, child, standing)
    if not standing.missing:
        return None
    return Finding(
        CAUSES["selectors_narrowed"],
        connection,
        child,
        selectors_text(child),
        "; ".join(map(str, standing.carried)),
        _evidence(child, standing),
        f" Not carried: {grouped(standing.missing)}.",
    )


def _deviating(connection: IkeConnection, child: ChildSa, standing: Standing) -> Finding:
    evidence = _evidence(child, standing)
    modes = [item for item in standing.deviations if item.key == "mode"]
    if [*standing.deviations] == modes and not standing.noted:
        # With IKEv2, different modes on the two sides become tunnel mode without a warning.
        (mode,) = modes
        cause = CAUSES["mode_mismatch"]
        return Finding(cause, connection, child, mode.configured, mode.in_force, evidence)
    in_force = _told(standing.deviations, "in_force")
    configured = _told(standing.deviations, "configured")
    detail = f" In force: {in_force}. Configured: {configured}."
    return Finding(CAUSES["outdated"], connection, child, configured, "", evidence, detail)


def _told(deviations: t.Iterable[Deviation], side: str) -> str:
    """Return deviations as a text: ``remote_addrs 192.0.2.2; dpd_delay none``."""
    return "; ".join(f"{item.key} {getattr(item, side) or 'none'}" for item in deviations)


def _evidence(child: ChildSa, standing: Standing) -> tuple[str, ...]:
    return tuple(f"ours: Child SA {child.name}: {item}" for item in standing.carried)
