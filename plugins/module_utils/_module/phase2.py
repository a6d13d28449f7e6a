# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_phase2."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._host.host import Host
from .._model import checks
from .._model.child import ChildSa
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._model.quantum import IGNORE
from .._model.subject import phase2_subject
from .._plan.scope import Scope
from .addresses import warnings_of_addresses
from .capabilities import check_children
from .edit import Edit, Params, View
from .ikev1 import check_phase1
from .policies import quantum_safe_phase2, weak_crypto
from .spec import IPSEC_PHASE2, Spec


class Phase2Resource:
    spec: t.ClassVar[Spec] = IPSEC_PHASE2
    key: t.ClassVar[str] = "ipsec_phase2"

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        name = checks.phase_name("name", params["name"])
        phase1, network = params["phase1"], params["network"]
        if params["state"] == "absent":
            return _absent(current, name, phase1, network, platform)
        subject = phase2_subject(name, phase1)
        connection = current.connection_of_child(phase1, network, subject)
        child = wanted(connection, params)
        scope = Scope(swanctl=frozenset({platform.connection_path(phase1)}))
        warnings = warnings_about(child, connection, params)
        return Edit(current.with_child(child), scope, child.to_options(), warnings)

    def check_host(self, host: Host, view: View) -> list[str]:
        connection = view.edit.gateway.connections.get(view.params["phase1"])
        child = connection.child(view.params["name"]) if connection else None
        if connection is None or child is None or not child.enabled:
            return []
        if view.edit.gateway.is_active(connection):
            check_children(view.asked, [child], userspace=view.userspace)
            warnings = warnings_of_addresses(child, view)
            if connection.key_exchange == "ikev1":
                warnings += check_phase1(replace(view, described=False), connection)
            return warnings
        return []


def _absent(current: Gateway, name: str, phase1: str, network: str, platform: Platform) -> Edit:
    result = {"name": name, "phase1": phase1, "network": network, "state": "absent"}
    connection = current.connections.get(phase1)
    if connection is None or connection.network != network:
        # Without its phase 1 there is no phase 2 either.
        return Edit(current, Scope(), result)
    gateway = current.without_child(phase1, name)
    return Edit(gateway, Scope(swanctl=frozenset({platform.connection_path(phase1)})), result)


def warnings_about(
    child: ChildSa, connection: IkeConnection, params: Params, said: str = IGNORE
) -> tuple[str, ...]:
    """Return warnings about an enabled phase 2. Raises ModelError for refused algorithms.

    ``said`` is the value of quantum_safe with which its phase 1 reports, also for the phase 2.
    """
    if not child.enabled:
        return ()
    weak = [reason for item in child.encryption for reason in item.weaknesses()]
    warnings = weak_crypto(child.subject, "encryption", weak, params["weak_crypto"])
    policy = params["quantum_safe"]
    if policy != said:
        warnings += quantum_safe_phase2(child, connection, policy)
    return tuple(warnings)


def wanted(connection: IkeConnection, params: Params) -> ChildSa:
    """Return the phase 2 of the options, for a phase 1."""
    known = connection.child(params["name"])
    defines = params.given & {"local_network", "remote_network"} or params["mode"] == "transport"
    if known is not None and params["state"] == "disabled" and not defines:
        return known.changed(params.said(), connection.versions)
    return ChildSa.from_options(params, connection.versions)
