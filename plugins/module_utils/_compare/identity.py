# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Identities (RFC 7296 section 3.5) as strongSwan reads them, and when one proves another."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

_ANY = ("", "%any", "%any6", "0.0.0.0", "*", "::", "0::0")
_PREFIXES = {
    "ipv4": "address",
    "ipv6": "address",
    "ipv4net": "net",
    "ipv6net": "net",
    "email": "email",
    "rfc822": "email",
    "userfqdn": "email",
    "fqdn": "fqdn",
    "dns": "fqdn",
    "asn1dn": "dn",
    "keyid": "key",
}


@dataclass(frozen=True)
class Identity:
    """``kind`` is any, address, net, fqdn, email, dn or key; ``value`` is canonical."""

    kind: str
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Identity:
        prefix, colon, rest = text.partition(":")
        if colon and prefix in _PREFIXES:
            return cls._of(_PREFIXES[prefix], rest)
        if "=" in text:
            return cls._of("dn", text)
        if text.startswith("@#"):
            return cls("key", text[2:].replace(":", "").lower())
        if text.startswith("@@"):
            return cls._of("email", text[2:])
        if "@" in text:
            return cls._of("fqdn", text[1:]) if text[0] == "@" else cls._of("email", text)
        if text in _ANY:
            return cls("any")
        found = cls._of("net" if "/" in text else "address", text)
        # What looks like neither kind of address is a name, with a colon in it a key.
        fallback = "key" if ":" in text else "fqdn"
        return found if found.kind != "key" else cls._of(fallback, text)

    @classmethod
    def _of(cls, kind: str, text: str) -> Identity:
        try:
            if kind == "address":
                return cls(kind, str(ipaddress.ip_address(text)))
            if kind == "net":
                return cls(kind, str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            return cls._of("key", text)
        if kind == "key":
            return cls(kind, text.encode().hex())
        return cls(kind, text.casefold())

    @property
    def wild(self) -> bool:
        """Whether it stands for more than one identity, so that no peer can bear it."""
        return self.kind in ("any", "net") or "*" in self.value

    def proves(self, required: Identity) -> bool:
        """Whether a peer with this identity is the one that is ``required``."""
        if required.kind == "any":
            return True
        if required.kind == "net" and self.kind == "address":
            return _within(self.value, required.value)
        if self.kind != required.kind:
            return False
        if self.kind == "dn":
            return _same_name(self.value, required.value)
        if self.kind in ("fqdn", "email") and required.value.startswith("*"):
            return self.value.endswith(required.value[1:])
        return self.value == required.value


def _within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


def _same_name(name: str, required: str) -> bool:
    """Distinguished names part by part, in this order; ``*`` stands for any value of a part."""
    parts, wanted = _parts(name), _parts(required)
    return len(parts) == len(wanted) and all(
        mine[0] == theirs[0] and theirs[1] in ("*", mine[1]) for mine, theirs in zip(parts, wanted)
    )


def _parts(name: str) -> t.Sequence[tuple[str, str]]:
    separator = "/" if name.startswith("/") else ","
    found = []
    for part in name.strip("/").split(separator):
        kind, _equals, value = part.partition("=")
        found.append((kind.strip(), value.strip()))
    return found
