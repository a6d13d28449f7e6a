# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""The two ends of a tunnel with one of them as the initiator."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._model.checks import ANY, IPAddress
from .._model.child import ChildSa
from .._model.child_text import selectors_text
from .._model.selector import overlap
from .definition import TunnelEnd
from .mismatch import LOCAL, REMOTE, Mismatch, OptionValue, mismatch

# Option and value of the initiator, and of the responder.
BothValues = tuple[tuple[str, t.Any], tuple[str, t.Any]]

# Addresses of sites, never of the internet: RFC 1918, RFC 6598, RFC 4193.
_PRIVATE = tuple(
    ipaddress.ip_network(item)
    for item in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


@dataclass(frozen=True)
class Direction:
    """A direction. ``side`` is the side of the initiator, local or remote."""

    side: str
    initiator: TunnelEnd
    responder: TunnelEnd

    @property
    def can_initiate(self) -> bool:
        """Return whether the initiator knows the address of its peer."""
        return self.initiator.connection.remote_gateway != ANY

    @property
    def will_initiate(self) -> bool:
        """Return whether the initiator initiates without a command."""
        behavior = self.initiator.connection.connection_behavior
        return self.can_initiate and behavior != "responder_only"

    @property
    def names(self) -> dict[str, str]:
        """Return the names of the peers by local and remote."""
        return {self.side: self.initiator.peer, self._other: self.responder.peer}

    @property
    def roles(self) -> dict[str, str]:
        """Return the names of the peers by their roles."""
        return {"initiator": self.initiator.peer, "responder": self.responder.peer}

    @property
    def _other(self) -> str:
        return REMOTE if self.side == LOCAL else LOCAL

    @property
    def initiator_address(self) -> IPAddress | None:
        """Return the address of the initiator, None if unknown."""
        return own_address(self.initiator, self.responder)

    @property
    def responder_address(self) -> IPAddress | None:
        """Return the address of the responder, None if unknown."""
        return own_address(self.responder, self.initiator)

    @property
    def encapsulated(self) -> bool:
        """Return whether the tunnel uses UDP encapsulation."""
        sides = (self.initiator, self.responder)
        forced = any(item.connection.force_udp_encapsulation or item.userspace for item in sides)
        return forced or self.translated

    @property
    def translated(self) -> bool:
        """Return whether the addresses show NAT between the peers."""
        return behind_nat(self.initiator, self.responder) or behind_nat(
            self.responder, self.initiator
        )

    def phase1_mismatch(self, code: str, stated: BothValues, **words: object) -> Mismatch:
        """Return a mismatch of two options of phase 1."""
        subjects = self.initiator.subject, self.responder.subject
        return self._mismatch(code, subjects, stated, words)

    def phase1_option(self, code: str, option: str, **words: object) -> Mismatch:
        """Return a mismatch of one option of phase 1 that both sides have."""
        ours, theirs = self.initiator.connection, self.responder.connection
        stated = (option, getattr(ours, option)), (option, getattr(theirs, option))
        return self.phase1_mismatch(code, stated, **words)

    def phase2_mismatch(
        self,
        code: str,
        children: tuple[ChildSa, ChildSa],
        option: str,
        values: t.Sequence[t.Any],
        **words: object,
    ) -> Mismatch:
        """Return a mismatch of a phase 2 of the initiator and its counterpart."""
        subjects = children[0].subject, children[1].subject
        stated = (option, values[0]), (option, values[1])
        return self._mismatch(code, subjects, stated, words)

    def no_counterpart(self, child: ChildSa, code: str, others: t.Sequence[str]) -> Mismatch:
        """Return that the responder has no phase 2 for a phase 2 of the initiator.

        ``others`` are the selectors of the phase 2 objects that it has.
        """
        stated = ("local_network", [selectors_text(child)]), ("remote_network", list(others))
        subjects = child.subject, self.responder.subject
        return self._mismatch(code, subjects, stated, {"other": self.responder.peer})

    def _mismatch(
        self,
        code: str,
        subjects: tuple[str, str],
        stated: BothValues,
        words: t.Mapping[str, object],
    ) -> Mismatch:
        sides = {
            self.side: OptionValue(subjects[0], *stated[0]),
            self._other: OptionValue(subjects[1], *stated[1]),
        }
        return mismatch(code, self.names, sides, **words)


def own_address(end: TunnelEnd, other: TunnelEnd) -> IPAddress | None:
    """Return the address that a side sends from, None if the definitions do not contain it."""
    local_address = end.connection.local_address
    if local_address:
        return ipaddress.ip_address(local_address)
    return other.connection.peer_address


def behind_nat(end: TunnelEnd, other: TunnelEnd) -> bool:
    """Return whether a side has a private address, and the other initiates to a public one."""
    own, gateway = end.connection.local_address, other.connection.peer_address
    return (
        own is not None
        and gateway is not None
        and str(gateway) != own
        and _private(ipaddress.ip_address(own))
        and not _private(gateway)
    )


def _private(address: IPAddress) -> bool:
    return any(overlap(ipaddress.ip_network(address), item) for item in _PRIVATE)
