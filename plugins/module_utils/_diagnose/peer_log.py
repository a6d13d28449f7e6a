# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""What of a log is about us, and about one tunnel.

The text of a peer may come from anywhere: journalctl in any of its forms, a file of charon's, a
mail. Lines of other peers are in it too, and most lines don't say whom they are about; but each
packet begins with a line that does.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

_PACKET = re.compile(r"received packet: from (\S+)\[\d+\] to (\S+)\[\d+\]")
_SENT = re.compile(r"sending packet: from (\S+)\[\d+\] to ")
_NAT = "local host is behind NAT"
_BEGUN = re.compile(r"establishing CHILD_SA (\S+?)\{")
_UP = re.compile(r"CHILD_SA (\S+?)\{\d+\} established with SPIs ")


def about_us(theirs: t.Iterable[str], ours: t.Sequence[str]) -> tuple[str, ...]:
    """The lines of the peer's log ``theirs`` that follow a packet of ours.

    Our addresses are those that our log says we have sent from. Behind NAT the peer knows us by
    another one; then its log can be told apart only if there is no other peer in it. A log without
    packets is taken as it is.
    """
    lines = [line for text in theirs for line in text.splitlines()]
    senders = {match[1] for match in map(_PACKET.search, lines) if match}
    if not senders:
        return tuple(lines)
    us = _own(ours) & senders
    if not us and len(senders) == 1 and any(_NAT in line for line in ours):
        us = senders
    kept, taken = [], False
    for line in lines:
        packet = _PACKET.search(line)
        if packet:
            taken = packet[1] in us
        if taken:
            kept.append(line)
    return tuple(kept)


def may_hide_us(theirs: t.Sequence[str], ours: t.Iterable[str]) -> bool:
    """Whether something of ours may be in the peer's log, and can't be told.

    Packets may have an address that NAT has given them, or not be in the log at all.
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
    """The lines of one side that are not about another child of the connection.

    What came before the child was last up is the past.
    """
    kept: list[str] = []
    current = child
    for line in lines:
        begun, up = _BEGUN.search(line), _UP.search(line)
        current = begun[1] if begun else current
        about = up[1] if up else current
        if up and about == child:
            kept.clear()
        if about == child or "CHILD_SA" not in line:
            kept.append(line)
    return tuple(kept)


# Of IKEv2, and of Main and Aggressive Mode; the first message of each has a proposal in it.
_FIRST = re.compile(
    r"parsed (?:IKE_SA_INIT request \d+ \[ |(?:ID_PROT|AGGRESSIVE) request \d+ \[ SA )"
)
_PARSED = re.compile(r"parsed \S+ request \d+ ")
_KEYS = re.compile(r"parsed ID_PROT request \d+ \[ KE ")


def last_exchange(theirs: t.Sequence[str], *, first: bool) -> tuple[bool, bool]:
    """Whether the peer got a request of the last attempt, and whether it sent something after it.

    With ``first`` it is the first request that is meant, else the one that authenticates.
    """
    begun = [at for at, line in enumerate(theirs) if _FIRST.search(line)]
    if first:
        lines = theirs[begun[-1] :] if begun else theirs
        return bool(lines), any(map(_SENT.search, lines))
    lines = theirs[begun[-1] + 1 :] if begun else theirs
    got = [at for at, line in enumerate(lines) if _PARSED.search(line) and not _KEYS.search(line)]
    return bool(got), bool(got) and any(map(_SENT.search, lines[got[0] :]))
