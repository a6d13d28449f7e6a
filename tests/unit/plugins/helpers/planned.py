# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A phase 1 before and after an edit, on a host without drift."""

from __future__ import annotations

import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.connection import (
    IkeConnection,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._model.platform import DEBIAN
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.observed import (
    DaemonState,
    Observed,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.plan import Plan
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._plan.swanctl import plan_swanctl
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.artefacts import artefacts
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.credentials import (
    Credentials,
)
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render.swanctl_files import (
    SwanctlFile,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.examples import (
    gateway,
    network,
)
from ansible_collections.tunnelwright.ipsec.tests.unit.plugins.helpers.simulated_host import listed

PATH = "/etc/swanctl/conf.d/tunnelwright.phase1.site-b.conf"
PEM = Credentials((b"certificate",), b"key", (b"ca",))


def parts(made: IkeConnection, pem: Credentials = PEM, *, power: str = "started") -> SwanctlFile:
    whole = artefacts(
        gateway(network(state=power), made), DEBIAN, userspace=False, credentials={"site-b": pem}
    )
    return whole.swanctl[PATH]


def holding(*files: SwanctlFile | None, **daemon: t.Any) -> Observed:
    """Return an observed host without drift. ``daemon`` sets further fields of its daemon state."""
    state: dict[str, t.Any] = {"version": "6.0.1", "connections": {}, "secrets": frozenset()}
    found = {}
    for item in files:
        if item is not None:
            found.update({file.path: file for file in (item.file, *item.extra_files)})
            for name, section in item.connections.items():
                state["connections"][name] = listed(section)
            state["secrets"] |= {shared.id for shared in item.secrets}
    return Observed(found, {}, DaemonState(**{**state, **daemon}))


def up(*children: str) -> dict[str, t.Any]:
    return {
        "established": {"site-b": frozenset(children)},
        "ike_ids": {"site-b": frozenset({"1"})},
    }


def edited(
    before: SwanctlFile | None, after: SwanctlFile | None, apply: str = "graceful", **daemon: t.Any
) -> Plan:
    return plan_swanctl(before, after, holding(before, **daemon), apply)
