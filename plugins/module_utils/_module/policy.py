# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks that phase 1 and phase 2 share: weak algorithms, and what the running daemon can do."""

from __future__ import annotations

import typing as t

from .._errors import HostError, ModelError
from .._host.host import Host
from .._model.checks import ANY
from .._model.connection import RESERVED_PREFIX, IkeConnection
from .._model.gateway import Gateway
from .._model.proposal import Proposal, Use, missing
from .._plan.loaded import expected_view, is_loaded
from .._plan.observed import Observed
from .._render.connection import connection_section
from .._render.settings_file import Section


def weak_crypto(subject: str, option: str, weak: t.Sequence[str], policy: str) -> list[str]:
    """Warnings, none, or a refusal, as the option ``weak_crypto`` says."""
    found = ", ".join(dict.fromkeys(weak))
    if not found or policy == "allow":
        return []
    if policy == "refuse":
        raise ModelError(
            option, found, "is weak, and weak_crypto is refuse", "strong cryptography", subject
        )
    return [f"{subject}: weak cryptography: {found}"]


def check_capabilities(
    host: Host, subject: str, proposals: t.Sequence[Proposal], use: Use, *, userspace: bool
) -> None:
    """charon accepts any keyword it knows; whether a plugin implements it shows at initiation."""
    lacking = missing(proposals, use, host.vici.algorithms(), userspace=userspace)
    if lacking:
        detail = "; ".join(str(item) for item in lacking)
        raise HostError(subject, f"the IKE daemon lacks what the encryption needs: {detail}")


def check_foreign(connection: IkeConnection, current: Gateway, observed: Observed) -> None:
    """Refuse the name, or the peer, of a connection that somebody else loaded.

    What stands under the name of a phase 1 that was loaded already is that phase 1.
    """
    known = current.connections.get(connection.name)
    if known is not None and current.powered(known):
        return
    subject = f"phase 1 {connection.name}"
    settings = current.settings_of(connection.network)
    section = connection_section(connection, settings)
    loaded = observed.daemon.connections
    if connection.name in loaded and not is_loaded(section, loaded[connection.name]):
        raise ModelError(
            "name",
            connection.name,
            "is a connection of the IKE daemon that this collection did not make",
            "another name, or remove that connection",
            subject,
        )
    for name in loaded.keys() - {*current.connections, connection.name}:
        ours = name.startswith(RESERVED_PREFIX)
        if not ours and _peer(loaded[name]) == _peer_of(section):
            raise ModelError(
                "remote_gateway",
                connection.remote_gateway,
                f"with the same identities is the peer of connection {name}, which this "
                "collection did not make",
                "another peer, identifier or peer_identifier",
                subject,
            )


def _peer_of(section: Section) -> tuple[t.Any, ...]:
    view = expected_view(section)
    identities = (view["local_id"] or ANY, view["remote_id"] or ANY)
    return view["local_addrs"], view["remote_addrs"], *identities


def _peer(conn: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    identities = (conn.get(end, {}).get("id") or ANY for end in ("local-1", "remote-1"))
    return tuple(conn.get("local_addrs", ())), tuple(conn.get("remote_addrs", ())), *identities
