# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks of the options for the addresses and the identities of the two ends of a tunnel.

strongSwan reads several values as any address, or as any identity. Only ``%any`` is accepted.
"""

from __future__ import annotations

import ipaddress
import re

from .._errors import ModelError
from . import addresses, checks
from .checks import ANY, IPAddress
from .identity import Identity

_LOCAL = "Write an address of this gateway, such as 192.0.2.1 or 2001:db8::1."


def address_of(host: str) -> IPAddress | None:
    """Return the address; None for a name or ``%any``."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def gateway(option: str, value: object) -> str:
    """Return the address or name of the peer, or ``%any``."""
    host = recorded_gateway(option, value)
    address = address_of(host)
    if address is not None and not checks.unspecified(address):
        return str(addresses.host(option, value, _PEER))
    if address is not None and checks.unspecified(address):
        raise ModelError(
            option,
            value,
            "stands for any address: strongSwan accepts a peer at every address",
            f"Write the address of the peer. For a peer at any address write {ANY}, with "
            "connection_behavior responder_only.",
        )
    if address is None and checks.numeric(host):
        raise ModelError(
            option,
            value,
            "is a number, which a resolver reads as an address (0x0 as any address)",
            _PEER,
        )
    return host


def recorded_gateway(option: str, value: object) -> str:
    """Return a recorded value. An earlier version accepted more values."""
    return ANY if value == ANY else checks.host(option, value)


def local_address(option: str, value: object) -> str:
    """Return an address of this gateway."""
    address = checks.ip_address(option, value)
    if checks.unspecified(address):
        raise ModelError(
            option,
            value,
            "stands for any address",
            f"Write an address of this gateway, or remove {option} to use the address that "
            "routing selects.",
        )
    return str(addresses.host(option, value, _LOCAL))


def recorded_address(option: str, value: object) -> str:
    """Return a recorded value. An earlier version accepted more values."""
    return str(checks.ip_address(option, value))


def own_identity(option: str, value: object) -> str:
    """Return the one identity of this gateway."""
    text = _identity(option, value)
    if Identity.parse(text).is_wildcard:
        raise ModelError(
            option,
            value,
            "stands for more than one identity",
            f"Write one identity, or remove {option} to use the address of this gateway.",
        )
    return text


def peer_identity(option: str, value: object) -> str:
    """Return the identity of the peer, a pattern for several peers, or ``%any``."""
    text = _identity(option, value)
    if text != ANY and Identity.parse(text).kind == "any":
        raise ModelError(
            option,
            value,
            "stands for any identity",
            f"Write the identity of the peer, or {ANY} to accept every peer that knows the psk.",
        )
    return text


def _identity(option: str, value: object) -> str:
    """Return an identity that strongSwan reads as it is written."""
    text = checks.identity(option, value)
    problem, fix = _misread(Identity.parse(text))
    if problem:
        raise ModelError(option, value, problem, fix)
    return text


def _misread(identity: Identity) -> tuple[str, str]:
    """Return how strongSwan misreads an identity, and the fix; two empty texts if it does not."""
    prefix, rest = identity.prefix
    if prefix and rest.startswith("#") and not _HEXADECIMAL.fullmatch(rest):
        fix = "Write pairs of hexadecimal digits, such as keyid:#0a0b0c."
        return "has no hexadecimal digits after the #", fix
    if prefix in ("address", "net", "range", "dn") and not rest.startswith("#"):
        return "is read as bytes by strongSwan, because of its prefix", f"Write {rest}."
    if prefix is None and identity.kind == "key" and "=" in identity.text:
        problem = "is read as a key ID by strongSwan, because it is not a distinguished name"
        return problem, f"{_NAMES} Write email: or keyid: before any other identity."
    if identity.name and any(_QUOTED.search(part.text) for part in identity.name.parts):
        problem = "has quotes or backslashes, which strongSwan reads as characters of the name"
        return problem, _NAMES
    return "", ""


_HEXADECIMAL = re.compile("#(?:[0-9a-fA-F]{2}:?)+")
# The quotes and backslashes that other programs write for a comma in a value.
_QUOTED = re.compile(r'^"|"$|\\')
_NAMES = (
    "Write a distinguished name as C=CH, O=Example, CN=gw-a, or as /C=CH/O=Example, Inc./CN=gw-a "
    "if a value has a comma. Use the attributes in docs/identities.md, in the order of the "
    "certificate."
)
_PEER = f"Write the IPv4 or IPv6 address of the peer, its FQDN, or {ANY}."
