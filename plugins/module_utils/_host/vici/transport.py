# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Socket to the IKE daemon with a limit for every wait."""

from __future__ import annotations

import socket
import struct
import time

from ..._errors import HostError
from ..._model.platform import Platform

CONNECT_TIMEOUT = 10.0

_TIMEVAL = struct.Struct("@ll")  # seconds, microseconds
_UCRED = struct.Struct("@iII")  # pid, uid, gid


def charon_socket(platform: Platform, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """Return a connection to the IKE daemon, made within ``timeout`` seconds. Raises HostError."""
    path = platform.vici_socket
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Not settimeout(): a non-blocking connect fails at once while the daemon's queue is full.
    seconds, fraction = divmod(timeout, 1)
    timeval = _TIMEVAL.pack(int(seconds), int(fraction * 1e6))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    try:
        sock.connect(path)
    except BlockingIOError as error:
        sock.close()
        raise DaemonTimeout(f"reach the IKE daemon at {path}", NO_ANSWER) from error
    except OSError as error:
        sock.close()
        raise HostError(
            f"reach the IKE daemon at {path}",
            error.strerror or str(error),
            f"Check that {platform.daemon_unit} is running, and run the task as root, with become.",
        ) from error
    return sock


class DaemonTimeout(HostError):
    """The daemon is connected, but has not answered in time."""


NO_ANSWER = "the IKE daemon did not answer in time"


class BoundedSocket:
    """A socket for the vici library, with one deadline for a whole command.

    A timeout of the socket itself starts again with every read, and the library removes it after
    the first byte of a packet.
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
        """Ignore the library, which would remove the limit."""

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
