# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks of the options that say where the two ends of a tunnel are, and who they are.

strongSwan reads several values as any address, or as any identity. Only ``%any`` may say that.
"""

from __future__ import annotations

import ipaddress
import re

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
    text = _identity(option, value)
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
    text = _identity(option, value)
    if text != ANY and Identity.parse(text).kind == "any":
        raise ModelError(
            option,
            value,
            "stands for any identity",
            f"{ANY} if every peer that knows the psk is to be accepted, or one identity",
        )
    return text


def _identity(option: str, value: object) -> str:
    """An identity that strongSwan does not take for something else than it looks like."""
    text = checks.identity(option, value)
    why, legal = _misread(Identity.parse(text))
    if why:
        raise ModelError(option, value, why, legal)
    return text


def _misread(identity: Identity) -> tuple[str, str]:
    """Why strongSwan does not take it for what is meant, and how to write that; or nothing."""
    prefix, rest = identity.prefix
    if prefix and rest.startswith("#") and not _HEXADECIMAL.fullmatch(rest):
        return "has no hexadecimal digits after the #", "pairs of digits, such as keyid:#0a0b0c"
    if prefix in ("address", "net", "range", "dn") and not rest.startswith("#"):
        why = "is taken for bytes by strongSwan, because of its prefix"
        return why, f"{rest}, without the prefix"
    if prefix is None and identity.kind == "key" and "=" in identity.text:
        why = "is taken for a key id by strongSwan, because it reads no distinguished name in it"
        return why, f"{_NAMES}; email: or keyid: before what is no distinguished name"
    if identity.name and any(_QUOTED.search(part.text) for part in identity.name.parts):
        return "has quotes or backslashes, which strongSwan takes for parts of the name", _NAMES
    return "", ""


_HEXADECIMAL = re.compile("#(?:[0-9a-fA-F]{2}:?)+")
# What other programs write around a value with a comma in it, or before that comma.
_QUOTED = re.compile(r'^"|"$|\\')
_NAMES = (
    "C=CH, O=Example, CN=gw-a, or /C=CH/O=Example, Inc./CN=gw-a where a value has a comma, with "
    "the attributes that docs/identities.md lists, in the order of the certificate"
)
