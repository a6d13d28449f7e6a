# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a tunnel on both sides: our tasks, and the files of the peer."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

import jinja2
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop import words
from ansible_collections.tunnelwright.ipsec.tests.kernel.interop.table import Column, Tunnel

Options = dict[str, t.Any]
Addresses = dict[int, str]  # by IP version

OUR_NAME, THEIR_NAME = "gw.example", "peer.example"
PKI = "/root/pki"
PPK = "a post-quantum key of these tests, of no other use"
PPK_ID = "ppk-of-both"
# The template of each file of a daemon.
FILES = {
    "libreswan": {
        "/etc/ipsec.d/site-a.conf": "libreswan.conf.j2",
        "/etc/ipsec.d/site-a.secrets": "libreswan.secrets.j2",
    },
    "openiked": {"/etc/iked.conf": "iked.conf.j2"},
    "strongswan": {"/etc/swanctl/conf.d/site-a.conf": "swanctl.conf.j2"},
}


@dataclass(frozen=True)
class Places:
    """The addresses of both sides; ``nat`` is the address of the NAT, if there is NAT."""

    ours: Addresses
    theirs: Addresses
    our_lan: Addresses
    their_lan: Addresses
    nat: str
    behind_nat: str  # the address that NAT hides
    psk: str


class Site:
    """Both ends of ``tunnel`` to the peer of ``column``."""

    def __init__(self, column: Column, tunnel: Tunnel, places: Places) -> None:
        self.column, self.tunnel, self.places = column, tunnel, places
        named = tunnel.nat or tunnel.authentication == "pubkey"
        hidden = {"ours": "", "theirs": "", tunnel.nat: places.nat}
        # The address that the other side sees.
        self.ours = hidden["ours"] or places.ours[tunnel.outside]
        self.theirs = hidden["theirs"] or places.theirs[tunnel.outside]
        self.our_id = OUR_NAME if named else self.ours
        self.their_id = THEIR_NAME if named else self.theirs

    def phase1(self) -> Options:
        tunnel = self.tunnel
        options: Options = {"name": "peer", "network": "lan", "remote_gateway": self.theirs}
        if self.column.key_exchange != "ikev2":
            options["key_exchange"] = self.column.key_exchange
        if tunnel.authentication == "pubkey":
            options["authentication"] = "pubkey"
            options["certificate"] = f"{PKI}/{tunnel.key}/{OUR_NAME}.pem"
            options["private_key"] = f"{PKI}/{tunnel.key}/{OUR_NAME}.key"
            options["ca"] = f"{PKI}/{tunnel.key}/ca.pem"
        else:
            options["psk"] = self.places.psk
        if self.our_id == OUR_NAME:
            options |= {"identifier": self.our_id, "peer_identifier": self.their_id}
        options["encryption"] = [tunnel.ike]
        ours = tunnel.start == "ours"
        options["connection_behavior"] = tunnel.behavior if ours else "responder_only"
        if tunnel.ppk:
            options |= {"ppk": PPK, "ppk_id": PPK_ID, "ppk_required": True}
        if tunnel.udp:
            options["force_udp_encapsulation"] = True
        options |= {"": {}, "ours": {"dpd_delay": 3}, "theirs": {"dpd_action": "none"}}[tunnel.dpd]
        return options

    def phase2(self) -> list[Options]:
        tunnel, places = self.tunnel, self.places
        names = {"name": "", "network": "lan", "phase1": "peer"}
        protection = {"encryption": [tunnel.child]}
        if tunnel.protocol != "esp":
            protection = {"protocol": tunnel.protocol, **protection}
        if tunnel.mode == "transport":
            return [{**names, "name": "gateways", "mode": "transport", **protection}]
        return [
            {
                **names,
                "name": f"net{version}",
                "local_network": [places.our_lan[version]],
                "remote_network": [places.their_lan[version]],
                **protection,
            }
            for version in tunnel.inside
        ]

    def children(self) -> list[str]:
        return [f"peer/{options['name']}" for options in self.phase2()]

    def files(self) -> dict[str, str]:
        """Return the files of the peer, by their paths."""
        return {
            path: _ENVIRONMENT.get_template(name).render(self._words())
            for path, name in FILES[self.column.daemon].items()
        }

    def _words(self) -> Options:
        tunnel, behind = self.tunnel, self.tunnel.nat == "theirs"
        return {
            "tunnel": tunnel,
            "places": self.places,
            "ikev1": self.column.key_exchange == "ikev1",
            "certified": tunnel.authentication == "pubkey",
            # The peer's address on its interface, and our address as the peer sees it.
            "local": self.places.behind_nat if behind else self.theirs,
            "remote": self.ours,
            "local_id": self.their_id,
            "remote_id": self.our_id,
            "named": self.our_id == OUR_NAME,
            "pfs": "dh_group" in tunnel.child,
            "initiates": tunnel.start == "theirs",
            "ppk": PPK,
            "ppk_id": PPK_ID,
            "words": words,
        }


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
