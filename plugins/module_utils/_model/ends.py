# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks of the options that say where the two ends of a tunnel are, and who they are.

strongSwan reads several values as any address, or as any identity. Only ``%any`` may say that.
"""

from __future__ import annotations

import ipaddress

from .._errors import ModelError
from . import addresses, checks
from .checks import ANY, IPAddress
from .identity import Identity

_LOCAL = "an address of this gateway"


def address_of(host: str) -> IPAddress | None:
    """The address, None of a name or of ``%any``."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def gateway(option: str, value: object) -> str:
    """The peer's address or name, or ``%any``."""
    host = recorded_gateway(option, value)
    address = address_of(host)
    if address is not None and not checks.unspecified(address):
        return str(addresses.host(option, value, f"the address of the peer, a FQDN, or {ANY}"))
    if address is not None and checks.unspecified(address):
        raise ModelError(
            option,
            value,
            "stands for any address: strongSwan accepts a peer wherever it is",
            f"{ANY} with connection_behavior responder_only if that is meant, or the address of "
            "the peer",
        )
    if address is None and checks.numeric(host):
        raise ModelError(
            option,
            value,
            "is a number, which a resolver takes for some address, 0x0 for any",
            f"an IPv4 or IPv6 address, a FQDN, or {ANY}",
        )
    return host


def recorded_gateway(option: str, value: object) -> str:
    """The same as an earlier version has taken it."""
    return ANY if value == ANY else checks.host(option, value)


def local_address(option: str, value: object) -> str:
    """An address of this gateway."""
    address = checks.ip_address(option, value)
    if checks.unspecified(address):
        raise ModelError(
            option,
            value,
            "stands for any address",
            f"{_LOCAL}; leave the option out for the address that routing selects",
        )
    return str(addresses.host(option, value, _LOCAL))


def recorded_address(option: str, value: object) -> str:
    """The same as an earlier version has taken it."""
    return str(checks.ip_address(option, value))


def own_identity(option: str, value: object) -> str:
    """The one identity that this gateway has."""
    text = checks.identity(option, value)
    if Identity.parse(text).wild:
        raise ModelError(
            option,
            value,
            "stands for more than one identity",
            "one identity; leave the option out for the address in use",
        )
    return text


def peer_identity(option: str, value: object) -> str:
    """The identity of the peer, a pattern of several, or ``%any``."""
    text = checks.identity(option, value)
    if text != ANY and Identity.parse(text).kind == "any":
        raise ModelError(
            option,
            value,
            "stands for any identity",
            f"{ANY} if every peer that knows the psk is to be accepted, or one identity",
        )
    return text
