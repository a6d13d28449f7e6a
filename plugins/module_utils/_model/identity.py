# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Identities (RFC 7296 section 3.5) as strongSwan reads and compares them.

Source: identification.c of strongSwan. An identity may be a pattern for several identities.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, field

from .._errors import cut
from .checks import IPAddress
from .distinguished import Name

_ANY = ("", "%any", "%any6", "0.0.0.0", "*", "::", "0::0")
# The kind of each prefix, and of each number of RFC 7296 in braces.
_PREFIXES = {
    **dict.fromkeys(("ipv4", "ipv6", "1", "5"), "address"),
    **dict.fromkeys(("ipv4net", "ipv6net", "4", "6"), "net"),
    **dict.fromkeys(("ipv4range", "ipv6range", "7", "8"), "range"),
    **dict.fromkeys(("email", "rfc822", "userfqdn", "3"), "email"),
    **dict.fromkeys(("fqdn", "dns", "2"), "fqdn"),
    **dict.fromkeys(("asn1dn", "9"), "dn"),
    **dict.fromkeys(("keyid", "11"), "key"),
    **dict.fromkeys(("asn1gn", "xmppaddr", "10"), "gn"),
    "uri": "uri",
    "0": "any",
}
_PREFIXED = re.compile(r"(?:([A-Za-z0-9]+)|\{(\w+)\}):(.*)", re.DOTALL)
# IP version, first and last address.
Bounds = tuple[int, int, int]


@dataclass(frozen=True)
class Identity:
    """An identity of one ``kind``: any, address, net, fqdn, email, dn, key, gn or uri.

    A net may be a range. ``text`` is the text as written, ``exact`` the value as sent, and
    ``value`` the same in lower case.
    """

    kind: str
    value: str = ""
    text: str = field(default="", compare=False)
    exact: str = field(default="", compare=False)
    # The name in a certificate, which knows the type of each text.
    decoded: Name | None = field(default=None, compare=False, repr=False)

    @classmethod
    @functools.lru_cache(maxsize=8192)
    def parse(cls, text: str) -> Identity:
        kind, exact = _parsed(text)
        name = Name.read(exact) if kind == "dn" else None
        return cls(kind, name.folded if name else exact.casefold(), text, exact)

    @classmethod
    def of(cls, name: Name) -> Identity:
        """Return the identity of a name in a certificate."""
        text = name.identity or f"asn1dn:#{name.encoded.hex()}"
        return cls("dn", name.folded, text, text, name)

    def __str__(self) -> str:
        """Return the text for messages."""
        return cut(self.text or self.value)

    @property
    def is_wildcard(self) -> bool:
        """Return whether the identity is a pattern for several, which no peer can have."""
        if self.name:
            return any(part.is_wildcard for part in self.name.parts)
        return self.kind in ("any", "net") or "*" in self.value or self._unread

    @property
    def prefix(self) -> tuple[str | None, str]:
        """Return the kind of the prefix (None without prefix), and the text after it."""
        if self.text.startswith("@#"):
            return "key", self.text[1:]
        marked = _PREFIXED.fullmatch(self.text)
        kind = _prefix(marked[1], marked[2]) if marked else None
        return kind, marked[3] if marked and kind else self.text

    def satisfies(self, required: Identity) -> bool:
        """Return whether a peer with this identity satisfies the ``required`` identity."""
        if required.kind == "any":
            return True
        mine, theirs = self._bounds, required._bounds
        if mine and theirs:
            return mine[0] == theirs[0] and theirs[1] <= mine[1] <= mine[2] <= theirs[2]
        if self.kind != required.kind:
            return False
        if self.kind == "dn" and self.name and required.name:
            return _fits(self.name, required.name, both=False)
        if self.kind in ("fqdn", "email") and required.value.startswith("*"):
            return self.value.endswith(required.value[1:])
        return self.value == required.value

    def overlaps(self, other: Identity) -> bool:
        """Return whether one identity could satisfy both."""
        if "any" in (self.kind, other.kind):
            return True
        mine, theirs = self._bounds, other._bounds
        if mine and theirs:
            return mine[0] == theirs[0] and mine[1] <= theirs[2] and theirs[1] <= mine[2]
        if self.kind != other.kind:
            return False
        if self._unread or other._unread:
            return True
        if self.name and other.name:
            return _fits(self.name, other.name, both=True)
        if self.kind in ("fqdn", "email"):
            tails = [item.value[1:] for item in (self, other) if item.value.startswith("*")]
            if len(tails) == 2:
                return tails[0].endswith(tails[1]) or tails[1].endswith(tails[0])
        return self.satisfies(other) or other.satisfies(self)

    def equals(self, other: Identity) -> bool:
        """Return whether strongSwan treats two identities as equal. Neither is a pattern."""
        if self.kind == other.kind == "dn" and self.name and other.name:
            return self.name.equals(other.name)
        return self == other

    @functools.cached_property
    def name(self) -> Name | None:
        """Return the distinguished name; None for other kinds and for unreadable DER."""
        if self.kind != "dn" or self.decoded:
            return self.decoded
        if not self.value.startswith("#"):
            return Name.read(self.text)
        try:
            return Name.decode(bytes.fromhex(self.value[1:]))
        except (ValueError, IndexError):
            return None

    @property
    def _unread(self) -> bool:
        """Return whether the meaning of the identity is unknown here.

        Unknown are regular expressions, which strongSwan accepts from 6.0.2 on, and names in DER.
        """
        expression = self.value.startswith("^") and self.value.endswith("$") and ":" in self.text
        return expression or (self.kind == "dn" and self.name is None)

    @functools.cached_property
    def _bounds(self) -> Bounds | None:
        """Return the bounds of an address or a network; None for other kinds."""
        if self.kind == "address":
            address = ipaddress.ip_address(self.value)
            return address.version, int(address), int(address)
        if self.kind != "net":
            return None
        if "-" in self.value:
            first, last = map(ipaddress.ip_address, self.value.split("-"))
            return first.version, int(first), int(last)
        network = ipaddress.ip_network(self.value)
        return network.version, int(network[0]), int(network[-1])


def _parsed(text: str) -> tuple[str, str]:
    """Return the kind, and the value as sent."""
    prefixed = _PREFIXED.fullmatch(text)
    kind = _prefix(prefixed[1], prefixed[2]) if prefixed else None
    if prefixed and kind:
        return _typed(kind, prefixed[3])
    if "=" in text:
        return _of("dn", text)
    if text.startswith("@#"):
        return "key", text[2:].replace(":", "").lower()
    if text.startswith("@@"):
        return _of("email", text[2:])
    if "@" in text:
        return _of("fqdn", text[1:]) if text[0] == "@" else _of("email", text)
    if text in _ANY:
        return "any", ""
    shape = "net" if "/" in text else "range" if "-" in text else "address"
    found = _of(shape, text)
    # Any other text is a name, or a key if it contains a colon.
    fallback = "key" if ":" in text else "fqdn"
    return found if found[0] != "key" else _of(fallback, text)


def _prefix(word: str | None, number: str | None) -> str | None:
    if word is not None:
        return None if word.isdigit() else _PREFIXES.get(word.lower())
    try:
        # As strtoul reads it.
        value = int(number or "", 8 if re.fullmatch("0[0-7]+", number or "") else 0)
    except ValueError:
        return None
    return _PREFIXES.get(str(value), f"type {value}")


def _typed(kind: str, rest: str) -> tuple[str, str]:
    """Return kind and value of the text after a prefix. # begins hexadecimal digits."""
    if not rest.startswith("#"):
        # strongSwan reads neither an address nor a name in the text after such a prefix.
        return _of("key" if kind in ("address", "net", "range", "dn") else kind, rest)
    try:
        data = bytes.fromhex(rest[1:].replace(":", ""))
    except ValueError:
        return _of("key", rest)
    try:
        if kind == "address":
            return _of(kind, str(ipaddress.ip_address(data)))
        if kind in ("net", "range"):
            half = len(data) // 2
            first, last = (ipaddress.ip_address(part) for part in (data[:half], data[half:]))
            if kind == "range":
                return _of(kind, f"{first}-{last}")
            return _of(kind, f"{first}/{bin(int(last)).count('1')}")
    except ValueError:
        return "key", data.hex()
    if kind == "dn":
        return kind, f"#{data.hex()}"
    return ("key", data.hex()) if kind == "key" else _of(kind, data.decode("latin-1"))


def _of(kind: str, text: str) -> tuple[str, str]:
    try:
        if kind == "address":
            return kind, str(_address(text))
        if kind == "net":
            return kind, _network(text)
        if kind == "range":
            return "net", _range(text)
    except ValueError:
        return _of("key", text)
    if kind == "any":
        return kind, ""
    if kind == "key":
        return kind, text.encode().hex()
    if kind == "dn":
        name = Name.read(text)
        # strongSwan accepts a text that is not a name, as a key.
        return _of("key", text) if name is None else (kind, name.identity or text)
    return kind, text


def _address(text: str) -> IPAddress:
    if "%" in text:
        # strongSwan does not read a text with a zone as an address.
        raise ValueError(text)
    return ipaddress.ip_address(text)


def _network(text: str) -> str:
    address, _slash, length = text.partition("/")
    # As atoi reads it: without digits the prefix has no length, and stands for all addresses.
    digits = re.match(r"\s*\+?([0-9]+)", length)
    prefix = digits[1] if digits else "0"
    return str(ipaddress.ip_network(f"{_address(address)}/{prefix}", strict=False))


def _range(text: str) -> str:
    first, last = map(_address, text.split("-"))
    if first.version != last.version or int(first) > int(last):
        raise ValueError(text)
    return f"{first}-{last}"


def _fits(name: Name, other: Name, *, both: bool) -> bool:
    """Return whether two names match part by part. ``*`` matches any value of a part.

    ``*`` is a pattern in ``other`` only, or in ``both``. Case is ignored here, although strongSwan
    respects it in some types of text.
    """
    return len(name.parts) == len(other.parts) and all(
        mine.attribute == theirs.attribute
        and (mine.folded == theirs.folded or theirs.is_wildcard or (both and mine.is_wildcard))
        for mine, theirs in zip(name.parts, other.parts)
    )
