# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Warnings about traffic that leaves in cleartext after a tunnel lost networks."""

from __future__ import annotations

from .._host.kernel.host_routes import Ways
from .._model.selector import contains
from .._model.subject import phase2_subject
from .._render.artefacts import Artefacts
from .._render.nft_guard import guarded
from .._render.nft_match import TunnelMatch


def leaving(ways: Ways, before: Artefacts, after: Artefacts) -> list[str]:
    """Return a warning for each pair of networks that loses its guard and has a route."""
    warnings = []
    unguarded = _unguarded(before, after)
    devices = ways.out(tunnel.remote for tunnel in unguarded)
    for tunnel in unguarded:
        device = devices[tunnel.remote]
        if device:
            phase1, _slash, phase2 = tunnel.label.partition("/")
            warnings.append(
                f"{phase2_subject(phase2, phase1)}: packets from {tunnel.local} to "
                f"{tunnel.remote} leave in cleartext by {device} from now on, because no tunnel "
                "has these networks any more. To hold such packets back, keep the phase 2 with "
                "state: disabled."
            )
    return warnings


def _unguarded(before: Artefacts, after: Artefacts) -> tuple[TunnelMatch, ...]:
    left = _guarded(after)
    kept = {(item.local, item.remote) for item in left}
    # Most tunnels stay as they are, and need no comparison with every other tunnel.
    gone = (item for item in _guarded(before) if (item.local, item.remote) not in kept)
    return tuple(tunnel for tunnel in gone if not any(_covers(item, tunnel) for item in left))


def _guarded(side: Artefacts) -> tuple[TunnelMatch, ...]:
    found = (tunnel for parts in side.networks.values() for tunnel in guarded(parts.ruleset))
    return tuple(dict.fromkeys(found))


def _covers(outer: TunnelMatch, inner: TunnelMatch) -> bool:
    return contains(outer.local, inner.local) and contains(outer.remote, inner.remote)
