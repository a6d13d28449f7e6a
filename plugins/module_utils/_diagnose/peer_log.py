# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The lines of a log that are about this host, and about one tunnel.

The log of a peer comes in any form: journalctl with any options, a file of charon, a mail. It also
contains lines about other peers. Most lines name no peer, but each packet begins with a line that
does.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

_PACKET = re.compile(r"received packet: from (\S+)\[\d+\] to (\S+)\[\d+\]")
# The line about a packet that charon drops because of its version.
_DROPPED = re.compile(r"received unsupported IKE version \S+ from ([^\s,]+)")
_SENT = re.compile(r"sending packet: from (\S+)\[\d+\] to ")
_NAT = "local host is behind NAT"
_BEGUN = re.compile(r"establishing CHILD_SA (\S+?)\{")
_UP = re.compile(r"CHILD_SA (\S+?)\{\d+\} established with SPIs ")


def about_us(theirs: t.Iterable[str], ours: t.Sequence[str]) -> tuple[str, ...]:
    """Return the lines of the peer's log ``theirs`` that follow a packet from this host.

    The addresses of this host are the source addresses in ``ours``. Behind NAT the peer sees
    another address. Then the lines count only if no other peer is in the log. A log without packets
    is returned whole.
    """
    lines = [line for text in theirs for line in text.splitlines()]
    senders = {match[1] for match in map(_sender, lines) if match}
    if not senders:
        return tuple(lines)
    us = _own(ours) & senders
    if not us and len(senders) == 1 and any(_NAT in line for line in ours):
        us = senders
    selected, is_ours = [], False
    for line in lines:
        packet = _sender(line)
        if packet:
            is_ours = packet[1] in us
        if is_ours:
            selected.append(line)
    return tuple(selected)


def _sender(line: str) -> t.Match[str] | None:
    return _PACKET.search(line) or _DROPPED.search(line)


def may_hide_us(theirs: t.Sequence[str], ours: t.Iterable[str]) -> bool:
    """Return whether the log may contain lines about this host that can't be recognized.

    NAT may have changed the address of packets, or the log has no packets at all.
    """
    packets = [
        match for text in theirs for match in map(_PACKET.search, text.splitlines()) if match
    ]
    if theirs and not packets:
        return True
    inside = any(_private(address) for address in _own(ours))
    return inside and any(not _private(match[2]) for match in packets)


def _own(ours: t.Iterable[str]) -> set[str]:
    return {match[1] for match in map(_SENT.search, ours) if match}


def _private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def about_child(lines: t.Sequence[str], child: str) -> tuple[str, ...]:
    """Return the lines that are not about another child of the connection.

    Lines before the child was last up are left out.
    """
    selected: list[str] = []
    current = child
    for line in lines:
        begun, up = _BEGUN.search(line), _UP.search(line)
        current = begun[1] if begun else current
        about = up[1] if up else current
        if up and about == child:
            selected.clear()
        if about == child or "CHILD_SA" not in line:
            selected.append(line)
    return tuple(selected)


# The first message of IKEv2, Main Mode and Aggressive Mode, which contains a proposal.
_FIRST = re.compile(
    r"parsed (?:IKE_SA_INIT request \d+ \[ |(?:ID_PROT|AGGRESSIVE) request \d+ \[ SA )"
)
_PARSED = re.compile(r"parsed \S+ request \d+ ")
_KEYS = re.compile(r"parsed ID_PROT request \d+ \[ KE ")


def last_exchange(theirs: t.Sequence[str], *, first: bool) -> tuple[bool, bool]:
    """Return whether the peer got a request of the last attempt, and sent a packet after it.

    This is the first request with ``first``, else the request with the authentication.
    """
    begun = [at for at, line in enumerate(theirs) if _FIRST.search(line)]
    if first:
        lines = theirs[begun[-1] :] if begun else theirs
        return bool(lines), any(map(_SENT.search, lines))
    lines = theirs[begun[-1] + 1 :] if begun else theirs
    got = [at for at, line in enumerate(lines) if _PARSED.search(line) and not _KEYS.search(line)]
    return bool(got), bool(got) and any(map(_SENT.search, lines[got[0] :]))
