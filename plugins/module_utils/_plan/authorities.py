# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The CAs that the IKE daemon knows, and those that the files have.

strongSwan loads the certificate of a CA with a connection, and forgets it by no command but
``clear-creds``, which takes every secret and key of the daemon along.
"""

from __future__ import annotations

import typing as t

from .._render.pem import Certificate, certificate
from .._render.swanctl_files import SwanctlFile
from .differences import state_difference
from .observed import DaemonState, Observed
from .plan import Difference, Plan
from .steps import LoadConnection, Supersede


def plan_authorities(parts: SwanctlFile, observed: Observed, planned: Plan) -> Plan:
    """Load a connection once more whose CAs somebody has cleared, or whose copies were lost.

    No SA of it is touched.
    """
    daemon = observed.daemon
    if daemon.cas is None or parts.credentials is None:
        return Plan()
    loading = {step.name for step in planned.steps if isinstance(step, (LoadConnection, Supersede))}
    pems = (*parts.credentials.certificate[1:], *parts.credentials.ca)
    lost = [item for item in map(certificate, pems) if item and item.data not in daemon.cas]
    names = [name for name in parts.connections if name not in loading]
    # What the daemon has may be what was in them.
    gone = any(file.path not in observed.files for file in parts.extra_files)
    if not names or not (lost or gone):
        return Plan()
    return Plan(
        tuple(
            LoadConnection(name, parts.connections[name], parts.connections[name]) for name in names
        ),
        tuple(state_difference(_header(item), "not loaded", "loaded") for item in lost),
    )


def remembered(daemon: DaemonState) -> tuple[Difference, ...]:
    """What is not as the files have it, and no task can put right."""
    return tuple(
        state_difference(_header(item), "loaded", "in no file") for item in daemon.remembered
    )


def told(items: t.Iterable[Certificate]) -> list[str]:
    """A warning about CAs that no file has, which is to be seen before the daemon restarts."""
    names = ", ".join(dict.fromkeys(str(item.subject) for item in items))
    if not names:
        return []
    return [
        f"the IKE daemon still knows CAs that no file of this host has: {names}. It trusts them, "
        "and builds chains with them, until it is restarted: a tunnel that needs one of them does "
        "not come up after that. strongSwan can't unload a CA. swanctl --load-creds --clear "
        "forgets it, with everything that was loaded from no file, and disturbs no tunnel"
    ]


def _header(item: Certificate) -> str:
    return f"CA {item.subject} in the IKE daemon"
