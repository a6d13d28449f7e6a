# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare the CAs in the files with the CAs in charon.

strongSwan loads the certificate of a CA with a connection. Only ``clear-creds`` unloads a CA, and
it unloads every secret and key too.
"""

from __future__ import annotations

import typing as t

from .._render.pem import Certificate, certificate
from .._render.swanctl_files import SwanctlFile
from .observed import DaemonState, Observed
from .plan import Difference, Plan, state_difference
from .steps import LoadConnection, SwapIn


def plan_authorities(parts: SwanctlFile, observed: Observed, planned: Plan) -> Plan:
    """Return the plan that loads a connection again when CAs or copies of certificates are lost.

    The plan touches no SA.
    """
    daemon = observed.daemon
    if daemon.cas is None or parts.credentials is None:
        return Plan()
    loading = {step.name for step in planned.steps if isinstance(step, (LoadConnection, SwapIn))}
    pems = (*parts.credentials.certificate[1:], *parts.credentials.ca)
    lost = [item for item in map(certificate, pems) if item and item.data not in daemon.cas]
    names = [name for name in parts.connections if name not in loading]
    # charon may still have the certificates of lost copies.
    copies_lost = any(file.path not in observed.files for file in parts.extra_files)
    if not names or not (lost or copies_lost):
        return Plan()
    return Plan(
        tuple(
            LoadConnection(name, parts.connections[name], parts.connections[name]) for name in names
        ),
        tuple(state_difference(_header(item), "not loaded", "loaded") for item in lost),
    )


def remembered(daemon: DaemonState) -> tuple[Difference, ...]:
    """Return the differences that no task can repair: CAs in charon that no file has."""
    return tuple(
        state_difference(_header(item), "loaded", "in no file") for item in daemon.remembered
    )


def told(items: t.Iterable[Certificate]) -> list[str]:
    """Return a warning about CAs that no file has, because a restart of charon unloads them."""
    names = ", ".join(dict.fromkeys(str(item.subject) for item in items))
    if not names:
        return []
    return [
        f"the IKE daemon still trusts CAs that no file of this host has: {names}. It builds chains "
        "with them until it restarts. A tunnel that needs one of these CAs does not come up after "
        "a restart. strongSwan can't unload a single CA. swanctl --load-creds --clear unloads it, "
        "with everything that was loaded from no file, and disturbs no tunnel"
    ]


def _header(item: Certificate) -> str:
    return f"CA {item.subject} in the IKE daemon"
