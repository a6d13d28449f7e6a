# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Two tunnels seen from the one that calls, and what is between them."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._model.checks import ANY, IPAddress
from .._model.child import ChildSa
from .._model.selector import overlap
from .definition import Tunnel
from .findings import LOCAL, REMOTE, Finding, Stated, found

Both = tuple[tuple[str, t.Any], tuple[str, t.Any]]

# Of sites, never of the internet: RFC 1918, RFC 6598, RFC 4193.
_PRIVATE = tuple(
    ipaddress.ip_network(item)
    for item in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


@dataclass(frozen=True)
class Direction:
    """``side`` is that of the initiator, local or remote."""

    side: str
    initiator: Tunnel
    responder: Tunnel

    @property
    def callable(self) -> bool:
        """Whether the initiator knows whom to call."""
        return self.initiator.connection.remote_gateway != ANY

    @property
    def used(self) -> bool:
        """Whether the initiator calls by itself."""
        return self.callable and self.initiator.connection.connection_behavior != "responder_only"

    @property
    def names(self) -> dict[str, str]:
        return {self.side: self.initiator.peer, self._other: self.responder.peer}

    @property
    def _other(self) -> str:
        return REMOTE if self.side == LOCAL else LOCAL

    @property
    def initiator_address(self) -> IPAddress | None:
        return own_address(self.initiator, self.responder)

    @property
    def responder_address(self) -> IPAddress | None:
        return own_address(self.responder, self.initiator)

    @property
    def encapsulated(self) -> bool:
        """Whether packets go in UDP."""
        sides = (self.initiator, self.responder)
        forced = any(item.connection.force_udp_encapsulation or item.userspace for item in sides)
        return forced or self.translated

    @property
    def translated(self) -> bool:
        """Whether there is NAT between, as far as the addresses tell."""
        return behind_nat(self.initiator, self.responder) or behind_nat(
            self.responder, self.initiator
        )

    def phase1(self, code: str, stated: Both, **words: object) -> Finding:
        """A finding about the phase 1; option and value of the initiator and of the responder."""
        subjects = self.initiator.subject, self.responder.subject
        return self._found(code, subjects, stated, words)

    def alike(self, code: str, option: str, **words: object) -> Finding:
        """The same about one option of the phase 1 of both."""
        sides = self.initiator.connection, self.responder.connection
        return self.phase1(
            code,
            ((option, getattr(sides[0], option)), (option, getattr(sides[1], option))),
            **words,
        )

    def phase2(
        self,
        code: str,
        children: tuple[ChildSa, ChildSa],
        option: str,
        values: t.Sequence[t.Any],
        **words: object,
    ) -> Finding:
        """A finding about a phase 2 of the initiator, and the one of the responder."""
        subjects = phase2_subject(children[0]), phase2_subject(children[1])
        stated = (option, values[0]), (option, values[1])
        return self._found(code, subjects, stated, words)

    def unmatched(self, child: ChildSa, code: str, known: t.Sequence[str]) -> Finding:
        """A phase 2 of the initiator for which the responder has none."""
        stated = ("local_network", _selectors(child)), ("remote_network", list(known))
        subjects = phase2_subject(child), self.responder.subject
        return self._found(code, subjects, stated, {"other": self.responder.peer})

    def _found(
        self,
        code: str,
        subjects: tuple[str, str],
        stated: Both,
        words: t.Mapping[str, object],
    ) -> Finding:
        sides = {
            self.side: Stated(subjects[0], *stated[0]),
            self._other: Stated(subjects[1], *stated[1]),
        }
        return found(code, self.names, sides, **words)


def own_address(tunnel: Tunnel, other: Tunnel) -> IPAddress | None:
    """The address that a side sends from, None where the definitions do not tell."""
    told = tunnel.connection.local_address
    return ipaddress.ip_address(told) if told else other.connection.peer_address


def behind_nat(tunnel: Tunnel, other: Tunnel) -> bool:
    """Whether a side has a private address, and is called at another one, which is not."""
    own, called = tunnel.connection.local_address, other.connection.peer_address
    return (
        own is not None
        and called is not None
        and str(called) != own
        and _private(ipaddress.ip_address(own))
        and not _private(called)
    )


def phase2_subject(child: ChildSa) -> str:
    return f"phase 2 {child.name} of phase 1 {child.phase1}"


def _private(address: IPAddress) -> bool:
    return any(overlap(ipaddress.ip_network(address), item) for item in _PRIVATE)


def _selectors(child: ChildSa) -> list[str]:
    return [selectors_text(child)]


def selectors_text(child: ChildSa) -> str:
    """``10.1.0.0/24 to 10.2.0.0/24``."""
    local, remote = (
        ", ".join(str(item) for item in networks) or "dynamic"
        for networks in (child.local_network, child.remote_network)
    )
    return f"{local} to {remote}"
