# Copyright (c) the tunnelwright.ipsec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of tunnels and peers: a row is a tunnel or an event, a column is a peer.

The limits of the peers are in ``limits.py``.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from itertools import zip_longest

Proposal = dict[str, t.Any]


@dataclass(frozen=True)
class Column:
    """An IKE daemon with a version of IKE, on ``host`` of the test bed.

    ``version`` is the version of the daemon in Debian.
    """

    name: str
    title: str
    daemon: str
    version: str
    key_exchange: str
    host: str


COLUMNS = {
    column.name: column
    for column in (
        Column("libreswan", "libreswan, IKEv2", "libreswan", "4.10", "ikev2", "other"),
        Column("libreswan-ikev1", "libreswan, IKEv1", "libreswan", "4.10", "ikev1", "other"),
        Column("openiked", "OpenIKED", "openiked", "7.2", "ikev2", "other"),
        Column("strongswan", "strongSwan 6.0", "strongswan", "6.0.1", "ikev2", "b"),
    )
}


@dataclass(frozen=True)
class Tunnel:
    """A tunnel: the settings of both sides, in the options of the modules."""

    # Values that most peers support, without options that OpenIKED can't use in phase 2.
    ike: Proposal = field(
        default_factory=lambda: {"key_length": 256, "hash": "sha256", "dh_group": 14}
    )
    child: Proposal = field(
        default_factory=lambda: {"key_length": 256, "hash": "sha512", "dh_group": 14}
    )
    protocol: str = "esp"
    authentication: str = "psk"
    key: str = "rsa"  # of the certificates
    outside: int = 4  # IP version of the packets between the gateways
    inside: tuple[int, ...] = (4,)  # IP versions in the tunnel, a phase 2 for each
    mode: str = "tunnel"
    nat: str = ""  # the side behind NAT: "", "ours" or "theirs"
    udp: bool = False  # whether we force UDP encapsulation
    start: str = "ours"  # the side that initiates
    behavior: str = "start"  # our connection_behavior, when we initiate
    dpd: str = ""  # the side that looks for dead peers: "", "ours" or "theirs"
    lifetime: str = ""  # the SA with a short lifetime at the peer, which rekeys: "", "child", "ike"
    defaults: bool = False  # the peer proposes its default suites
    ppk: bool = False  # both sides require a PPK


@dataclass(frozen=True)
class Row:
    """A tunnel, and the name of a function in ``acts.py`` that runs once the tunnel is up."""

    name: str
    title: str
    tunnel: Tunnel
    act: str = ""


def _proposal(text: str) -> Proposal:
    """Return the options of an entry of `encryption`, from a text like ``aes-256 sha256 14``."""
    found: Proposal = {}
    for word in text.split():
        algorithm, _dash, length = word.rpartition("-")
        if word.isdigit():
            found["dh_group"] = int(word)
        elif word.startswith("prf"):
            found["prf"] = word[3:]
        elif length.isdigit() and algorithm in ("aes", "aes-gcm", "aes-ccm", "aes-ctr", "camellia"):
            found |= {"algorithm": algorithm, "key_length": int(length)}
        elif word in ("3des", "chacha20-poly1305"):
            found["algorithm"] = word
        else:
            found["hash"] = word
    return found


# Phase 1 and phase 2. A group in phase 2 is PFS, which has its first effect at a rekeying.
_SUITES = (
    ("aes-256 sha256 14", "aes-256 sha256"),
    ("aes-128 sha256 14", "aes-128 sha512 14"),
    ("aes-256 sha256 14", "aes-256 sha512"),
    ("aes-192 sha256 15", "aes-192 sha384 15"),
    ("aes-256 sha512 16", "aes-256 sha512 16"),
    ("aes-128 sha256 19", "aes-128 sha512 19"),
    ("aes-256 sha384 20", "aes-256 sha384"),
    ("aes-256 sha384 20", "aes-256 sha384 20"),
    ("aes-256 sha512 21", "aes-256 sha512 21"),
    ("aes-256 sha256 31", "aes-256 sha512 31"),
    ("aes-128 sha1 14", "aes-128 sha1 14"),
    ("aes-128 sha1 5", "aes-128 sha1 5"),
    ("3des sha1 14", "3des sha1 14"),
    ("aes-256 sha256 14", "aes-gcm-128"),
    ("aes-256 sha384 20", "aes-gcm-256"),
    ("aes-256 sha256 14", "aes-ctr-256 sha512 14"),
    ("camellia-256 sha256 14", "camellia-256 sha512"),
    ("aes-gcm-128 prfsha256 19", "aes-128 sha512 19"),
    ("aes-gcm-256 prfsha384 20", "aes-256 sha384 20"),
    ("aes-gcm-256 prfsha384 20", "aes-gcm-256 20"),
    ("chacha20-poly1305 prfsha256 31", "chacha20-poly1305 31"),
)
# AH has no encryption.
_AH = (("aes-256 sha512 14", "sha512 14"),)


def _suites() -> t.Iterator[Row]:
    for protocol, pairs in (("esp", _SUITES), ("ah", _AH)):
        for pair in pairs:
            ike, child = (_proposal(text) for text in pair)
            title = f"{pair[0]} / {'AH ' if protocol == 'ah' else ''}{pair[1]}"
            tunnel = Tunnel(ike=ike, child=child, protocol=protocol)
            name = title.replace(" / ", "/").replace(" ", "_")
            yield Row(name, title, tunnel, "rekey_child_by_us" if "dh_group" in child else "")


def _row(name: str, title: str, act: str = "", **tunnel: t.Any) -> Row:
    return Row(name, title, Tunnel(**tunnel), act)


SUITES = tuple(_suites())
BEHAVIOURS = (
    _row("defaults", "We offer one suite, the peer its default suites", defaults=True),
    _row("certificates", "Certificates with RSA keys", authentication="pubkey"),
    _row("certificates-ecdsa", "Certificates with ECDSA keys", authentication="pubkey",
         key="ecdsa"),
    _row("transport", "Transport mode between the gateways", mode="transport"),
    _row("6in4", "IPv6 inside, IPv4 outside", inside=(6,)),
    _row("4in6", "IPv4 inside, IPv6 outside", outside=6),
    _row("6in6", "IPv6 inside and outside", outside=6, inside=(6,)),
    _row("6in6-certificates", "IPv6 inside and outside, with certificates", outside=6, inside=(6,),
         authentication="pubkey"),
    _row("both", "IPv4 and IPv6 inside, a phase 2 for each", inside=(4, 6)),
    _row("on-demand", "The first packet from our LAN brings the tunnel up", behavior="on_demand"),
    _row("peer-starts", "The peer initiates", start="theirs"),
    _row("peer-starts-certificates", "The peer initiates, with certificates", start="theirs",
         authentication="pubkey"),
    _row("ppk", "A PPK that both sides require", "ppk_in_use", ppk=True),
    _row("ppk-peer-starts", "A PPK that both sides require, and the peer initiates", "ppk_in_use",
         ppk=True, start="theirs"),
    _row("udp", "UDP encapsulation forced by us", udp=True),
    _row("nat-ours", "We are behind NAT", nat="ours"),
    _row("nat-ours-certificates", "We are behind NAT, with certificates", nat="ours",
         authentication="pubkey"),
    _row("nat-theirs", "The peer is behind NAT, and initiates", nat="theirs", start="theirs"),
    _row("rekey-child-ours", "We rekey the Child SA", "rekey_child_by_us"),
    _row("rekey-child-theirs", "The peer rekeys the Child SA", "rekey_child_by_peer",
         lifetime="child"),
    _row("rekey-ike-ours", "We rekey the IKE SA", "rekey_ike_by_us"),
    _row("rekey-ike-theirs", "The peer rekeys the IKE SA", "rekey_ike_by_peer", lifetime="ike"),
    _row("dpd-ours", "The line is cut: we notice, and the tunnel comes back", "cut_seen_by_us",
         dpd="ours"),
    _row("dpd-theirs", "The line is cut: the peer notices, and the tunnel comes back",
         "cut_seen_by_peer", dpd="theirs", start="theirs"),
    _row("restart-ours", "Our IKE daemon is restarted", "restart_of_us"),
    _row("restart-theirs", "The peer's IKE daemon is restarted", "restart_of_peer"),
    _row("crash-theirs", "The peer's IKE daemon is killed, and started again",
         "crash_of_peer", dpd="ours"),
    _row("peer-closes", "The peer closes the tunnel: the next packet brings it back",
         "closed_by_peer"),
)  # fmt: skip
ROWS = {row.name: row for row in (*SUITES, *BEHAVIOURS)}

# How many cells of each peer a run tries.
EACH = 2


def drawn(seed: int) -> set[str]:
    """Return the cells of the run with this seed. Any 25 consecutive seeds have all cells.

    Suites and behaviours are mixed, so that a run has some of both kinds.
    """
    names = [
        name
        for pair in zip_longest([row.name for row in SUITES], [row.name for row in BEHAVIOURS])
        for name in pair
        if name
    ]
    return {
        f"{column}/{names[(EACH * (seed + 6 * place) + number) % len(names)]}"
        for place, column in enumerate(COLUMNS)
        for number in range(EACH)
    }
