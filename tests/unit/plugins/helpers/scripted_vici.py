# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon's end of a vici socket, which answers by a script. The client is the real library.

::

    with ScriptedVici() as charon:
        charon.expect("load-conn", {"site-b": {"version": "2"}}, reply={"success": "yes"})
        charon.expect("list-conns", events=("list-conn", [{"site-b": {"version": "IKEv2"}}]))
        with Vici(charon.connect) as vici:
            ...

Requests must come in this order and contain exactly these bytes. An unexpected or missing request
raises an ``AssertionError`` at the end of the ``with`` statement. This module encodes the messages
without the code of the library, so that a mistake of one encoder is found.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import socket
import struct
import threading
import typing as t

from vici.protocol import FiniteStream
from vici.protocol import Message as Deserializer

# Types of packets and of message elements: src/libcharon/plugins/vici/README.md of strongSwan.
REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, EVENT_UNKNOWN, EVENT = range(8)
SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)

Message = t.Mapping[str, t.Any]
Events = tuple[str, t.Sequence[Message]]

NO_EVENTS: Events = ("", ())
OK = {"success": "yes"}


def failed(text: str) -> dict[str, str]:
    """Return the reply of the daemon to a command that it refuses."""
    return {"success": "no", "errmsg": text}


def packet(kind: int, payload: bytes = b"") -> bytes:
    """Return a packet with its length in front."""
    return struct.pack("!IB", len(payload) + 1, kind) + payload


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request and its answer.

    The raw bytes of ``answer`` replace events and reply. ``close`` closes the socket after the
    answer. An empty ``answer`` without ``close`` is a daemon that hangs.
    """

    command: str
    message: Message = dataclasses.field(default_factory=dict)
    reply: Message = dataclasses.field(default_factory=dict)
    events: Events = NO_EVENTS
    answer: bytes | None = None
    close: bool = False

    def packets(self) -> t.Iterator[bytes]:
        if self.answer is not None:
            yield self.answer
            return
        name, messages = self.events
        for message in messages:
            yield packet(EVENT, _name(name) + encoded(message))
        yield packet(RESPONSE, encoded(self.reply))


class ScriptedVici:
    """The script, and the sockets that ``connect`` made."""

    def __init__(self) -> None:
        self._script: collections.deque[Exchange] = collections.deque()
        self._faults: list[str] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def expect(self, command: str, message: Message | None = None, **answer: t.Any) -> None:
        """Append an exchange. ``answer`` holds the other fields of ``Exchange``."""
        self._script.append(Exchange(command, message or {}, **answer))

    def connect(self) -> socket.socket:
        """Return the client's end of a new connection, for ``Vici``."""
        client, server = socket.socketpair()
        thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
        self._sockets.append(server)
        self._threads.append(thread)
        thread.start()
        return client

    def __enter__(self) -> ScriptedVici:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        for server in self._sockets:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        faults = [*self._faults]
        if self._script and error is None:
            faults.append(f"not requested: {[left.command for left in self._script]}")
        if faults:
            raise AssertionError("\n".join(faults)) from error

    def _serve(self, server: socket.socket) -> None:
        registered: set[str] = set()
        # The client may leave at any point.
        with server, contextlib.suppress(OSError):
            while payload := _received(server):
                kind, name, message = (
                    payload[0],
                    payload[2 : 2 + payload[1]],
                    payload[2 + payload[1] :],
                )
                if kind == REQUEST:
                    exchange = self._next(name.decode(), message, registered)
                    if exchange is None:
                        return
                    for item in exchange.packets():
                        server.sendall(item)
                    if exchange.close:
                        return
                elif kind in (REGISTER, UNREGISTER):
                    (registered.add if kind == REGISTER else registered.discard)(name.decode())
                    server.sendall(packet(CONFIRM))
                else:
                    self._faults.append(f"not a request: packet of type {kind}")
                    return

    def _next(self, command: str, message: bytes, registered: set[str]) -> Exchange | None:
        """Return the next exchange, or record a fault and return None if the request differs."""
        asked = f"{command} {dict(Deserializer.deserialize(FiniteStream(message)))}"
        if not self._script:
            self._faults.append(f"requested though nothing was expected: {asked}")
            return None
        exchange = self._script.popleft()
        if (command, message) != (exchange.command, encoded(exchange.message)):
            expected = f"{exchange.command} {dict(exchange.message)}"
            self._faults.append(f"requested: {asked}\nexpected:  {expected}")
            return None
        if exchange.events is not NO_EVENTS and exchange.events[0] not in registered:
            self._faults.append(f"{command}: the event {exchange.events[0]} is not registered")
            return None
        return exchange


def encoded(message: Message) -> bytes:
    """Return a message as bytes. A name has a length of one byte, and a value of two bytes."""
    return b"".join(_element(key, value) for key, value in message.items())


def _element(key: str, value: object) -> bytes:
    if isinstance(value, t.Mapping):
        return bytes([SECTION_START]) + _name(key) + encoded(value) + bytes([SECTION_END])
    if isinstance(value, (list, tuple)):
        items = b"".join(bytes([LIST_ITEM]) + _value(item) for item in value)
        return bytes([LIST_START]) + _name(key) + items + bytes([LIST_END])
    return bytes([KEY_VALUE]) + _name(key) + _value(value)


def _name(text: str) -> bytes:
    return struct.pack("!B", len(text.encode())) + text.encode()


def _value(value: object) -> bytes:
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r}: a script holds str and bytes")
    return struct.pack("!H", len(value)) + value


def _received(server: socket.socket) -> bytes:
    """Return the next packet, or empty bytes at the end."""
    header = server.recv(4, socket.MSG_WAITALL)
    if len(header) < 4:
        return b""
    return server.recv(struct.unpack("!I", header)[0], socket.MSG_WAITALL)
