# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels of the kernel between the two gateways of a site: static SAs, and policies for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .conftest import FAR4, FAR6, LAN4, LAN6, Site

OUTER = ("192.0.2.1", "192.0.2.2")

Pairs = Sequence[tuple[object, object]]
SELECTORS: Pairs = ((LAN4, FAR4), (LAN6, FAR6))

_CRYPTO = f"auth 'hmac(sha256)' 0x{'11' * 32} enc 'cbc(aes)' 0x{'22' * 16} flag af-unspec"


def connect(site: Site, near: Pairs = SELECTORS, *, ipcomp: bool = False) -> None:
    """Install SAs and policies for pairs of networks (local, remote) on both gateways."""
    site.through("wan0")
    far = tuple((remote, local) for local, remote in near)
    for place, ends, selectors in ((site.gateway, OUTER, near), (site.far, OUTER[::-1], far)):
        place.sh("ip xfrm state flush; ip xfrm policy flush")
        mode = "transport" if ipcomp else "tunnel"
        for number, (source, target) in enumerate((OUTER, OUTER[::-1])):
            sa = f"ip xfrm state add src {source} dst {target}"
            place.sh(f"{sa} proto esp spi {0x1000 + number} reqid 1 mode {mode} {_CRYPTO}")
            if ipcomp:
                kind = "reqid 1 mode tunnel comp deflate flag af-unspec"
                place.sh(f"{sa} proto comp spi {0x2000 + number} {kind}")
        for local, remote in selectors:
            place.sh(_policy("out", local, remote, ends, ipcomp=ipcomp))
            for direction in ("in", "fwd"):
                place.sh(_policy(direction, remote, local, ends[::-1], ipcomp=ipcomp))


def _policy(
    direction: str, source: object, target: object, ends: tuple[str, ...], *, ipcomp: bool
) -> str:
    outer = f"tmpl src {ends[0]} dst {ends[1]}"
    # A packet has no IPComp header when compression does not make it shorter.
    level = "" if direction == "out" else "level use"
    protection = (
        f"{outer} proto comp reqid 1 mode tunnel {level} {outer} proto esp reqid 1 mode transport"
        if ipcomp
        else f"{outer} proto esp reqid 1 mode tunnel"
    )
    return f"ip xfrm policy add src {source} dst {target} dir {direction} {protection}"


def protected(site: Site) -> int:
    """Return the number of packets that ESP SAs of the gateway carried, in both directions."""
    listed = site.gateway.sh("ip -s xfrm state list proto esp")
    return sum(map(int, re.findall(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", listed)))
