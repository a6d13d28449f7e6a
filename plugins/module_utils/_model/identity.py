# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Identities (RFC 7296 section 3.5) as strongSwan reads them, and when one proves another.

Source: identification.c of strongSwan. An identity may be a pattern, which stands for many.
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
# The kinds of a prefix, and of the numbers of RFC 7296 that may stand in braces for one.
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
    """``text`` is what was written, ``exact`` what is sent, ``value`` that without regard to case.

    ``kind`` is any, address, net, fqdn, email, dn, key, gn or uri; a net may be a range.
    """

    kind: str
    value: str = ""
    text: str = field(default="", compare=False)
    exact: str = field(default="", compare=False)
    # Of a certificate, which says of which type its texts are.
    decoded: Name | None = field(default=None, compare=False, repr=False)

    @classmethod
    @functools.lru_cache(maxsize=8192)
    def parse(cls, text: str) -> Identity:
        kind, exact = _parsed(text)
        name = Name.read(exact) if kind == "dn" else None
        return cls(kind, name.folded if name else exact.casefold(), text, exact)

    @classmethod
    def of(cls, name: Name) -> Identity:
        """The identity that has a name of a certificate."""
        text = name.identity or f"asn1dn:#{name.encoded.hex()}"
        return cls("dn", name.folded, text, text, name)

    def __str__(self) -> str:
        """What a message shows of it."""
        return cut(self.text or self.value)

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for more than one identity, so that no peer can bear it."""
        if self.name:
            return any(part.is_wildcard for part in self.name.parts)
        return self.kind in ("any", "net") or "*" in self.value or self._unread

    @property
    def prefix(self) -> tuple[str | None, str]:
        """The kind that its text names, None where it names none, and what follows."""
        if self.text.startswith("@#"):
            return "key", self.text[1:]
        marked = _PREFIXED.fullmatch(self.text)
        kind = _prefix(marked[1], marked[2]) if marked else None
        return kind, marked[3] if marked and kind else self.text

    def satisfies(self, required: Identity) -> bool:
        """Whether a peer with this identity is the one that is ``required``."""
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
        """Whether a peer could bear an identity that proves both."""
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
        """Whether strongSwan takes it for the other, of which none is a pattern."""
        if self.kind == other.kind == "dn" and self.name and other.name:
            return self.name.equals(other.name)
        return self == other

    @functools.cached_property
    def name(self) -> Name | None:
        """The distinguished name; None where it is none, or DER that can't be read."""
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
        """Whether it is not known here what it stands for.

        That is a regular expression, as strongSwan takes them from 6.0.2 on, or a name in DER.
        """
        expression = self.value.startswith("^") and self.value.endswith("$") and ":" in self.text
        return expression or (self.kind == "dn" and self.name is None)

    @functools.cached_property
    def _bounds(self) -> Bounds | None:
        """Of an address or a network."""
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
    """Kind, and value as it is sent."""
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
    # What looks like neither kind of address is a name, with a colon in it a key.
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
    """What follows a prefix: the text itself, or after # its bytes in hexadecimal digits."""
    if not rest.startswith("#"):
        # strongSwan makes neither an address nor a name of the text, which then is none.
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
        # What can't be read as a name is no error to strongSwan.
        return _of("key", text) if name is None else (kind, name.identity or text)
    return kind, text


def _address(text: str) -> IPAddress:
    if "%" in text:
        # Of a zone strongSwan makes no address.
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
    """Distinguished names part by part, in this order; ``*`` stands for any value of a part.

    It does so in ``other`` alone, or in both. The case of no letter counts, which does to
    strongSwan in some types of text.
    """
    return len(name.parts) == len(other.parts) and all(
        mine.attribute == theirs.attribute
        and (mine.folded == theirs.folded or theirs.is_wildcard or (both and mine.is_wildcard))
        for mine, theirs in zip(name.parts, other.parts)
    )
