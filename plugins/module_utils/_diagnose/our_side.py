# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The part of our own configuration that a cause is about, in one line. Never a secret."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._model.child import ChildSa
from .._model.child_text import selectors_text
from .._model.connection import IkeConnection


@dataclass(frozen=True)
class OwnCertificate:
    """Our own certificate: the names that it ``holds``, and its faults by code of the cause."""

    subject: str = ""
    holds: str = ""
    faults: t.Mapping[str, str] = field(default_factory=dict)


def of_our_side(
    aspect: str,
    connection: IkeConnection,
    child: ChildSa | None,
    own: OwnCertificate | None = None,
) -> str:
    """Return our value of an aspect, empty for an aspect of phase 2 without a phase 2."""
    certificate = f"; the certificate contains {own.holds}" if own and own.holds else ""
    values = {
        "": "",
        "gateway": connection.remote_gateway,
        "local_address": connection.local_address or "",
        "version": connection.key_exchange,
        "authentication": connection.authentication,
        "negotiation_mode": connection.negotiation_mode,
        "behavior": connection.connection_behavior,
        "identity": _own_identity(connection, own),
        "certificate": f"{_own_identity(connection, own)}{certificate}",
        "peer_identity": connection.peer_identity,
        "identities": f"{_own_identity(connection, own)} to {connection.peer_identity}",
        "ppk": _ppk(connection),
        "ike_proposals": ", ".join(item.keyword() for item in connection.encryption),
    }
    if child is not None:
        values["mode"] = child.mode
        proposals = (item.keyword() for item in child.encryption)
        values["esp_proposals"] = f"{child.protocol}: {', '.join(proposals)}"
        values["selectors"] = selectors_text(child)
    return values.get(aspect, "")


def _ppk(connection: IkeConnection) -> str:
    if connection.ppk_id is None:
        return "no PPK"
    return f"{connection.ppk_id}, {'required' if connection.ppk_required else 'not required'}"


def _own_identity(connection: IkeConnection, own: OwnCertificate | None) -> str:
    if connection.identifier:
        return connection.identifier
    if connection.uses_certificates:
        return own.subject if own and own.subject else "the subject of the certificate"
    return connection.local_address or "the address in use"
