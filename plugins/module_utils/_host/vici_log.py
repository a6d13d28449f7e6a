# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What the IKE daemon logs while something is negotiated, as it says it over vici.

These are the events ``log``: the lines that ``initiate`` streams as ``control-log`` are among them,
but here they come for all connections at once, without a thread of the daemon being held for each.
The daemon sends what it logs at its level 1, whatever its own log files take; keys are not in that.

Source: src/libcharon/plugins/vici/vici_logger.c of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import re
import select
import socket
import time
import typing as t
from dataclasses import dataclass

from .vici import ANSWER_TIMEOUT
from .vici_message import decode
from .vici_socket import BoundedSocket, charon_socket

try:
    from vici.protocol import Message, Packet, Transport
except ImportError:  # Vici() reports it
    Transport = None

_UNNAMED = "(unnamed)"


@dataclass(frozen=True)
class Entry:
    """``connection`` and ``sa`` are empty for what is not about an IKE SA."""

    text: str
    connection: str = ""
    sa: str = ""


class ViciLog:
    """All that the daemon logs from now on, to be used in a ``with`` statement."""

    def __init__(self, connect: t.Callable[[], socket.socket] = charon_socket) -> None:
        self._raw = connect()
        self._socket = BoundedSocket(self._raw)
        self._transport = Transport(self._socket)
        self._entries: list[Entry] = []
        self._over = False

    def __enter__(self) -> ViciLog:
        self._tell(Packet.register_event("log"))
        return self

    def __exit__(self, *_exception: object) -> None:
        # What is left unread would be an error in the daemon's log.
        self._tell(Packet.unregister_event("log"))
        self._socket.close()

    def _tell(self, packet: bytes) -> None:
        if self._over:
            return
        self._socket.allow(ANSWER_TIMEOUT)
        try:
            self._transport.send(packet)
            while self._next() not in (Packet.EVENT_CONFIRM, Packet.EVENT_UNKNOWN):
                pass
        except (OSError, ValueError):
            # A daemon that breaks off is the other session's to report.
            self._over = True

    def listen(self, seconds: float) -> None:
        """Take in what comes within that time."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return
            if self._over:
                time.sleep(left)
                return
            if select.select([self._raw], [], [], left)[0]:
                self._take()

    def about(self, connection: str, *peer: str) -> tuple[str, ...]:
        """The lines of the IKE SAs of a connection.

        Those of IKE SAs that have not found their connection, and those that are about none, are
        among them if they name an address or name of the ``peer``.
        """
        named = {item.sa for item in self._entries if item.sa and item.connection == connection}
        strangers = {
            item.sa
            for item in self._entries
            if item.connection in ("", _UNNAMED) and item.sa and _names(item.text, peer)
        }
        others = {
            item.sa for item in self._entries if item.connection not in ("", _UNNAMED, connection)
        }
        wanted = named | (strangers - others)
        return tuple(
            item.text
            for item in self._entries
            if (item.sa in wanted if item.sa else _names(item.text, peer))
        )

    def _take(self) -> None:
        self._socket.allow(ANSWER_TIMEOUT)
        try:
            self._next()
        except (OSError, ValueError):
            self._over = True

    def _next(self) -> int:
        """The type of the next packet, whose entry is taken in."""
        packet = Packet.parse(self._transport.receive())
        if packet.response_type == Packet.EVENT:
            message = decode(Message.deserialize(packet.payload))
            self._entries.append(
                Entry(
                    message.get("msg", ""),
                    message.get("ikesa-name", ""),
                    message.get("ikesa-uniqueid", ""),
                )
            )
        return int(packet.response_type)


# Addresses and names, also in ``no IKE config found for 192.0.2.1...192.0.2.2``.
_WORD = re.compile(r"[\w:%-]+(?:\.[\w:%-]+)*")


def _names(text: str, peer: t.Iterable[str]) -> bool:
    return not {*peer}.isdisjoint(word.strip(":") for word in _WORD.findall(text))
