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

import select
import socket
import time
import typing as t

from ..tunnels.charon_log import Log, LogLine
from .client import ANSWER_TIMEOUT
from .facts import moment
from .message import decode
from .transport import BoundedSocket, charon_socket

try:
    from vici.protocol import Message, Packet, Transport
except ImportError:  # Vici() reports it
    Transport = None

# What an IKE SA is called that has not found its connection.
_UNNAMED = "(unnamed)"


class ViciLog:
    """All that the daemon logs from now on, to be used in a ``with`` statement."""

    def __init__(self, connect: t.Callable[[], socket.socket] = charon_socket) -> None:
        self._raw = connect()
        self._socket = BoundedSocket(self._raw)
        self._transport = Transport(self._socket)
        self._lines: list[LogLine] = []
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

    def about(self, connection: str, peer: str) -> tuple[str, ...]:
        """The lines about a connection and its peer, as of a ``Log``."""
        return tuple(line.text for line in Log(self._lines).about((connection, peer)))

    def _take(self) -> None:
        self._socket.allow(ANSWER_TIMEOUT)
        try:
            self._next()
        except (OSError, ValueError):
            self._over = True

    def _next(self) -> int:
        """The type of the next packet, whose line is taken in."""
        packet = Packet.parse(self._transport.receive())
        if packet.response_type == Packet.EVENT:
            self._lines.append(_line(decode(Message.deserialize(packet.payload))))
        return int(packet.response_type)


def _line(message: t.Mapping[str, t.Any]) -> LogLine:
    name = message.get("ikesa-name", "")
    return LogLine(
        moment(time.time()),
        message.get("msg", ""),
        message.get("group", ""),
        name if name != _UNNAMED else "",
        message.get("ikesa-uniqueid", ""),
    )
