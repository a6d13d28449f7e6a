# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Compare traffic selectors (RFC 7296 section 2.9): the networks that SAs carry, lack or share.

Selectors are texts, as charon accepts and lists them: ``10.1.0.0/24``, ``10.1.0.1..10.1.0.9``,
``10.1.0.0/24[tcp/80]``, ``dynamic``. A pair of selectors is a box in a space of six dimensions:
address, protocol and port of the local and of the remote side.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import re
import typing as t
from dataclasses import dataclass

from .._model.checks import IPAddress
from .._model.selector import PROTOCOLS

# First and last number.
_Range = tuple[int, int]
_Side = tuple[_Range, ...]
_Box = tuple[_Range, ...]

DYNAMIC = "dynamic"

_SELECTOR = re.compile(r"([^\[|]+)(?:\[([^\]/]*)(?:/([^\]]*))?\])?(?:\|.*)?")
# IPv4 addresses are numbered after the IPv6 addresses.
_IPV4 = 2**128
_ALL_ADDRESSES = (0, _IPV4 + 2**32 - 1)
_ALL_PROTOCOLS = (0, 255)
_ALL_PORTS = (0, 65535)
# A remainder in more networks is reported as the whole pair.
_MOST_NETWORKS = 4


@dataclass(frozen=True)
class Pair:
    """A local and a remote selector."""

    local: str
    remote: str

    def __str__(self) -> str:
        return f"{self.local} to {self.remote}"

    def to_result(self) -> dict[str, str]:
        return {"local_network": self.local, "remote_network": self.remote}


@dataclass(frozen=True)
class Selectors:
    """The selectors of both sides: each local selector with each remote one of its IP version.

    A side without selectors is ``dynamic``: the address of its gateway.
    """

    local: tuple[str, ...]
    remote: tuple[str, ...]

    @classmethod
    def of(cls, local: t.Iterable[str], remote: t.Iterable[str]) -> Selectors:
        return cls(tuple(local) or (DYNAMIC,), tuple(remote) or (DYNAMIC,))

    def __str__(self) -> str:
        return f"{', '.join(self.local)} to {', '.join(self.remote)}"

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(
            Pair(local, remote)
            for local in self.local
            for remote in self.remote
            if (":" in local) == (":" in remote) or DYNAMIC in local + remote
        )

    @property
    def open(self) -> tuple[bool, bool]:
        """Return for each side whether it has the address of a gateway, which no option names."""
        return any(map(_is_dynamic, self.local)), any(map(_is_dynamic, self.remote))

    def meets(self, other: Selectors) -> bool:
        """Return whether both carry a common packet. Addresses of gateways are not compared."""
        mine, theirs = self._network_boxes, other._network_boxes
        return any(_common(one, another) for one in mine for another in theirs)

    @property
    def _network_boxes(self) -> list[_Box | None]:
        """Return the boxes of the pairs that name no gateway."""
        return [_box(pair, (False, False)) for pair in self.pairs if not _names_gateway(pair)]

    def covers(self, local: str, remote: str) -> bool:
        """Return whether it has packets between two addresses; an empty text is any address."""
        packet = Selectors((local or DYNAMIC,), (remote or DYNAMIC,))
        any_address = tuple(mine or other for mine, other in zip(self.open, packet.open))
        packet_box = _box(Pair(*packet.local, *packet.remote), any_address)
        return any(_common(_box(pair, any_address), packet_box) for pair in self.pairs)


def missing(
    wanted: Selectors, carried: t.Sequence[Selectors], *, loosely: bool = False
) -> tuple[Pair, ...]:
    """Return the pairs of ``wanted`` that no SA carries, or the parts of them.

    With ``loosely``, a pair counts as carried when a part of it is carried.
    """
    if any({*wanted.local} <= {*sa.local} and {*wanted.remote} <= {*sa.remote} for sa in carried):
        return ()
    carried_pairs = {pair for sa in carried for pair in sa.pairs}
    carried_boxes = (_box(pair, wanted.open) for pair in sorted(carried_pairs, key=str))
    boxes = [box for box in carried_boxes if box]
    lacking: list[Pair] = []
    for pair in wanted.pairs:
        box = _box(pair, wanted.open)
        if box is None or pair in carried_pairs:
            continue
        if loosely and any(_common(box, other) for other in boxes):
            continue
        lacking += _remaining_pairs(pair, box, _without(box, boxes))
    return tuple(lacking)


def canonical(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return selectors as charon and the kernel show them; none when that is not known of each.

    It is known of networks in their usual form and of ``dynamic``. Protocols, ports and address
    ranges are shown in other ways.
    """
    return texts if all(map(_is_canonical, texts)) else ()


@functools.cache
def _is_canonical(text: str) -> bool:
    try:
        return text == DYNAMIC or str(ipaddress.ip_network(text)) == text
    except ValueError:
        return False


def exact(text: str) -> bool:
    """Return whether a selector can be read without /etc/protocols and /etc/services."""
    match = _SELECTOR.fullmatch(text)
    if match is None:
        return False
    protocol, ports = match[2] or "", match[3] or ""
    return (not protocol or protocol.isdigit() or protocol in PROTOCOLS) and (
        not ports or ports.replace("-", "").isdigit()
    )


def grouped(pairs: t.Iterable[Pair]) -> str:
    """Return ``10.1.0.0/24 to 10.3.0.0/24, 10.4.0.0/24; 10.5.0.0/24 to 10.3.0.0/24``."""
    by_local: dict[str, list[str]] = {}
    for pair in pairs:
        by_local.setdefault(pair.local, []).append(pair.remote)
    return "; ".join(f"{local} to {', '.join(remote)}" for local, remote in by_local.items())


def _remaining_pairs(pair: Pair, box: _Box, pieces: list[_Box]) -> list[Pair]:
    """Return the remaining pieces of a pair as networks, or the pair when these are many."""
    if not pieces:
        return []
    only_addresses_differ = all(
        piece[index] == box[index] for piece in pieces for index in (1, 2, 4, 5)
    )
    version = 6 if ":" in pair.local + pair.remote else 4
    if pieces != [box] and only_addresses_differ and DYNAMIC not in pair.local + pair.remote:
        networks = (
            Pair(local, remote)
            for piece in pieces
            for local in _networks(piece[0], version, pair.local)
            for remote in _networks(piece[3], version, pair.remote)
        )
        few = [*itertools.islice(networks, _MOST_NETWORKS + 1)]
        if len(few) <= _MOST_NETWORKS:
            return few
    return [pair]


def _networks(addresses: _Range, version: int, text: str) -> t.Iterator[str]:
    """Return a range of addresses as networks, each with the protocol and port of ``text``."""
    suffix = text[text.index("[") :] if "[" in text else ""
    networks: t.Iterator[object]
    if version == 6:
        networks = ipaddress.summarize_address_range(*map(ipaddress.IPv6Address, addresses))
    else:
        first, last = (ipaddress.IPv4Address(number - _IPV4) for number in addresses)
        networks = ipaddress.summarize_address_range(first, last)
    return (f"{network}{suffix}" for network in networks)


def _without(box: _Box, cuts: t.Iterable[_Box]) -> list[_Box]:
    """Return the pieces of a box that remain without the cuts."""
    pieces = [box]
    for cut in cuts:
        pieces = [rest for piece in pieces for rest in _pieces(piece, cut)]
    return pieces


def _pieces(box: _Box, cut: _Box) -> t.Iterator[_Box]:
    if not _common(box, cut):
        yield box
        return
    for index, ((first, last), (begin, end)) in enumerate(zip(box, cut)):
        if first < begin:
            yield (*box[:index], (first, begin - 1), *box[index + 1 :])
        if end < last:
            yield (*box[:index], (end + 1, last), *box[index + 1 :])
        box = (*box[:index], (max(first, begin), min(last, end)), *box[index + 1 :])


def _common(one: _Box | None, other: _Box | None) -> bool:
    if one is None or other is None:
        return False
    return all(mine[0] <= theirs[1] and theirs[0] <= mine[1] for mine, theirs in zip(one, other))


def _box(pair: Pair, any_address: tuple[bool, ...]) -> _Box | None:
    """Return the box of a pair; None when a selector can't be read."""
    local, remote = _side(pair.local), _side(pair.remote)
    if local is None or remote is None:
        return None
    ends = [
        (_ALL_ADDRESSES, *side[1:]) if anything else side
        for side, anything in zip((local, remote), any_address)
    ]
    return (*ends[0], *ends[1])


def _names_gateway(pair: Pair) -> bool:
    return _is_dynamic(pair.local) or _is_dynamic(pair.remote)


def _is_dynamic(text: str) -> bool:
    return text.startswith(DYNAMIC)


def _side(text: str) -> _Side | None:
    """Return the addresses, protocols and ports of a selector; None when it can't be read."""
    match = _SELECTOR.fullmatch(text)
    if match is None:
        return None
    try:
        addresses = _addresses(match[1])
    except ValueError:
        return None
    return addresses, _protocol(match[2]), _ports(match[3])


def _addresses(text: str) -> _Range:
    if _is_dynamic(text):
        return _ALL_ADDRESSES
    first, dots, last = text.partition(".." if ".." in text else "-")
    if dots:
        return _number(ipaddress.ip_address(first)), _number(ipaddress.ip_address(last))
    network = ipaddress.ip_network(text, strict=False)
    return _number(network[0]), _number(network[-1])


def _number(address: IPAddress) -> int:
    return int(address) + (_IPV4 if address.version == 4 else 0)


def _protocol(text: str | None) -> _Range:
    """Return the protocol numbers of a selector. An unknown name may be any protocol."""
    number = int(text) if text and text.isdigit() else PROTOCOLS.get(text or "")
    return _ALL_PROTOCOLS if number is None or number == 0 else (number, number)


def _ports(text: str | None) -> _Range:
    """Return the ports of a selector. A name from /etc/services may be any port."""
    first, dash, last = (text or "").partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        return _ALL_PORTS
    begin, end = int(first), int(last or first)
    return _ALL_PORTS if not dash and begin == 0 else (begin, end)
