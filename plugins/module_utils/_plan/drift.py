# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Report drift: the differences of a plan without an edit.

A Gateway is compared with itself. Each difference was made by another administrator.
"""

from __future__ import annotations

import typing as t

from .._render.artefacts import Artefacts
from .._render.swanctl_files import SwanctlFile
from .authorities import remembered
from .files import written
from .observed import Observed
from .plan import Difference, state_difference
from .planner import make_plan
from .scope import Scope
from .swanctl import plan_swanctl


def drift_of_files(
    files: t.Sequence[SwanctlFile], observed: Observed
) -> t.Iterator[tuple[Difference, ...]]:
    """Yield the drift of each file under conf.d, and of the objects that charon loads from it."""
    for parts in files:
        if observed.daemon.version:
            differences = plan_swanctl(parts, parts, observed).differences
        else:
            # charon does not answer, and has nothing loaded.
            differences = written((parts.file, *parts.extra_files), observed).differences
        yield (*differences, *_missing_copies(parts))


def _missing_copies(parts: SwanctlFile) -> tuple[Difference, ...]:
    """Return a difference when PEM files are missing. Only the task of the phase 1 has them."""
    header = f"certificates and private key of phase 1 {parts.connection_names[0]}"
    drift = state_difference(header, "incomplete", "copies of the files that the task names")
    return (drift,) if parts.uncertified else ()


def drift_of_host(wanted: Artefacts, observed: Observed, scope: Scope) -> tuple[Difference, ...]:
    """Return the drift of networks with their shunts and conf texts, and of the settings."""
    if not observed.daemon.version:
        scope = Scope(scope.networks)
    return make_plan(wanted, wanted, observed, scope).differences + remembered(observed.daemon)
