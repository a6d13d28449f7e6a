# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send numbered packets through tunnels at a steady rate, and record the packets that arrive.

This program runs inside a gateway. Its argument is a JSON list of flows, ``{"name", "local",
"remote"}``. The same program runs at ``remote``. Each line of input is a command: ``go`` begins to
send, ``hush`` stops. ``sent`` and ``seen`` print a line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

PORT = 7000
# Seconds between two packets of a flow: 100 packets a second.
INTERVAL = 0.010
CATCH_UP = 0.2
# Each turn sends a part of the flows, so that no queue gets the packets of all flows at once.
TURNS = 10
BUFFER = 4 << 20
# From asm-generic/socket.h. With this option root may exceed the limit of the host.
SO_RCVBUFFORCE = 33
# The number of pidfd_getfd(2), the same on every architecture.
PIDFD_GETFD = 438
# The number of a packet and its time of sending. The rest of a packet is padding.
HEAD = struct.Struct("!Qd")
SIZE = 128


class Flow:
    """The packets in both directions between two addresses."""

    def __init__(self, name: str, local: str, remote: str) -> None:
        self.name, self.sent, self.slowest = name, 0, 0.0
        self._arrived, self.repeated, self.refused = bytearray(), 0, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.socket.bind((local, PORT))
        self.socket.setblocking(False)
        self._remote = (remote, PORT)

    def send(self, now: float) -> None:
        packet = HEAD.pack(self.sent, now).ljust(SIZE, b".")
        self.sent += 1
        try:
            self.socket.sendto(packet, self._remote)
        except OSError:
            # For example, the rules against cleartext refuse the packet. The packet counts as lost.
            self.refused += 1

    def receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                number, then = HEAD.unpack_from(self.socket.recv(SIZE))
                self.slowest = max(self.slowest, time.monotonic() - then)
                if number >= len(self._arrived):
                    self._arrived.extend(bytes(number + 1 - len(self._arrived)))
                self.repeated += self._arrived[number]
                self._arrived[number] = 1

    def seen(self) -> dict[str, object]:
        return {
            "sent": self.sent,
            "refused": self.refused,
            "expected": len(self._arrived),
            "holes": self._holes(),
            "repeated": self.repeated,
            "slowest": self.slowest,
        }

    def _holes(self) -> list[tuple[int, int]]:
        """Return the first and the last number of each run of lost packets."""
        holes, begin = [], self._arrived.find(0)
        while begin >= 0:
            end = self._arrived.find(1, begin)
            end = len(self._arrived) if end < 0 else end
            holes.append((begin, end - 1))
            begin = self._arrived.find(0, end)
        return holes


def give_room() -> None:
    """Enlarge the queues, so that they hold all packets while another process has the processor.

    A packet that a busy machine loses would prove nothing.
    """
    call = ctypes.CDLL(None, use_errno=True).syscall
    (pid,) = subprocess.check_output(["pidof", "charon-systemd"]).split()
    there = os.pidfd_open(int(pid))
    for path in Path(f"/proc/{int(pid)}/fd").iterdir():
        if str(path.readlink()).startswith("socket:"):
            with socket.socket(fileno=call(PIDFD_GETFD, there, int(path.name), 0)) as item:
                if item.type == socket.SOCK_DGRAM and item.family != socket.AF_UNIX:
                    item.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    subprocess.check_call(["ip", "link", "set", "ipsec0", "txqueuelen", "10000"])


def answer(word: str, flows: list[Flow]) -> None:
    what = {flow.name: flow.sent if word == "sent" else flow.seen() for flow in flows}
    print(json.dumps(what), flush=True)


def main() -> None:
    flows = [Flow(**item) for item in json.loads(sys.argv[1])]
    give_room()
    inbox = select.epoll()
    known = {flow.socket.fileno(): flow for flow in flows}
    for number in (0, *known):
        inbox.register(number, select.EPOLLIN)
    sending, turn, due = False, 0, 0.0
    while True:
        pause = max(0.0, due - time.monotonic()) if sending else 1.0
        for number, _event in inbox.poll(pause):
            if number in known:
                known[number].receive()
                continue
            words = os.read(0, 4096).decode().split()
            if not words:
                return
            for word in words:
                if word in ("go", "hush"):
                    sending, due = word == "go", time.monotonic()
                else:
                    answer(word, flows)
        now = time.monotonic()
        if sending and now >= due:
            for flow in flows[turn::TURNS]:
                flow.send(now)
            turn = (turn + 1) % TURNS
            # The sender does not catch up after a long delay, because the load would be too high.
            due = max(due + INTERVAL / TURNS, now - CATCH_UP)


if __name__ == "__main__":
    main()
