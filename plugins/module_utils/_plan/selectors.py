# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection tunnelwright.ipsec: may change at any time without notice.

"""Which configured networks the SAs of a phase 2 carry (RFC 7296 section 2.9), and which not.

Selectors are texts, as charon takes and lists them: ``10.1.0.0/24``, ``10.1.0.1..10.1.0.9``,
``10.1.0.0/24[tcp/80]``, ``dynamic``. A pair of them is a box in a space of six dimensions: address,
protocol and port of the local and of the remote side.
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
# Addresses of IPv4 are counted beyond those of IPv6.
_IPV4 = 2**128
_ALL_ADDRESSES = (0, _IPV4 + 2**32 - 1)
_ALL_PROTOCOLS = (0, 255)
_ALL_PORTS = (0, 65535)
# A remainder in more pieces is told as a whole.
_FEW = 4


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
    """The selectors of both sides, each local one with each remote one of its IP version.

    Without any, a side is ``dynamic``: the address of the gateway there.
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
        """Whether the addresses of a side are those of a gateway, which no option names."""
        return any(map(_is_dynamic, self.local)), any(map(_is_dynamic, self.remote))

    def meets(self, other: Selectors) -> bool:
        """Whether both carry some packet; the addresses of gateways are not compared."""
        none = (False, False)
        mine, theirs = (
            [box for pair in side.pairs if not _names_gateway(pair) for box in [_box(pair, none)]]
            for side in (self, other)
        )
        return any(_common(box, met) for box in mine for met in theirs)

    def covers(self, local: str, remote: str) -> bool:
        """Whether packets between two addresses are in it; an empty text stands for any."""
        packet = Selectors((local or DYNAMIC,), (remote or DYNAMIC,))
        own = tuple(mine or asked for mine, asked in zip(self.open, packet.open))
        return any(
            _common(*boxes)
            for pair in self.pairs
            for boxes in [(_box(pair, own), _box(Pair(*packet.local, *packet.remote), own))]
            if all(boxes)
        )


def missing(
    wanted: Selectors, carried: t.Sequence[Selectors], *, loosely: bool = False
) -> tuple[Pair, ...]:
    """What of ``wanted`` none of the SAs carries, which carry all together.

    ``loosely``: a pair is carried if a part of it is.
    """
    if any({*wanted.local} <= {*sa.local} and {*wanted.remote} <= {*sa.remote} for sa in carried):
        return ()
    known = {pair for sa in carried for pair in sa.pairs}
    boxes = [box for pair in sorted(known, key=str) for box in [_box(pair, wanted.open)] if box]
    found: list[Pair] = []
    for pair in wanted.pairs:
        box = _box(pair, wanted.open)
        if box is None or pair in known:
            continue
        if loosely and any(_common(box, other) for other in boxes):
            continue
        found += _told(pair, box, _without(box, boxes))
    return tuple(found)


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
    """Whether it names no protocol or port in a way that the host alone knows."""
    match = _SELECTOR.fullmatch(text)
    if match is None:
        return False
    protocol, ports = match[2] or "", match[3] or ""
    return (not protocol or protocol.isdigit() or protocol in PROTOCOLS) and (
        not ports or ports.replace("-", "").isdigit()
    )


def grouped(pairs: t.Iterable[Pair]) -> str:
    """``10.1.0.0/24 to 10.3.0.0/24, 10.4.0.0/24; 10.5.0.0/24 to 10.3.0.0/24``."""
    by_local: dict[str, list[str]] = {}
    for pair in pairs:
        by_local.setdefault(pair.local, []).append(pair.remote)
    return "; ".join(f"{local} to {', '.join(remote)}" for local, remote in by_local.items())


def _told(pair: Pair, box: _Box, left: list[_Box]) -> list[Pair]:
    """The remainder of a pair as networks, if these are few; else the whole pair."""
    if not left or left == [box]:
        return [pair] * len(left)
    plain = all(piece[index] == box[index] for piece in left for index in (1, 2, 4, 5))
    version = 6 if ":" in pair.local + pair.remote else 4
    if plain and DYNAMIC not in pair.local + pair.remote:
        found = (
            Pair(local, remote)
            for piece in left
            for local in _networks(piece[0], version, pair.local)
            for remote in _networks(piece[3], version, pair.remote)
        )
        pieces = [*itertools.islice(found, _FEW + 1)]
        if len(pieces) <= _FEW:
            return pieces
    return [pair]


def _networks(addresses: _Range, version: int, text: str) -> t.Iterator[str]:
    """With the protocol and the port of ``text``, where it has them."""
    suffix = text[text.index("[") :] if "[" in text else ""
    found: t.Iterator[object]
    if version == 6:
        found = ipaddress.summarize_address_range(*map(ipaddress.IPv6Address, addresses))
    else:
        first, last = (ipaddress.IPv4Address(number - _IPV4) for number in addresses)
        found = ipaddress.summarize_address_range(first, last)
    return (f"{network}{suffix}" for network in found)


def _without(box: _Box, cuts: t.Iterable[_Box]) -> list[_Box]:
    """What remains of a box, in pieces."""
    left = [box]
    for cut in cuts:
        left = [piece for item in left for piece in _pieces(item, cut)]
    return left


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
    """None for what can't be read, or has two IP versions."""
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
    """Addresses, protocols and ports of a selector."""
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
    """A name that is not known here may be any protocol."""
    number = int(text) if text and text.isdigit() else PROTOCOLS.get(text or "")
    return _ALL_PROTOCOLS if number is None or number == 0 else (number, number)


def _ports(text: str | None) -> _Range:
    """A name, which /etc/services of the host knows, may be any port."""
    first, dash, last = (text or "").partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        return _ALL_PORTS
    begin, end = int(first), int(last or first)
    return _ALL_PORTS if not dash and begin == 0 else (begin, end)
