# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a peer can't do, and how that shows. Each is tried; one that works is an error."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import Column, Row


@dataclass(frozen=True)
class Limit:
    """``evidence`` is a regular expression for what our module or one of the daemons says."""

    reason: str
    evidence: str
    holds: t.Callable[[Column, Row], bool]


LIMITS: tuple[Limit, ...] = ()


def limit_of(column: Column, row: Row) -> Limit | None:
    return next((limit for limit in LIMITS if limit.holds(column, row)), None)
