# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The SSH connection by which the controller runs a module on this host.

sshd passes the connection to its programs (``SSH_CONNECTION`` in sshd(8) and ssh(1)). sudo does not
pass it on, so the parent processes are searched too.
"""

from __future__ import annotations

import ipaddress
import os
import typing as t
from dataclasses import dataclass

from ..._model.checks import IPAddress

_NAME = b"SSH_CONNECTION="
# The largest number of parent processes. Usually there are about ten.
_MOST = 64


@dataclass(frozen=True)
class Controller:
    """The addresses and TCP ports of a connection, of its client and of this host."""

    client: IPAddress
    client_port: int
    server: IPAddress
    server_port: int


def controller(proc: str = "/proc", pid: int | None = None) -> Controller | None:
    """Return the connection, or None if the module was not started over SSH."""
    pid = os.getpid() if pid is None else pid
    for _each in range(_MOST):
        for entry in _read(f"{proc}/{pid}/environ").split(b"\0"):
            if entry.startswith(_NAME):
                return _parsed(entry[len(_NAME) :].decode(errors="replace"))
        pid = _parent(_read(f"{proc}/{pid}/stat"))
        if pid <= 1:
            break
    return None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _parent(stat: bytes) -> int:
    """Return the pid of the parent, which follows the name of the program and the state."""
    words = stat.rpartition(b")")[2].split()
    return int(words[1]) if len(words) > 1 else 0


def _parsed(text: str) -> Controller | None:
    try:
        client, client_port, server, server_port = text.split()
        return Controller(_address(client), int(client_port), _address(server), int(server_port))
    except ValueError:
        return None


def _address(text: str) -> IPAddress:
    """Return an address without its zone; IPv4 may be written as IPv6."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return t.cast("IPAddress", mapped or address)
