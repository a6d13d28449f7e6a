# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The log of the IKE daemon, received as events of vici while a tunnel is negotiated.

The lines that ``initiate`` streams as ``control-log`` are among the events ``log``. The events come
for all connections at once, and do not occupy a thread of the daemon for each connection. The
daemon sends the lines of its log level 1, independent of its log files. These lines hold no keys.

Source: src/libcharon/plugins/vici/vici_logger.c of strongSwan 5.9.8 and 6.0.1.
"""

from __future__ import annotations

import socket
import time
import typing as t

from ..tunnels.charon_log import Log, LogLine
from .client import ANSWER_TIMEOUT, FAULTS
from .facts import moment
from .message import decode
from .transport import BoundedSocket

try:
    import vici
except ImportError:  # Vici() reports it
    vici = None

# The name of an IKE SA that has no connection yet.
_UNNAMED = "(unnamed)"


class DaemonLog:
    """The lines that the daemon logs within a ``with`` statement."""

    def __init__(self, connect: t.Callable[[], socket.socket]) -> None:
        self._socket = _EventSocket(connect())
        # The socket has the limit, which each call of listen() sets.
        self._events = vici.Session(self._socket).listen(["log"], 0)
        self._lines: list[LogLine] = []
        self._ended = False

    def __enter__(self) -> DaemonLog:
        # The library registers for the events before it receives the first one.
        self._socket.allow(ANSWER_TIMEOUT)
        self._receive(0)
        return self

    def __exit__(self, *_exception: object) -> None:
        # An unread event would be an error in the log of the daemon.
        self._socket.allow(ANSWER_TIMEOUT)
        try:
            self._events.close()
        except FAULTS:
            self._ended = True
        self._socket.close()

    def listen(self, seconds: float) -> None:
        """Receive the lines that the daemon logs within ``seconds``."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return
            if self._ended:
                time.sleep(left)
                return
            self._receive(left)

    def about(self, connection: str, peer: str) -> tuple[str, ...]:
        """Return the lines about a connection and its peer, as ``Log`` selects them."""
        return tuple(line.text for line in Log(self._lines).about((connection, peer)))

    def _receive(self, seconds: float) -> None:
        """Receive one line, if it comes within ``seconds``."""
        self._socket.limit = seconds
        try:
            _event, message = next(self._events)
        except FAULTS:
            # The other session reports a daemon that ends.
            self._ended = True
            return
        if message is not None:
            self._lines.append(_line(decode(message)))


class _EventSocket(BoundedSocket):
    """A socket that waits ``limit`` seconds for an event to begin, and longer for its rest.

    The library sets a timeout before the first byte of an event only. It sets None for the other
    bytes, and restores the former timeout after them.
    """

    limit = 0.0

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        self.allow(ANSWER_TIMEOUT if seconds is None else self.limit)


def _line(message: t.Mapping[str, t.Any]) -> LogLine:
    name = message.get("ikesa-name", "")
    return LogLine(
        moment(time.time()),
        message.get("msg", ""),
        message.get("group", ""),
        name if name != _UNNAMED else "",
        message.get("ikesa-uniqueid", ""),
    )
