# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The socket between us and the IKE daemon, on which nothing waits forever."""

from __future__ import annotations

import socket
import struct
import time

from ..._errors import HostError

SOCKET = "/run/charon.vici"
CONNECT_TIMEOUT = 10.0

_TIMEVAL = struct.Struct("@ll")  # seconds, microseconds
_UCRED = struct.Struct("@iII")  # pid, uid, gid


def charon_socket(path: str = SOCKET, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """A connection to the daemon that listens at ``path``, made within ``timeout`` seconds."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Not settimeout(): a non-blocking connect fails at once while the daemon's queue is full.
    seconds, fraction = divmod(timeout, 1)
    timeval = _TIMEVAL.pack(int(seconds), int(fraction * 1e6))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    try:
        sock.connect(path)
    except BlockingIOError as error:
        sock.close()
        raise Silent(f"reach the IKE daemon at {path}", NO_ANSWER) from error
    except OSError as error:
        sock.close()
        raise HostError(
            f"reach the IKE daemon at {path}",
            f"{error.strerror or error}; is strongswan.service running, and does this run as root?",
        ) from error
    return sock


class Silent(HostError):
    """The daemon is there, and has not answered in time."""


NO_ANSWER = "the IKE daemon did not answer in time"


class BoundedSocket:
    """What the library uses of a socket, with one deadline for all of a command.

    A timeout on the socket itself would not do: it starts anew with every read, and the library
    lifts it after the first byte of a packet.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def sendall(self, data: bytes) -> None:
        self._arm()
        self._sock.sendall(data)

    def recv(self, count: int) -> bytes:
        self._arm()
        return self._sock.recv(count)

    def gettimeout(self) -> float | None:
        return self._sock.gettimeout()

    def settimeout(self, seconds: float | None) -> None:
        """The library's wish to wait forever: not granted."""

    def close(self) -> None:
        self._sock.close()

    def listener(self) -> int:
        credentials = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(credentials)[0])

    def _arm(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self._sock.settimeout(left)
