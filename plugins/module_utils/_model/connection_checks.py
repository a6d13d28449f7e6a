# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The rules between the options of one phase 1, and between a phase 1 and its phase 2."""

from __future__ import annotations

import typing as t

from .._errors import ModelError
from . import lifetime
from .authentication import CREDENTIALS, PSK, PUBKEY
from .checks import ANY

if t.TYPE_CHECKING:
    from .child import ChildSa
    from .connection import IkeConnection


def check_connection(connection: IkeConnection) -> None:
    """Raise ModelError naming the option if two options contradict each other."""
    lifetime.lifetime_seconds("lifetime", connection.lifetime, connection.lifetime_unit)
    if connection.rekey:
        _check_margin(connection)
    _check_authentication(connection)
    _check_initiator(connection)
    if connection.negotiation_mode == "aggressive":
        _check_aggressive(connection)
    for child in connection.children:
        check_child(connection, child)


def _check_margin(connection: IkeConnection) -> None:
    if connection.margin_seconds == 0:
        raise ModelError(
            "margintime",
            connection.margintime,
            "leaves no time to negotiate the next SA before the old one expires",
            "Give 1 second or more, or set rekey to false.",
        )
    lifetime.check_margin("lifetime", connection.lifetime_seconds, connection.margin_seconds)


def _check_authentication(connection: IkeConnection) -> None:
    given = {option: getattr(connection, option) for option in ("psk", *CREDENTIALS)}
    needed = ("psk",) if connection.uses_psk else CREDENTIALS
    for option, value in given.items():
        if option in needed and value is None:
            raise ModelError(
                option,
                None,
                f"is missing for authentication {connection.authentication}",
                "Give the pre-shared key."
                if option == "psk"
                else "Give the path of a PEM file on the managed host.",
            )
        if option not in needed and value is not None:
            other = PUBKEY if connection.uses_psk else PSK
            raise ModelError(
                option,
                value,
                f"has no effect with authentication {connection.authentication}",
                f"Remove {option}, or set authentication to {other}.",
            )


def _check_initiator(connection: IkeConnection) -> None:
    if connection.remote_gateway == ANY and connection.connection_behavior != "responder_only":
        raise ModelError(
            "connection_behavior",
            connection.connection_behavior,
            "cannot be used with remote_gateway %any: there is no address to initiate to",
            "Set connection_behavior to responder_only, or remote_gateway to the address of "
            "the peer.",
        )


def _check_aggressive(connection: IkeConnection) -> None:
    if connection.versions != {1}:
        raise ModelError(
            "negotiation_mode",
            "aggressive",
            "exists in IKEv1 only",
            "Set key_exchange to ikev1, or negotiation_mode to main.",
        )
    calls = connection.connection_behavior != "responder_only"
    nameless = connection.identifier is None and connection.local_address is None
    # Without an identity charon uses its source address, and aborts when it has no source address.
    # A certificate has a subject as its identity.
    if calls and nameless and connection.uses_psk:
        raise ModelError(
            "identifier",
            None,
            "is missing for negotiation_mode aggressive: without it charon crashes, with all "
            "its tunnels, when the host has no route to the peer",
            "Give identifier or local_address, or set connection_behavior to responder_only.",
        )


def check_child(connection: IkeConnection, child: ChildSa) -> None:
    """Raise ModelError naming the phase 2 if its phase 1 cannot carry it."""
    try:
        if child.lifetime_seconds and connection.rekey:
            lifetime.check_margin("lifetime", child.lifetime_seconds, connection.margin_seconds)
        if child.protocol == "ah" and connection.force_udp_encapsulation:
            raise ModelError(
                "protocol",
                "ah",
                f"cannot be encapsulated in UDP, which {connection.subject} forces",
                "Set protocol to esp, or force_udp_encapsulation of the phase 1 to false.",
            )
        # A new key_exchange of the phase 1 may not fit its children.
        child.check_versions(connection.versions)
    except ModelError as error:
        raise error.within(child.subject) from None
