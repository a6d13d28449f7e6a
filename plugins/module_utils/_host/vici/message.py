# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Messages to and from the IKE daemon as plain values."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import HostError
from .selectors import as_option

# str, bytes, a list or tuple of these, or a nested mapping.
Message = t.Mapping[str, t.Any]

# The length fields of the protocol: one byte for a name, two for a value.
_NAME_LIMIT = 0xFF
_VALUE_LIMIT = 0xFFFF

# An identity may hold any bytes.
_ERRORS = "backslashreplace"

# From child_sa.c and ike_sa.c. UPDATING: the addresses change. REKEYING: a new SA is negotiated.
_CHILD_UP = ("INSTALLED", "UPDATING", "REKEYING")
_IKE_UP = ("ESTABLISHED", "REKEYING")


def encode(message: Message) -> dict[str, t.Any]:
    """Return ``message`` in the types that the vici library sends unchanged: bytes, lists, dicts.

    The library would send any other type as its ``str``: ``True`` as "True", a tuple as
    "('a', 'b')". Raises ``TypeError`` for these types, and ``ValueError`` for values that are too
    long for the protocol. Both name the key, never the value.
    """
    return _section(message, "")


def encoded(operation: str, message: Message) -> dict[str, t.Any]:
    """Return the encoded message. Raise HostError with ``operation`` if a value is too long."""
    try:
        return encode(message)
    except ValueError as error:
        raise HostError(operation, str(error)) from error


def decode(message: Message) -> dict[str, t.Any]:
    """Return the answer of the library, with texts for bytes and tuples for lists.

    Traffic selectors have the form of the options of ``ipsec_phase2``.
    """
    return {
        # Most values are texts. A function call for each would slow down a thousand tunnels.
        key: value.decode(errors=_ERRORS) if isinstance(value, bytes) else _member(key, value)
        for key, value in message.items()
    }


def actions(section: Message) -> int:
    """Return the number of start actions of all children. ``trap|start`` counts as two."""
    children = section.get("children", {}).values()
    return sum(len(child.get("start_action", "").split("|")) for child in children)


@dataclass(frozen=True)
class ChildState:
    """A Child SA. ``uniqueid`` distinguishes it from its replacement of the same name."""

    name: str
    uniqueid: str
    state: str
    mode: str
    local_ts: tuple[str, ...] = ()
    remote_ts: tuple[str, ...] = ()
    # Whole seconds since the installation.
    age: int = 0
    # Security parameter indexes in hexadecimal, in the form of the kernel.
    spi_in: str = ""
    spi_out: str = ""
    packets_in: int = 0
    packets_out: int = 0

    @classmethod
    def of(cls, sa: t.Mapping[str, t.Any]) -> ChildState:
        """Return the Child SA of an entry of ``child-sas`` in the event ``list-sa``."""
        return cls(
            name=sa["name"],
            uniqueid=sa["uniqueid"],
            state=sa["state"],
            mode=sa.get("mode", ""),
            local_ts=tuple(sa.get("local-ts", ())),
            remote_ts=tuple(sa.get("remote-ts", ())),
            age=int(sa.get("install-time", "0")),
            spi_in=sa.get("spi-in", ""),
            spi_out=sa.get("spi-out", ""),
            packets_in=int(sa.get("packets-in", "0")),
            packets_out=int(sa.get("packets-out", "0")),
        )

    @property
    def up(self) -> bool:
        """Return whether it carries traffic."""
        return self.state in _CHILD_UP

    @property
    def gone(self) -> bool:
        """Return whether charon lists it only for late packets, and removes it soon."""
        return self.state == "DELETED"


@dataclass(frozen=True)
class IkeState:
    """An IKE SA. ``version`` is "1" or "2"."""

    name: str
    uniqueid: str
    state: str
    version: str
    children: tuple[ChildState, ...] = ()
    tasks: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, sa: t.Mapping[str, t.Any]) -> IkeState:
        """Return the IKE SA of an entry of the event ``list-sa``."""
        children = sa.get("child-sas", {}).values()
        return cls(
            name=name,
            uniqueid=sa["uniqueid"],
            state=sa["state"],
            version=sa["version"],
            children=tuple(ChildState.of(child) for child in children),
            tasks=tuple(sa.get("tasks-queued", ())) + tuple(sa.get("tasks-active", ())),
        )

    @property
    def busy(self) -> bool:
        """Return whether a negotiation runs on it."""
        return self.state == "CONNECTING" or bool(self.tasks)

    @property
    def up(self) -> bool:
        """Return whether the peers are authenticated. This is independent of the Child SAs."""
        return self.state in _IKE_UP


@dataclass(frozen=True)
class PolicyState:
    """A policy without an SA: a trap (``mode`` of the child), or a shunt (PASS, DROP)."""

    ike: str
    child: str
    mode: str

    @classmethod
    def of(cls, policy: t.Mapping[str, t.Any]) -> PolicyState:
        """Return the policy of an entry of the event ``list-policy``."""
        return cls(policy.get("ike", ""), policy["child"], policy["mode"])

    @property
    def shunt(self) -> bool:
        """Return whether it excludes traffic from IPsec, so that no SA follows."""
        return self.mode in ("PASS", "DROP")


def _section(section: Message, path: str) -> dict[str, t.Any]:
    encoded: dict[str, t.Any] = {}
    for key, value in section.items():
        where = f"{path}{key}"
        if not isinstance(key, str):
            raise TypeError(f"{where}: a name is a text, not {type(key).__name__}")
        if len(_blob(key, where)) > _NAME_LIMIT:
            raise ValueError(f"{where}: the name is longer than {_NAME_LIMIT} bytes")
        if isinstance(value, t.Mapping):
            encoded[key] = _section(value, f"{where}.")
        elif isinstance(value, (list, tuple)):
            encoded[key] = [_blob(item, where) for item in value]
        else:
            encoded[key] = _blob(value, where)
    return encoded


def _blob(value: object, where: str) -> bytes:
    if isinstance(value, str):
        try:
            value = value.encode()
        except UnicodeEncodeError:
            # The text of that exception shows the value.
            raise ValueError(f"{where}: not valid Unicode") from None
    if not isinstance(value, bytes):
        kind = type(value).__name__
        raise TypeError(f"{where}: vici carries text, bytes, lists and sections, not {kind}")
    if len(value) > _VALUE_LIMIT:
        raise ValueError(f"{where}: longer than {_VALUE_LIMIT} bytes")
    return value


def _member(key: str, value: object) -> t.Any:
    decoded = _decoded(value)
    if key in ("local-ts", "remote-ts") and isinstance(decoded, tuple):
        return tuple(map(as_option, decoded))
    return decoded


def _decoded(value: object) -> t.Any:
    if isinstance(value, bytes):
        return value.decode(errors=_ERRORS)
    if isinstance(value, t.Mapping):
        return decode(value)
    if isinstance(value, list):
        return tuple(_decoded(item) for item in value)
    return value
