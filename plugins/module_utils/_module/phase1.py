# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The module ipsec_phase1."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from .._host.host import Host
from .._model import checks
from .._model.authentication import CREDENTIALS
from .._model.connection import IkeConnection
from .._model.gateway import Gateway
from .._model.platform import Platform
from .._model.proposal import Use
from .._model.secret import STRONG_PPK, STRONG_PSK
from .._model.subject import phase1_subject
from .._plan.scope import Scope
from .addresses import warnings_of_addresses
from .capabilities import check_capabilities, check_child, check_foreign, check_peer
from .edit import Edit, Params, View
from .ikev1 import check_phase1
from .keys import check_connection, warnings_of, warnings_of_ppk
from .policies import quantum_safe_phase1, weak_crypto
from .spec import IPSEC_PHASE1, Spec


class Phase1Resource:
    spec: t.ClassVar[Spec] = IPSEC_PHASE1
    key: t.ClassVar[str] = "ipsec_phase1"

    def edit(self, current: Gateway, params: Params, platform: Platform) -> Edit:
        name = checks.phase_name("name", params["name"])
        scope = Scope(swanctl=frozenset({platform.connection_path(name)}))
        known = known_phase1(current, name, params["network"])
        if params["state"] == "absent":
            return Edit(
                current.without_connection(name),
                scope,
                {"name": name, "network": params["network"], "state": "absent"},
            )
        connection = wanted(known, params)
        gateway = current.with_connection(connection)
        check_connection(connection, gateway)
        warnings = warnings_about(connection, params, gateway)
        return Edit(gateway, scope, connection.to_options(), warnings, certified(params))

    def check_host(self, host: Host, view: View) -> list[str]:
        connection = view.edit.gateway.connections.get(view.params["name"])
        if connection is None or not view.edit.gateway.is_active(connection):
            return []
        subject = connection.subject
        warnings = check_phase1(view, connection)
        supported = view.asked.algorithms
        check_capabilities(
            supported, subject, connection.encryption, Use.IKE, userspace=view.userspace
        )
        check_peer(view.asked.interfaces, connection)
        check_foreign(connection, view.current, view.observed)
        for child in connection.children:
            if child.enabled:
                check_child(supported, child, userspace=view.userspace)
                warnings += warnings_of_addresses(child, view)
        asleep = view.userspace and view.observed.daemon.release < WAKES
        if asleep and connection.connection_behavior == "on_demand":
            warnings.append(f"{subject}: {_NO_DEMAND}")
        return warnings


# The first release of strongSwan whose userspace data plane brings a tunnel up on demand.
WAKES = 6
_NO_DEMAND = (
    "connection_behavior on_demand brings nothing up here, because traffic wakes no tunnel in the "
    "userspace data plane of strongSwan 5: use start, or let the peer connect"
)


def certified(params: Params) -> frozenset[str]:
    """Return the name of the phase 1 if its certificates come from the files of the options.

    A task that only switches a phase 1 off does not name its files.
    """
    return frozenset({params["name"]} if params.given.intersection(CREDENTIALS) else ())


def known_phase1(current: Gateway, name: str, network: str) -> IkeConnection | None:
    """Return the phase 1 of this name. Raises ModelError if another network has it."""
    known = current.connections.get(name)
    if known is not None and known.network != network:
        raise ModelError(
            "network",
            network,
            f"does not have this phase 1, which belongs to network {known.network}",
            f"Set network to {known.network}, or use another name.",
            known.subject,
        )
    return known


def wanted(known: IkeConnection | None, params: Params) -> IkeConnection:
    """Return the phase 1 of the options, with the children of the known one."""
    if known is not None and params["state"] == "disabled" and params["remote_gateway"] is None:
        return known.changed(params.said())
    if params["remote_gateway"] is None:
        raise ModelError(
            "remote_gateway",
            None,
            "is missing for a new phase 1",
            "Give the address or FQDN of the peer, or %any.",
            phase1_subject(params["name"]),
        )
    return IkeConnection.from_options(params, known)


def warnings_about(connection: IkeConnection, params: Params, gateway: Gateway) -> tuple[str, ...]:
    """Return warnings about an enabled phase 1. Raises ModelError for refused algorithms."""
    if not connection.enabled:
        return ()
    subject = connection.subject
    policy = params["weak_crypto"]
    weak = [reason for item in connection.encryption for reason in item.weaknesses()]
    warnings = weak_crypto(subject, "encryption", weak, policy)
    if connection.negotiation_mode == "aggressive" and connection.uses_psk:
        weak = ["aggressive mode with a PSK"]
        warnings += weak_crypto(subject, "negotiation_mode", weak, policy)
    warnings += quantum_safe_phase1(connection, params["quantum_safe"])
    if connection.psk is not None and connection.psk.shorter_than(STRONG_PSK):
        warnings.append(f"{subject}: the psk has fewer than {STRONG_PSK} characters")
    if connection.ppk is not None and connection.ppk.shorter_than(STRONG_PPK):
        weak = [f"a ppk of fewer than {STRONG_PPK} characters"]
        warnings += weak_crypto(subject, "ppk", weak, policy, "Give a longer random ppk")
    return (*warnings, *warnings_of(connection, gateway), *warnings_of_ppk(connection, gateway))
