# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Swap a loaded connection for a changed one without a gap in its traffic.

charon closes the SAs of a child with a start action when the child changes. It never renegotiates
the SAs of a child without one. Both are avoided by a detail of charon: it compares children without
their names, but closes SAs and removes traps by name. The swap has two halves:

1. The old connection is loaded again with its children under parked names. charon sees no change.
2. The changed connection is loaded. It replaces children whose names no SA has, so that no SA is
   closed. charon initiates autostarting children at once, beside the old SAs. Each old SA is closed
   when the new SA carries traffic.

A parked child name also marks an interrupted run.

Source: src/libcharon/plugins/vici/vici_config.c (clear_start_action, run_start_action),
src/libcharon/config/peer_cfg.c (replace_child_cfgs) and install_route in
src/libcharon/plugins/kernel_*/kernel_*_ipsec.c of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..plan import Impact, Plan
from .change import ChangedConnection
from .decision import GRACEFUL, Decision, decide
from .swap_impacts import swap_impacts
from .swap_steps import park_steps, swap_in_steps


@dataclass(frozen=True)
class ConnectionSwap:
    """The plans for a changed connection, with the option ``apply``."""

    change: ChangedConnection
    apply: str = GRACEFUL

    @property
    def decision(self) -> Decision:
        return decide(self.change.facts, self.apply)

    @property
    def park(self) -> Plan:
        """Return the first half, before the file is written. A run may end after it at any time."""
        return Plan(tuple(park_steps(self.change, self.decision)))

    @property
    def swap_in(self) -> Plan:
        """Return the second half: the new connection, the new SAs, and the end of the old SAs."""
        return Plan(tuple(swap_in_steps(self.change, self.decision)), impacts=self.impacts)

    @property
    def impacts(self) -> tuple[Impact, ...]:
        return swap_impacts(self.change, self.decision)
