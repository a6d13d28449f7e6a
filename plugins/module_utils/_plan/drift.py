# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What is not as it is configured, without an edit of anybody: the plan of what is there already.

A Gateway is compared with itself, so that whatever differs was changed by somebody else.
"""

from __future__ import annotations

import typing as t

from .._render.artefacts import Artefacts
from .._render.swanctl_files import SwanctlFile
from .authorities import remembered
from .differences import state_difference
from .files import written
from .observed import Observed
from .plan import Difference
from .planner import Scope, make_plan
from .swanctl import plan_swanctl


def drift_of_files(
    files: t.Sequence[SwanctlFile], observed: Observed
) -> t.Iterator[tuple[Difference, ...]]:
    """Of each file under conf.d, and of what the daemon is to have loaded from it."""
    for parts in files:
        if observed.daemon.version:
            found = plan_swanctl(parts, parts, observed).differences
        else:
            # It does not answer, and holds nothing.
            found = written((parts.file, *parts.extra_files), observed).differences
        yield (*found, *_lacking(parts))


def _lacking(parts: SwanctlFile) -> tuple[Difference, ...]:
    """Only a run of its own task can tell what they were."""
    header = f"certificates and private key of phase 1 {parts.owned[0]}"
    there = state_difference(header, "not all there", "copies of the files that its task names")
    return (there,) if parts.uncertified else ()


def drift_of_host(wanted: Artefacts, observed: Observed, scope: Scope) -> tuple[Difference, ...]:
    """Of networks, their shunts and conf texts, and of the daemon-wide settings."""
    if not observed.daemon.version:
        scope = Scope(scope.networks)
    return make_plan(wanted, wanted, observed, scope).differences + remembered(observed.daemon)
