# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions about a host, whose answers by nft and ip of each release are recorded.

``tools/record_outputs.py`` creates the objects and records the outputs.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.link import Link
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._host.kernel.nft import Nft
from ansible_collections.tunnelwright.ipsec.plugins.module_utils._render import nft

_LAN = ipaddress.ip_network("10.1.0.0/24")
_LAN6 = ipaddress.ip_network("fd00:1::/64")
TABLE_NAME = "tunnelwright-lan"
# The rendered table of a network with two tunnels.
TABLE = nft.render(
    nft.table(
        nft.RulesetInput(
            "lan",
            tunnels=(
                nft.TunnelMatch("site-b/net", _LAN, ipaddress.ip_network("10.2.0.0/24")),
                nft.TunnelMatch("site-c/six", _LAN6, ipaddress.ip_network("fd00:2::/64")),
            ),
            peers=tuple(map(ipaddress.ip_address, ("192.0.2.2", "2001:db8::2"))),
        )
    )
)

Question = t.Callable[[Link, Nft], t.Any]

QUESTIONS: dict[str, Question] = {
    "interface": lambda link, _nft: link.get("vpn-lan"),
    "permanent addresses": lambda link, _nft: link.get("wan"),
    "names": lambda link, _nft: link.names(),
    "routes": lambda link, _nft: link.routes(),
    "policies": lambda link, _nft: link.outbound_policies(),
    "SAs": lambda link, _nft: link.sa_indexes(),
    "addresses": lambda link, _nft: link.addresses(),
    "networks": lambda link, _nft: link.interfaces(),
    "a neighbor": lambda link, _nft: link.is_next_hop(ipaddress.ip_address("10.1.0.254")),
    "behind a router": lambda link, _nft: link.is_next_hop(ipaddress.ip_address("203.0.113.1")),
    "behind a device": lambda link, _nft: link.is_next_hop(
        ipaddress.ip_address("10.55.0.1"), "vpn-lan"
    ),
    "no route": lambda link, _nft: link.has_route("2001:db8::1"),
    "learned routes": lambda link, _nft: link.ra_default_route_interfaces(),
    "features": lambda _link, nft: nft.features(),
    "tables": lambda _link, nft: nft.tables(),
    "table": lambda _link, nft: nft.table(TABLE_NAME),
    "foreign chains": lambda _link, nft: nft.foreign_chains(),
    "own rules": lambda _link, nft: nft.own_rules_by_chain("by hand"),
}
