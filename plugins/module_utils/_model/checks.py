# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Checks of single values: each returns the canonical value or raises ModelError."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from .._errors import ModelError

IPAddress = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
IPNetwork = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ANY = "%any"

_NETWORK_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PHASE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
# A text that inet_aton reads as a number. The resolver reads a name of such labels as an address.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_NFT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
# strongSwan silently cuts a longer identity.
_PRINTABLE_ASCII = re.compile(r"[ -~]{1,511}")
# No shell parses the path of a PEM file. The form keeps paths printable in messages.
_PATH = re.compile(r"/[!-~ ]{1,1023}")


def _match(pattern: re.Pattern[str], option: str, value: object, kind: str, form: str) -> str:
    if value is None:
        raise ModelError(option, None, "is missing", f"Give {kind} of {form}.")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ModelError(option, value, f"is not {kind}", f"Use {form}.")
    return value


def network_name(option: str, value: object) -> str:
    form = "1 to 32 characters of a-z, 0-9 and '-', of which the first is not '-'"
    return _match(_NETWORK_NAME, option, value, "a valid name of a network", form)


def phase_name(option: str, value: object) -> str:
    form = "1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'"
    return _match(_PHASE_NAME, option, value, "a valid name", form)


def interface_name(option: str, value: object) -> str:
    form = "1 to 15 characters of A-Z, a-z, 0-9, '_', '.' and '-'"
    return _match(_INTERFACE, option, value, "a valid name of an interface", form)


def network_interface(option: str, value: object) -> str:
    """Return the name of an interface to other hosts."""
    name = interface_name(option, value)
    if name in ("all", "default"):
        problem = "is a name that the kernel uses for the settings of all interfaces"
        raise ModelError(option, value, problem, "Use another name.")
    if name == "lo":
        problem = "is the loopback interface, which leads to no other host"
        raise ModelError(option, value, problem, "Name another interface.")
    return name


def file_path(option: str, value: object) -> str:
    form = "a path that begins with '/', of up to 1024 printable ASCII characters"
    return _match(_PATH, option, value, "an absolute path", form)


def description(option: str, value: object) -> str:
    """Return free text: one line of printable characters, in any language."""
    if not isinstance(value, str) or len(value) > 255 or not value.isprintable():
        problem = "is not one line of printable text"
        raise ModelError(option, value, problem, "Use one line of up to 255 characters.")
    return value


def one_of(option: str, value: object, choices: t.Sequence[str]) -> str:
    if value not in choices:
        fix = f"Use one of: {', '.join(choices)}."
        raise ModelError(option, value, "is not one of the choices", fix)
    return str(value)


def number(option: str, value: object, low: int, high: int) -> int:
    fix = f"Use a whole number from {low} to {high}."
    if isinstance(value, bool) or not isinstance(value, int):
        raise ModelError(option, value, "is not a whole number", fix)
    if value < low:
        raise ModelError(option, value, f"is less than {low}", fix)
    if value > high:
        raise ModelError(option, value, f"is more than {high}", fix)
    return value


def choice(choices: t.Sequence[str]) -> t.Callable[[str, t.Any], str]:
    """Return a converter that accepts these choices."""
    return lambda option, value: one_of(option, value, choices)


def whole(low: int, high: int) -> t.Callable[[str, t.Any], int]:
    """Return a converter that accepts whole numbers from ``low`` to ``high``."""
    return lambda option, value: number(option, value, low, high)


def ip_address(option: str, value: object) -> IPAddress:
    try:
        return ipaddress.ip_address(str(value))
    except ValueError:
        fix = "Write an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1."
        raise ModelError(option, value, "is not an IP address", fix) from None


def host_address(option: str, value: object) -> IPAddress:
    """Return an address that a host can have. 0.0.0.0 and :: stand for any address."""
    address = ip_address(option, value)
    if unspecified(address):
        raise ModelError(
            option,
            value,
            "stands for any address",
            "Write the address of one host, such as 192.0.2.1 or 2001:db8::1.",
        )
    return address


def unspecified(address: IPAddress) -> bool:
    """Return whether the address is 0.0.0.0, ::, or the IPv4-mapped form of 0.0.0.0."""
    mapped = getattr(address, "ipv4_mapped", None)
    return int(address if mapped is None else mapped) == 0


def ip_network(option: str, value: object) -> IPNetwork:
    """Return a network in CIDR form. Host bits are refused: charon would silently drop them."""
    text = str(value)
    try:
        if "/" not in text or not text.rsplit("/", 1)[1].isdigit():
            raise ValueError("a prefix length is missing")
        return ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        problem = "is not a network in CIDR form"
        fix = "Write the network with its prefix length, such as 10.1.0.0/24 or fd00:1::/64."
        if "host bits" in str(error):
            problem = "is not a network, because bits of the host part are set"
            fix = f"Write {ipaddress.ip_network(text, strict=False)}, or another network."
        raise ModelError(option, value, problem, fix) from None


def host(option: str, value: object) -> str:
    """Return an address in canonical form, or a fully qualified domain name (RFC 1123)."""
    text = str(value)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    labels = text.rstrip(".").split(".")
    numeric = all(label.isdigit() for label in labels)
    if numeric or len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ModelError(
            option,
            value,
            "is neither an IP address nor a host name",
            "Write an IPv4 or IPv6 address, or a FQDN.",
        )
    return text


def numeric(name: str) -> bool:
    """Return whether the resolver reads a name as an address, such as 0x0 as 0.0.0.0."""
    return all(_NUMBER.fullmatch(label) for label in name.rstrip(".").split("."))


def identity(option: str, value: object) -> str:
    """Return the value of an identification payload as strongSwan writes it (RFC 7296, 3.5)."""
    text = _match(
        _PRINTABLE_ASCII,
        option,
        value,
        "a valid identity",
        "an IP address, FQDN, e-mail address or distinguished name of up to 511 printable ASCII "
        "characters",
    )
    if text != text.strip():
        problem = "begins or ends with a blank"
        raise ModelError(option, value, problem, f"Write {text.strip()!r}, without the blank.")
    return text


def foreign_chain(option: str, value: object) -> tuple[str, str, str]:
    """Return family, table and chain of an nftables base chain, from one text."""
    parts = str(value).split()
    family = len(parts) == 3 and parts[0] in ("inet", "ip", "ip6")
    if not family or not all(_NFT_NAME.fullmatch(part) for part in parts[1:]):
        problem = "does not name an nftables chain"
        fix = "Write family, table and chain, such as 'inet filter input'; the family is inet, ip "
        fix += "or ip6."
        raise ModelError(option, value, problem, fix)
    return parts[0], parts[1], parts[2]
